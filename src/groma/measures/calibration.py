"""Is a model as sure as it is right? The probability that it gives to its likeliest choice, against the truth.

confidence  the likeliest choice's share of the probability of all choices: max softmax(s), s their log-probabilities.
brier       mean of (confidence - right)^2 (Brier 1950, of the chosen answer).
overconfidence  mean of (confidence - right): above 0 it is surer than it is right.
ece         expected calibration error: sum over `BINS` bins of equal width of |mean confidence - mean right| x share
            (Guo et al. 2017, arXiv:1706.04599). It is 0 at best and biased upwards where bins are small: the baseline
            is what a perfectly calibrated system of the same confidences gets, drawn `DRAWS` times. A bootstrap would
            repeat the bias; the interval is Scheffé's instead: over all shares right p_b that the chi-square region of
            the bins does not refute, |ece(p) - ece| is at most sqrt(q v), v the sum of the bins' variances, each the
            larger of the clusters' and the binomial of (right + 1) / (n + 2). In simulations of 30 to 600 questions,
            single and in clusters of three, calibrated to .4 too sure, it covered in .97 and more, but .86 to .95 with
            ten clusters, and is wide: see tests/test_measures_calibration.py.
said_too_surely  where the judge says how surely something was said (`said_confidence`): that minus the confidence.
The first three are told of the confidence by scores, on tasks with choices, and (condition "said") of what was said
where the judge says how surely: a system that only speaks has no other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from groma.formats.records import Estimate, Record
from groma.formats.task import Judgement
from groma.measures.episodes import Judged
from groma.measures.estimates import Arm, level
from groma.measures.outcomes import OUTCOMES

BINS = 10
DRAWS = 1000
RIGHT = ("accuracy", "mc1", "told_true_from_false")
"""The outcomes that say whether the likeliest choice is right, of which a task has one at most."""


class Sure(NamedTuple):
    """How sure it was, and whether it was right (1 or 0, or between where several share the first place)."""

    confidence: float
    right: float
    cluster: str


def confidence_of(scores: Sequence[float]) -> float:
    """The likeliest choice's share. Worked example: log-probabilities of 0.3 and 0.1 give 0.75."""
    found = np.asarray(scores, dtype=np.float64)
    shares = np.exp(found - found.max())
    return float(shares.max() / shares.sum())


def sure(episodes: Sequence[Judged]) -> list[tuple[Judged, Sure]]:
    """Of the episodes those that were answered by finite scores, with how sure each was."""
    found = []
    for one in episodes:
        right = next((value for name in RIGHT if (value := one.value(name)) is not None), None)
        if one.scores and right is not None and np.isfinite(max(one.scores)):
            found.append((one, Sure(confidence_of(one.scores), right, one.cluster)))
    return found


def said_too_surely(scored: Judged, said: Judged) -> float | None:
    """How surely it was said, minus how probable its likeliest choice is to it; None where either is missing."""
    surely = said.value("said_confidence")
    if surely is None or not scored.scores or not np.isfinite(max(scored.scores)):
        return None
    return surely - confidence_of(scored.scores)


