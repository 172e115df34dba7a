"""The model of the raters: its likelihood by hand, its derivatives by differences, what it recovers in simulation."""

from __future__ import annotations

import logging
import math
from typing import Any

import numpy as np
import pytest
import torch

from groma.formats.errors import BadConfig, BadInput
from groma.methods import rater_models
from groma.methods.rater_fit import Posterior, Rows, newton, zero_sums
from groma.methods.rater_labels import pairs_of
from groma.methods.rater_models import Compared, Config, Fitted, Soft, fit, model_share, vote_share

POOLED = Config(reliability=None, bias=None)


def logistic(gap: float) -> float:
    return 1 / (1 + math.exp(-gap))


def hand_made() -> Rows:
    """Two comparisons of one feature: of a gap of 2 by rater 0, of 1 by rater 1, each of her own group."""
    return Rows(
        x_ND=np.array([[2.0], [1.0]]),
        share_N=np.array([1.0, 0.25]),
        weight_N=np.array([1.0, 3.0]),
        rater_N=np.array([0, 1]),
        group_R=np.array([0, 1]),
        scale_R=np.array([0, 0]),
        same_PD=np.array([[1.0], [3.0]]),
    )


def simulated(
    seed: int, noise: tuple[float, ...], bias: np.ndarray[Any, Any] | None = None, each: int = 400, D: int = 4
) -> tuple[np.ndarray[Any, Any], Compared, np.ndarray[Any, Any]]:
    """Raters of logistic noise, `each` comparisons of every one of 60 items; of what they want: features, comparisons
    and the common weights. bias: (raters, D).
    """
    random = np.random.default_rng(seed)
    features_ID, weights_D = random.normal(size=(60, D)), random.normal(size=D)
    first, second = np.array([random.choice(60, 2, replace=False) for _ in range(each * len(noise))]).T
    rater = np.repeat(np.arange(len(noise)), each)
    wants_ND = weights_D + (0.0 if bias is None else bias[rater])
    gap_N = np.sum((features_ID[first] - features_ID[second]) * wants_ND, axis=1)
    felt_N = gap_N + np.array(noise)[rater] * random.logistic(size=len(rater))
    return features_ID, Compared(first, second, rater, (felt_N < 0).astype(int)), weights_D


def part_of(compared: Compared, which: Any) -> Compared:
    return Compared(compared.first[which], compared.second[which], compared.rater[which], compared.preferred[which])


