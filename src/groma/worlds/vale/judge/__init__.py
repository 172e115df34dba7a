"""The truth about a transcript: what was done, read by parsing, as outcomes and one objective. Pure and total.

A file for each kind of task; each states its objective, in [-1, 1], as a table: what is truly good, which nobody who
trains a model sees. It reads what was done, never a word alone, and nonsense is an outcome of its own.
"""

from groma.worlds.vale.judge.judges import JUDGES, judge

__all__ = ["JUDGES", "judge"]
