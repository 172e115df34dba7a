"""Who compared what with which choice, and what disagreement says of a pair: soft labels from votes.

A label is about two items, by their places in a table of features. Raters are numbered from 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from groma.formats.errors import BadConfig, BadInput

Floats = NDArray[np.float64]
Whole = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """Comparisons: items `first` and `second`, who compared them, and which she preferred (0: the first, 1: the second,
    as in `Choice`). Whole numbers from 0, each (N,), in the order in which they were made.
    """

    first: Whole
    second: Whole
    rater: Whole
    preferred: Whole

    def __post_init__(self) -> None:
        for name in ("first", "second", "rater", "preferred"):
            object.__setattr__(self, name, whole(name, getattr(self, name)))
        _check_pairs(self, self.rater, self.preferred)
        if self.preferred.max() > 1:
            raise BadInput(f"preferred is {self.preferred.max()}", expected="0 (the first item) or 1 (the second)")

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True, slots=True, eq=False)
class Soft:
    """Soft labels: `share`, the chance that the first item is the better one, and `votes`, for how many comparisons the
    label stands; each (M,).
    """

    first: Whole
    second: Whole
    share: Floats
    votes: Floats

    def __post_init__(self) -> None:
        for name in ("first", "second"):
            object.__setattr__(self, name, whole(name, getattr(self, name)))
        for name in ("share", "votes"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float64))
        _check_pairs(self, self.share, self.votes)
        if not np.all((self.share >= 0) & (self.share <= 1)):
            raise BadInput(f"shares from {self.share.min()} to {self.share.max()}", expected="numbers from 0 to 1")
        if not np.all((self.votes > 0) & np.isfinite(self.votes)):
            raise BadInput(f"votes from {self.votes.min()} to {self.votes.max()}", expected="finite numbers above 0")

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """The distinct pairs of some comparisons, in order of appearance and named as the first of them names it: first and
    second (M,), how many compared it (M,); and of each comparison which pair it is and whether it names it the other
    way round (N,).
    """

    first: Whole
    second: Whole
    votes: Floats
    pair: Whole
    turned: NDArray[np.bool_]


def pairs_of(compared: Compared) -> Pairs:
    numbers: dict[tuple[int, int], int] = {}
    ends = zip(compared.first.tolist(), compared.second.tolist(), strict=True)
    pair_N = np.array([numbers.setdefault((min(one), max(one)), len(numbers)) for one in ends], dtype=np.intp)
    _, place_M = np.unique(pair_N, return_index=True)
    first_M, second_M = compared.first[place_M], compared.second[place_M]
    votes_M = np.bincount(pair_N).astype(np.float64)
    return Pairs(first_M, second_M, votes_M, pair_N, compared.first != first_M[pair_N])


def vote_share(compared: Compared, prior: float = 1.0) -> Soft:
    """Of each pair that was compared (see `Pairs`) the smoothed share of the votes for its first item, weighed by its n
    votes: (k + prior) / (n + 2 prior), the posterior mean under a Beta(prior, prior).

    With prior 0 a pooled fit to these equals one to the votes, since both have the same likelihood. Worked example: 3
    votes of 4, prior 1: 4 / 6.
    """
    if not 0 <= prior < np.inf:
        raise BadConfig(f"prior is {prior!r}; it must be 0 (no smoothing) or more, and finite")
    pairs = pairs_of(compared)
    for_first_N = (compared.preferred == 0) != pairs.turned
    for_first_M = np.bincount(pairs.pair, weights=for_first_N)
    return Soft(pairs.first, pairs.second, (for_first_M + prior) / (pairs.votes + 2 * prior), pairs.votes)


def whole(name: str, values: ArrayLike) -> Whole:
    """`values` as whole numbers from 0; refused where they are none."""
    found: NDArray[Any] = np.asarray(values)
    if found.size and (found.dtype.kind not in "iu" or found.min() < 0):
        raise BadInput(f"{name} holds {found.dtype} from {found.min()}", expected="whole numbers from 0")
    return found.astype(np.intp)


def _check_pairs(labels: Compared | Soft, *others: NDArray[Any]) -> None:
    columns = (labels.first, labels.second, *others)
    if len({one.shape for one in columns}) > 1 or labels.first.ndim != 1:
        raise BadInput(f"columns of the shapes {[one.shape for one in columns]}", expected="one label a place in each")
    if not len(labels.first):
        raise BadInput("there are no labels", expected="one comparison or more")
    if np.any(labels.first == labels.second):
        item = labels.first[labels.first == labels.second][0]
        raise BadInput(f"item {item} is compared with itself", expected="two different items")