def ece(confidence: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """Expected calibration error over `BINS` bins. Worked example: sure 0.9 twice and right once gives 0.4."""
    apart = np.bincount(_bins(confidence), confidence - right, BINS)
    return float(np.abs(apart).sum() / len(confidence))


def reliability(episodes: Sequence[Judged]) -> list[dict[str, float]]:
    """A row a bin that is not empty: from, to, n, mean confidence and the share that is right."""
    known = [one for _, one in sure(_scored(episodes))]
    places = _bins(np.array([one.confidence for one in known]))
    rows = []
    for place in range(BINS):
        inside = [one for one, other in zip(known, places, strict=True) if other == place]
        if inside:
            rows.append(
                {
                    "from": place / BINS,
                    "to": (place + 1) / BINS,
                    "n": float(len(inside)),
                    "confidence": float(np.mean([one.confidence for one in inside])),
                    "right": float(np.mean([one.right for one in inside])),
                }
            )
    return rows


def said(episodes: Sequence[Judged]) -> list[tuple[Judged, Sure]]:
    """Of the episodes those that were answered in words, with how surely that was said."""
    found = []
    for one in episodes:
        surely, right = one.value("said_confidence"), one.value("accuracy")
        if surely is not None and right is not None and not one.scores:
            found.append((one, Sure(surely, right, one.cluster)))
    return found


def calibrated(arm: Arm, confidence: float = 0.95) -> list[Record]:
    """Brier score, overconfidence and calibration error of a system, by its scores and by its words; nothing where it
    neither scored nor said how sure it is.
    """
    by_words = _calibrated(arm, said(arm.episodes), "said", confidence)
    return [*_calibrated(arm, sure(_scored(arm.episodes)), "scored", confidence), *by_words]


def _calibrated(arm: Arm, known: Sequence[tuple[Judged, Sure]], condition: str, confidence: float) -> list[Record]:
    if len({one.cluster for _, one in known}) < 2:
        return []
    found = []
    for name, value in (
        ("brier", lambda one: (one.confidence - one.right) ** 2),
        ("overconfidence", lambda one: one.confidence - one.right),
    ):
        episodes = tuple(
            replace(episode, judgement=Judgement(0.0, {name: value(one), "objective": None}), failure=None)
            for episode, one in known
        )
        record = level(replace(arm, episodes=episodes, condition=condition), name, {}, confidence)
        perfect = 0.0 if name == "overconfidence" else float(np.mean([_spread(one) for _, one in known]))
        found.append(replace(record, baseline={"perfectly calibrated": perfect}))
    return [*found, _ece(arm, [one for _, one in known], found[0], confidence)]


def _spread(one: Sure) -> float:
    """The Brier score to be expected of who is right as often as he is sure."""
    return one.confidence * (1 - one.confidence)


def _scored(episodes: Sequence[Judged]) -> list[Judged]:
    """Questions with choices, as they are or made so."""
    return [one for one in episodes if one.task.condition in ("", "scored")]


def _ece(arm: Arm, known: Sequence[Sure], like: Record, confidence: float) -> Record:
    sures, rights = np.array([one.confidence for one in known]), np.array([one.right for one in known])
    draw = np.random.default_rng(arm.seed)
    perfect = float(np.mean([ece(sures, (draw.random(len(sures)) < sures).astype(float)) for _ in range(DRAWS)]))
    estimate = ece_interval(sures, rights, [one.cluster for one in known], confidence)
    about = OUTCOMES["ece"]
    return replace(like, outcome="ece", good=about.good, estimate=estimate, baseline={"perfectly calibrated": perfect})


def ece_interval(
    confidence: NDArray[np.float64], right: NDArray[np.float64], clusters: Sequence[str], level: float = 0.95
) -> Estimate:
    """The calibration error with Scheffé's interval (see the head of the file); `level`: its confidence."""
    bins, found = _bins(confidence), ece(confidence, right)
    _, members = np.unique(np.asarray(clusters), return_inverse=True)
    groups, variance = int(members.max()) + 1, 0.0
    for one in np.unique(bins):
        inside = bins == one
        gaps, n = (confidence - right)[inside], int(inside.sum())
        of_clusters = np.bincount(members[inside], gaps - gaps.mean(), groups)
        share = (right[inside].sum() + 1) / (n + 2)
        variance += max(float((of_clusters**2).sum()) * groups / max(groups - 1, 1), n * share * (1 - share))
    half = math.sqrt(chdtri(len(np.unique(bins)), 1 - level) * variance) / len(confidence)
    low, high = max(found - half, 0.0), min(found + half, 1.0)
    return Estimate(found, low, high, len(confidence), "Scheffé over bins", level)


def _bins(confidence: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.minimum((confidence * BINS).astype(int), BINS - 1)
