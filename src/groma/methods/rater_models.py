"""A richer model of the human: who compared what, how reliably, and with which bias of her own.

Bradley & Terry 1952 with three additions. With f the features of an item, u = f . w its utility, rater a of group g:

    P(a prefers i to j) = sigmoid(reliability_a * ((u_i - u_j) + (f_i - f_j) . bias_g))

reliability  one number a rater, log-normal a priori, of geometric mean 1 over the comparisons (so the scale is w's).
             The nearest relative is Crowd-BT (Chen et al. 2013, WSDM), in which rater a tells what Bradley-Terry says
             with chance eta_a and its opposite otherwise. There a careless rater is as often wrong about pairs that lie
             far apart as about near ones, and eta_a below 1/2 is a rater who inverts. Here reliability scales the gap:
             even a careless rater is right about what is plain, and none inverts.
bias         what a group wants beyond what all want, Gaussian a priori. By this prior w points about where the plain
             mean of the groups' tastes does, whichever group compared more. Pooled labels instead weigh a taste by how
             many labels it gave and how far apart its pairs lie (Siththaranjan et al. 2023, arXiv:2312.08358: a Borda
             count). What *all* groups want and should not is in w, and no comparison tells it from what is good.
both         raters who share a bias differ by noise alone, which tells their reliabilities apart; but no comparison
             tells a reliable group from one of strong taste, so that the geometric mean is 1 in each group. Where
             each rater has a bias of her own it is 1 over all of them, and what is reliability and what is a strong
             taste is then for the priors to say.
consistency  pairs that say the same in other words have the same utility: weight * mean (u_i - u_j)^2 is added to minus
             the log posterior. It needs no label, only somebody who knows that they say the same.

The fit is the maximum a posteriori (`rater_fit`), intervals are Laplace's. Items may be hidden states or named
properties of replies; with the features np.eye(n) each item has a utility of its own. Soft labels, by votes
(`vote_share`) or under a fitted model (`model_share`), are what another model may be trained on, this one among them.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from groma.formats.errors import BadConfig, BadInput
from groma.formats.records import Estimate
from groma.methods.rater_fit import Config, Found, Posterior, Rows, chance_of, newton
from groma.methods.rater_labels import Compared, Floats, Soft, Whole, pairs_of, vote_share, whole

__all__ = ["Compared", "Config", "Fitted", "Soft", "fit", "model_share", "vote_share"]

LOG = logging.getLogger(__name__)
MAX_STEPS = 200


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A fitted model.

    weights: (D,) of the utility that all share; bias: (G, D) of each group (zeros where it was left out); group: (R,)
    of each rater; log_reliability: (R,), `spread`: (R,) its standard deviation by Laplace (zeros where it was left
    out); compared: (R,) comparisons of each rater. Soft labels have no raters: R is 0. found: how the search ended.
    """

    config: Config
    weights: Floats
    bias: Floats
    group: Whole
    log_reliability: Floats
    spread: Floats
    compared: Whole
    found: Found

    @property
    def converged(self) -> bool:
        return self.found.converged

    def utility(self, features: ArrayLike) -> Floats:
        """What each item is worth to all: features (I, D) -> (I,), in log odds to a rater of reliability 1."""
        return checked(features, len(self.weights)) @ self.weights

    def reliability(self, confidence: float = 0.95) -> tuple[Estimate, ...]:
        """Each rater's reliability (2 is half the noise) with Laplace's interval, made in its logarithm; n: how often
        she compared. BadInput where it was left out, or where the search ended in no maximum.
        """
        if self.config.reliability is None or self.found.covariance_KK is None:
            raise BadInput("this fit has no reliability", expected="a fit that converged, `reliability` not None")
        if not 0 < confidence < 1:
            raise BadInput(f"confidence {confidence}", expected="a number strictly between 0 and 1")
        half_R = NormalDist().inv_cdf((1 + confidence) / 2) * self.spread
        middle_R = self.log_reliability
        ends = np.exp(np.stack([middle_R, middle_R - half_R, middle_R + half_R], axis=1)).tolist()
        return tuple(
            Estimate(value, low, high, int(n), "laplace", confidence)
            for (value, low, high), n in zip(ends, self.compared, strict=True)
        )

    def chances(self, features: ArrayLike, compared: Compared) -> Floats:
        """The chance (N,) with which the rater of each comparison prefers its first item."""
        x_ND = _gaps(checked(features, len(self.weights)), compared.first, compared.second)
        if self.config.reliability is None and self.config.bias is None:
            return chance_of(x_ND @ self.weights)
        if compared.rater.max() >= len(self.group):
            raise BadInput(f"there is no rater {compared.rater.max()}", expected=f"0 to {len(self.group) - 1}")
        taste_ND = self.weights + self.bias[self.group[compared.rater]]
        return chance_of(np.exp(self.log_reliability[compared.rater]) * np.sum(x_ND * taste_ND, axis=1))

    def log_likelihood(self, features: ArrayLike, compared: Compared) -> Floats:
        """The log-probability (N,) in nats of each choice; of held-out ones: how well the raters are understood."""
        first_N = self.chances(features, compared)
        chosen_N = np.where(compared.preferred == 0, first_N, 1 - first_N)
        return np.log(np.maximum(chosen_N, np.finfo(np.float64).tiny))


