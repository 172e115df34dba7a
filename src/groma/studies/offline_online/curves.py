"""Curves over the distance sqrt(KL), held against each other task by task.

A curve is one value for each point and task, (P, T), the start among the points. Its value at a distance between two
points is linear between them, so that a difference of two curves at equal distances is a mean over tasks like any
other, with an interval clustered by what tasks are about. The KL of the points is taken as known: its own error (told
beside it) is not in these intervals.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from groma.measures.statistics.values import Floats
from groma.studies.judged import Told, interval


def distance(kl: float) -> float:
    """sqrt(KL) in square roots of nats; an estimate of KL below 0 stands for none."""
    return math.sqrt(max(kl, 0.0))


def weights(distances_P: Sequence[float], d: float) -> Floats | None:
    """What each point counts in the curve's value at the distance d, where training first comes past it; None where it
    never does. Worked example: points at 0, 1 and 3 count 0, .5 and .5 at d = 2.
    """
    found = np.zeros(len(distances_P))
    for place in range(1, len(distances_P)):
        before, after = distances_P[place - 1], distances_P[place]
        if min(before, after) <= d <= max(before, after):
            share = 1.0 if before == after else (d - before) / (after - before)
            found[place - 1], found[place] = 1 - share, share
            return found
    return None


def at(distances_P: Sequence[float], values_PT: Sequence[Sequence[float]], d: float) -> Floats:
    """The curve's value (T,) at a distance that it reaches."""
    shares = weights(distances_P, d)
    if shares is None:
        raise ValueError(f"the curve over {list(distances_P)} does not reach {d}")
    return np.asarray(shares @ np.asarray(values_PT))


def reach(*curves_P: Sequence[float]) -> float:
    """The largest distance that all of the curves reach."""
    return min(max(one) for one in curves_P)


def mean(values_T: Sequence[float] | Floats, clusters: Sequence[str]) -> Told:
    """The mean over tasks with its 95 % interval. Values that are all the same have no interval but themselves, which
    can only be nothing where they are differences: no task differs.
    """
    values = [float(one) for one in values_T]
    if len(set(values)) == 1:
        return {"value": values[0], "low": values[0], "high": values[0], "n": len(values)}
    return interval(list(zip(values, clusters, strict=True)), None)


def difference(first_T: Sequence[float] | Floats, second_T: Sequence[float] | Floats, clusters: Sequence[str]) -> Told:
    """The mean of first - second over the same tasks."""
    return mean(np.asarray(first_T) - np.asarray(second_T), clusters)
