"""Best-of-n without luck: its KL from where it samples, and its exact expectation from one pool of samples.

    KL(n) = log n - (n - 1) / n                        Stiennon et al. 2020, App. G.3; in nats
    E gold(best of n) = sum_k w_k gold_(k)             Nakano et al. 2021 (WebGPT), App. I: the pool in order of the
    w_k = C(k - 1, n - 1) / C(N, n)                    proxy, rising; w_k: the best of n drawn without replacement is
                                                       the k-th of N

The formula for the KL is exact where no two samples can have the same score, and an upper bound otherwise (Beirami et
al. 2024, arXiv:2401.01879): `discrete_kl` is exact for outputs that come in lumps. The estimator is unbiased for every
n <= N, and uses the whole pool for each. We differ: tied proxies are no accident of the sort, each of a tie is as
likely to be chosen as the others. Nothing here knows where scores come from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_ndtr

from groma.formats.errors import BadInput
from groma.measures.statistics.values import Floats

REACH, POINTS = 12.0, 4801
"""The grid on which maxima of normals are integrated: normals beyond 12 have no weight in float64."""


def kl(n: float) -> float:
    """KL of best-of-n from its samples, in nats: log n - (n - 1) / n. Worked example: n = 2 gives .1931."""
    if not (math.isfinite(n) and n >= 1):
        raise BadInput(f"the best of {n}", expected="a finite n of 1 or more")
    return math.log(n) - (n - 1) / n


def discrete_kl(probabilities_K: ArrayLike, scores_K: ArrayLike, n: int) -> float:
    """KL of best-of-n over K outputs, exactly, in nats; among equal scores each sample is as likely to be chosen.

    A level of score with probability p and cumulated F has F^n - (F - p)^n under best-of-n, and its outputs keep their
    shares of it. Worked example: two outputs of .5, n = 2: (.25, .75), KL .1308, where log 2 - 1 / 2 is .1931.
    """
    p_K, s_K = np.asarray(probabilities_K, dtype=np.float64), np.asarray(scores_K, dtype=np.float64)
    if p_K.ndim != 1 or p_K.shape != s_K.shape or np.any(p_K < 0) or not math.isclose(float(p_K.sum()), 1.0):
        raise BadInput(f"{p_K.shape} probabilities for {s_K.shape} scores", expected="as many, that sum to 1")
    kl(n)
    _, level_K = np.unique(s_K, return_inverse=True)
    own_L = np.bincount(level_K, weights=p_K)
    up_to_L = np.minimum(np.cumsum(own_L), 1.0)
    chosen_L = up_to_L**n - np.maximum(up_to_L - own_L, 0.0) ** n
    some = chosen_L > 0
    return float(np.sum(chosen_L[some] * np.log(chosen_L[some] / own_L[some])))


def monte_carlo_kl(scores_N: ArrayLike, others_M: ArrayLike, n: int) -> tuple[float, float]:
    """KL of best-of-n in nats from scores alone, and its standard error: no formula for the KL is used.

    At a score with the share a of other samples below it and b not above it, the density of best-of-n over that of a
    sample is (b^n - a^n) / (b - a), which is n a^(n - 1) where no two scores are equal. The best of each n neighbours
    of scores_N is taken; a and b are those of others_M, which must be other samples, and many more than n.
    """
    scores, others = np.asarray(scores_N, dtype=np.float64), np.sort(np.asarray(others_M, dtype=np.float64))
    if not 1 <= n <= len(scores) // 2:
        raise BadInput(f"the best of {n} from {len(scores)} samples", expected="two groups of n samples or more")
    best_G = scores[: len(scores) // n * n].reshape(-1, n).max(axis=1)
    sides = (np.searchsorted(others, best_G, side) for side in ("left", "right"))
    below_G, up_to_G = ((side + 0.5) / (len(others) + 1) for side in sides)  # so that no share is 0
    tied_G = up_to_G > below_G
    ratio_G = n * below_G ** (n - 1)
    lump_G = up_to_G[tied_G] ** n - below_G[tied_G] ** n
    ratio_G[tied_G] = lump_G / (up_to_G - below_G)[tied_G]
    log_ratio_G = np.log(ratio_G)
    return float(log_ratio_G.mean()), float(log_ratio_G.std(ddof=1) / math.sqrt(len(best_G)))


def log_weights(pool: int, n: int) -> Floats:
    """log w_k for k = 1 .. pool, in order of rising proxy: (pool,), -inf for the n - 1 that can never be best.

    By w_N = n / N and w_(k-1) / w_k = (k - n) / (k - 1), whose logarithms are summed: no factorial appears, so nothing
    overflows and nothing cancels.
    """
    if not 1 <= n <= pool:
        raise BadInput(f"the best of {n} from a pool of {pool}", expected="1 ≤ n ≤ the size of the pool")
    found = np.full(pool, -math.inf)
    k = np.arange(pool, n, -1, dtype=np.float64)  # the steps down from k to k - 1
    steps = np.concatenate([[math.log(n / pool)], np.log1p(-(n - 1) / (k - 1))])
    found[n - 1 :] = np.cumsum(steps)[::-1]
    return found


def weights(pool: int, ns: Sequence[int]) -> Floats:
    """The weights of `log_weights` for each n: (len(ns), pool), every row with sum 1."""
    return np.exp([log_weights(pool, n) for n in ns])


def expected(gold: ArrayLike, proxy_N: ArrayLike, ns: Sequence[int], weights_nN: Floats | None = None) -> Floats:
    """The expected gold of the sample with the highest proxy among n from a pool of N, for each n of `ns`.

    gold: (..., N), several values of a sample at once where there is need (its proxy, say); found: (..., len(ns)).
    The expectation is over all subsets of size n, and over the lot among tied proxies. weights_nN: `weights(N, ns)`,
    for callers with many pools of one size.
    """
    gold_CN, proxy = np.asarray(gold, dtype=np.float64), np.asarray(proxy_N)
    if proxy.ndim != 1 or gold_CN.shape[-1:] != proxy.shape:
        raise BadInput(f"gold of shape {gold_CN.shape}, proxy of shape {proxy.shape}", expected="one of each a sample")
    if not (np.all(np.isfinite(gold_CN)) and np.all(np.isfinite(proxy))):
        raise BadInput("a gold or a proxy that is not finite", expected="finite ones")
    if weights_nN is None:
        weights_nN = weights(len(proxy), ns)
    if weights_nN.shape != (len(ns), len(proxy)):
        raise BadInput(f"weights {weights_nN.shape}", expected=f"{(len(ns), len(proxy))}: a row for each n")
    order = np.argsort(proxy)
    ranked_N = proxy[order]
    starts = np.flatnonzero(np.concatenate([[True], ranked_N[1:] != ranked_N[:-1]]))
    rows = [
        # A mean lies between what it is of, and rounding is not to say otherwise.
        np.clip(weights_nN @ _without_ties(row[order], starts), row.min(), row.max())
        for row in gold_CN.reshape(-1, len(proxy))
    ]
    return np.reshape(rows, (*gold_CN.shape[:-1], len(ns)))


def _without_ties(gold_N: Floats, starts: NDArray[np.intp]) -> Floats:
    """gold_N, in which a tie begins at each of `starts` and lasts to the next, with each tie's mean in its places."""
    if len(starts) == len(gold_N):
        return gold_N
    sizes = np.diff(np.append(starts, len(gold_N)))
    return np.repeat(np.add.reduceat(gold_N, starts) / sizes, sizes)


def normal_maximum(n: float) -> float:
    """The expected maximum of n standard normals: the integral of x n phi(x) Phi(x)^(n - 1), by the trapezoid rule.

    What best-of-n gains of a proxy that is normal. Worked example: n = 2 gives 1 / sqrt(pi) = .5642.
    """
    kl(n)
    x = np.linspace(-REACH, REACH, POINTS)
    log_density = math.log(n) - x**2 / 2 - math.log(2 * math.pi) / 2 + (n - 1) * log_ndtr(x)
    return float(np.trapezoid(x * np.exp(log_density), x))


def regressional_slope(gold_variance: float, error_variance: float) -> float:
    """d E[gold | proxy] / d proxy = Var X / (Var X + Var Z), for proxy = X + Z with independent normals X and Z.

    Gao et al. 2022, section 4.2.1: what is lost by regression alone; gold never turns down.
    """
    if not (gold_variance > 0 and error_variance >= 0):
        raise BadInput(f"variances {gold_variance} and {error_variance}", expected="positive, and 0 or more")
    return gold_variance / (gold_variance + error_variance)