class TestPosterior:
    def test_by_hand(self) -> None:
        """w = .5, biases .25 and -.5, log reliability +.3 and -.1 (of 1 comparison and of 3): gaps 1.5 e^.3 and 0."""
        config = Config(ridge=2.0, reliability=0.5, bias=4.0, consistency=3.0)
        posterior = Posterior(hand_made(), config)
        (axis,) = posterior.basis_RT.T
        point = np.array([0.5, 0.25, -0.5, 0.3 / axis[0]])
        assert posterior.parts(point)[2] == pytest.approx([0.3, -0.1])
        gap = 1.5 * math.exp(0.3)
        told = -math.log(logistic(gap)) + 3 * math.log(2)  # a gap of 0: ln 2, whatever the share
        noise = (math.exp(0.6) + 3 * math.exp(-0.2)) / 4  # the mean square of reliability over all four comparisons
        ridges = 2 * 0.25 * noise + 4 * (0.0625 * math.exp(0.6) + 0.25 * math.exp(-0.2))
        prior = ridges / 2 + (0.09 + 0.01) / (2 * 0.25)
        same = 3 * (0.5**2 + 1.5**2) / 2
        assert posterior.value(point) == pytest.approx(told + prior + same, abs=1e-12)
        assert posterior.derivatives(point)[0] == posterior.value(point)

    def test_a_share_is_so_many_votes_for_each_side(self) -> None:
        rows, config = hand_made(), Config(reliability=None, bias=None)
        point = np.array([0.7])
        votes = -math.log(logistic(1.4)) - 0.75 * math.log(logistic(0.7)) - 2.25 * math.log(logistic(-0.7))
        assert Posterior(rows, config).value(point) == pytest.approx(votes + 0.49 / 2)

    @pytest.mark.parametrize(
        "config",
        [
            Config(ridge=0.7, reliability=0.8, bias=1.5, consistency=0.4),
            Config(reliability=None),
            Config(bias=None),
            POOLED,
        ],
    )
    def test_derivatives_are_differences(self, config: Config) -> None:
        random = np.random.default_rng(3)
        rows = Rows(
            random.normal(size=(30, 3)),
            random.random(30),
            random.integers(1, 4, 30) * 1.0,
            random.integers(0, 4, 30),
            np.array([0, 1, 1, 0]),
            np.array([0, 1, 1, 0]),
            random.normal(size=(5, 3)),
        )
        posterior = Posterior(rows, config)
        expected = 3 + 6 * (config.bias is not None) + 2 * (config.reliability is not None)
        assert expected == posterior.K
        point, size = random.normal(size=posterior.K) * 0.5, 1e-5
        _, gradient, hessian = posterior.derivatives(point)
        assert np.abs(gradient).min() > 1e-3, "nothing to compare"
        for place, nudge in enumerate(size * np.eye(posterior.K)):
            slope = (posterior.value(point + nudge) - posterior.value(point - nudge)) / (2 * size)
            assert gradient[place] == pytest.approx(slope, abs=1e-6)
            above, below = posterior.derivatives(point + nudge)[1], posterior.derivatives(point - nudge)[1]
            np.testing.assert_allclose(hessian[place], (above - below) / (2 * size), atol=1e-6)

    @pytest.mark.parametrize("weights", [[1, 1, 1, 1, 1], [9, 1, 3, 2, 5]])
    def test_a_basis_of_what_sums_to_zero_in_each_part(self, weights: list[int]) -> None:
        basis = zero_sums(np.array(weights) * 1.0, np.array([0, 1, 0, 1, 0]))
        assert basis.shape == (5, 3)
        parts = np.array(weights) * np.array([[1, 0, 1, 0, 1], [0, 1, 0, 1, 0]])
        np.testing.assert_allclose(parts @ basis, 0, atol=1e-12)
        np.testing.assert_allclose(basis.T @ basis, np.eye(3), atol=1e-12)

    def test_reliabilities_have_the_geometric_mean_one_over_the_comparisons(self) -> None:
        """Over all raters, and in each group where some share a bias."""
        features, compared, _ = simulated(0, (0.5, 2.0, 1.0, 3.0), each=60)
        some = part_of(compared, np.arange(len(compared)) >= 40)
        for config, groups, parts in ((Config(), None, [[0, 1, 2, 3]]), (Config(), (0, 0, 1, 1), [[0, 1], [2, 3]])):
            found = fit(features, some, config, groups=groups)
            assert found.compared.tolist() == [20, 60, 60, 60]
            for part in parts:
                assert found.compared[part] @ found.log_reliability[part] == pytest.approx(0, abs=1e-9)
            assert np.abs(found.log_reliability).max() > 0.1

    def test_newton_finds_a_minimum_from_far_away_and_says_where_it_stopped(self) -> None:
        """From points where the Hessian is not positive definite, too."""
        features, compared, _ = simulated(0, (0.5, 2.0, 1.0), each=60)
        rows = Rows(
            features[compared.first] - features[compared.second],
            1.0 - compared.preferred,
            np.ones(len(compared)),
            compared.rater,
            np.array([0, 1, 2]),
            np.zeros(3, dtype=int),
            np.zeros((0, 4)),
        )
        posterior = Posterior(rows, Config())
        random, indefinite = np.random.default_rng(1), 0
        ends = []
        for _ in range(8):
            start = random.normal(size=posterior.K) * 2
            indefinite += bool(np.linalg.eigvalsh(posterior.derivatives(start)[2])[0] < 0)
            found = newton(posterior, start, 200)
            assert found.converged and found.value <= posterior.value(start)
            assert np.abs(posterior.derivatives(found.point_K)[1]).max() < 1e-3
            ends.append(found.value)
        assert indefinite > 0 and min(ends) == pytest.approx(fit(features, compared, Config()).found.value)
        assert not newton(posterior, start, 1).converged