def fit(
    features: ArrayLike,
    labels: Compared | Soft,
    config: Config,
    *,
    groups: Sequence[int] | None = None,
    same: ArrayLike | None = None,
    max_steps: int = MAX_STEPS,
) -> Fitted:
    """The most probable model of the raters of `labels`.

    features: (I, D); groups: of each rater the number of her group, whose raters share one bias (None: each has her
    own); same: (P, 2) items that say the same. A search that has not converged after `max_steps` is logged as a warning
    and told by `converged`.
    Errors: BadConfig for options that contradict what is given, or have no effect; BadInput for data that cannot be
    meant, and for reliability or bias with nobody to hold them against.
    """
    if max_steps < 1:
        raise BadConfig(f"max_steps is {max_steps}; it must be at least 1")
    rows = _rows(checked(features), labels, config, groups, same)
    # The pooled fit is convex. From there the rest finds the maximum that is nearest to raters who are all alike.
    posterior = Posterior(rows, replace(config, reliability=None, bias=None))
    found = newton(posterior, np.zeros(posterior.K), max_steps)
    if config.reliability is not None or config.bias is not None:
        posterior = Posterior(rows, config)
        start_K = np.concatenate([found.point_K, np.zeros(posterior.K - posterior.D)])
        found = newton(posterior, start_K, max_steps)
    if not found.converged:
        LOG.warning("the fit did not converge in %d steps: one more promises %.3g nats", found.steps, found.promised)
    weights_D, bias_GD, log_reliability_R = posterior.parts(found.point_K)
    raters = 0 if isinstance(labels, Soft) else posterior.R
    return Fitted(
        config,
        weights_D,
        np.zeros((1, posterior.D)) if config.bias is None else bias_GD,
        rows.group_R[:raters],
        log_reliability_R[:raters],
        _spread(posterior, found)[:raters],
        np.bincount(rows.rater_N, minlength=posterior.R)[:raters],
        found,
    )


def model_share(fitted: Fitted, features: ArrayLike, compared: Compared) -> Soft:
    """Of each pair that was compared the chance that its first item is better, by the utility that all share, to a
    rater of reliability 1 without bias; weighed by its votes. The pairs are those of `vote_share`, in their order.
    """
    pairs = pairs_of(compared)
    x_MD = _gaps(checked(features, len(fitted.weights)), pairs.first, pairs.second)
    return Soft(pairs.first, pairs.second, chance_of(x_MD @ fitted.weights), pairs.votes)


def checked(features: ArrayLike, width: int | None = None) -> Floats:
    """Features (I, D), refused unless they are finite and `width` wide (None: any width above 0)."""
    found = np.asarray(features, dtype=np.float64)
    if found.ndim != 2 or found.shape[1] != (width or max(found.shape[1], 1)):
        raise BadInput(f"features of the shape {found.shape}", expected=f"(items, {width or 'one or more'})")
    if not np.all(np.isfinite(found)):
        raise BadInput("features that are not finite", expected="finite numbers")
    return found


