"""Episodes, judged: what a measure keeps of each, and the row that goes into a run folder's transcripts."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from groma.formats.requests import Cost, Failure
from groma.formats.task import Judgement, Pay, Task
from groma.formats.transcript import Played, Transcript
from groma.suites.suite import Suite
from groma.systems.system import System

Play = Callable[[System, Sequence[Task]], Iterable[Played]]
"""Plays the tasks with a system and gives back one `Played` for each, in the order of the tasks, failures included."""
PayOf = Callable[[Task, Transcript], Pay]
"""What somebody would pay for a transcript (`VALE.pay`)."""

NO_FORM = "no_form"


@dataclass(frozen=True)
class Judged:
    """One episode as a measure sees it: the task, what was judged and paid, or how it failed, and what it cost.

    pay_of_others: what raters with other values would have paid; scores: the log-probability of each of its choices.
    """

    task: Task
    judgement: Judgement | None
    pay: float | None = None
    pay_of_others: float | None = None
    scores: tuple[float, ...] = ()
    failure: Failure | None = None
    cost: Mapping[str, Cost] = field(default_factory=dict)

    @property
    def without_form(self) -> bool:
        """Whether the system could not even be asked: the task has no form that it takes."""
        return self.failure is not None and self.failure.kind == NO_FORM

    @property
    def cluster(self) -> str:
        return self.task.cluster or self.task.item

    @cached_property
    def known(self) -> frozenset[str]:
        """The outcomes that have a value."""
        named = ("pay", "pay_of_others", "objective", *(self.judgement.outcomes if self.judgement is not None else ()))
        return frozenset(name for name in named if self.value(name) is not None)

    def value(self, outcome: str) -> float | None:
        """The outcome's value; None where the episode failed or the outcome does not apply."""
        if outcome in ("pay", "pay_of_others"):
            return self.pay if outcome == "pay" else self.pay_of_others
        if self.judgement is None:
            return None
        if outcome == "objective":
            known = self.judgement.outcomes.get("objective", self.judgement.objective) is not None
            return self.judgement.objective if known else None
        return self.judgement.outcomes.get(outcome)


def judged(suite: Suite, played: Played, pay: PayOf | None = None, others: PayOf | None = None) -> Judged:
    """Judge one episode; a failure is kept as what it is. others: what raters with other values would pay."""
    if played.transcript is None:
        return Judged(played.task, None, failure=played.failure, cost=played.cost)
    paid, by_others = (one(played.task, played.transcript).total if one is not None else None for one in (pay, others))
    judgement = suite.judge(played.task, played.transcript)
    return Judged(played.task, judgement, paid, by_others, played.transcript.scores, None, played.cost)


def episode_row(played: Played, judgement: Judgement | None, pay: float | None) -> dict[str, Any]:
    """The row of `transcripts/*.jsonl`: plain JSON; a number that JSON lacks (an infinite score) becomes null."""
    task, transcript, failure = played.task, played.transcript, played.failure
    messages = transcript.messages if transcript is not None else task.posed.messages
    return {
        "task": task.id,
        "kind": task.kind,
        "split": task.split,
        "strata": dict(task.strata),
        "of": task.of,
        "condition": task.condition,
        "messages": [message.to_dict() for message in messages],
        "answer": transcript.answer if transcript is not None else "",
        "scores": _plain(transcript.scores if transcript is not None else ()),
        "choices": list(task.posed.choices),
        "form": transcript.form if transcript is not None else "",
        "stop": transcript.stop if transcript is not None else "",
        "objective": judgement.objective if judgement is not None else None,
        "outcomes": dict(judgement.outcomes) if judgement is not None else {},
        "pay": pay,
        "failure": None if failure is None else _plain(_failure(failure)),
        "gold": _plain(task.gold),
    }


def transcripts_path(stage: str, system: str, suite: str) -> str:
    """Where a run folder keeps the rows of one stage, system and suite."""
    return f"transcripts/{'__'.join(map(file_name, (stage, system, suite)))}.jsonl"


def file_name(name: str) -> str:
    """A name that users chose, as part of a file's name."""
    return re.sub(r"[^A-Za-z0-9.-]+|\.\.+", "-", name)


def play_in_order(play: Play, system: System, tasks: Sequence[Task], partial: bool = False) -> Iterator[Played]:
    """Play the tasks and hold the player to its word: one episode a task, in their order, none dropped; where it is
    `partial`, none of the first ones.
    """
    for task, played in zip(tasks, play(system, tasks), strict=not partial):
        if played.task.id != task.id:
            raise ValueError(f"{system.name} was to play {task.id}; {played.task.id} came back")
        yield played


def _failure(failure: Failure) -> dict[str, str]:
    return {"boundary": failure.boundary, "kind": failure.kind, "message": failure.message}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(one) for one in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
