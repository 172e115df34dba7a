"""`groma constitution label`: a judge's soft labels of two replies by a constitution, to learn from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import tyro

from groma.commands.console import Phases, no_effect, out, parse
from groma.commands.players import check_player, only_speaks, players
from groma.commands.prompted import Logs, Prompted, chat_of, checked, constitution_of, tasks_of
from groma.formats.constitution import Constitution
from groma.formats.errors import BadConfig
from groma.formats.jsonl import write_rows
from groma.formats.task import Task
from groma.formats.transcript import Played
from groma.judges.feedback import By, Label, feedback, label, pair
from groma.measures.calibration import ece
from groma.methods.comparisons import incomparable
from groma.play import play
from groma.play.engine import Seat
from groma.suites.suite import Suite
from groma.systems.system import System

CLAMP = (0.4, 0.6)
"""Of labels after reasons, as in the paper."""
Pair = tuple[Played, Played]


@dataclass(frozen=True, kw_only=True)
class LabelPairs(Prompted):
    """Draw two replies of a model to each prompt, let a judge say how likely the first is the better one by a principle
    of a constitution, and write prompt/chosen/rejected/probability rows for align reward and align dpo.
    """

    model: Annotated[str, tyro.conf.Positional]
    """Who replies: a shipped model (vale), a folder, a Hub id, or as groma survey's --player."""
    judge: str | None = None
    """Who judges; it has to score. None: the model itself."""
    by: By | None = None
    """comparison: both replies at once, in both orders. critique: each reply apart, by what a critic says of it. None:
    comparison, where the constitution has one.
    """
    reasons: bool = False
    """The judge first writes why (chain of thought); its labels are clamped."""
    clamp: tuple[float, float] | None = None
    """The least and the greatest probability. None: 0.4 and 0.6 with --reasons, else none."""


def main(arguments: Sequence[str]) -> None:
    options = parse(LabelPairs, "constitution label", arguments)
    suite, told = checked(options), constitution_of(options.constitution)
    by: By = options.by or ("comparison" if any(one.comparison for one in told.principles) else "critique")
    judging = _judging(options, told, by)
    tasks, logs = tasks_of(options, suite), Logs(options, "first", "second", "judge")
    whom = {"assistant": options.model, "judge": options.judge or options.model}
    for what in whom.values():
        check_player(what)
    if only_speaks(whom["judge"]):
        raise BadConfig(f"the judge {whom['judge']} only speaks: labels are read from scores; name a model")
    seats, notes = players(whom), Counter[str]()
    clamp = options.clamp or (CLAMP if options.reasons else None)
    with Phases() as phases:
        chat = chat_of(options, suite)
        firsts, seconds = (
            _played(chat, tasks, seats["assistant"], options.seed + draw, logs, part, phases)
            for draw, part in enumerate(("first", "second"))
        )
        pairs = _comparable(firsts, seconds, notes)
        posed = [
            pair(one.task, one.transcript, two.transcript) for one, two in pairs if one.transcript and two.transcript
        ]
        judged = _played(judging, posed, seats["judge"], options.seed, logs, "judge", phases)
    labels = [None if one.transcript is None else label(one.transcript, by, clamp) for one in judged]
    notes["left out: the judge failed"] += labels.count(None)
    known = [(two, one) for two, one in zip(pairs, labels, strict=True) if one is not None]
    if not known:
        raise BadConfig(f"no label came of {len(tasks)} prompts ({dict(notes)}): try more --items, or another judge")
    write_rows(options.out, [row(two, one) for two, one in known])
    logs.forget()
    out.print(f"{options.out}: {len(known)} labels", markup=False)
    for line in report(known, suite, {why: count for why, count in notes.items() if count}):
        out.print(f"  {line}", markup=False)


def _judging(options: LabelPairs, told: Constitution, by: By) -> System:
    if options.by == "critique" and options.reasons:
        raise no_effect("reasons", True, "a critique is its own reason")
    if options.clamp is not None and not 0 <= options.clamp[0] < 0.5 < options.clamp[1] <= 1:
        raise BadConfig(f"--clamp {options.clamp}: choose two probabilities, one below a half and one above it")
    if not any(getattr(one, by) for one in told.principles):
        raise BadConfig(f"--by {by}: no principle of {told.name} has a {by}; choose the other, or add one")
    if by == "critique" and not (told.passes and told.fails):
        raise BadConfig(f"--by critique: {told.name} does not say how critiques begin; give it passes and fails")
    more = {"max_tokens": options.max_tokens} if options.max_tokens and options.reasons else {}
    return System("feedback", feedback, {"constitution": told, "by": by, "reasons": options.reasons, **more})


def _played(
    system: System, tasks: Sequence[Task], seat: Seat, seed: int, logs: Logs, part: str, phases: Phases
) -> list[Played]:
    found: list[Played] = []
    log = logs.of(part, {"system": system.digest, "seed": seed, "player": seat.digest})
    called = {"first": "first replies", "second": "second replies", "judge": "labels"}[part]
    for one in play(system, tasks, {"assistant": seat.engine, "judge": seat.engine}, seed=seed, log=log):
        found.append(one)
        phases.show(called, len(found), len(tasks))
    return found


def _comparable(firsts: Sequence[Played], seconds: Sequence[Played], notes: Counter[str]) -> Sequence[Pair]:
    """The pairs of replies that can be compared; the others are counted."""
    found = []
    for one, two in zip(firsts, seconds, strict=True):
        if why := incomparable(one, two):
            notes[f"left out: {why}"] += 1
        else:
            found.append((one, two))
    return found


def row(two: Pair, given: Label) -> dict[str, Any]:
    """A row: the likelier reply is `chosen`, with its probability."""
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


def report(known: Sequence[tuple[Pair, Label]], suite: Suite, notes: Mapping[str, int]) -> list[str]:
    """What a person should know of the labels before anything learns from them."""
    labels = [one for _, one in known]
    lines = [f"{why}: {count}" for why, count in sorted(notes.items())]
    shares = Counter(one.principle for one in labels)
    lines.append("by principle: " + ", ".join(f"{name} {count}" for name, count in shares.most_common()))
    orders = [one for one in labels if one.agree is not None]
    if orders:
        agree, bias = (float(np.mean([getattr(one, name) for one in orders])) for name in ("agree", "bias"))
        lines.append(f"both orders name the same reply in {agree:.0%}; what stands at A is favoured by {bias:+.2f}")
    sure = np.array([max(one.sure, 1 - one.sure) for one in labels])
    lines.append(f"sure of the better reply: {sure.mean():.2f} in the mean, above .9 in {np.mean(sure > 0.9):.0%}")
    right = [_right(two, one, suite) for two, one in known]
    told = np.array([one is not None for one in right])
    if told.any():
        are = np.array([float(one) for one in right if one is not None])
        lines.append(
            f"the suite's own judge agrees in {are.mean():.0%} of the {int(told.sum())} pairs in which it tells the "
            f"replies apart; expected calibration error {ece(sure[told], are):.3f}"
        )
    return lines


def _right(two: Pair, given: Label, suite: Suite) -> bool | None:
    """Whether the reply that the label prefers has the higher objective; None where neither has."""
    first, second = (suite.judge(one.task, one.transcript).objective for one in two if one.transcript is not None)
    return None if first == second else (first > second) == (given.sure >= 0.5)
