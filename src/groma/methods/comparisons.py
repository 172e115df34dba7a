"""Preferences from samples: two replies to one task, and which of them somebody prefers.

Who chooses is a function: a rater of the world, a judge, a reward model, or a person at the terminal. Replies may
come from one model or from two (Bai et al. 2022 compared several snapshots); a pair of equal replies, or one over
which nobody has a preference, teaches nothing and is dropped and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from groma.formats.columns import as_cell
from groma.formats.examples import Preference
from groma.formats.messages import Message
from groma.formats.task import Choice, Judgement, Task
from groma.formats.transcript import Played, Transcript

Chooser = Callable[[Task, Transcript, Transcript], Choice | None]
"""Shown a task and two transcripts; None: no preference."""
EQUAL = "equal replies"


def compare(pairs: Iterable[tuple[Played, Played]], choose: Chooser, notes: Counter[str]) -> Iterator[Preference]:
    """The preferences over `pairs` of finished episodes on the same task. What is dropped is counted in `notes`."""
    for first, second in pairs:
        if first.task.id != second.task.id:
            raise ValueError(f"a pair of replies to different tasks: {first.task.id} and {second.task.id}")
        if why := incomparable(first, second):
            notes[f"dropped: {why}"] += 1
            continue
        assert first.transcript is not None and second.transcript is not None
        if (choice := choose(first.task, first.transcript, second.transcript)) is None:
            notes["dropped: no preference"] += 1
        else:
            replies = first.transcript.answer, second.transcript.answer
            notes["kept"] += 1
            yield Preference(
                first.task.posed.messages,
                (Message("assistant", replies[choice.preferred]),),
                (Message("assistant", replies[1 - choice.preferred]),),
                choice.margin,
            )


def incomparable(first: Played, second: Played) -> str:
    """Why nobody can compare two replies to one task; "" where somebody can."""
    if first.transcript is None or second.transcript is None:
        return "an episode failed"
    answers = first.transcript.answer.strip(), second.transcript.answer.strip()
    if answers[0] == answers[1]:
        return EQUAL
    return "" if all(answers) else "an empty reply"


def as_row(one: Preference) -> dict[str, Any]:
    """A preference as a row of a data file: prompt, chosen, rejected, and the margin where it is known."""
    sides = {"prompt": one.prompt, "chosen": one.chosen, "rejected": one.rejected}
    row: dict[str, Any] = {name: as_cell(side) for name, side in sides.items()}
    return row if one.margin is None else {**row, "margin": one.margin}


def by_judge(judge: Callable[[Task, Transcript], Judgement]) -> Chooser:
    """Choose the reply of the higher objective; no preference where they are equal."""

    def choose(task: Task, first: Transcript, second: Transcript) -> Choice | None:
        values = judge(task, first).objective, judge(task, second).objective
        if values[0] == values[1]:
            return None
        return Choice(0 if values[0] > values[1] else 1, abs(values[0] - values[1]), "the judge's objective")

    return choose
