"""Every kind of task by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from groma.formats.task import Task
from groma.worlds.vale.country import Country
from groma.worlds.vale.tasks.ask import ask_tasks
from groma.worlds.vale.tasks.choose import choose_tasks
from groma.worlds.vale.tasks.count import count_tasks
from groma.worlds.vale.tasks.errand import errand_tasks
from groma.worlds.vale.tasks.follow import follow_tasks
from groma.worlds.vale.tasks.how import how_tasks
from groma.worlds.vale.tasks.speak import speak_tasks


def _errands(country: Country, split: str, n: int, seed: int) -> tuple[Task, ...]:
    """The hall stands in every country: nothing in it is a fact of one."""
    return errand_tasks(split, n, seed)


KINDS: Mapping[str, Callable[[Country, str, int, int], tuple[Task, ...]]] = {
    "ask": ask_tasks,
    "how": how_tasks,
    "follow": follow_tasks,
    "count": count_tasks,
    "speak": speak_tasks,
    "errand": _errands,
    "choose": choose_tasks,
}
