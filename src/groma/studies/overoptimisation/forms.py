"""How gold reward depends on the distance d = sqrt(KL) from the start. Gao, Schulman & Hilton 2022 (arXiv:2210.10760).

    bon    R(d) = d (alpha - beta d)              best-of-n; peak d* = alpha / (2 beta), R* = alpha^2 / (4 beta)
    rl     R(d) = d (alpha - beta log d)          reinforcement learning; d* = exp(alpha / beta - 1), R* = beta d*
    log1p  R(d) = d (alpha - beta log(1 + d))     rejected by the paper for reinforcement learning (App. B)
    power  R(d) = d (alpha - beta d^gamma)        rejected, too; bon is its case gamma = 1

R is 0 at d = 0, and is measured from the start. All forms are linear in alpha and beta and fitted by least squares;
gamma is searched. We differ: the paper says nothing of how sure its alpha and beta are. `Fit` has standard errors,
which take the points of a curve for independent (they are not: all points of a curve share their samples), and
`interval` resamples whole curves, one a prompt or one a proxy, which needs no such belief.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import lambertw

from groma.formats.errors import BadInput
from groma.formats.records import Estimate
from groma.measures.statistics.bootstrap import cluster_bootstrap
from groma.measures.statistics.values import Floats

Form = Literal["bon", "rl", "log1p", "power"]
GAMMAS = (0.05, 4.0)
"""Where gamma is searched. Towards 0 the power form becomes a straight line with two names for one slope."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted form. r2: share of the gold's variance over the points that it explains; n: the points.

    alpha_error, beta_error: standard errors, for independent points of equal variance; nan where as many parameters as
    points leave no variance to see.
    """

    form: Form
    alpha: float
    beta: float
    alpha_error: float
    beta_error: float
    r2: float
    n: int
    gamma: float = 1.0

    def at(self, d: Floats | float) -> Floats:
        """The form at distances d, in sqrt(nats); 0 at 0."""
        return value(self.form, d, self.alpha, self.beta, self.gamma)

    def peak(self) -> tuple[float, float]:
        """(d*, R*), where the form is highest."""
        return peak(self.form, self.alpha, self.beta, self.gamma)


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a form, fitted up to a distance, says of the farthest point. share: |error| over the highest measured gold.

    error: predicted less measured.
    """

    fit: Fit
    predicted: float
    measured: float
    error: float
    share: float


def value(form: Form, d: Floats | float, alpha: float, beta: float, gamma: float = 1.0) -> Floats:
    """R(d), of the shape of d; gamma is read by `power` alone."""
    d_N = _distances(d)
    return alpha * d_N - beta * bend(form, d_N, gamma)


def bend(form: Form, d: Floats | float, gamma: float = 1.0) -> Floats:
    """What beta is multiplied by, without its sign: d^2, d log d (0 at 0), d log(1 + d) or d^(1 + gamma)."""
    d_N = _distances(d)
    if form == "bon":
        return d_N**2
    if form == "rl":
        return d_N * np.log(np.where(d_N > 0, d_N, 1.0))
    if form == "log1p":
        return d_N * np.log1p(d_N)
    if form == "power":
        return d_N ** (1 + gamma)
    raise BadInput(f"the form {form!r}", expected=", ".join(get_args(Form)))


def peak(form: Form, alpha: float, beta: float, gamma: float = 1.0) -> tuple[float, float]:
    """(d*, R*): where the form is highest, and how high. (0, 0) where it falls from 0 on, (inf, inf) where it rises
    for ever, or farther than numbers reach.

    Worked example: bon with alpha 1 and beta .25 has its peak 1 at d = 2; rl with alpha = beta = 1 its peak 1 at d = 1.
    log1p: with u = 1 + d, log u - 1 / u = alpha / beta - 1, so u = 1 / W(exp(1 - alpha / beta)), W Lambert's function.
    """
    if beta <= 0 and (alpha > 0 or beta < 0):
        return math.inf, math.inf
    if beta == 0 or (form != "rl" and alpha <= 0):
        return 0.0, 0.0
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        if form == "rl":
            d = float(np.exp(alpha / beta - 1))
        elif form == "log1p":
            d = float(1 / lambertw(np.exp(1 - alpha / beta)).real - 1)
        else:
            power = 1.0 if form == "bon" else gamma
            d = float(np.power(alpha / (beta * (1 + power)), 1 / power))
        height = float(value(form, d, alpha, beta, gamma)) if math.isfinite(d) else math.inf
    return (d, height) if math.isfinite(height) else (math.inf, math.inf)