def test_pooled_is_the_ridge_regression_of_torch() -> None:
    """An independent fit: plain gradient steps by torch on the logistic loss."""
    features, compared, _ = simulated(5, (1.0, 1.0), each=100)
    config = Config(ridge=0.3, reliability=None, bias=None)
    gaps = torch.tensor(features[compared.first] - features[compared.second])
    signs = torch.tensor(1.0 - 2.0 * compared.preferred)
    weights = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS(
        [weights], max_iter=200, tolerance_grad=1e-9, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def closure() -> torch.Tensor:
        search.zero_grad()
        loss = -torch.nn.functional.logsigmoid(signs * (gaps @ weights)).sum() + 0.15 * weights.square().sum()
        loss.backward()
        return loss

    search.step(closure)
    np.testing.assert_allclose(fit(features, compared, config).weights, weights.detach().numpy(), atol=1e-6)


class TestRecovery:
    def test_raters_who_are_all_alike_give_the_pooled_fit(self) -> None:
        """Each comparison once by each of three raters, who all choose the same."""
        features, compared, _ = simulated(1, (1.0,), each=200)
        thrice = Compared(*(np.tile(one, 3) for one in (compared.first, compared.second)), np.repeat([0, 1, 2], 200),
                          np.tile(compared.preferred, 3))  # fmt: skip
        pooled, rich = fit(features, thrice, POOLED), fit(features, thrice, Config())
        np.testing.assert_allclose(rich.log_reliability, 0, atol=1e-6)
        np.testing.assert_allclose(rich.bias, np.broadcast_to(rich.bias[0], (3, 4)), atol=1e-6)
        np.testing.assert_allclose(rich.weights / np.linalg.norm(rich.weights),
                                   pooled.weights / np.linalg.norm(pooled.weights), atol=0.01)  # fmt: skip
        same = fit(features, thrice, Config(bias=None))
        np.testing.assert_allclose(same.weights, pooled.weights, atol=1e-6)

    def test_reliability_is_covered_by_its_interval(self) -> None:
        """Noise of half, once and twice the middle one: reliabilities 2, 1 and 1/2. Nominally 95 of 100."""
        noise = (0.5, 1.0, 2.0)
        hits, wide = 0, []
        for seed in range(40):
            features, compared, _ = simulated(seed, noise, each=250)
            found = fit(features, compared, Config(ridge=0.1, bias=None))
            assert found.converged
            assert np.prod([one.value for one in found.reliability()]) == pytest.approx(1)
            hits += sum(one.low <= 1 / level <= one.high for one, level in zip(found.reliability(), noise, strict=True))
            wide.append(found.reliability()[0].high / found.reliability()[0].low)
        # 120 intervals, dependent within a seed: 3 standard errors below .95, taken for independent threes, are .85.
        assert hits / 120 >= 0.87
        assert np.median(wide) < 2.5, "an interval that holds everything is no interval"
        assert found.compared.tolist() == [250, 250, 250]

    def test_a_careless_rater_is_weighed_less(self) -> None:
        """Weights come nearer to the truth than with all labels alike, paired by seed."""
        apart = []
        for seed in range(12):
            features, compared, truth = simulated(seed, (0.3, 0.3, 8.0, 8.0), each=60)
            cosines = [
                float(one.weights @ truth / np.linalg.norm(one.weights) / np.linalg.norm(truth))
                for one in (fit(features, compared, Config(bias=None)), fit(features, compared, POOLED))
            ]
            apart.append(cosines[0] - cosines[1])
        assert np.mean(apart) > 3 * np.std(apart) / math.sqrt(len(apart))

    def test_bias_of_a_group_is_told_from_what_all_want(self) -> None:
        """A group that likes feature 0 compares four times as much as one that dislikes it: the pooled fit takes the
        majority's liking for worth, and between the groups it is nothing. Only the scale of w is the prior's.
        """

        def alike(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> float:
            return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))

        likes = np.array([1.5, 0, 0, 0])
        rich, pooled, biases = [], [], []
        for seed in range(6):
            features, compared, truth = simulated(seed, (0.7, 1.4) * 2, np.array([likes, likes, -likes, -likes]))
            some = part_of(compared, (compared.rater < 2) | (np.arange(len(compared)) % 4 == 0))
            found = fit(features, some, Config(ridge=0.01, bias=0.1), groups=(0, 0, 1, 1))
            assert found.bias.shape == (2, 4) and found.converged
            np.testing.assert_allclose(
                found.log_reliability[[0, 2]] - found.log_reliability[[1, 3]], math.log(2), atol=1
            )
            rich.append(alike(found.weights, truth))
            pooled.append(alike(fit(features, some, POOLED).weights, truth))
            biases.append(alike(found.bias[0] - found.bias[1], likes))
        assert min(biases) > 0.95 and np.mean(rich) > 0.95 > 0.9 > np.mean(pooled)

    @pytest.mark.parametrize("groups", [None, (0, 0, 1, 1)])
    def test_a_strong_ridge_makes_nobody_careless(self, groups: tuple[int, ...] | None) -> None:
        """Were ridges in plain units, one would be given up so that the others may be reliable and weights small."""
        features, compared, _ = simulated(3, (0.5, 1.0, 1.0, 2.0), each=100)
        for config in (Config(ridge=500.0), Config(ridge=500.0, bias=500.0)):
            biased = groups if config.bias is not None else None
            found = fit(features, compared, config, groups=biased)
            assert np.linalg.norm(found.weights) < 0.5, "it is strong"
            assert np.abs(found.log_reliability).max() < math.log(3)

    def test_held_out_choices_are_likelier_under_the_model_that_made_them(self) -> None:
        bias = np.array([[2.0, 0, 0, 0], [-2.0, 0, 0, 0]])
        features, compared, _ = simulated(4, (0.5, 2.0), bias, each=400)
        train, test = (part_of(compared, slice(part, None, 2)) for part in (0, 1))
        values = {
            name: float(fit(features, train, config).log_likelihood(features, test).mean())
            for name, config in {
                "pooled": POOLED,
                "reliability": Config(bias=None),
                "bias": Config(reliability=None),
                "both": Config(),
            }.items()
        }
        assert values["both"] > max(values["bias"], values["reliability"])
        assert min(values["bias"], values["reliability"]) > values["pooled"] > -math.log(2)

    def test_every_item_may_have_a_utility_of_its_own(self) -> None:
        """Three items, no features: 0 beats 1 three times in four, 1 beats 2 so, with next to no prior."""
        votes = [(0, 1, 0)] * 3 + [(0, 1, 1)] + [(1, 2, 0)] * 3 + [(1, 2, 1)]
        first, second, preferred = np.array(votes).T
        compared = Compared(first, second, np.zeros(8, dtype=int), preferred)
        utility = fit(np.eye(3), compared, Config(ridge=1e-8, reliability=None, bias=None)).utility(np.eye(3))
        assert utility[0] - utility[1] == pytest.approx(math.log(3), abs=1e-4)
        assert utility[1] - utility[2] == pytest.approx(math.log(3), abs=1e-4)
        assert utility.sum() == pytest.approx(0, abs=1e-4)  # by the prior: nothing else says where zero is


