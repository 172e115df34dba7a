"""Gold and an independent error, in one dimension, exactly: what regression alone does, and what heavy tails do.

The proxy is U = X + Z with gold X standard normal and an error Z of variance 1, normal (light) or Student's t with 3
degrees of freedom (heavy). Regression, Gao et al. 2022, section 4.2.1: for normals E[X | U = u] = u / 2, whatever the
optimiser; nothing turns down. Heavy tails, Kwa et al. 2024 (Catastrophic Goodhart): where the error's tail is heavy,
E[X | U = u] -> 0 as u -> inf, and so does what best-of-n gets; and within any budget of KL the policy that maximises
E[U] reaches for ever rarer errors, as far as there are any, and its gold goes to 0. With a light tail it does not.

All expectations are sums over cells of u, whose masses and partial means of X are integrals over x on a grid: no
sampling. Best-of-n has F(u)^n, and the policy within a budget exp(t u), t such that the KL is the budget.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, stdtr

from groma.formats.errors import BadInput
from groma.measures.statistics.values import Floats

Tail = Literal["light", "heavy"]
FREEDOM = 3
"""Degrees of freedom of the heavy error: the fewest, in whole numbers, with a variance."""
FARTHEST, CELLS = 1e7, 4000
"""Cells reach to +- this, finer towards 0."""
REACH, POINTS = 9.0, 1801
"""Grid of x."""


@dataclass(frozen=True, eq=False)
class Cells:
    """The proxy's distribution. above_E: P(U > edge); mass_C, gold_C, proxy_C: each cell's mass, and means in it."""

    above_E: Floats
    mass_C: Floats
    gold_C: Floats
    proxy_C: Floats

    def best_of(self, n: float) -> tuple[float, float]:
        """E[X] and E[U] of the best of n, any number: cells weigh F(upper)^n - F(lower)^n."""
        below_E = np.exp(n * np.log1p(-np.minimum(self.above_E, 1 - 1e-300)))
        weight_C = np.diff(below_E)
        return float(weight_C @ self.gold_C), float(weight_C @ self.proxy_C)

    def within(self, nats: float, cap: float) -> tuple[float, float]:
        """E[X] and E[U] of the policy that maximises E[U] with this KL from the start, where no U is above cap.

        The start, too, is cut off there.
        """
        inside = (self.proxy_C <= cap) & (self.mass_C > 0)
        log_p, u = np.log(self.mass_C[inside] / self.mass_C[inside].sum()), self.proxy_C[inside]

        def tilted(log_t: float) -> tuple[Floats, float]:
            raw = log_p + math.exp(log_t) * (u - u.max())
            log_q = raw - (raw.max() + math.log(np.exp(raw - raw.max()).sum()))
            return np.exp(log_q), float(np.exp(log_q) @ (log_q - log_p))

        low, high = math.log(1e-12 / u.max()), math.log(1e3)
        most = tilted(high)[1]
        if not 0 < nats < most:
            raise BadInput(f"a budget of {nats} nats", expected=f"more than 0 and less than {most:.3g}")
        q = tilted(float(brentq(lambda one: tilted(one)[1] - nats, low, high, xtol=1e-12)))[0]
        return float(q @ self.gold_C[inside]), float(q @ u)


def cells(tail: Tail) -> Cells:
    """The distribution of U = X + Z. Cells that hold nothing in float64 have mass 0 and count for nothing."""
    if tail not in get_args(Tail):
        raise BadInput(f"the tail {tail!r}", expected=", ".join(get_args(Tail)))
    edges = np.sinh(np.linspace(-math.asinh(FARTHEST), math.asinh(FARTHEST), CELLS + 1))
    x = np.linspace(-REACH, REACH, POINTS)
    density = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi) * (x[1] - x[0])
    z = edges[:, None] - x
    beyond = ndtr(-z) if tail == "light" else stdtr(FREEDOM, -z * math.sqrt(FREEDOM / (FREEDOM - 2)))
    above_E = np.minimum(beyond @ density, 1.0)
    mass_C = -np.diff(above_E)
    sums_C = -np.diff(beyond @ (density * x))
    gold_C = np.divide(sums_C, mass_C, out=np.zeros(CELLS), where=mass_C > 0)
    return Cells(above_E, mass_C, gold_C, (edges[1:] + edges[:-1]) / 2)


def sampled_slope(gold_variance: float, error_variance: float, samples: int, seed: int) -> float:
    """The slope of gold on proxy, by least squares on samples of independent normals."""
    random = np.random.default_rng(seed)
    gold = math.sqrt(gold_variance) * random.standard_normal(samples)
    proxy = gold + math.sqrt(error_variance) * random.standard_normal(samples)
    return float(np.cov(gold, proxy)[0, 1] / proxy.var(ddof=1))
