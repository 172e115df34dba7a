"""The kinds of task of Vale, a file each."""

from groma.worlds.vale.tasks.ask import ask_tasks
from groma.worlds.vale.tasks.how import how_tasks

KINDS = {"ask": ask_tasks, "how": how_tasks}

__all__ = ["KINDS", "ask_tasks", "how_tasks"]
