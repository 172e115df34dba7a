"""The kinds of task of Vale, a file each: (country, split, n, seed) to tasks; the same arguments, the same tasks."""

from groma.worlds.vale.tasks.kinds import KINDS

__all__ = ["KINDS"]
