"""A rate as a judge sees it, corrected for the judge's errors: Rogan & Gladen 1978 (Am. J. Epidemiol. 107:71).

A judge with sensitivity Se and specificity Sp says yes to a share P = p Se + (1 - p)(1 - Sp) of the replies, so
    p = (P + Sp - 1) / (Se + Sp - 1).
Se and Sp are known from checked verdicts only (`judges/calibration.py`), and their noise belongs into the interval
(Lang & Reiczigel 2014, Prev. Vet. Med. 113:13; Lee et al. 2025, arXiv:2511.21140). It holds every p that the three
samples do not refute:
    (P - p Se - (1 - p)(1 - Sp))^2 ≤ t^2 [P (1 - P) / n + p^2 Se (1 - Se) / m1 + (1 - p)^2 Sp (1 - Sp) / m0],
with P, n as in Wilson's interval (z^2 / 2 added to successes and failures), one success and one failure added to each
of the two checked samples, and t the quantile of Student's distribution with min(n, m1, m0) - 1 degrees of freedom.

We differ: the same shrunken shares as Lang & Reiczigel, but a Fieller set in the place of their shifted Wald interval,
and t for z. Over 3,040 combinations of p, Se, Sp, n, m1, m0 (20,000 draws each, confidence .95, of the draws that are
corrected at all) the least coverage was .945; with z for t it was .933, and theirs fell to .923 on a like grid.
tests/test_judges_calibration.py measures it on a smaller one.

Corrected is only what the checked verdicts speak of: the same judge, kind of system and set of prompts, by name.
Otherwise, and where the judge is not shown to be better than chance, the naive rate stands, and its kind says why.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri, stdtrit

from groma.formats.errors import BadInput
from groma.formats.records import Estimate
from groma.judges.calibration import Calibration, Counts
from groma.measures.statistics import clopper_pearson, estimate, mean_interval

CORRECTED = "rogan-gladen"
NAIVE = "naive, uncorrected"


@dataclass(frozen=True, slots=True)
class Corrected:
    """A corrected rate, or the naive one. `estimate.kind` is "rogan-gladen" or "naive, uncorrected: …why".

    naive: what the judge says, with its own interval. sensitivity, specificity: exact intervals from the checked
    verdicts; None where there are none of this kind.
    """

    estimate: Estimate
    naive: Estimate
    sensitivity: Estimate | None
    specificity: Estimate | None

    @property
    def is_corrected(self) -> bool:
        return self.estimate.kind.startswith(CORRECTED)


def corrected(
    verdicts: Sequence[float],
    calibration: Calibration,
    *,
    judge: str,
    system: str,
    prompts: str,
    clusters: Sequence[Hashable] | None = None,
    confidence: float = 0.95,
) -> Corrected:
    """The rate of `verdicts` (each 0 or 1) of `judge` on replies of a kind of `system` to a set of `prompts`.

    clusters: verdicts that share one are not independent; n is then divided by the design effect.
    """
    if any(one not in (0, 1) for one in verdicts):
        raise BadInput(f"the verdicts hold {sorted(set(verdicts))[:5]}", expected="0 or 1 for each reply")
    naive = estimate(verdicts, clusters, confidence=confidence)
    why = calibration.mismatch(judge=judge, system=system, prompts=prompts)
    if why:
        return Corrected(_marked(naive, why), naive, None, None)
    counts = calibration.counts(system=system, prompts=prompts)
    se, sp = errors(counts, confidence)
    if se.low + sp.low <= 1:
        why = f"sensitivity + specificity may be as low as {se.low + sp.low:.2f}, and has to be above 1"
        return Corrected(_marked(naive, why), naive, se, sp)
    n = len(verdicts) / design_effect(verdicts, clusters)
    low, high = bounds(naive.value * n, n, counts, confidence)
    if low == high:
        why = (
            f"the checked verdicts refute every rate: by them a judge could not say yes to {naive.value:.2f} of replies"
        )
        return Corrected(_marked(naive, why), naive, se, sp)
    value = rogan_gladen(naive.value, se.value, sp.value)
    value = min(max(value, 0.0), 1.0)
    kind = f"{CORRECTED}, {counts.positives} + {counts.negatives} checked"
    found = Estimate(value, min(low, value), max(high, value), len(verdicts), kind, confidence)
    return Corrected(found, naive, se, sp)


def errors(counts: Counts, confidence: float = 0.95) -> tuple[Estimate, Estimate]:
    """Sensitivity and specificity with exact intervals (Clopper-Pearson)."""
    return (
        clopper_pearson(counts.hits, counts.positives, confidence),
        clopper_pearson(counts.rejections, counts.negatives, confidence),
    )


def rogan_gladen(seen: Any, sensitivity: Any, specificity: Any) -> Any:
    """p = (P + Sp - 1) / (Se + Sp - 1). Worked example: 0.3 seen with Se = 0.9 and Sp = 0.8 gives 0.1 / 0.7."""
    return (seen + specificity - 1) / (sensitivity + specificity - 1)


def bounds(k: Any, n: Any, counts: Any, confidence: float = 0.95) -> tuple[Any, Any]:
    """The ends of the interval above for k times yes in n verdicts, within [0, 1]; [0, 1] where nothing is refuted.

    k, n and the four numbers of `counts` may be arrays, of one shape.
    """
    z = ndtri((1 + confidence) / 2)
    least = np.minimum(np.minimum(n, counts.positives), counts.negatives)
    t2 = stdtrit(np.maximum(least - 1, 1), (1 + confidence) / 2) ** 2
    seen = (k + z * z / 2) / (n + z * z)
    se, false = (counts.hits + 1) / (counts.positives + 2), 1 - (counts.rejections + 1) / (counts.negatives + 2)
    lead, span = seen - false, se - false
    noise_seen, noise_se = seen * (1 - seen) / (n + z * z), se * (1 - se) / (counts.positives + 2)
    noise_false = false * (1 - false) / (counts.negatives + 2)
    # a p^2 - 2 b p + c ≤ 0
    a = span**2 - t2 * (noise_se + noise_false)
    b = lead * span - t2 * noise_false
    c = lead**2 - t2 * (noise_seen + noise_false)
    root = np.sqrt(np.maximum(b * b - a * c, 0.0))
    closed = (a > 0) & (span > 0)
    safe = np.where(closed, a, 1.0)
    low, high = np.where(closed, (b - root) / safe, 0.0), np.where(closed, (b + root) / safe, 1.0)
    return np.clip(low, 0.0, 1.0)[()], np.clip(high, 0.0, 1.0)[()]


def design_effect(verdicts: Sequence[float], clusters: Sequence[Hashable] | None) -> float:
    """How many times larger the variance of the mean is for the clusters; at least 1."""
    if clusters is None or len(set(clusters)) == len(verdicts):
        return 1.0
    alone, grouped = (mean_interval(verdicts, one, bounds=(0.0, 1.0)) for one in (None, clusters))
    wide = max(grouped.high - grouped.value, grouped.value - grouped.low)
    narrow = max(alone.high - alone.value, alone.value - alone.low)
    return max(1.0, (wide / narrow) ** 2)


def _marked(naive: Estimate, why: str) -> Estimate:
    return Estimate(naive.value, naive.low, naive.high, naive.n, f"{NAIVE}: {why}", naive.confidence)
