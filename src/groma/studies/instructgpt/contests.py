"""Whose reply is preferred: models against a large base, on the same held-out tasks.

Ouyang et al. 2022: labellers prefer the 1.3B InstructGPT model to the 175B GPT-3, a hundred times its
size, and the 175B one to GPT-3 in 85 +- 3 % of prompts. A reply is preferred by a rater as she chooses, with noise; by
her pay, without; by a rater of the other group, whom no reward model has learned from; and by the truth, which is the
judge's objective. Where two replies are equal, or are worth the same to who judges without noise, each has won half.
We differ: the base has read dialogues, and is asked as a chatbot like the others: it is less helpless than GPT-3 was
without examples in its prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from groma.formats.task import Task
from groma.formats.transcript import Played, Transcript
from groma.studies.instructgpt.agreement import RATES
from groma.studies.instructgpt.replies import PAY
from groma.studies.judged import Told, interval, outcomes
from groma.worlds.vale import VALE, Rater

Judge = Callable[[Task, Transcript, Transcript], float]
"""What the first reply has won against the second: 1, a half, or 0."""


def by_worth(worth: Callable[[Task, Transcript], float]) -> Judge:
    """Whoever's reply is worth more has won."""

    def judge(task: Task, first: Transcript, second: Transcript) -> float:
        gap = worth(task, first) - worth(task, second)
        return 0.5 if gap == 0 else float(gap > 0)

    return judge


def by_choice(rater: Rater) -> Judge:
    """Whomever the rater prefers has won."""

    def judge(task: Task, first: Transcript, second: Transcript) -> float:
        if first.answer.strip() == second.answer.strip():
            return 0.5
        return float(rater.compare(task, first, second).preferred == 0)

    return judge


JUDGES: Mapping[str, Judge] = {
    "rater": by_choice(Rater()),
    "pay": by_worth(lambda task, reply: PAY["A"](task, reply).total),
    "other rater": by_choice(Rater("B")),
    "truth": by_worth(lambda task, reply: VALE.judge(task, reply).objective),
}


def contest(ours: Sequence[Played], theirs: Sequence[Played]) -> dict[str, Any]:
    """How often each judge prefers our reply to theirs, to the same tasks in the same order; the rater and the truth
    also by kind of task.
    """
    found: dict[str, Any] = {}
    for name, judge in JUDGES.items():
        won = [
            (one.task.kind, judge(one.task, one.transcript, other.transcript), one.task.cluster or one.task.id)
            for one, other in zip(ours, theirs, strict=True)
            if one.transcript is not None and other.transcript is not None
        ]
        found[name] = interval([(value, cluster) for _, value, cluster in won], RATES)
        if name in ("rater", "truth"):
            found[f"{name} by kind"] = {
                kind: interval([(value, cluster) for other, value, cluster in won if other == kind], RATES)
                for kind in sorted({kind for kind, *_ in won})
            }
    return found


def worth(episodes: Sequence[Played]) -> dict[str, Told]:
    """What replies are worth: the objective, and what a rater of group A would pay without noise."""
    pay = [
        (PAY["A"](one.task, one.transcript).total, one.task.cluster or one.task.id)
        for one in episodes
        if one.transcript is not None
    ]
    return {"objective": outcomes(episodes)["objective"], "pay": interval(pay, None)}
