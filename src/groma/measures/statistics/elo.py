"""How strong is each of several players, from who was preferred to whom? Bradley and Terry 1952, on the scale of Elo.

P(i is preferred to j) = 1 / (1 + 10^((elo_j - elo_i) / 400)), by maximum likelihood. Scores stand against the first
player, whose is 0 without error. To every pair that was compared half a preference is added either way, so that a
player who always wins has a finite score.

Standard errors come from the Fisher information, which takes comparisons for independent. Where several pairs were
compared on the same items they are not (one bad reply loses to all others): with the counts of each item by itself the
errors are the sandwich over items (Liang and Zeger 1986), I^-1 (n / (n - 1) sum g g') I^-1, g the score of an item.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from groma.formats.errors import BadInput

SCALE = 400 / math.log(10)
"""Points of Elo for one unit of log-odds."""
HALF, STEPS, DONE = 0.5, 100, 1e-10


@dataclass(frozen=True, slots=True)
class Elo:
    """Of each player the score, and its standard error (of the first both are 0)."""

    scores: tuple[float, ...]
    errors: tuple[float, ...]


def elo(wins: ArrayLike | Sequence[Sequence[float]]) -> Elo:
    """wins: (n, n), how often i was preferred to j, or (items, n, n), the same of each item; the diagonal is 0.
    BadInput where that is none, or where players fall apart into groups that were never compared.
    """
    given = np.asarray(wins, float)
    of_items = given if given.ndim == 3 and len(given) > 1 else None
    counts = _checked(given.sum(0) if given.ndim == 3 else given)
    n = len(counts)
    both = counts + counts.T
    counts = counts + HALF * (both > 0)
    both = counts + counts.T
    scores = np.zeros(n)
    for _ in range(STEPS):
        expected = both / (1 + np.exp(scores[None, :] - scores[:, None]))
        gradient = (counts - expected).sum(1)
        step = np.linalg.solve(_information(both, scores), gradient[1:])
        scores[1:] += np.clip(step, -2, 2)  # far from the end Newton's step may be too long
        if np.abs(step).max() < DONE:
            break
    covariance = np.linalg.inv(_information(both, scores))
    if of_items is not None:
        lost = (of_items + of_items.transpose(0, 2, 1)) / (1 + np.exp(scores[None, :] - scores[:, None]))
        each = (of_items - lost).sum(2)[:, 1:]
        covariance = covariance @ (each.T @ each) @ covariance * len(each) / (len(each) - 1)
    errors = np.concatenate([[0.0], np.sqrt(np.diag(covariance))])
    return Elo(tuple((SCALE * scores).tolist()), tuple((SCALE * errors).tolist()))


def _information(both: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of all scores but the first."""
    chance = 1 / (1 + np.exp(scores[None, :] - scores[:, None]))
    weights = both * chance * (1 - chance)
    return (np.diag(weights.sum(1)) - weights)[1:, 1:]


def _checked(wins: NDArray[np.float64]) -> NDArray[np.float64]:
    if wins.ndim != 2 or wins.shape[0] != wins.shape[1] or len(wins) < 2:
        raise BadInput(f"wins have the shape {wins.shape}", expected="(n, n), for two players or more")
    if not np.isfinite(wins).all() or (wins < 0).any() or np.diag(wins).any():
        raise BadInput("wins are no counts", expected="finite numbers of 0 or more, 0 on the diagonal")
    reached, linked = {0}, wins + wins.T > 0
    while more := {int(j) for i in reached for j in np.flatnonzero(linked[i])} - reached:
        reached |= more
    if len(reached) < len(wins):
        apart = sorted(set(range(len(wins))) - reached)
        raise BadInput(f"players {apart} were never compared with the first, nor by way of others", expected="links")
    return wins
