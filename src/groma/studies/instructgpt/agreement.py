"""How often two raters agree, and what that says of their labels.

Ouyang et al. 2022: labellers who made the training data agree with each other on 72.6 +- 1.5 %, labellers
who were held out on 77.3 +- 1.3 %. Two labellers who are each right with probability p agree with probability

    p^2 + (1 - p)^2

where they err independently, and equally often on every pair. Vale's raters err more where two replies are paid nearly
alike: with the logistic noise s, q = 1 / (1 + exp(-|gap| / s)) is the chance that a rater follows her own pay, and the
mean of q^2 + (1 - q)^2 what agreement is to be expected. Raters of one group have one taste, and noise of their own,
set so that two of them agree on 73 % of pairs of a fine-tuned model's replies. The pairs that reward models learn from
are of another make: to a harmful request one reply is the base's, and raters seldom disagree over harm. What they agree
on without these is told, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from groma.studies.instructgpt.replies import Pair
from groma.studies.judged import Told, interval
from groma.worlds.vale import Rater
from groma.worlds.vale.rater import NOISE

RATES = (0.0, 1.0)
GROUPS = ("A", "B")
TWO = (0, 1)
"""Seeds of the two raters of a group."""


def both_right(p: float) -> float:
    """How often two labellers agree who are each right with probability p."""
    return p * p + (1 - p) ** 2


def of_labels(right: float, label_right: float) -> float:
    """How often somebody who is right with probability `right` agrees with labels that are so with `label_right`."""
    return right * label_right + (1 - right) * (1 - label_right)


def follows(gap: float, noise: float) -> float:
    """The chance that a rater prefers what she would pay more for, by `gap`."""
    return 1 / (1 + math.exp(-abs(gap) / noise))


def agreement(pairs: Sequence[Pair]) -> dict[str, Any]:
    """Of two raters of each group over the same pairs.

    `agree`, and `tame`, the same without harmful requests; `right`: how often a rater follows her own pay, where that
    tells two replies apart; `arithmetic`: the agreement of labellers who are so often right on every pair; `expected`:
    the agreement that the noise leads to. `across`: of one rater of each group; `kinds`: of two of A, by kind of task.
    """
    labels = {group: [[one.preferred(Rater(group, seed=seed)) for one in pairs] for seed in TWO] for group in GROUPS}
    (first, second), (other, _) = labels["A"], labels["B"]
    kinds = sorted({one.task.kind for one in pairs})
    return {
        "pairs": len(pairs),
        **{group: _of_group(group, pairs, *labels[group]) for group in GROUPS},
        "across": alike(pairs, first, other),
        "kinds": {kind: alike(pairs, first, second, partial(_is, kind)) for kind in kinds},
    }


def _of_group(group: str, pairs: Sequence[Pair], first: Sequence[int], second: Sequence[int]) -> dict[str, Any]:
    gaps = [one.gap(group) for one in pairs]
    right = [
        (float(label == (gap < 0)), pair.cluster)
        for labels in (first, second)
        for label, gap, pair in zip(labels, gaps, pairs, strict=True)
        if gap
    ]
    follow = interval(right, RATES)
    chances = [both_right(follows(gap, NOISE[group])) for gap in gaps]
    return {
        "agree": alike(pairs, first, second),
        "tame": alike(pairs, first, second, lambda one: one.task.part != "harmful"),
        "right": follow,
        "arithmetic": both_right(follow["value"]),
        "expected": sum(chances) / len(chances),
    }


def _is(kind: str, pair: Pair) -> bool:
    return pair.task.kind == kind


def alike(
    pairs: Sequence[Pair],
    first: Sequence[int],
    second: Sequence[int],
    which: Callable[[Pair], bool] = lambda one: True,
) -> Told:
    """How often two rows of labels are the same, over the pairs that are asked for."""
    told = zip(pairs, first, second, strict=True)
    return interval([(float(one == two), pair.cluster) for pair, one, two in told if which(pair)], RATES)
