"""Ways around the driver to a task's gold: each of them leads there, and `check` sees whoever takes it.

Nothing in one process can keep Python from looking at frames or into the garbage collector; what can be done is to
find it out before a system is trusted.
"""

from __future__ import annotations

import gc
import inspect
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType

import pytest

from groma.formats.messages import Message
from groma.formats.requests import Episode, Generate
from groma.formats.task import Posed, Task
from groma.formats.transcript import Played, Transcript
from groma.play import FakeEngine, play
from groma.systems.check import check
from groma.worlds.vale import VALE

COUNT = VALE.tasks("count", "held_out", 1, 0)


def played(function: Callable[[Posed], Episode]) -> list[Played]:
    return list(play(Named(function), COUNT, {"assistant": FakeEngine(lambda request, seed: "four.")}))


def tasks_in(frame: FrameType | None) -> Iterator[Task]:
    """The tasks that the frames know from which this one was called."""
    while frame is not None:
        yield from (one.task for one in frame.f_locals.values() if isinstance(getattr(one, "task", None), Task))
        frame = frame.f_back


def by_a_frame(posed: Posed) -> Iterator[Task]:
    return tasks_in(sys._getframe())


def by_inspection(posed: Posed) -> Iterator[Task]:
    return tasks_in(inspect.currentframe())


def by_a_traceback(posed: Posed) -> Iterator[Task]:
    try:
        raise ValueError
    except ValueError as error:
        assert error.__traceback__ is not None
        return tasks_in(error.__traceback__.tb_frame)


def by_all_frames(posed: Posed) -> Iterator[Task]:
    return tasks_in(sys._current_frames()[threading.get_ident()])


def by_referrers(posed: Posed) -> Iterator[Task]:
    return (one for one in gc.get_referrers(posed) if isinstance(one, Task))


def by_all_objects(posed: Posed) -> Iterator[Task]:
    return (one for one in gc.get_objects() if type(one) is Task and one.posed is posed)


def by_the_world(posed: Posed) -> Iterator[Task]:
    return (one for one in VALE.tasks("count", "held_out", 1, 0) if one.posed.seed == posed.seed)


LOOKS = (by_a_frame, by_inspection, by_a_traceback, by_all_frames, by_referrers, by_all_objects, by_the_world)


def thief(look: Callable[[Posed], Iterator[Task]]) -> Callable[[Posed], Episode]:
    def steals(posed: Posed) -> Episode:
        yield Generate(prompt=posed.messages)
        task = next(look(posed), None)
        answer = str(task.gold["start"]) if task else "nothing"
        return Transcript((*posed.messages, Message("assistant", answer)), answer)

    return steals


@dataclass
class Named:
    function: Callable[[Posed], Episode]
    name: str = "thief"
    digest: str = "thief"

    def __call__(self, posed: Posed) -> Episode:
        return self.function(posed)


@pytest.mark.parametrize("look", LOOKS)
def test_whoever_looks_around_the_driver_is_seen(look: Callable[[Posed], Iterator[Task]]) -> None:
    """The way leads to gold, in the driver itself; and `check` finds whoever takes it."""
    (found,) = played(thief(look))
    assert found.transcript is not None and found.transcript.answer == str(COUNT[0].gold["start"])
    (finding,) = check(thief(look), [COUNT[0].posed], rounds=1)
    assert finding.kind == "reach" and finding.file == __file__


def test_whoever_hears_of_every_frame_is_seen() -> None:
    heard: list[Task] = []

    def listens(posed: Posed) -> Episode:
        sys.setprofile(lambda frame, event, value: heard.extend(tasks_in(frame)))
        yield Generate(prompt=posed.messages)
        sys.setprofile(None)
        return Transcript(posed.messages, "")

    played(listens)
    assert COUNT[0] in heard
    assert {one.kind for one in check(listens, [COUNT[0].posed], rounds=1)} == {"reach"}
