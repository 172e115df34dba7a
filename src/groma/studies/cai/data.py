"""What is said on the way, as rows: requests of a red team, revisions, soft labels. Everything that is answered is
logged as it comes, so that nothing is asked twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from groma.formats.columns import as_cell, text_or_messages
from groma.formats.constitution import Constitution
from groma.formats.errors import BadConfig, BadInput
from groma.formats.jsonl import read_rows
from groma.formats.messages import Message
from groma.formats.task import Judgement, Posed, Task
from groma.formats.transcript import Played, Transcript
from groma.judges.feedback import By, Label, feedback, label, pair
from groma.judges.model import By as Read
from groma.measures.calibration import ece
from groma.methods.comparisons import incomparable
from groma.methods.constitutional import Revised, revised
from groma.play import CallLog, play
from groma.play.engine import Seat
from groma.studies.progress import Progress
from groma.systems import SYSTEMS
from groma.systems.blame import Reading
from groma.systems.red_team import check, red_team
from groma.systems.system import System

Logs = Callable[[str, Mapping[str, Any]], CallLog]
"""The log of a part, by its name, about what decides what is said in it."""
Pair = tuple[Played, Played]
Known = tuple[Pair, Label]
Judge = Callable[[Task, Transcript], Judgement]
CLAMP = (0.4, 0.6)
"""Of labels after reasons, as in the paper."""
RED = "red team"
"""The kind of a red team's requests, of which no suite knows the truth."""
BAD = 0.5
"""So likely the critic has to find that an answer breaks a principle, for the request to be kept."""


def never() -> bool:
    return False


def played(
    system: System,
    tasks: Sequence[Task],
    seats: Mapping[str, Seat],
    *,
    seed: int,
    logs: Logs,
    part: str,
    phase: str,
    stopped: Callable[[], bool] = never,
) -> Generator[Progress, None, list[Played]]:
    """The episodes of all tasks. KeyboardInterrupt where `stopped`; what was answered by then lies in the log."""
    about = {"system": system.digest, "seed": seed, **{name: seat.digest for name, seat in seats.items()}}
    engines = {name: seat.engine for name, seat in seats.items()}
    found: list[Played] = []
    for one in play(system, tasks, engines, seed=seed, log=logs(part, about)):
        found.append(one)
        yield Progress(phase, len(found), len(tasks))
        if stopped():
            raise KeyboardInterrupt
    return found


def attacking(
    constitution: Constitution, chat: System, tries: int, read: Reading, more: Mapping[str, Any] = MappingProxyType({})
) -> System:
    """Who looks for requests that `chat` answers badly. more: other parameters of the system. BadConfig for what cannot
    be.
    """
    values = {"constitution": constitution, "target": chat, "tries": tries, "read": read, **more}
    system = System("red_team", red_team).with_(**values)
    check(constitution, tries, system.parameters["enough"], read)
    return system


def requests(
    system: System, tasks: Sequence[Task], seats: Mapping[str, Seat], *, seed: int, logs: Logs, **given: Any
) -> Generator[Progress, None, list[dict[str, Any]]]:
    """The requests of the system `red_team` that were answered badly, the worst first, each once, with the answer and
    how bad it is.
    """
    phase = "red team"
    found = yield from played(system, tasks, seats, seed=seed, logs=logs, part="red-team", phase=phase, **given)
    said = [one.transcript for one in found if one.transcript is not None]
    if not said:
        why = next((one.failure.message for one in found if one.failure is not None), "there were none")
        raise BadConfig(f"every search of the red team failed: {why}")
    bad = sorted((one for one in said if one.scores[0] >= BAD), key=lambda one: -one.scores[0])
    each = {one.answer: one for one in reversed(bad)}
    return [
        {
            "id": f"red-team/{number}",
            "prompt": as_cell(one.messages[:-1]),
            "answer": one.messages[-1].content,
            "badness": one.scores[0],
        }
        for number, one in enumerate(sorted(each.values(), key=lambda one: -one.scores[0]))
    ]


def red_tasks(file: Path, seed: int) -> tuple[Task, ...]:
    """The requests of a file, which a person may have edited, as tasks. BadInput for what is none, with its line."""
    found: list[Task] = []
    for number, row in read_rows(file):
        try:
            said = text_or_messages(row.get("prompt"), "prompt")
        except BadInput as error:
            raise BadInput(error.what, where=f"{file}:{number}", expected=error.expected) from None
        prompt = (Message("user", said),) if isinstance(said, str) else said
        name = str(row.get("id", f"red-team/{number}"))
        found.append(Task(name, Posed(prompt, seed=seed + number), {}, RED))
    return tuple(found)


def revisions(
    system: System, tasks: Sequence[Task], seats: Mapping[str, Seat], *, seed: int, logs: Logs, **given: Any
) -> Generator[Progress, None, tuple[list[Revised], int]]:
    """What became of every prompt under the system `critique`, and how many episodes failed."""
    phase = "drafts, critiques, revisions"
    found = yield from played(system, tasks, seats, seed=seed, logs=logs, part="calls", phase=phase, **given)
    told = system.parameters["constitution"]
    rows = [revised(one, told, system.digest) for one in found if one.transcript is not None]
    return rows, len(found) - len(rows)


def critiquing(constitution: Constitution, chat: System, rounds: int, max_tokens: int, temperature: float) -> System:
    """Who answers, is criticised and revises. BadConfig for no rounds, and for principles of which none criticises."""
    if rounds < 1 or not any(one.critique for one in constitution.principles):
        what = f"--rounds {rounds} of {constitution.name}"
        raise BadConfig(f"{what}: choose 1 or more, and principles that criticise")
    return SYSTEMS["critique"].with_(
        constitution=constitution,
        inner=chat,
        rounds=rounds,
        critic="critic",
        player="reviser",
        max_tokens=max_tokens,
        temperature=temperature,
    )