class TestChances:
    """A model made by hand: weights 1, 0; biases (0, 1) and (0, -1); reliabilities 2 and 1/2."""

    features = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]])

    def model(self) -> Fitted:
        found = newton(Posterior(hand_made(), POOLED), np.zeros(1), 50)
        log = np.log([2.0, 0.5])
        return Fitted(
            Config(), np.array([1.0, 0.0]), np.array([[0.0, 1.0], [0.0, -1.0]]), np.array([0, 1]), log,
            np.array([0.1, 0.2]), np.array([5, 7]), found,
        )  # fmt: skip

    def test_by_hand(self) -> None:
        compared = Compared([0, 0, 1, 1], [1, 1, 2, 2], [0, 1, 0, 1], [0, 0, 0, 1])  # type: ignore[arg-type]
        expected = [logistic(2), logistic(0.5), logistic(-2), logistic(0.5)]
        np.testing.assert_allclose(self.model().chances(self.features, compared), expected)
        chosen = np.log([*expected[:3], 1 - expected[3]])
        np.testing.assert_allclose(self.model().log_likelihood(self.features, compared), chosen)
        np.testing.assert_allclose(self.model().utility(self.features), [1, 0, 0])

    def test_intervals_by_hand(self) -> None:
        first, second = self.model().reliability()
        assert (first.value, first.n, first.kind) == (pytest.approx(2), 5, "laplace")
        assert (first.low, first.high) == pytest.approx((2 * math.exp(-0.195996), 2 * math.exp(0.195996)), rel=1e-5)
        assert self.model().reliability(0.5)[1].high == pytest.approx(0.5 * math.exp(0.2 * 0.67449), rel=1e-5)
        assert second.low < self.model().reliability(0.5)[1].low

    def test_a_choice_against_all_odds_has_a_finite_likelihood(self) -> None:
        far = np.array([[5000.0, 0.0], [0.0, 0.0]])
        compared = Compared(np.array([0]), np.array([1]), np.array([0]), np.array([1]))
        assert -800 < float(self.model().log_likelihood(far, compared)[0]) < -600


