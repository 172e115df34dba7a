"""What models reply to tasks, kept as parts; and the pairs of replies that raters are shown, with their choices."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass

from groma.formats.examples import Preference
from groma.formats.messages import Message
from groma.formats.requests import Failure
from groma.formats.task import Task
from groma.formats.transcript import Played, Transcript
from groma.methods.comparisons import incomparable
from groma.models.engine import LocalEngine
from groma.play import play
from groma.studies.lab import CHAT, Lab
from groma.studies.matrix import PLAYER
from groma.studies.pairing import replied_twice
from groma.studies.progress import Progress
from groma.worlds.vale import VALE, Rater

PAY = {"A": VALE.pay, "B": VALE.pay_of_others}
"""What a rater of a group would pay, without noise."""
Row = list[str] | None
"""A reply as JSON: the answer, and why it stopped. None: the episode failed."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two different replies to one task."""

    task: Task
    first: Transcript
    second: Transcript

    @property
    def cluster(self) -> str:
        return self.task.cluster or self.task.id

    def gap(self, group: str = "A") -> float:
        """By how much more a rater of the group would pay for the first reply, without noise."""
        return PAY[group](self.task, self.first).total - PAY[group](self.task, self.second).total

    def preferred(self, rater: Rater) -> int:
        return rater.compare(self.task, self.first, self.second).preferred

    def preference(self, rater: Rater) -> Preference:
        """The rater's choice, for a reward model to learn from."""
        choice = rater.compare(self.task, self.first, self.second)
        sides = [(Message("assistant", one.answer),) for one in (self.first, self.second)]
        return Preference(self.task.posed.messages, sides[choice.preferred], sides[1 - choice.preferred], choice.margin)


def replied(
    lab: Lab, player: str, to: str, tasks: Sequence[Task], draw: int = 0
) -> Generator[Progress, None, list[Played]]:
    """A reply of the stage `player` to each task, at temperature 1. to: what the tasks are called."""

    def make() -> Generator[Progress, None, list[Row]]:
        engine, rows = LocalEngine(lab.model(player)), list[Row]()
        for one in play(CHAT, tasks, {PLAYER: engine}, seed=lab.seed + draw):
            rows.append(_row(one))
            yield Progress(f"replies of {player}", len(rows), len(tasks))
        engine.close()
        return rows

    rows = yield from lab.made(f"{to}-{player}", make)
    return [_again(task, row) for task, row in zip(tasks, rows, strict=True)]


def shown(lab: Lab, name: str, tasks: Sequence[Task]) -> Generator[Progress, None, list[Pair]]:
    """The pairs of replies to tasks, as the first round has them, that a rater can compare; after "sft"."""

    def make() -> Generator[Progress, None, list[list[Row]]]:
        pairs = yield from replied_twice(lab.model, tasks, lab.seed)
        return [[_row(first), _row(second)] for first, second in pairs]

    rows = yield from lab.made(name, make)
    return paired((_again(task, one), _again(task, two)) for task, (one, two) in zip(tasks, rows, strict=True))


def paired(replies: Iterable[tuple[Played, Played]]) -> list[Pair]:
    """The pairs of replies to a task that a rater can compare: both there, not empty, and different."""
    found = []
    for one, other in replies:
        if not incomparable(one, other):
            assert one.transcript is not None and other.transcript is not None
            found.append(Pair(one.task, one.transcript, other.transcript))
    return found


def _row(played: Played) -> Row:
    return None if played.transcript is None else [played.transcript.answer, played.transcript.stop]


def _again(task: Task, row: Row) -> Played:
    """The episode that `_row` was told, but for what it cost."""
    if row is None:
        return Played(task, CHAT.name, None, Failure("engine", "failed", "the reply failed when it was drawn"))
    answer, stop = row
    said = Message("assistant", answer)
    return Played(task, CHAT.name, Transcript((*task.posed.messages, said), answer, stop=stop))
