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

import numpy as np

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
    return apart(*(interval([*some.values()], _bounds(name, 2)) for some in (one, two)))


def apart(one: Told, two: Told) -> Told:
    """The difference of two independent estimates: below it lies as far as the first may be lower and the second higher
    (Newcombe 1998, method 10). Worked example: .5 [.4, .7] less .2 [.1, .25]: .3 [.188, .524].
    """
    value = one["value"] - two["value"]
    low = math.hypot(one["value"] - one["low"], two["high"] - two["value"])
    high = math.hypot(one["high"] - one["value"], two["value"] - two["low"])
    return {"value": value, "low": value - low, "high": value + high, "n": min(one["n"], two["n"])}


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
    """What the seeds found together: of several the mean of their values with a t-interval; of one its own. None where
    fewer than half of them found anything. Where all found the same value a t-interval would be a point: the means of
    their own ends stand for it. Shares stay between 0 and 1, differences of them between -1 and 1.
    """
    known = [one for one in told if one is not None]
    if 2 * len(known) < len(told) or not known:
        return None
    if len(known) == 1:
        return known[0]
    values, lows, highs = ([one[name] for one in known] for name in ("value", "low", "high"))
    if len(set(values)) == 1:
        return {"value": values[0], "low": float(np.mean(lows)), "high": float(np.mean(highs)), "n": len(values)}
    found = mean_interval(values, bounds=None)
    low, high = found.low, found.high
    if max(highs) <= 1 and min(lows) >= -1:
        low, high = max(low, 0.0 if min(lows) >= 0 else -1.0), min(high, 1.0)
    return {"value": found.value, "low": low, "high": high, "n": len(values)}


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
