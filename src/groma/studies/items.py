"""Outcomes item by item: what was reached, what a change added, and whether it added as much somewhere else.

A row is an item with its judged outcomes. `gain` is paired by item. `interaction` is a gain in one system less the gain
in another: by the items that both were asked, or, where there are none, as the difference of two independent gains.
Intervals are at 95 %, clustered by what items are about. Over seeds, in which all was trained anew, the mean has a
t-interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from groma.formats.transcript import Played
from groma.measures.statistics import mean_interval
from groma.studies.judged import Told, interval
from groma.worlds.vale import VALE

Row = dict[str, Any]
Keep = Callable[[Row], bool]
SIGNED = ("objective",)
"""Outcomes that go from -1 to 1; the others are shares."""


def rows(episodes: Iterable[Played]) -> list[Row]:
    """A row an item, in the order of their names; what failed has no outcomes."""
    found = []
    for one in sorted(episodes, key=lambda one: one.task.id):
        told: Row = {"id": one.task.id, "cluster": one.task.cluster or one.task.id, "part": one.task.part}
        told |= {"kind": one.task.kind, **{f"is {name}": value for name, value in one.task.strata.items()}}
        if one.transcript is not None:
            judged = VALE.judge(one.task, one.transcript)
            told |= {**judged.outcomes, "objective": judged.objective}
        found.append(told)
    return found


def level(some: Iterable[Row], name: str, keep: Keep = lambda row: True) -> Told | None:
    """The mean of an outcome over the items that have it."""
    values = [(float(one[name]), one["cluster"]) for one in some if keep(one) and one.get(name) is not None]
    return interval(values, _bounds(name, 1)) if values else None


def gain(after: Sequence[Row], before: Sequence[Row], name: str, keep: Keep = lambda row: True) -> Told | None:
    """after - before, by item."""
    values = _gains(after, before, name, keep)
    return interval([(value, cluster) for value, cluster in values.values()], _bounds(name, 2)) if values else None


def interaction(
    here: tuple[Sequence[Row], Sequence[Row]],
    there: tuple[Sequence[Row], Sequence[Row]],
    name: str,
    other: str | None = None,
    keep: Keep = lambda row: True,
) -> Told | None:
    """The gain in `name` here, (after, before), less that in `other` (None: the same) there."""
    one, two = _gains(*here, name, keep), _gains(*there, other or name, keep)
    shared = one.keys() & two.keys()
    if shared:
        return interval([(one[key][0] - two[key][0], one[key][1]) for key in sorted(shared)], _bounds(name, 4))
    if not one or not two:
        return None
    told = [interval([*some.values()], _bounds(name, 2)) for some in (one, two)]
    value = told[0]["value"] - told[1]["value"]
    half = [math.hypot(*(abs(part[end] - part["value"]) for part in told)) for end in ("low", "high")]
    return {"value": value, "low": value - half[0], "high": value + half[1], "n": min(told[0]["n"], told[1]["n"])}


def _gains(after: Sequence[Row], before: Sequence[Row], name: str, keep: Keep) -> Mapping[str, tuple[float, str]]:
    known = {one["id"]: one for one in before}
    both = [(one, known[one["id"]]) for one in after if one["id"] in known and keep(one)]
    return {
        one["id"]: (float(one[name]) - float(two[name]), one["cluster"])
        for one, two in both
        if one.get(name) is not None and two.get(name) is not None
    }


def _bounds(name: str, width: float) -> tuple[float, float]:
    """The least and the greatest value of a level (1), of a difference (2), of a difference of differences (4)."""
    whole = 2.0 if name in SIGNED else 1.0
    if width == 1:
        return (-1.0, 1.0) if name in SIGNED else (0.0, 1.0)
    return -whole * width / 2, whole * width / 2


def over_seeds(told: Sequence[Told | None]) -> Told | None:
    """What the seeds found together: of several the mean of their values with a t-interval; of one its own."""
    known = [one for one in told if one is not None]
    if len(known) < 2:
        return known[0] if known else None
    values = [one["value"] for one in known]
    if len(set(values)) == 1:
        return {"value": values[0], "low": values[0], "high": values[0], "n": len(values)}
    found = mean_interval(values, bounds=None)
    return {"value": found.value, "low": found.low, "high": found.high, "n": len(values)}


def found_together(results: Mapping[int, Any], *path: str) -> Told | None:
    """What the seeds found together of a value, by its path in each one's results."""
    told = []
    for found in results.values():
        for name in path:
            found = found[name]
        told.append(found)
    return over_seeds(told)


def clear(told: Told | None) -> int:
    """1 or -1 where an interval lies above or below 0, else 0."""
    return 0 if told is None else (told["low"] > 0) - (told["high"] < 0)