class TestSoftLabels:
    compared = Compared(
        np.array([0, 1, 0, 0, 2, 2]), np.array([1, 0, 1, 1, 0, 0]), np.array([0, 1, 2, 3, 0, 1]),
        np.array([0, 1, 1, 0, 1, 1]),
    )  # fmt: skip
    """0 against 1: preferred 0, 0 (turned round), 1, 0. 2 against 0: never 2."""

    def test_shares_by_hand(self) -> None:
        soft = vote_share(self.compared)
        assert (soft.first.tolist(), soft.second.tolist(), soft.votes.tolist()) == ([0, 2], [1, 0], [4, 2])
        np.testing.assert_allclose(soft.share, [4 / 6, 1 / 4])
        np.testing.assert_allclose(vote_share(self.compared, prior=0).share, [3 / 4, 0])
        assert pairs_of(self.compared).turned.tolist() == [False, True, False, False, False, False]

    def test_shares_that_are_not_smoothed_give_the_pooled_fit(self) -> None:
        features, compared, _ = simulated(6, (1.0, 1.0, 1.0), each=150)
        few = Compared(compared.first % 8, 8 + compared.second % 8, compared.rater, compared.preferred)
        soft = vote_share(few, prior=0)
        assert len(soft) <= 64 < len(few) == soft.votes.sum()
        of_votes, of_shares = fit(features, few, POOLED), fit(features, soft, POOLED)
        np.testing.assert_allclose(of_shares.weights, of_votes.weights, atol=1e-6)
        smoothed = fit(features, vote_share(few, prior=2), POOLED)
        assert np.linalg.norm(smoothed.weights) < 0.9 * np.linalg.norm(of_votes.weights)

    def test_shares_under_a_model_are_its_utilities(self) -> None:
        features = np.array([[1.0, 0.0], [0.0, 3.0], [3.0, 0.0]])
        soft = model_share(TestChances().model(), features, self.compared)
        np.testing.assert_allclose(soft.share, [logistic(1), logistic(2)])
        assert soft.votes.tolist() == [4, 2] and soft.first.tolist() == [0, 2]

    def test_a_fit_to_the_labels_of_a_model_is_that_model(self) -> None:
        features, compared, _ = simulated(7, (0.7, 1.4), each=300)
        rich = fit(features, compared, Config())
        again = fit(features, model_share(rich, features, compared), Config(ridge=1e-6, reliability=None, bias=None))
        np.testing.assert_allclose(again.weights, rich.weights, atol=1e-3)
        assert len(again.group) == 0


class TestConsistency:
    def test_it_pulls_items_together_that_say_the_same(self) -> None:
        """Feature 3 only says in which words: raters like it, and pairs that differ in nothing else are given."""
        bias = np.array([[0, 0, 0, 2.0]] * 2)
        features, compared, _ = simulated(8, (1.0, 1.0), bias)
        reworded = features[:20] + np.array([0, 0, 0, 1.0])
        table, same = np.vstack([features, reworded]), np.stack([np.arange(20), 60 + np.arange(20)], axis=1)
        gaps = []
        for weight in (0.0, 10.0, 1e4):
            given = {"same": same} if weight else {}
            config = Config(reliability=None, bias=None, consistency=weight)
            found = fit(table, compared, config, **given)
            utility = found.utility(table)
            gaps.append(float(np.mean((utility[same[:, 0]] - utility[same[:, 1]]) ** 2)))
        assert gaps[0] > 1 > gaps[1] * 0.9 > 100 * gaps[2]
        # What is left is what all features but that one say.
        less = fit(features[:, :3], compared, POOLED)
        np.testing.assert_allclose(found.weights[:3], less.weights, atol=1e-2)


