"""What `rater_models` fits, and how: minus the log posterior, its gradient and its Hessian; Newton's method; Laplace.

Parameters, one vector of length K: the common weights w and each group's bias b_g, as the rows of c (B = 1 + G, D), and
coordinates (T) of the logarithms of reliability in a basis of what sums to zero over the comparisons, so that their
geometric mean is 1 exactly and not by a penalty. With x_n the features of the first item less those of the second, of
comparison n by rater a of group g,

    z_n = reliability_a * x_n . (w + b_g)
    minus log posterior = sum_n weight_n (log(1 + exp z_n) - share_n z_n)
                          + ridge |w|^2 S / 2 + sum_g bias |b_g|^2 S_g / 2
                          + |log reliability|^2 / (2 spread^2) + consistency * mean_p (same_p . w)^2

S and S_g, mean squares of reliability over all comparisons and over the group's, make the two ridges precisions in
units of noise. Without them a strong ridge is escaped: one rater is called careless so that the others may be called
reliable, and w small, at the same likelihood. (The normaliser of such a Gaussian, which would reward just that, is left
out: this is a penalised likelihood, and a posterior where the reliabilities are known.)

The product of reliability and utility makes this non-convex, so that what is found is a maximum near where one began:
the pooled fit, which is convex and has one. Where the Hessian is not positive definite, or a step promises more than it
brings, its diagonal is raised (Levenberg 1944, Marquardt 1963) until the value falls. The Hessian at the end is that of
Laplace's approximation; it is dense, so that a thousand or two parameters are as many as are comfortable.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from groma.methods.config import require
from groma.methods.rater_labels import Floats, Whole

TOLERANCE = 1e-12
"""What the last Newton step may promise, in nats: half the squared distance to the maximum in standard errors, so about
a millionth of one.
"""
ROUNDING = 1e-12
"""By how much of its size a sum of many logarithms may be off: a step is not refused for less."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is believed before any comparison; None leaves a part of the model out. Of the features as they are given:
    who wants one ridge to mean the same for each of them standardises them.
    """

    ridge: float = 1.0
    """Precision of the Gaussian prior of each common weight: 1 / variance, in units of the noise of all comparisons."""
    reliability: float | None = 1.0
    """Standard deviation of the logarithm of a rater's reliability. None: all raters are equally reliable."""
    bias: float | None = 1.0
    """The same of each weight of a group's bias, in units of the noise of the group. None: all groups want the same."""
    consistency: float = 0.0
    """Nats that a mean squared difference of 1 in the utility of items that say the same costs. 0: no such items."""

    def __post_init__(self) -> None:
        for name in ("ridge", "reliability", "bias"):
            value = getattr(self, name)
            left_out = " and finite, or None to leave it out" if name != "ridge" else " and finite"
            require(
                (value is None and name != "ridge") or (value is not None and 0 < value < math.inf),
                f"{name} is {value!r}; it must be above 0{left_out}",
            )
        require(
            0 <= self.consistency < math.inf, f"consistency is {self.consistency!r}; it must be 0 or more, and finite"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """What is fitted. x_ND: features of the first item less those of the second; share_N: how much of the label is for
    the first, from 0 to 1; weight_N: for how many comparisons it stands; rater_N: who; group_R: whose bias she has;
    scale_R: with whom her reliability has the geometric mean 1; same_PD: differences of the features of items that say
    the same (P may be 0).
    """

    x_ND: Floats
    share_N: Floats
    weight_N: Floats
    rater_N: Whole
    group_R: Whole
    scale_R: Whole
    same_PD: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Where Newton's method ended. `promised`: nats that one more step would bring; nan where the Hessian is not
    positive definite there, and then there is no covariance (None).
    """

    point_K: Floats
    value: float
    promised: float
    steps: int
    covariance_KK: Floats | None

    @property
    def converged(self) -> bool:
        return self.covariance_KK is not None and self.promised <= TOLERANCE


class Posterior:
    """Minus the log posterior of `rows` under `config`, in nats and up to a constant."""

    def __init__(self, rows: Rows, config: Config) -> None:
        self.rows, self.config = rows, config
        count, self.D = rows.x_ND.shape
        self.R, self.G = len(rows.group_R), 0 if config.bias is None else int(rows.group_R.max()) + 1
        self.of_rater_NR = np.zeros((count, self.R))
        self.of_rater_NR[np.arange(count), rows.rater_N] = 1.0
        told_R = self.of_rater_NR.T @ rows.weight_N
        reliable = config.reliability is not None
        self.basis_RT = zero_sums(told_R, rows.scale_R) if reliable else np.zeros((self.R, 0))
        self.linear = self.D * (1 + self.G)
        self.K = self.linear + self.basis_RT.shape[1]
        in_block_BR = np.vstack([np.ones(self.R), np.arange(self.G)[:, None] == rows.group_R])
        # Of the linear part the design never changes: reliability only scales its rows.
        self.design_NL = (in_block_BR.T[rows.rater_N][:, :, None] * rows.x_ND[:, None, :]).reshape(count, -1)
        self.share_BR = in_block_BR * told_R / (in_block_BR @ told_R)[:, None]
        self.precision_B = np.array([config.ridge] + [config.bias or 0.0] * self.G)
        self.tight = 1 / (config.reliability or 1.0) ** 2
        self.same_DD = np.zeros((self.D, self.D))
        if len(rows.same_PD):
            self.same_DD = 2 * config.consistency * rows.same_PD.T @ rows.same_PD / len(rows.same_PD)

    def parts(self, point_K: Floats) -> tuple[Floats, Floats, Floats]:
        """The weights (D,), the biases (G, D) and the logarithms of reliability (R,) of a point."""
        c_BD = point_K[: self.linear].reshape(-1, self.D)
        return c_BD[0], c_BD[1:], self.basis_RT @ point_K[self.linear :]

    def value(self, point_K: Floats) -> float:
        scale_R = np.exp(self.basis_RT @ point_K[self.linear :])
        gap_N = scale_R[self.rows.rater_N] * (self.design_NL @ point_K[: self.linear])
        told = float(self.rows.weight_N @ (np.logaddexp(0.0, gap_N) - self.rows.share_N * gap_N))
        c_BD, theta_T = point_K[: self.linear].reshape(-1, self.D), point_K[self.linear :]
        ridged = self.precision_B * np.sum(c_BD**2, axis=1) @ (self.share_BR @ scale_R**2)
        return told + float(ridged + self.tight * theta_T @ theta_T + c_BD[0] @ self.same_DD @ c_BD[0]) / 2

    def derivatives(self, point_K: Floats) -> tuple[float, Floats, Floats]:
        """Value, gradient (K,) and Hessian (K, K)."""
        theta_T = point_K[self.linear :]
        scale_R = np.exp(self.basis_RT @ theta_T)
        linear_NL = scale_R[self.rows.rater_N][:, None] * self.design_NL
        gap_N = linear_NL @ point_K[: self.linear]
        chance_N = chance_of(gap_N)
        residual_N = self.rows.weight_N * (chance_N - self.rows.share_N)
        spread_N = self.rows.weight_N * chance_N * (1 - chance_N)
        slope_NK = np.hstack([linear_NL, (self.of_rater_NR * gap_N[:, None]) @ self.basis_RT])
        gradient_K, hessian_KK = slope_NK.T @ residual_N, slope_NK.T @ (spread_N[:, None] * slope_NK)
        # What is left is the curvature of z itself, which is linear in w and b and exponential in log reliability.
        by_linear_L, by_log_R, cross_RL, diagonal_L, own_R = self._ridges(point_K, scale_R)
        cross_RL += self.of_rater_NR.T @ (residual_N[:, None] * linear_NL)
        own_R += self.of_rater_NR.T @ (residual_N * gap_N)
        gradient_K += np.concatenate([by_linear_L, self.basis_RT.T @ by_log_R + self.tight * theta_T])
        cross_TL = self.basis_RT.T @ cross_RL
        own_TT = self.basis_RT.T @ (own_R[:, None] * self.basis_RT) + self.tight * np.eye(len(theta_T))
        hessian_KK += np.block([[np.diag(diagonal_L), cross_TL.T], [cross_TL, own_TT]])
        gradient_K[: self.D] += self.same_DD @ point_K[: self.D]
        hessian_KK[: self.D, : self.D] += self.same_DD
        return self.value(point_K), gradient_K, hessian_KK

    def _ridges(self, point_K: Floats, scale_R: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """Of the two ridges: the gradient by w and b (L,) and by log reliability (R,); of the Hessian what stands
        across (R, L), and the diagonals (L,) and (R,).
        """
        c_BD, square_R = point_K[: self.linear].reshape(-1, self.D), scale_R**2
        half_B = self.precision_B * np.sum(c_BD**2, axis=1) / 2
        diagonal_L = np.repeat(self.precision_B * (self.share_BR @ square_R), self.D)
        by_log_R = 2 * square_R * (half_B @ self.share_BR)
        pulled_BD = self.precision_B[:, None] * c_BD
        cross_RBD = 2 * square_R[:, None, None] * self.share_BR.T[:, :, None] * pulled_BD
        return (
            diagonal_L * point_K[: self.linear],
            by_log_R,
            cross_RBD.reshape(self.R, -1),
            diagonal_L,
            2 * by_log_R,
        )


def zero_sums(weight_R: Floats, scale_R: Whole) -> Floats:
    """An orthonormal basis (R, T) of the vectors that sum to zero, weighed by `weight_R` above 0, in each part of the
    raters that share a number in `scale_R`; T is R less the number of parts.
    """
    columns = []
    for one in sorted(set(scale_R.tolist())):
        own = np.flatnonzero(scale_R == one)
        weight_first = np.column_stack([weight_R[own], np.eye(len(own))[:, 1:]])
        embedded_RO = np.zeros((len(scale_R), len(own) - 1))
        embedded_RO[own] = np.linalg.qr(weight_first)[0][:, 1:]
        columns.append(embedded_RO)
    return np.hstack(columns)


def chance_of(gap_N: Floats) -> Floats:
    """1 / (1 + exp(-gap)), for gaps of any size."""
    return (1 + np.tanh(gap_N / 2)) / 2


def newton(posterior: Posterior, start_K: Floats, max_steps: int) -> Found:
    """A minimum of `posterior` near `start_K`, by damped Newton steps; none raises the value by more than rounding."""
    point_K, damping, steps = start_K, 0.0, 0
    value, gradient_K, hessian_KK = posterior.derivatives(point_K)
    promised, covariance_KK = _laplace(gradient_K, hessian_KK)
    while steps < max_steps and not promised <= TOLERANCE:
        steps += 1
        least = 1e-4 * float(np.abs(np.diag(hessian_KK)).mean())
        moved_K = _step(gradient_K, hessian_KK, damping)
        with np.errstate(over="ignore", invalid="ignore"):  # a step that is far too long is refused, not told of
            reached = math.inf if moved_K is None else posterior.value(point_K + moved_K)
        slack = ROUNDING * max(1.0, abs(value))
        if moved_K is None or not reached <= value + 1e-4 * float(gradient_K @ moved_K) + slack:
            damping = max(10 * damping, least)
            continue
        point_K, damping = point_K + moved_K, damping / 10 if damping > least else 0.0
        value, gradient_K, hessian_KK = posterior.derivatives(point_K)
        promised, covariance_KK = _laplace(gradient_K, hessian_KK)
    return Found(point_K, value, promised, steps, covariance_KK)


def _step(gradient_K: Floats, hessian_KK: Floats, damping: float) -> Floats | None:
    raised_KK = hessian_KK + damping * np.eye(len(hessian_KK))
    return -np.linalg.solve(raised_KK, gradient_K).astype(np.float64) if _positive(raised_KK) else None


def _laplace(gradient_K: Floats, hessian_KK: Floats) -> tuple[float, Floats | None]:
    if not _positive(hessian_KK):
        return math.nan, None
    covariance_KK: Floats = np.linalg.inv(hessian_KK).astype(np.float64)
    return float(gradient_K @ covariance_KK @ gradient_K) / 2, covariance_KK


def _positive(matrix_KK: Floats) -> bool:
    try:
        np.linalg.cholesky(matrix_KK)
    except np.linalg.LinAlgError:
        return False
    return True