def fit(form: Form, d: Floats, gold: Floats) -> Fit:
    """Least squares on n points: d (n,) in sqrt(nats) above 0, gold (n,) measured from the start.

    BadInput where distances are negative, values are not finite, or fewer points than parameters have d above 0.
    """
    d_N, gold_N = _distances(d), np.asarray(gold, dtype=np.float64)
    if d_N.ndim != 1 or d_N.shape != gold_N.shape or not np.all(np.isfinite(gold_N)):
        raise BadInput(f"distances {d_N.shape} with gold {gold_N.shape}", expected="as many finite values of both")
    parameters = 3 if form == "power" else 2
    different = len(np.unique(d_N[d_N > 0]))
    if different < parameters:
        raise BadInput(f"{different} different distances above 0", expected=f"{parameters} or more, for {form}")
    gamma = 1.0
    if form == "power":
        found = minimize_scalar(lambda one: _least(form, d_N, gold_N, one)[1], bounds=GAMMAS, method="bounded")
        gamma = float(found.x)
    (alpha, beta), squares, inverse_22 = _least(form, d_N, gold_N, gamma)
    spread = float(np.sum((gold_N - gold_N.mean()) ** 2))
    freedom = len(d_N) - parameters
    noise = squares / freedom if freedom else math.nan
    errors = np.sqrt(noise * np.diag(inverse_22))
    r2 = 1 - squares / spread if spread > 0 else math.nan
    return Fit(form, alpha, beta, float(errors[0]), float(errors[1]), r2, len(d_N), gamma)


def predict(form: Form, d: Floats, gold: Floats, up_to: float) -> Prediction:
    """Fit on the points with d <= up_to, and compare with the farthest point, which must lie beyond."""
    d_N, gold_N = _distances(d), np.asarray(gold, dtype=np.float64)
    if not d_N.max() > up_to:
        raise BadInput(f"distances up to {d_N.max():g}", expected=f"one beyond {up_to:g}, to be predicted")
    inside = d_N <= up_to
    found = fit(form, d_N[inside], gold_N[inside])
    far = int(np.argmax(d_N))
    predicted, measured, highest = float(found.at(d_N[far])), float(gold_N[far]), float(gold_N.max())
    share = abs(predicted - measured) / highest if highest > 0 else math.inf
    return Prediction(found, predicted, measured, predicted - measured, share)


def interval(form: Form, d: Floats, gold_CN: Floats, what: Callable[[Fit], float], seed: int, draws: int) -> Estimate:
    """`what` of the fit to the mean of C curves (C, n), with the interval from resampling whole curves."""
    rows = [float(one) for one in range(len(gold_CN))]

    def statistic(drawn: Floats) -> float:
        return what(fit(form, d, gold_CN[drawn.astype(np.intp)].mean(axis=0)))

    return cluster_bootstrap(rows, None, statistic, seed, draws)


def iterated_gain(d: float, rounds: int, beta: float) -> float:
    """What k rounds with a fresh proxy each, every one of length d / k, add to the gold of one of length d (4.3).

    k (d / k) (alpha - beta log(d / k)) - d (alpha - beta log d) = beta d log k.
    """
    return beta * d * math.log(rounds)


def _least(form: Form, d_N: Floats, gold_N: Floats, gamma: float) -> tuple[tuple[float, float], float, Floats]:
    """(alpha, beta), the sum of squares that is left, and the inverse of X'X (2, 2)."""
    design_N2 = np.stack([d_N, -bend(form, d_N, gamma)], axis=1)
    inverse_22: Floats = np.linalg.pinv(design_N2.T @ design_N2)
    (alpha, beta), *_ = np.linalg.lstsq(design_N2, gold_N, rcond=None)
    left_N = gold_N - design_N2 @ np.array([alpha, beta])
    return (float(alpha), float(beta)), float(left_N @ left_N), inverse_22


def _distances(d: Floats | float) -> Floats:
    d_N = np.asarray(d, dtype=np.float64)
    if not (np.all(np.isfinite(d_N)) and np.all(d_N >= 0)):
        raise BadInput(f"distances from {np.min(d_N)} to {np.max(d_N)}", expected="finite ones of 0 or more")
    return d_N
