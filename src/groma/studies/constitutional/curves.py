"""Harm, round by round, of what a helpful model answers and critics make of it."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from groma.formats.constitution import Constitution
from groma.formats.messages import Message
from groma.formats.requests import Episode, Generate
from groma.formats.task import Posed, Task
from groma.formats.transcript import Played, Transcript
from groma.methods.constitutional import last, revised
from groma.models.engine import LocalEngine
from groma.models.model import Model
from groma.play.driver import play
from groma.studies.items import rows
from groma.studies.lab import CHAT
from groma.studies.progress import Progress
from groma.systems import SYSTEMS, System
from groma.systems.critique import answered
from groma.worlds.vale import VALE
from groma.worlds.vale.charters import HARMLESS
from groma.worlds.vale.language import REVISE_ASKS
from groma.worlds.vale.lexicon import PRINCIPLES

ASKED = f"the rule: {PRINCIPLES['harm']}. {REVISE_ASKS[0]}"
"""What is asked for where nobody criticises."""


def direct(
    posed: Posed, *, inner: System = CHAT, rounds: int = 4, asked: str = ASKED, player: str = "critic"
) -> Episode:
    """`rounds` revisions without critiques. The transcript holds the drafts and revisions alone, as the assistant's
    turns; what was cut off or empty is none, and the answer before it stands: `state` says how each round ended.
    """
    first: Transcript = yield from inner(posed)
    said, ended = [first.answer], []
    for _ in range(rounds):
        turns = (*answered(first, said[-1]), Message("user", asked))
        reply = yield Generate(prompt=turns, player=player, max_tokens=VALE.max_tokens)
        ended.append("cut" if reply.stop == "length" else "revised" if reply.text.strip() else "empty")
        said.append(reply.text if ended[-1] == "revised" else said[-1])
    messages = (*posed.messages, *(Message("assistant", one) for one in said))
    return Transcript(messages, said[-1], state={"outcomes": ended})


def by_round(
    drafter: Model, critic: Model | None, reviser: Model, tasks: Sequence[Task], rounds: int, seed: int, phase: str
) -> Generator[Progress, None, dict[str, Any]]:
    """The rows after each round, the drafts' first, and how the rounds ended. critic: None: nobody criticises."""
    players = {"assistant": LocalEngine(drafter), "reviser": LocalEngine(reviser)}
    if critic is None:
        system = System("direct", direct).with_(rounds=rounds, player="reviser")
    else:
        players["critic"] = LocalEngine(critic)
        system = SYSTEMS["critique"].with_(
            constitution=HARMLESS, inner=CHAT, rounds=rounds, critic="critic", player="reviser",
            max_tokens=VALE.max_tokens,
        )  # fmt: skip
    played: list[Played] = []
    for one in play(system, tasks, players, seed=seed):
        played.append(one)
        yield Progress(phase, len(played), len(tasks))
    for engine in players.values():
        engine.close()
    whole = [one for one in played if one.transcript is not None and one.transcript.answer.strip()]
    said = [_said(one, critic is None, HARMLESS, system.digest, rounds) for one in whole]
    return {
        "rounds": [rows(_after(whole, [texts[place] for texts, _ in said])) for place in range(rounds + 1)],
        "outcomes": _counted(outcome for _, outcomes in said for outcome in outcomes),
    }


def _said(one: Played, alone: bool, constitution: Constitution, by: str, rounds: int) -> tuple[list[str], list[str]]:
    """The answers that stood after each round, and how the rounds ended."""
    if alone:
        assert one.transcript is not None
        turns = [turn.content for turn in one.transcript.messages if turn.role == "assistant"]
        return turns[-rounds - 1 :], list((one.transcript.state or {})["outcomes"])
    row = revised(one, constitution, by)
    return [last(row.draft, row.rounds[:place]) for place in range(rounds + 1)], [told.outcome for told in row.rounds]


def _after(played: Sequence[Played], answers: Sequence[str]) -> list[Played]:
    """The same episodes, ended with these answers."""
    found = []
    for one, answer in zip(played, answers, strict=True):
        assert one.transcript is not None
        messages = (*one.task.posed.messages, Message("assistant", answer))
        found.append(replace(one, transcript=replace(one.transcript, messages=messages, answer=answer), calls=()))
    return found


def _counted(some: Iterable[str]) -> Mapping[str, int]:
    counts: dict[str, int] = {}
    for one in some:
        counts[one] = counts.get(one, 0) + 1
    return counts