def _rows(
    features: Floats, labels: Compared | Soft, config: Config, groups: Sequence[int] | None, same: ArrayLike | None
) -> Rows:
    x_ND = _gaps(features, labels.first, labels.second)
    same_PD = _same(features, config, same)
    if isinstance(labels, Soft):
        if config.reliability is not None or config.bias is not None or groups is not None:
            raise BadConfig("soft labels have no raters; choose reliability None and bias None, and give no groups")
        nobody = np.zeros(len(labels), dtype=np.intp)
        return Rows(x_ND, labels.share, labels.votes, nobody, nobody[:1], nobody[:1], same_PD)
    group_R = _groups(labels, config, groups)
    scale_R = np.zeros_like(group_R) if groups is None else group_R
    share_N = (labels.preferred == 0).astype(np.float64)
    return Rows(x_ND, share_N, np.ones(len(labels)), labels.rater, group_R, scale_R, same_PD)


def _groups(compared: Compared, config: Config, groups: Sequence[int] | None) -> Whole:
    """The group of each rater, (R,); all in one where there is no bias."""
    if groups is not None and config.bias is None:
        raise BadConfig("groups would have no effect: bias is None, and only a bias is shared by a group")
    raters = int(compared.rater.max()) + 1
    group_R = whole("groups", np.arange(raters) if groups is None else groups)
    if len(group_R) < raters:
        raise BadInput(f"rater {raters - 1} compares, and groups are of {len(group_R)} raters", expected="one a rater")
    if config.bias is None:
        group_R = np.zeros(raters, dtype=np.intp)
    silent = sorted(set(range(len(group_R))) - set(compared.rater.tolist()))
    if silent and config.reliability is not None:
        raise BadInput(f"rater {silent[0]} compared nothing", expected="raters numbered from 0, each with comparisons")
    if config.reliability is not None and len(group_R) < 2:
        raise BadInput("reliability of a single rater", expected="two raters or more, or reliability None")
    alone = np.flatnonzero(np.bincount(group_R)[group_R] == 1)
    if groups is not None and config.reliability is not None and len(alone):
        raise BadInput(
            f"rater {alone[0]} is alone in her group: no comparison tells her reliability from how strong her taste is",
            expected="two raters or more in each group; or reliability None",
        )
    heard = set(group_R[compared.rater].tolist())
    if config.bias is not None and (len(heard) < 2 or heard != set(range(int(group_R.max()) + 1))):
        raise BadInput(
            f"bias of groups of which {sorted(heard)} compared",
            expected="two groups or more, numbered from 0, each with comparisons; or bias None",
        )
    return group_R


def _same(features: Floats, config: Config, same: ArrayLike | None) -> Floats:
    """Differences of the features (P, D) of pairs that say the same."""
    if (same is not None) != (config.consistency > 0):
        raise BadConfig(
            f"consistency is {config.consistency:g} with {'some' if same is not None else 'no'} pairs that say the "
            "same; give both, consistency above 0, or neither"
        )
    if same is None:
        return np.zeros((0, features.shape[1]))
    pairs_P2 = whole("same", same)
    if pairs_P2.ndim != 2 or pairs_P2.shape[1] != 2 or not len(pairs_P2):
        raise BadInput(f"pairs that say the same, of the shape {pairs_P2.shape}", expected="(pairs, 2), one or more")
    return _gaps(features, pairs_P2[:, 0], pairs_P2[:, 1])


def _gaps(features: Floats, first: Whole, second: Whole) -> Floats:
    last = int(max(first.max(), second.max()))
    if last >= len(features):
        raise BadInput(f"there is no item {last}", expected=f"0 to {len(features) - 1}, the items that have features")
    return np.asarray(features[first] - features[second], dtype=np.float64)


def _spread(posterior: Posterior, found: Found) -> Floats:
    """The standard deviation (R,) of the logarithm of each rater's reliability."""
    if found.covariance_KK is None:
        return np.zeros(posterior.R)
    own_TT = found.covariance_KK[posterior.linear :, posterior.linear :]
    return np.sqrt(np.einsum("rt,tu,ru->r", posterior.basis_RT, own_TT, posterior.basis_RT))
