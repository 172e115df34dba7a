"""Best-of-n in the simulator: every proxy and every ensemble on the same pools of samples, one pool a prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from groma.measures.statistics.values import Floats
from groma.studies.overoptimisation import best_of
from groma.studies.overoptimisation.config import Config, generator
from groma.studies.overoptimisation.proxies import Objective, Proxies, combined
from groma.studies.overoptimisation.world import World, sample

Scorer = Callable[[Tensor], Tensor]
"""Samples (N, F) -> what each of S selectors says of them (S, N)."""
Ways = Mapping[str, tuple[Objective, float]]
"""How the members of an ensemble are combined, by name: the objective, and the lambda of "uncertainty"."""
CHECKED, CHECKED_ON = (2, 10, 64, 1000), 8
"""For which n the KL is measured, and on how many prompts, two pools each."""


@dataclass(frozen=True, eq=False)
class Selected:
    """Best-of-n by S selectors on P prompts, for each n, each (S, P, n): expected gold and proxy, less those of n = 1,
    and the share of failures."""

    gold_SPn: Floats
    proxy_SPn: Floats
    failed_SPn: Floats

    @property
    def gold_n(self) -> Floats:
        return np.asarray(self.gold_SPn.mean(axis=(0, 1)))

    @property
    def proxy_n(self) -> Floats:
        return np.asarray(self.proxy_SPn.mean(axis=(0, 1)))

    @property
    def failed_n(self) -> Floats:
        return np.asarray(self.failed_SPn.mean(axis=(0, 1)))

    def part(self, start: int, end: int) -> Selected:
        """Some of the selectors."""
        return Selected(self.gold_SPn[start:end], self.proxy_SPn[start:end], self.failed_SPn[start:end])


def select(world: World, scorers: Mapping[str, Scorer]) -> Iterator[tuple[int, dict[str, Selected]]]:
    """Go through the pools: yields how many are done, and what was selected in them so far."""
    config = world.config
    weights_nN = best_of.weights(config.pool, config.best_of)
    found: dict[str, list[Floats]] = {name: [] for name in scorers}
    for prompt in range(config.prompts):
        inputs_NF = _pool(config, prompt)
        known_2N = [one.double().numpy() for one in (world.gold(inputs_NF), world.fails(inputs_NF))]
        for name, scorer in scorers.items():
            rows = scorer(inputs_NF).double().numpy()
            found[name].append(
                np.stack([best_of.expected([*known_2N, row], row, config.best_of, weights_nN) for row in rows])
            )
        yield prompt + 1, {name: _stacked(parts) for name, parts in found.items()}


def ways(config: Config) -> dict[str, tuple[Objective, float]]:
    """The mean, the worst member, and the mean less each of `uncertainties` times the variance."""
    cautious: dict[str, tuple[Objective, float]] = {
        f"uncertainty, lambda {one:g}": ("uncertainty", one) for one in config.uncertainties
    }
    return {"mean": ("mean", 0.0), "worst": ("worst", 0.0), **cautious}


def ensemble_scorer(proxies: Proxies, members: int, ways: Ways) -> Scorer:
    """What the proxies say one by one, and then, for each way in turn, what every `members` in a row say."""
    return partial(_ensembles, proxies, members, ways)


def parted(selected: Selected, ensembles: int, ways: Ways) -> dict[str, Selected]:
    """What `ensemble_scorer` selected: the members' `single`, and each way's."""
    singles = len(selected.gold_SPn) - ensembles * len(ways)
    ends = [0, *range(singles, len(selected.gold_SPn) + 1, ensembles)]
    return {
        name: selected.part(start, end) for name, (start, end) in zip(("single", *ways), pairwise(ends), strict=True)
    }


def measured_kl(world: World, proxies: Proxies) -> list[dict[str, float]]:
    """KL of best-of-n by proxies, without the formula: from their scores of two pools a prompt; beside the formula."""
    config = world.config
    found: dict[int, list[float]] = {n: [] for n in CHECKED if 2 * n <= config.pool}
    for prompt in range(min(CHECKED_ON, config.prompts)):
        one_SN, other_SN = (proxies.scores(_pool(config, prompt, again)).numpy() for again in (False, True))
        for n, values in found.items():
            values += [best_of.monte_carlo_kl(row, other, n)[0] for row, other in zip(one_SN, other_SN, strict=True)]
    return [{"n": n, "formula": best_of.kl(n), "measured": float(np.mean(values))} for n, values in found.items()]


def _pool(config: Config, prompt: int, again: bool = False) -> Tensor:
    """The samples of a held-out prompt (N, F); `again`: as many others to the same prompt."""
    inputs_NF = sample(config, 1, config.pool, generator(config.seed, "pool", prompt))[0]
    if again:
        other_NF = sample(config, 1, config.pool, generator(config.seed, "second pool", prompt))[0]
        other_NF[:, : config.prompt_features] = inputs_NF[:, : config.prompt_features]
        return other_NF
    return inputs_NF


def _ensembles(proxies: Proxies, members: int, ways: Ways, inputs_NF: Tensor) -> Tensor:
    scores_SN = proxies.scores(inputs_NF)
    crowds_EMN = scores_SN.unflatten(0, (-1, members))
    spoken = [combined(scores_MN, *way) for way in ways.values() for scores_MN in crowds_EMN]
    return torch.cat([scores_SN, torch.stack(spoken)])


def _stacked(parts: list[Floats]) -> Selected:
    """From one (S, 3, n) a prompt: gold, failures, proxy."""
    gold_SPn, failed_SPn, proxy_SPn = np.stack(parts, axis=1).transpose(2, 0, 1, 3)
    return Selected(gold_SPn - gold_SPn[..., :1], proxy_SPn - proxy_SPn[..., :1], failed_SPn)
