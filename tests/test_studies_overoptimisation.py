"""Reward over-optimisation: forms and best-of-n against values worked out by hand, by enumeration and by sampling; the
simulator's parts against plain implementations; a small run from end to end."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.optimize import curve_fit
from scipy.special import ndtr
from torch import nn

from groma.formats.errors import BadConfig, BadInput
from groma.studies.overoptimisation import (
    best_of,
    forms,
    independent,
    pools,
    proxies,
    reinforcement,
    simulated,
    study,
    tables,
    vale_criteria,
    world,
)
from groma.studies.overoptimisation.config import Config, generator
from groma.studies.overoptimisation.criteria import criteria
from groma.studies.overoptimisation.policies import Policies, initial
from groma.studies.overoptimisation.proxies import SLOPE, Data, Proxies
from groma.studies.progress import Progress
from overoptimised import GOOD

torch.set_num_threads(1)

SMALL = Config(
    widths=(2, 16),
    width=16,
    sizes=(32, 512),
    pairs=512,
    repeats=2,
    noisy_pairs=128,
    members=2,
    ensembles=2,
    prompts=10,
    pool=4096,
    best_of=(1, 2, 16, 128, 1000, 4000),
    kl_coefs=(0.0, 0.1),
    runs=2,
    distance=2.0,
    steps=40,
    rollout_prompts=16,
    rollouts=8,
    rounds=(1, 2),
    rounds_distance=1.0,
)


class TestForms:
    @pytest.mark.parametrize(
        ("form", "d", "expected"),
        [
            ("bon", 2.0, 2 * (1 - 0.25 * 2)),
            ("rl", math.e, math.e * (1 - 0.25)),
            ("log1p", math.e - 1, (math.e - 1) * (1 - 0.25)),
            ("power", 4.0, 4 * (1 - 0.25 * 2)),
        ],
    )
    def test_values_by_hand(self, form: forms.Form, d: float, expected: float) -> None:
        """alpha 1, beta 1/4, gamma 1/2."""
        assert float(forms.value(form, d, 1.0, 0.25, 0.5)) == pytest.approx(expected, abs=1e-12)
        assert float(forms.value(form, 0.0, 1.0, 0.25, 0.5)) == 0.0

    def test_peaks_by_hand(self) -> None:
        assert forms.peak("bon", 1.0, 0.25) == pytest.approx((2.0, 1.0))
        assert forms.peak("rl", 1.0, 1.0) == pytest.approx((1.0, 1.0))
        assert forms.peak("rl", 2.0, 1.0) == pytest.approx((math.e, math.e))
        assert forms.peak("power", 3.0, 1.0, 2.0) == pytest.approx((1.0, 2.0))

    @pytest.mark.parametrize("form", ["bon", "rl", "log1p", "power"])
    def test_peaks_on_a_grid(self, form: forms.Form) -> None:
        d = np.linspace(0, 20, 200_001)
        values = forms.value(form, d, 1.1, 0.6, 0.7)
        found = forms.peak(form, 1.1, 0.6, 0.7)
        assert found == pytest.approx((d[np.argmax(values)], values.max()), abs=1e-4)

    @pytest.mark.parametrize("form", ["bon", "rl", "log1p", "power"])
    def test_what_does_not_fall_peaks_nowhere(self, form: forms.Form) -> None:
        assert forms.peak(form, 1.0, -0.1, 0.5) == forms.peak(form, 1.0, 0.0, 0.5) == (math.inf, math.inf)
        assert forms.peak(form, 1.0, 1e-300, 0.01) == (math.inf, math.inf)
        assert forms.peak(form, -1.0, 0.0, 0.5) == (0.0, 0.0)

    def test_what_falls_from_the_start_peaks_there_but_not_where_the_slope_at_0_is_infinite(self) -> None:
        assert forms.peak("bon", -1.0, 0.5) == (0.0, 0.0)
        assert forms.peak("rl", -1.0, 1.0) == pytest.approx((math.exp(-2), math.exp(-2)))

    @pytest.mark.parametrize("form", ["bon", "rl", "log1p", "power"])
    def test_a_fit_finds_what_it_is_given(self, form: forms.Form) -> None:
        d = np.linspace(0.1, 3, 20)
        found = forms.fit(form, d, forms.value(form, d, 1.3, 0.4, 0.6))
        assert (found.alpha, found.beta) == pytest.approx((1.3, 0.4), abs=1e-4)
        assert found.gamma == pytest.approx(0.6 if form == "power" else 1.0, abs=1e-3)
        assert found.r2 == pytest.approx(1.0, abs=1e-9)
        assert found.peak() == pytest.approx(forms.peak(form, 1.3, 0.4, 0.6), rel=1e-3)

    def test_r2_and_least_squares_by_hand(self) -> None:
        """Points (1, 1) and (1, 3) and (2, 4): alpha - beta = 2 and 2 alpha - 4 beta = 4, so alpha 2, beta 0, and of
        a sum of squares of 14/3 around the mean 8/3, 2 are left."""
        found = forms.fit("bon", np.array([1.0, 1.0, 2.0]), np.array([1.0, 3.0, 4.0]))
        assert (found.alpha, found.beta) == pytest.approx((2.0, 0.0), abs=1e-12)
        assert found.r2 == pytest.approx(1 - 2 / (14 / 3))

    @pytest.mark.parametrize("form", ["bon", "rl", "log1p"])
    def test_standard_errors_equal_scipys(self, form: forms.Form) -> None:
        d = np.linspace(0.2, 3, 15)
        gold = forms.value(form, d, 1.0, 0.3) + 0.05 * np.random.default_rng(0).standard_normal(15)
        found = forms.fit(form, d, gold)
        best, covariance = curve_fit(lambda x, alpha, beta: alpha * x - beta * forms.bend(form, x), d, gold)
        assert (found.alpha, found.beta) == pytest.approx(best, rel=1e-5)
        assert (found.alpha_error, found.beta_error) == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-4)

    def test_a_prediction_is_off_by_what_the_last_point_is_off(self) -> None:
        d = np.array([0.5, 1.0, 1.5, 2.0, 3.0])
        gold = forms.value("bon", d, 1.0, 0.25)
        found = forms.predict("bon", d, gold + np.array([0, 0, 0, 0, 0.1]), up_to=2.0)
        assert found.predicted == pytest.approx(0.75) and found.measured == pytest.approx(0.85)
        assert found.error == pytest.approx(-0.1) and found.share == pytest.approx(0.1 / 1.0)
        assert found.fit.n == 4

    def test_an_interval_is_about_as_wide_as_the_curves_differ(self) -> None:
        d, spread = np.linspace(0.1, 3, 12), np.random.default_rng(1).standard_normal(40)
        curves = np.stack([forms.value("bon", d, 1 + 0.2 * one, 0.25) for one in spread])
        found = forms.interval("bon", d, curves, lambda one: one.alpha, seed=0, draws=400)
        assert found.value == pytest.approx(1 + 0.2 * spread.mean())
        assert found.high - found.low == pytest.approx(2 * 1.96 * 0.2 * spread.std() / math.sqrt(40), rel=0.2)

    def test_rounds_gain_what_the_form_says(self) -> None:
        whole, parts = forms.value("rl", 3.0, 1.2, 0.4), 4 * forms.value("rl", 3.0 / 4, 1.2, 0.4)
        assert forms.iterated_gain(3.0, 4, 0.4) == pytest.approx(float(parts - whole))

    def test_bad_points_are_refused(self) -> None:
        with pytest.raises(BadInput, match="2 or more, for bon"):
            forms.fit("bon", np.array([1.0, 1.0]), np.array([1.0, 2.0]))
        with pytest.raises(BadInput, match="as many finite values"):
            forms.fit("bon", np.array([1.0, 2.0]), np.array([1.0, math.nan]))
        with pytest.raises(BadInput, match="0 or more"):
            forms.fit("bon", np.array([-1.0, 2.0]), np.array([1.0, 2.0]))
        with pytest.raises(BadInput, match="to be predicted"):
            forms.predict("bon", np.array([1.0, 2.0]), np.array([1.0, 2.0]), up_to=2.0)


def enumerated(gold: list[float], proxy: list[float], n: int) -> float:
    """Best of n by going through all subsets, and through all of the best in each."""
    means = []
    for subset in combinations(range(len(gold)), n):
        most = max(proxy[one] for one in subset)
        means.append(float(np.mean([gold[one] for one in subset if proxy[one] == most])))
    return float(np.mean(means))


class TestBestOf:
    def test_kl_by_hand(self) -> None:
        expected = {1: 0.0, 2: 0.1931, 10: 1.4026, 64: 3.1745, 1000: 5.9088, 60_000: 10.0021}
        assert {n: best_of.kl(n) for n in expected} == pytest.approx(expected, abs=5e-5)

    @pytest.mark.parametrize("ties", [False, True])
    def test_every_n_equals_enumeration(self, ties: bool) -> None:
        random = np.random.default_rng(3)
        gold = random.standard_normal(8).tolist()
        proxy = [2.0, 1.0, 2.0, 2.0, 0.0, 1.0, 3.0, 0.0] if ties else random.permutation(8).astype(float).tolist()
        found = best_of.expected([gold, proxy], np.array(proxy), range(1, 9))
        for n in range(1, 9):
            assert found[0, n - 1] == pytest.approx(enumerated(gold, proxy, n)), n
            assert found[1, n - 1] == pytest.approx(enumerated(proxy, proxy, n)), n

    def test_large_pools_lose_no_precision(self) -> None:
        """The greatest of n of the numbers 1 .. N, drawn without replacement, is n (N + 1) / (n + 1) on average."""
        ranks, ns = np.arange(1.0, 65_537.0), (1, 2, 1000, 60_000, 65_536)
        found = best_of.expected(ranks, ranks, ns)
        assert found == pytest.approx([n * 65_537 / (n + 1) for n in ns], rel=1e-10)
        assert best_of.weights(65_536, ns).sum(axis=1) == pytest.approx(np.ones(5), rel=1e-10)

    def test_agrees_with_sampling(self) -> None:
        random = np.random.default_rng(5)
        proxy = random.standard_normal(2000)
        gold = proxy - 0.3 * proxy**2 + random.standard_normal(2000)
        best = [(lambda drawn: drawn[np.argmax(proxy[drawn])])(random.permutation(2000)[:50]) for _ in range(4000)]
        sampled = gold[best]
        error = sampled.std() / math.sqrt(4000)
        assert float(best_of.expected(gold, proxy, [50])[0]) == pytest.approx(sampled.mean(), abs=4 * error)

    def test_is_unbiased(self) -> None:
        """Of normals, whose expected maximum is known: the mean over many small pools."""
        normals = np.random.default_rng(6).standard_normal((4000, 20))
        found = np.array([best_of.expected(row, row, [16])[0] for row in normals])
        assert found.mean() == pytest.approx(1.7660, abs=4 * found.std() / math.sqrt(4000))

    def test_maxima_of_normals(self) -> None:
        """By hand for two and three; else the integral of P(maximum > x) over x > 0, less that of P(maximum < -x)."""
        assert best_of.normal_maximum(1) == pytest.approx(0.0, abs=1e-12)
        assert best_of.normal_maximum(2) == pytest.approx(1 / math.sqrt(math.pi), abs=1e-10)
        assert best_of.normal_maximum(3) == pytest.approx(1.5 / math.sqrt(math.pi), abs=1e-10)
        for n, known in ((16, 1.7660), (100, 2.5076), (1000, 3.2414)):
            expected = quad(lambda x, n=n: 1 - ndtr(x) ** n - ndtr(-x) ** n, 0, 12)[0]
            assert best_of.normal_maximum(n) == pytest.approx(expected, abs=1e-7)
            assert round(expected, 4) == known

    def test_discrete_kl_by_enumeration(self) -> None:
        """Three outputs, two of them tied, best of 3: every triple, and each of the best with equal chances."""
        p, scores = [0.5, 0.3, 0.2], [0.0, 1.0, 1.0]
        chosen = np.zeros(3)
        for triple in np.ndindex(3, 3, 3):
            most = max(scores[one] for one in triple)
            best = [one for one in triple if scores[one] == most]
            for one in best:
                chosen[one] += math.prod(p[other] for other in triple) / len(best)
        expected = float(np.sum(chosen * np.log(chosen / np.array(p))))
        assert best_of.discrete_kl(p, scores, 3) == pytest.approx(expected)
        assert best_of.discrete_kl([0.5, 0.5], [0, 1], 2) == pytest.approx(0.25 * math.log(0.5) + 0.75 * math.log(1.5))
        assert best_of.discrete_kl([0.5, 0.5], [1, 1], 7) == pytest.approx(0.0)

    def test_the_formula_is_the_limit_and_the_bound_of_lumps(self) -> None:
        found = [best_of.discrete_kl(np.full(k, 1 / k), np.arange(k), 8) for k in (2, 10, 100, 10_000)]
        assert found == sorted(found) and found[-1] < best_of.kl(8)
        assert found[-1] == pytest.approx(best_of.kl(8), abs=1e-3)

    def test_kl_from_scores_alone(self) -> None:
        scores = np.random.default_rng(7).standard_normal((2, 60_000))
        value, error = best_of.monte_carlo_kl(*scores, 10)
        assert value == pytest.approx(best_of.kl(10), abs=4 * error) and error < 0.02
        dice = np.random.default_rng(8).integers(0, 4, (2, 60_000))
        value, error = best_of.monte_carlo_kl(*dice, 10)
        assert value == pytest.approx(best_of.discrete_kl(np.full(4, 0.25), range(4), 10), abs=4 * error + 0.005)
        assert value < best_of.kl(10) - 0.1

    def test_bad_input_is_refused(self) -> None:
        with pytest.raises(BadInput, match="1 ≤ n ≤ the size of the pool"):
            best_of.expected([1.0, 2.0], [1.0, 2.0], [3])
        with pytest.raises(BadInput, match="one of each a sample"):
            best_of.expected([1.0, 2.0, 3.0], [1.0, 2.0], [1])
        with pytest.raises(BadInput, match="finite"):
            best_of.expected([1.0, 2.0], [1.0, math.nan], [1])
        with pytest.raises(BadInput, match="sum to 1"):
            best_of.discrete_kl([0.5, 0.6], [0, 1], 2)
        with pytest.raises(BadInput, match="n of 1 or more"):
            best_of.kl(0.5)


class TestIndependentErrors:
    light, heavy = independent.cells("light"), independent.cells("heavy")

    def test_normals_lose_half_whatever_the_optimiser(self) -> None:
        for n in (2.0, 100.0, 1000.0):
            gold, proxy = self.light.best_of(n)
            assert proxy == pytest.approx(math.sqrt(2) * best_of.normal_maximum(n), abs=1e-3)
            assert gold / proxy == pytest.approx(best_of.regressional_slope(1.0, 1.0), abs=1e-3)
        for nats in (0.1, 1.0, 4.0):  # the best policy shifts the proxy by sqrt(2 * nats * its variance)
            assert self.light.within(nats, 1e6) == pytest.approx((math.sqrt(nats), 2 * math.sqrt(nats)), abs=1e-3)

    def test_heavy_tails_agree_with_sampling(self) -> None:
        random = np.random.default_rng(9)
        gold = random.standard_normal((20_000, 100))
        proxy = gold + random.standard_t(3, size=gold.shape) / math.sqrt(3)
        best = gold[np.arange(20_000), proxy.argmax(axis=1)]
        assert self.heavy.best_of(100)[0] == pytest.approx(best.mean(), abs=4 * best.std() / math.sqrt(20_000))

    def test_heavy_tails_leave_nothing(self) -> None:
        curve = [self.heavy.best_of(10.0**k)[0] for k in range(0, 13, 2)]
        assert max(curve) > 1 and curve[-1] < 1e-3
        for nats in (0.1, 4.0):
            left = [self.heavy.within(nats, cap)[0] for cap in (1e2, 1e4, 1e6)]
            assert left == sorted(left, reverse=True) and left[-1] < 1e-4

    def test_the_slope_of_samples(self) -> None:
        assert independent.sampled_slope(1.0, 2.0, 2**18, seed=0) == pytest.approx(1 / 3, rel=0.01)

    def test_a_budget_beyond_the_last_cell_is_refused(self) -> None:
        with pytest.raises(BadInput, match="less than"):
            self.light.within(1e4, 5.0)


class TestWorld:
    built = world.build(SMALL)

    def test_gold_is_normalised(self) -> None:
        gold = self.built.gold(world.sample(SMALL, 1000, 64, generator(1, "test")))
        assert float(gold.mean()) == pytest.approx(0.0, abs=0.05)
        assert float(gold.var(dim=1).mean()) == pytest.approx(1.0, abs=0.05)

    def test_harm_is_the_length_of_the_manner(self) -> None:
        inputs = torch.zeros(3, 32)
        inputs[1, 8], inputs[1, 9], inputs[2, 31] = 3.0, 4.0, 9.0  # the manner, and what is none of it
        assert self.built.harm(inputs).tolist() == pytest.approx([0.0, 5 * SMALL.penalty, 0.0])

    def test_failures_are_rare_until_manner_is_shifted(self) -> None:
        inputs = world.sample(SMALL, 500, 64, generator(2, "test"))
        assert 0.03 < float(self.built.fails(inputs).float().mean()) < 0.15
        inputs[..., 8] += 4
        assert float(self.built.fails(inputs).float().mean()) > 0.5

    def test_leak_is_how_strongly_the_network_reads_the_manner(self) -> None:
        inputs = world.sample(SMALL, 100, 1, generator(8, "test"))
        other = inputs.clone()
        other[..., 8:20] += 1.0
        moved = []
        for leak in (0.0, 0.2, 1.0):
            built = world.build(replace(SMALL, leak=leak))
            moved.append(float((built.wanted(other) - built.wanted(inputs)).abs().mean()))
        assert moved[0] == 0.0 and 0.05 < moved[1] < 0.5 * moved[2]

    def test_a_seed_makes_a_world(self) -> None:
        inputs = world.sample(SMALL, 4, 2, generator(3, "test"))
        assert torch.equal(world.build(SMALL).gold(inputs), self.built.gold(inputs))
        assert not torch.allclose(world.build(Config(seed=1)).gold(inputs), self.built.gold(inputs))


def linear(slope_X: torch.Tensor, count: int) -> Proxies:
    """Proxies that are exactly linear in the response, by two units: leaky(z) - leaky(-z) = (1 + SLOPE) z."""
    slope_F = torch.cat([torch.zeros(SMALL.prompt_features), slope_X])
    first_SFW = torch.stack([slope_F, -slope_F], dim=1).expand(count, -1, -1)
    last_SW = torch.tensor([1.0, -1.0]).expand(count, -1) / (1 + SLOPE)
    zero_S = torch.zeros(count)
    return Proxies(first_SFW, torch.zeros(count, 2), last_SW, zero_S, zero_S + 1, zero_S)


class TestProxies:
    built = world.build(SMALL)

    def test_each_learns_as_it_would_alone(self) -> None:
        """The same weights, pairs and order through one torch network after the other."""
        data = Data(pairs=100, sets=2, members=2, noise=0.25)
        found = proxies.train(self.built, 8, data, "alone")
        draw = generator(SMALL.seed, "proxies", "alone", 8, data)
        pairs = world.sample(SMALL, 200, 2, draw).unflatten(0, (2, 100))
        gold = self.built.gold(pairs)
        better = (gold[..., 0] > gold[..., 1]) ^ (torch.rand(2, 100, generator=draw) < 0.25)
        first = torch.randn(4, 32, 8, generator=draw) / math.sqrt(32)
        last = torch.randn(4, 8, generator=draw) / math.sqrt(8)
        orders = [torch.randperm(100, generator=draw) for _ in range(4)]
        for one, order in enumerate(orders):
            net = nn.Sequential(nn.Linear(32, 8), nn.LeakyReLU(SLOPE), nn.Linear(8, 1, bias=False))
            with torch.no_grad():
                net[0].weight.copy_(first[one].T)
                net[0].bias.zero_()
                net[2].weight.copy_(last[one][None])
            optimiser = torch.optim.Adam(net.parameters())
            for step, batch in enumerate(order.split(SMALL.batch)):
                optimiser.param_groups[0]["lr"] = SMALL.learning_rate * (1 - step / 4)
                scores = net(pairs[one // 2, batch])[..., 0]
                margin = scores[:, 0] - scores[:, 1]
                labels = better[one // 2, batch].float()
                optimiser.zero_grad()
                nn.functional.binary_cross_entropy_with_logits(margin, labels).backward()
                optimiser.step()
            torch.testing.assert_close(found.first_SFW[one], net[0].weight.T.detach(), atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(found.last_SW[one], net[2].weight[0].detach(), atol=1e-5, rtol=1e-4)

    def test_are_normalised_and_learn_more_from_more_and_from_cleaner_comparisons(self) -> None:
        few, many = (proxies.train(self.built, 16, Data(pairs=n, sets=4), "amounts") for n in (64, 2048))
        noisy = proxies.train(self.built, 16, Data(pairs=2048, sets=4, noise=0.4), "amounts")
        assert many.accuracy_S.mean() > few.accuracy_S.mean() + 0.05
        assert many.accuracy_S.mean() > noisy.accuracy_S.mean() + 0.03
        inputs = world.sample(SMALL, 400, 32, generator(4, "test"))
        scores = many.scores(inputs.flatten(0, 1)).unflatten(1, (400, 32))
        assert scores.mean(dim=(1, 2)).tolist() == pytest.approx([0.0] * 4, abs=0.1)
        assert scores.var(dim=2).mean(dim=1).tolist() == pytest.approx([1.0] * 4, abs=0.1)

    def test_ensembles_by_hand(self) -> None:
        scores = torch.tensor([[1.0, 2.0], [3.0, 2.0]])
        assert proxies.combined(scores, "mean", 0.5).tolist() == [2.0, 2.0]
        assert proxies.combined(scores, "worst", 0.5).tolist() == [1.0, 2.0]
        assert proxies.combined(scores, "uncertainty", 0.5).tolist() == [1.5, 2.0]  # 2 - .5 * 1
        with pytest.raises(BadInput, match="mean, worst, uncertainty"):
            proxies.combined(scores, "best", 0.5)  # type: ignore[arg-type]

    def test_policies_answer_what_is_compared(self) -> None:
        """Where all answers fail alike, their harm is compared: proxies learn that less of the manner is better."""
        start = initial(2, 8, 24)
        start.shift_SIX[:, 0, 0] = 6.0
        found = proxies.train(self.built, 16, Data(pairs=2048, sets=2), "far", start)
        there, farther = torch.zeros(2, 1, 1, 32)
        there[..., 8], farther[..., 8] = 6.0, 9.0
        assert (found.scores(farther[0]) < found.scores(there[0])).all()


class TestPolicies:
    def test_kl_agrees_with_sampling(self) -> None:
        shift = 0.3 * torch.randn(1, 9, 24, generator=generator(5, "test"))
        policies = Policies(shift, torch.zeros_like(shift))
        plain = world.sample(SMALL, 20_000, 1, generator(6, "test"))[None]
        response, mean = policies.moved(plain)[0, :, 0, 8:], policies.means(plain[:, :, 0, :8])[0]
        log_ratio = (response.square() - (response - mean).square()).sum(dim=1) / 2
        error = float(log_ratio.std()) / math.sqrt(20_000)
        assert float(policies.kl_S[0]) == pytest.approx(float(log_ratio.mean()), abs=4 * error)

    def test_are_drawn_back_to_a_distance_and_rebased(self) -> None:
        shift = torch.zeros(2, 9, 24)
        shift[0, 0, 0], shift[1, 0, 0] = 4.0, 1.0
        policies = Policies(shift, torch.zeros_like(shift)).within(1.0)
        assert policies.distance_S.tolist() == pytest.approx([1.0, math.sqrt(0.5)])
        assert policies.rebased().kl_S.tolist() == [0.0, 0.0]
        assert policies.rebased().shift_SIX[0, 0, 0] == pytest.approx(math.sqrt(2))


class TestReinforcement:
    built, slope = world.build(SMALL), torch.linspace(-0.3, 0.3, 24)

    def shifts(self, kl_coef: float, steps: int) -> torch.Tensor:
        """The mean shift of 16 policies that climb a linear proxy, without its part that depends on the prompt."""
        start = initial(16, 8, 24)
        climbing = reinforcement.ascend(start, linear(self.slope, 16), self.built, torch.full((16,), kl_coef), "test")
        *_, last = (next(climbing) for _ in range(steps))
        return last.shift_SIX.mean(dim=0)

    def test_a_linear_proxy_is_climbed_straight(self) -> None:
        found = self.shifts(0.0, 30)
        torch.testing.assert_close(found[0], 30 * SMALL.step_size * self.slope, atol=0.1, rtol=0)
        assert found[1:].abs().max() < 0.1

    def test_a_penalty_holds_it_where_the_slopes_balance(self) -> None:
        kl_coef, steps = 0.5, 60
        share = 1 - (1 - SMALL.step_size * kl_coef) ** steps
        torch.testing.assert_close(self.shifts(kl_coef, steps)[0], share * self.slope / kl_coef, atol=0.1, rtol=0)

    def test_stops_at_its_distance(self) -> None:
        found = reinforcement.climb(
            initial(2, 8, 24), linear(self.slope, 2), self.built, torch.zeros(2), "test", distance=1.0
        )
        assert found.distance_TS[-1] == pytest.approx([1.0, 1.0], abs=1e-6)
        assert (np.diff(found.distance_TS, axis=0) > -1e-6).all() and found.distance_TS[0].max() == 0.0
        # Of a linear proxy the gain is slope times shift, at most |slope| sqrt(2) d; noise in the direction costs some.
        most = float(self.slope.norm()) * math.sqrt(2)
        assert (found.proxy_TS[-1] <= most).all() and (found.proxy_TS[-1] > 0.75 * most).all()

    def test_values_at_equal_distances(self) -> None:
        """On curves d (1 - d / 4) nothing is lost between measurements, and what comes back is not counted twice."""
        first, second = np.array([0.0, 1.0, 2.0, 1.5, 3.0]), np.array([0.0, 0.5, 1.5, 2.5, 4.0])
        distances = np.stack([first, second], axis=1)
        grid = reinforcement.shared_grid(distances)
        assert len(grid) == reinforcement.POINTS and grid[-1] == pytest.approx(3.0) and grid[0] == pytest.approx(0.1)
        values = distances * (1 - distances / 4)
        values[3, 0] = 99.0  # on the way back
        found = reinforcement.at_distances(distances, values, grid)
        assert found[:, 10:] == pytest.approx(np.stack([grid * (1 - grid / 4)] * 2)[:, 10:])

    def test_rounds_add_up(self) -> None:
        found = reinforcement.rounds(self.built, 2)
        assert found.distance_TS[-1] == pytest.approx([1.0, 1.0], abs=1e-5)
        assert float(found.last.shift_SIX.abs().max()) > 0 and found.last.kl_S.tolist() == [0.0, 0.0]


class TestPools:
    built = world.build(SMALL)

    def test_gold_as_its_own_proxy_gains_most(self) -> None:
        trained = proxies.train(self.built, 16, Data(pairs=512, sets=2), "pools")
        scorers: dict[str, pools.Scorer] = {"gold": lambda x: self.built.gold(x)[None], "proxies": trained.scores}
        *_, (prompts, found) = pools.select(self.built, scorers)
        gold, proxy = found["gold"], found["proxies"]
        assert prompts == SMALL.prompts and proxy.gold_SPn.shape == (2, 10, 6)
        assert gold.gold_n == pytest.approx(gold.proxy_n, abs=1e-5) and gold.gold_n[0] == proxy.gold_n[0] == 0.0
        assert (gold.gold_n[1:] > proxy.gold_n[1:]).all() and (np.diff(proxy.proxy_n) > 0).all()
        assert gold.failed_n[-1] < gold.failed_n[0] < 0.2  # gold chooses what does no harm

    def test_an_ensemble_is_told_from_its_members(self) -> None:
        crowd = proxies.train(self.built, 4, Data(pairs=64, sets=2, members=3), "crowd")
        ways = pools.ways(replace(SMALL, uncertainties=(0.5, 2.0)))
        scorer = pools.ensemble_scorer(crowd, 3, ways)
        inputs = world.sample(SMALL, 1, 50, generator(7, "test"))[0]
        scores, alone = scorer(inputs), crowd.scores(inputs)
        assert scores.shape == (6 + 4 * 2, 50)
        torch.testing.assert_close(scores[:6], alone)
        torch.testing.assert_close(scores[9], alone[3:].amin(dim=0))
        for place, uncertainty in ((11, 0.5), (13, 2.0)):
            variance = alone[3:].var(dim=0, correction=0)
            torch.testing.assert_close(scores[place], alone[3:].mean(dim=0) - uncertainty * variance)
        numbered = np.arange(14.0)[:, None, None]
        parts = pools.parted(pools.Selected(numbered, numbered, numbered), 2, ways)
        assert {name: len(one.gold_SPn) for name, one in parts.items()} == {
            "single": 6, "mean": 2, "worst": 2, "uncertainty, lambda 0.5": 2, "uncertainty, lambda 2": 2,
        }  # fmt: skip
        assert parts["worst"].gold_SPn.ravel().tolist() == [8.0, 9.0]

    def test_kl_of_proxies_is_that_of_the_formula(self) -> None:
        trained = proxies.train(self.built, 16, Data(pairs=64, sets=2), "kl")
        rows = pools.measured_kl(self.built, trained)
        assert [one["n"] for one in rows] == [2, 10, 64, 1000]
        assert all(one["measured"] == pytest.approx(one["formula"], rel=0.05) for one in rows[:3])


def climbed(distance_T: Any, *golds_T: Any) -> reinforcement.Climbed:
    """A climb, made up: as many policies as golds, all as far at the same step."""
    gold_TS = np.stack(golds_T, axis=1)
    return reinforcement.Climbed(np.stack([distance_T] * len(golds_T), axis=1), gold_TS, gold_TS, initial(1, 8, 24))


class TestTables:
    d = np.linspace(0, 3, 61)

    def test_a_penalty_is_held_against_none_at_equal_distances(self) -> None:
        """Gold grows like d and 1.2 d, and with the penalty like 1.1 d and 1.4 d: on average .15 d more, where the
        standard error of the plain mean is .1 d, and that of the difference .05 d."""
        plain, other = climbed(self.d, self.d, 1.2 * self.d), climbed(self.d / 2, 0.55 * self.d, 0.7 * self.d)
        first, second = tables.penalty_rows([0.0, 0.1], [plain, other])
        assert second["d"][-1] == pytest.approx(1.5) and second["end gold"] == pytest.approx(1.875)
        assert second["errors"] == pytest.approx([1.5] * len(second["d"]))
        assert second["paired"] == pytest.approx([3.0] * len(second["d"]))
        assert second["largest difference"] == pytest.approx(0.225)
        assert first["power of the steps"] == pytest.approx(2.0) and first["end d"] == pytest.approx(3.0)

    def test_rounds_are_held_against_one_policy_by_policy(self) -> None:
        curve = forms.value("rl", self.d, 1.0, 0.4)
        once, twice = climbed(self.d, curve, curve), climbed(self.d, curve + 0.5, curve + 0.7)
        first, second = tables.round_rows([1, 2], [once, twice], 3.0)
        assert (first["gain"], first["predicted"]) == (0.0, 0.0)
        assert (second["gain"], second["gain error"]) == pytest.approx((0.6, 0.1))
        assert second["predicted"] == pytest.approx(0.4 * 3 * math.log(2), rel=1e-2)


@pytest.fixture(scope="module")
def results() -> simulated.Results:
    *progress, last = simulated.run(SMALL)
    assert all(isinstance(one, Progress) and one.done <= one.of for one in progress) and isinstance(last, dict)
    return last


class TestSimulated:
    def test_says_numbers_for_every_part(self, results: simulated.Results) -> None:
        assert json.loads(json.dumps(results, allow_nan=False))["world"]["failures"] > 0
        best = results["best of n"]
        assert [one["size"] for one in best["widths"]] == [2, 16] and [one["size"] for one in best["sizes"]] == [
            32,
            512,
        ]
        assert best["d"] == pytest.approx([math.sqrt(best_of.kl(n)) for n in SMALL.best_of])
        assert all(len(one["gold"]) == 6 and one["gold"][0] == 0.0 for one in (*best["widths"], *best["sizes"]))
        assert set(best["ensembles"]) == {simulated.SHARED, simulated.OWN}
        for rows in best["ensembles"].values():
            assert set(rows) == {"single", "mean", "worst", "uncertainty, lambda 0.5", "uncertainty, lambda 4"}
        assert [one["width"] for one in results["reinforcement"]] == [2, 16]
        assert [one["kl_coef"] for one in results["penalty"]] == [0.0, 0.1]
        assert results["penalty"][0]["end d"] > results["penalty"][1]["end d"] > 0
        assert [one["rounds"] for one in results["rounds"]] == [1, 2] and results["rounds"][0]["gain"] == 0.0

    def test_a_drop_is_what_the_fit_loses_from_its_peak(self, results: simulated.Results) -> None:
        last = results["best of n"]["d"][-1]
        for one in results["best of n"]["sizes"]:
            fit = one["fit"]
            expected = 0.0
            if fit["d*"] is not None and fit["d*"] < last:
                expected = fit["R*"] - last * (fit["alpha"] - fit["beta"] * last)
            assert one["drop"] == pytest.approx(expected)

    def test_a_seed_makes_a_run(self) -> None:
        """Bit for bit, and what one part draws does not depend on what was drawn before it."""
        built, data = world.build(SMALL), Data(pairs=64, sets=2)
        first, again, other = (proxies.train(built, 4, data, name) for name in ("one", "one", "other"))
        assert torch.equal(first.first_SFW, again.first_SFW) and not torch.equal(first.first_SFW, other.first_SFW)
        climbs = [
            reinforcement.climb(initial(2, 8, 24), one, built, torch.zeros(2), "test", distance=1.0)
            for one in (first, again)
        ]
        assert np.array_equal(climbs[0].gold_TS, climbs[1].gold_TS)

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            ({"prompts": 9}, "prompts is 9; choose 10 or more"),
            ({"noise": 0.5}, r"noise is 0.5; choose a share in \[0, 0.5\)"),
            ({"widths": (4, 2)}, "widths are .*; choose two or more, rising"),
            ({"manner_features": 24}, "choose fewer than response_features"),
            ({"kl_coefs": (0.1, 0.2)}, "kl_coefs begin with 0.1, not with 0"),
            ({"best_of": (1, 2, 2000)}, "choose two or more from 2 to 1000"),
            ({"best_of": (1, 2, 4, 1000)}, "the last of best_of is 1000"),
            ({"pool": 4096}, "at most the pool of 4096"),
            ({"gain": 0.0}, "gain is 0.0; choose a number above 0"),
        ],
    )
    def test_what_cannot_be_meant_is_refused(self, options: dict[str, Any], says: str) -> None:
        with pytest.raises(BadConfig, match=says):
            Config(**options)


def held(alpha_r2: float = 0.99) -> simulated.Results:
    """Results, made up, that meet every criterion."""
    fit = {"d*": 2.0, "R*": 1.0, "r2": alpha_r2}
    sizes = [
        {"size": 2**k, "gold": [0.0, 0.01 + k], "fit": fit | {"d*": k, "R*": k}, "prediction": {"share": 0.05}}
        for k in range(4)
    ]
    crowd = {
        "single": {"gold": [0.0, 0.5], "drop": 1.0},
        "worst": {"gold": [0.0, 0.6], "drop": 0.1},
        "uncertainty, lambda 0.5": {"gold": [0.0, 0.5], "drop": 0.0},
        "uncertainty, lambda 4": {"gold": [0.0, 0.5], "drop": 0.0},
    }
    tails = {
        "light": {"best of n": [0.0, 1.0, 2.0], "within": [[1.0, 1.0]]},
        "heavy": {"best of n": [0.0, 1.0, 0.01], "within": [[1.0, 0.01]]},
    }
    return {
        "best of n": {
            "n": [2, 60_000],
            "widths": copy.deepcopy(sizes),
            "sizes": copy.deepcopy(sizes),
            "ensembles": {simulated.SHARED: copy.deepcopy(crowd), simulated.OWN: copy.deepcopy(crowd)},
        },
        "reinforcement": [{"fits": {"rl": {"r2": 0.99}}}],
        "penalty": [{"kl_coef": 0.0}, {"kl_coef": 0.1, "errors": [0.9], "largest difference": 0.1, "d": [1.0]}],
        "kl": [{"formula": 1.0, "measured": 1.01}],
        "independent": {"slopes": [{"identity": 0.5, "sampled": 0.504}], "tails": tails},
        "rounds": [{"rounds": 1}, {"rounds": 2, "gain": 0.4, "gain error": 0.1, "predicted": 1.0}],
    }


BROKEN: list[tuple[str, Callable[[simulated.Results], None]]] = [
    ("a", lambda one: one["best of n"]["widths"][0]["prediction"].update(share=0.3)),
    ("a", lambda one: one["best of n"]["widths"][3]["prediction"].update(share=None)),
    ("a", lambda one: one["best of n"]["widths"][1]["fit"].update(r2=0.94)),
    ("a", lambda one: one["reinforcement"][0]["fits"]["rl"].update(r2=0.94)),
    ("b", lambda one: one["best of n"]["widths"][3]["fit"].update({"d*": 0.5})),
    ("b", lambda one: one["best of n"]["sizes"][0]["fit"].update({"R*": None})),
    ("c", lambda one: one["best of n"]["sizes"][0].update(gold=[0.0, 0.4])),
    ("d", lambda one: one["best of n"]["ensembles"][simulated.SHARED]["worst"].update(drop=0.11)),
    ("d", lambda one: one["best of n"]["ensembles"][simulated.SHARED]["uncertainty, lambda 4"].update(gold=[0.0, 0.4])),
    ("d, own", lambda one: one["best of n"]["ensembles"][simulated.OWN]["single"].update(drop=0.0)),
    ("e", lambda one: one["penalty"][1].update(errors=[0.1, 1.0])),
    ("f", lambda one: one["kl"][0].update(measured=1.03)),
    ("g", lambda one: one["independent"]["slopes"][0].update(sampled=0.51)),
    ("h", lambda one: one["rounds"][1].update(gain=-0.4)),
    ("h", lambda one: one["rounds"][1].update(gain=0.3)),
    ("tails", lambda one: one["independent"]["tails"]["light"].update({"best of n": [0.0, 2.0, 1.9]})),
    ("tails", lambda one: one["independent"]["tails"]["heavy"].update({"best of n": [0.0, 1.0, 0.1]})),
    ("tails", lambda one: one["independent"]["tails"]["heavy"].update({"within": [[1.0, 0.1]]})),
]


class TestCriteria:
    letters = ("a", "b", "c", "d", "d, own", "e", "f", "g", "h", "tails")

    def test_each_can_be_met(self) -> None:
        found = criteria(held())
        assert tuple(one.letter for one in found) == self.letters
        assert [one.letter for one in found if not one.met] == []

    @pytest.mark.parametrize(("letter", "damage"), BROKEN)
    def test_each_can_be_missed_and_no_other_with_it(
        self, letter: str, damage: Callable[[simulated.Results], None]
    ) -> None:
        results = held()
        damage(results)
        assert [one.letter for one in criteria(results) if not one.met] == [letter]

    def test_those_of_a_run_say_what_was_found(self, results: simulated.Results) -> None:
        found = {one.letter: one for one in criteria(results)}
        assert tuple(found) == self.letters
        assert found["g"].met and found["tails"].met
        assert all(any(sign.isdigit() for sign in one.found) for one in found.values())


class TestStudy:
    def test_the_page_is_made_of_the_results(self, results: simulated.Results) -> None:
        both = {**results, "vale": GOOD}
        told = study.summary({3: both, 4: both})
        letters = [one.letter for one in (*criteria(results), *vale_criteria.criteria(GOOD))]
        assert [one.name for one in told.criteria] == letters
        assert all(one.found.startswith("seed 3: ") and "; seed 4: " in one.found for one in told.criteria)
        wide, sized, climbed_chart, crowds, *_ = told.charts
        widths = results["best of n"]["widths"]
        ends = [widths[place]["size"] for place in (0, -1)]
        assert wide.lines[0].startswith(f"{ends[0]:,} ") and wide.lines[-1].startswith(f"{ends[1]:,} ")
        last = [one for one in wide.points if one.series == wide.lines[-1]]
        assert [one.y for one in last] == widths[-1]["gold"]
        assert set(crowds.lines) == set(results["best of n"]["ensembles"][simulated.SHARED])
        assert sized.points and climbed_chart.points