def judging(
    constitution: Constitution, by: By | None, reasons: bool, read: Read = "scores", max_tokens: int | None = None
) -> System:
    """Who compares two replies. by: None: comparison, where the constitution has one. BadConfig for what cannot be."""
    by = by or ("comparison" if any(one.comparison for one in constitution.principles) else "critique")
    if by == "critique" and reasons:
        raise BadConfig("--reasons would have no effect by critique: a critique is its own reason")
    if not any(getattr(one, by) for one in constitution.principles):
        raise BadConfig(f"--by {by}: no principle of {constitution.name} has a {by}; choose the other, or add one")
    if by == "critique" and not (constitution.passes and constitution.fails):
        what = f"--by critique: {constitution.name} does not say how critiques begin"
        raise BadConfig(f"{what}; give it passes and fails")
    values = {"constitution": constitution, "by": by, "reasons": reasons, "read": read}
    more = {"max_tokens": max_tokens} if max_tokens and (reasons or read == "words") else {}
    return System("feedback", feedback, {**values, **more})


def check_clamp(clamp: tuple[float, float] | None) -> None:
    if clamp is not None and not 0 <= clamp[0] < 0.5 < clamp[1] <= 1:
        raise BadConfig(f"--clamp {clamp}: choose two probabilities, one below a half and one above it")


def labelled(
    chat: System,
    judge: System,
    tasks: Sequence[Task],
    seats: Mapping[str, Seat],
    *,
    seed: int,
    logs: Logs,
    clamp: tuple[float, float] | None,
    notes: Counter[str],
    **given: Any,
) -> Generator[Progress, None, list[Known]]:
    """Two replies of `assistant` to each task, and what `judge` makes of them; what cannot be compared is counted.
    clamp: None: that of the paper after reasons, else none.
    """
    clamp = clamp or (CLAMP if judge.parameters["reasons"] else None)
    who, critic = {"assistant": seats["assistant"]}, {"judge": seats["judge"]}
    drawn = []
    for draw, part in enumerate(("first", "second")):
        phase = f"{part} replies"
        drawn.append(
            (yield from played(chat, tasks, who, seed=seed + draw, logs=logs, part=part, phase=phase, **given))
        )
    pairs: list[Pair] = []
    for one, two in zip(*drawn, strict=True):
        if why := incomparable(one, two):
            notes[f"left out: {why}"] += 1
        else:
            pairs.append((one, two))
    posed = [pair(one.task, one.transcript, two.transcript) for one, two in pairs if one.transcript and two.transcript]
    judged = yield from played(judge, posed, critic, seed=seed, logs=logs, part="judge", phase="labels", **given)
    by = judge.parameters["by"]
    known = [(two, label(one.transcript, by, clamp)) for two, one in zip(pairs, judged, strict=True) if one.transcript]
    if failed := len(pairs) - len(known):
        notes["left out: the judge failed"] += failed
    if not known:
        raise BadConfig(f"no label came of {len(tasks)} prompts ({dict(notes)}): try more prompts, or another judge")
    return known


def label_row(two: Pair, given: Label) -> dict[str, Any]:
    """A row to learn from: the likelier reply is `chosen`, with its probability."""
    answers = [one.transcript.answer for one in two if one.transcript is not None]
    better = 0 if given.first >= 0.5 else 1
    sides = {"chosen": answers[better], "rejected": answers[1 - better]}
    return {
        "prompt": [one.to_dict() for one in two[0].task.posed.messages],
        **{name: [{"role": "assistant", "content": text}] for name, text in sides.items()},
        "probability": max(given.first, 1 - given.first),
        "principle": given.principle,
        **({} if given.agree is None else {"agree": given.agree}),
    }


def report(known: Sequence[Known], judge: Judge) -> list[str]:
    """What a person should know of labels before anything learns from them. judge: who knows the truth, of some."""
    labels = [one for _, one in known]
    shares = Counter(one.principle for one in labels)
    lines = ["by principle: " + ", ".join(f"{name} {count}" for name, count in shares.most_common())]
    orders = [one for one in labels if one.agree is not None]
    if orders:
        agree, bias = (float(np.mean([getattr(one, name) for one in orders])) for name in ("agree", "bias"))
        lines.append(f"both orders name the same reply in {agree:.0%}; what stands at A is favoured by {bias:+.2f}")
    sure = np.array([max(one.sure, 1 - one.sure) for one in labels])
    lines.append(f"sure of the better reply: {sure.mean():.2f} in the mean, above .9 in {np.mean(sure > 0.9):.0%}")
    right = [_right(two, one, judge) for two, one in known]
    told = np.array([one is not None for one in right])
    if told.any():
        are = np.array([float(one) for one in right if one is not None])
        lines.append(
            f"the suite's own judge agrees in {are.mean():.0%} of the {int(told.sum())} pairs in which it tells the "
            f"replies apart; expected calibration error {ece(sure[told], are):.3f}"
        )
    return lines


def _right(two: Pair, given: Label, judge: Judge) -> bool | None:
    """Whether the reply that the label prefers has the higher objective; None where neither has."""
    if two[0].task.kind == RED:
        return None
    first, second = (judge(one.task, one.transcript).objective for one in two if one.transcript is not None)
    return None if first == second else (first > second) == (given.sure >= 0.5)
