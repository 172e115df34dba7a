"""How strong is each of several players, from who was preferred to whom? Bradley and Terry 1952, on the scale of Elo.

P(i is preferred to j) = 1 / (1 + 10^((elo_j - elo_i) / 400)), by maximum likelihood, with standard errors from the
Fisher information. Scores stand against the first player, whose is 0 without error. To every pair that was compared
half a preference is added either way, so that a player who always wins has a finite score; comparisons are taken for
independent.
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
    """wins: (n, n), how often i was preferred to j; the diagonal is 0. BadInput where that is none, or where players
    fall apart into groups that were never compared.
    """
    counts = _checked(np.asarray(wins, float))
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
