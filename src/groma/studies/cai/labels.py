"""Soft labels: replies in pairs, what a judge makes of them, and what there is to know of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

import numpy as np

from groma.formats.constitution import Constitution
from groma.formats.errors import BadConfig
from groma.formats.task import Judgement, Task
from groma.formats.transcript import Played, Transcript
from groma.judges.feedback import UNREAD, By, Label, feedback, label, pair
from groma.judges.model import By as Read
from groma.measures.calibration import ece
from groma.methods.comparisons import incomparable
from groma.play.engine import Seat
from groma.studies.cai.data import RED, Logs, played
from groma.studies.progress import Progress
from groma.systems.system import System

Pair = tuple[Played, Played]
Known = tuple[Pair, Label]
Judge = Callable[[Task, Transcript], Judgement]
CLAMP = (0.4, 0.6)
"""Of labels after reasons, as in the paper."""


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
    known = []
    for two, one in zip(pairs, judged, strict=True):
        if one.transcript is None or one.transcript.stop == UNREAD:
            notes[f"left out: the judge {'failed' if one.transcript is None else 'said neither'}"] += 1
        else:
            known.append((two, label(one.transcript, by, clamp)))
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


def measured(known: Sequence[Known], judge: Judge | None = None) -> dict[str, Any]:
    """What there is to know of labels: how many, of which principles, how often both orders agree and by how much the
    place A is favoured (None: there are no orders), how sure they are; where `judge` knows the truth, of how many pairs
    it tells the replies apart, how often the labels are right about these, and their expected calibration error.
    """
    labels = [one for _, one in known]
    sure = np.array([max(one.sure, 1 - one.sure) for one in labels])
    orders = [one for one in labels if one.agree is not None]
    right = [None if judge is None else _right(two, one, judge) for two, one in known]
    told = np.array([one is not None for one in right])
    are = np.array([float(one) for one in right if one is not None])
    return {
        "labels": len(labels),
        "principles": dict(Counter(one.principle for one in labels).most_common()),
        "agree": float(np.mean([one.agree for one in orders])) if orders else None,
        "bias": float(np.mean([one.bias for one in orders])) if orders else None,
        "sure": float(sure.mean()),
        "very sure": float(np.mean(sure > 0.9)),
        "told apart": int(told.sum()),
        "right": float(are.mean()) if told.any() else None,
        "ece": float(ece(sure[told], are)) if told.any() else None,
    }


def report(found: Mapping[str, Any]) -> list[str]:
    """The same in words, for a person, before anything learns from the labels."""
    lines = ["by principle: " + ", ".join(f"{name} {count}" for name, count in found["principles"].items())]
    if found["agree"] is not None:
        agree, bias = found["agree"], found["bias"]
        lines.append(f"both orders name the same reply in {agree:.0%}; what stands at A is favoured by {bias:+.2f}")
    lines.append(f"sure of the better reply: {found['sure']:.2f} in the mean, above .9 in {found['very sure']:.0%}")
    if found["right"] is not None:
        lines.append(
            f"the suite's own judge agrees in {found['right']:.0%} of the {found['told apart']} pairs in which it "
            f"tells the replies apart; expected calibration error {found['ece']:.3f}"
        )
    return lines


def _right(two: Pair, given: Label, judge: Judge) -> bool | None:
    """Whether the reply that the label prefers has the higher objective; None where neither has."""
    if two[0].task.kind == RED:
        return None
    first, second = (judge(one.task, one.transcript).objective for one in two if one.transcript is not None)
    return None if first == second else (first > second) == (given.sure >= 0.5)