class TestRefusals:
    features = np.eye(4)
    two = Compared(np.array([0, 1]), np.array([1, 2]), np.array([0, 1]), np.array([0, 1]))

    @pytest.mark.parametrize(
        ("columns", "told"),
        [
            (([], [], [], []), "there are no labels"),
            (([0], [0], [0], [0]), "item 0 is compared with itself"),
            (([0], [1], [0], [2]), "preferred is 2"),
            (([0], [-1], [0], [0]), "second holds int64 from -1"),
            (([0.5], [1], [0], [0]), "first holds float64 from 0.5"),
            (([0, 1], [1, 2], [0], [0, 0]), "columns of the shapes"),
        ],
    )
    def test_of_comparisons(self, columns: tuple[list[int], ...], told: str) -> None:
        with pytest.raises(BadInput, match=told):
            Compared(*map(np.array, columns))

    @pytest.mark.parametrize(
        ("share", "votes", "told"),
        [(1.1, 1, "shares from 1.1"), (0.5, 0, "votes from 0.0"), (0.5, math.inf, "votes from inf")],
    )
    def test_of_soft_labels(self, share: float, votes: float, told: str) -> None:
        with pytest.raises(BadInput, match=told):
            Soft(np.array([0]), np.array([1]), np.array([share]), np.array([votes]))

    @pytest.mark.parametrize(
        ("options", "told"),
        [
            ({"ridge": 0}, "ridge is 0"),
            ({"ridge": None}, "ridge is None"),
            ({"reliability": -1.0}, "reliability is -1.0.*None to leave it out"),
            ({"bias": math.inf}, "bias is inf"),
            ({"consistency": -1.0}, "consistency is -1.0"),
        ],
    )
    def test_of_options(self, options: dict[str, Any], told: str) -> None:
        with pytest.raises(BadConfig, match=told):
            Config(**options)

    @pytest.mark.parametrize(
        ("config", "given", "told"),
        [
            (Config(consistency=1.0), {}, "consistency is 1 with no pairs"),
            (Config(), {"same": [[0, 1]]}, "consistency is 0 with some pairs"),
            (Config(bias=None), {"groups": (0, 1)}, "groups would have no effect"),
            (Config(), {"max_steps": 0}, "max_steps is 0"),
        ],
    )
    def test_of_what_would_have_no_effect(self, config: Config, given: dict[str, Any], told: str) -> None:
        with pytest.raises(BadConfig, match=told):
            fit(self.features, self.two, config, **given)

    @pytest.mark.parametrize(
        ("config", "given", "told"),
        [
            (Config(), {"groups": (0,)}, "rater 1 compares, and groups are of 1 raters"),
            (Config(), {"groups": (0, 1, 1)}, "rater 2 compared nothing"),
            (Config(), {"groups": (0, 1)}, "rater 0 is alone in her group"),
            (Config(reliability=None), {"groups": (0, 0)}, "bias of groups of which"),
            (Config(reliability=None), {"groups": (0, 2)}, "bias of groups of which"),
            (Config(consistency=1.0), {"same": [[0, 7]]}, "there is no item 7"),
            (Config(consistency=1.0), {"same": [0, 1]}, "of the shape"),
        ],
    )
    def test_of_what_cannot_be_meant(self, config: Config, given: dict[str, Any], told: str) -> None:
        with pytest.raises(BadInput, match=told):
            fit(self.features, self.two, config, **given)

    def test_of_a_single_rater(self) -> None:
        alone = Compared(np.array([0, 1]), np.array([1, 2]), np.array([0, 0]), np.array([0, 1]))
        with pytest.raises(BadInput, match="reliability of a single rater"):
            fit(self.features, alone, Config(bias=None))
        with pytest.raises(BadInput, match="bias of groups of which"):
            fit(self.features, alone, Config(reliability=None))
        with pytest.raises(BadInput, match="this fit has no reliability"):
            fit(self.features, alone, POOLED).reliability()

    def test_of_items_and_raters_that_there_are_none_of(self) -> None:
        with pytest.raises(BadInput, match="there is no item 2"):
            fit(np.eye(2), self.two, POOLED)
        with pytest.raises(BadInput, match=r"features of the shape \(4,\)"):
            fit(np.ones(4), self.two, POOLED)
        with pytest.raises(BadInput, match="not finite"):
            fit(np.eye(4) * math.nan, self.two, POOLED)
        third = Compared(np.array([0]), np.array([1]), np.array([2]), np.array([0]))
        with pytest.raises(BadInput, match="there is no rater 2"):
            fit(self.features, self.two, Config()).chances(self.features, third)
        with pytest.raises(BadInput, match=r"expected: \(items, 4\)"):
            fit(self.features, self.two, Config()).utility(np.eye(3))
        with pytest.raises(BadConfig, match="prior is -1"):
            vote_share(self.two, prior=-1)
        with pytest.raises(BadInput, match="confidence 1"):
            fit(self.features, self.two, Config()).reliability(1)

    @pytest.mark.parametrize("config", [Config(bias=None), Config(reliability=None)])
    def test_of_raters_behind_soft_labels(self, config: Config) -> None:
        with pytest.raises(BadConfig, match="soft labels have no raters"):
            fit(self.features, vote_share(self.two), config)


def test_a_search_that_was_cut_short_says_so(caplog: pytest.LogCaptureFixture) -> None:
    features, compared, _ = simulated(9, (0.5, 2.0), each=100)
    with caplog.at_level(logging.WARNING, logger=rater_models.__name__):
        short = fit(features, compared, Config(ridge=0.01), max_steps=1)
        assert not short.converged and "did not converge in 1 steps" in caplog.text
        caplog.clear()
        assert fit(features, compared, Config(ridge=0.01)).converged and not caplog.text
