"""Reinforcement learning against proxies, where the KL is known exactly. Gao et al. 2022; in rounds, its section 4.3.

Each step a policy answers fresh prompts, several times each, and ascends the score-function gradient of

    E proxy - kl_coef * KL,      grad_mu E r = E (r - mean r of the prompt) (x - mu),

the KL's own gradient being exact. We differ from the paper's PPO: plain gradient ascent, one step a batch, so no ratio
has to be clipped; the policy is linear in the prompt, and its Fisher information is the identity, so that this is the
natural gradient, too. While the slope of the proxy stays what it is, d grows in proportion to the steps, and the KL
quadratically, which is what the paper reports of PPO.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from groma.measures.statistics.values import Floats
from groma.studies.overoptimisation.config import generator
from groma.studies.overoptimisation.policies import Policies, constant_first, initial
from groma.studies.overoptimisation.proxies import Data, Proxies, train
from groma.studies.overoptimisation.world import World, sample

EVALUATED_ON, SAMPLES_EACH = 64, 32
"""Held-out prompts and responses to each, the same for every policy up to its shift."""
EVERY = 4
"""Steps between two measurements."""
POINTS = 30
"""Distances at which curves are compared and forms fitted: the same number of each curve, evenly spaced."""


@dataclass(frozen=True, eq=False)
class Climbed:
    """Of S policies, after every EVERY steps (T of them, the start among them): distance, gold and proxy from there."""

    distance_TS: Floats
    gold_TS: Floats
    proxy_TS: Floats
    last: Policies


def ascend(policies: Policies, proxies: Proxies, world: World, kl_coef_S: Tensor, name: str) -> Iterator[Policies]:
    """The policies after each step, without end. Policy s climbs proxy s, on prompts and samples of its own; name seeds
    these."""
    config, count = world.config, len(kl_coef_S)
    draw = generator(config.seed, "rollouts", name)
    while True:
        drawn = sample(config, count * config.rollout_prompts, config.rollouts, draw)
        drawn_SPRF = drawn.unflatten(0, (count, config.rollout_prompts))
        prompts_SPU = drawn_SPRF[:, :, 0, : config.prompt_features]
        fresh_SPRX = drawn_SPRF[..., config.prompt_features :]
        inputs_SPRF = policies.moved(drawn_SPRF)
        reward_SPR = proxies.each(inputs_SPRF.flatten(1, 2)).view(fresh_SPRX.shape[:3])
        advantage_SPR = (reward_SPR - reward_SPR.mean(dim=2, keepdim=True)) / (config.rollouts - 1)
        upwards_SPX = torch.einsum("spr,sprx->spx", advantage_SPR, fresh_SPRX)
        gradient_SIX = constant_first(prompts_SPU).mT @ upwards_SPX / config.rollout_prompts
        back_SIX = kl_coef_S[:, None, None] * (policies.shift_SIX - policies.origin_SIX)
        policies = Policies(policies.shift_SIX + config.step_size * (gradient_SIX - back_SIX), policies.origin_SIX)
        yield policies


def climb(policies: Policies, proxies: Proxies, world: World, kl_coef_S: Tensor, name: str, distance: float) -> Climbed:
    """Until all policies are at the distance, where each stops, or config.steps are done."""
    seen = [_measured(policies, proxies, world)]
    current = policies
    for number, ascended in enumerate(ascend(policies, proxies, world, kl_coef_S, name), 1):
        current = ascended.within(distance)
        over = number == world.config.steps or bool((ascended.distance_S >= distance).all())
        if over or number % EVERY == 0:
            seen.append(_measured(current, proxies, world))
        if over:
            break
    distance_TS, gold_TS, proxy_TS = (np.stack(one) for one in zip(*seen, strict=True))
    return Climbed(distance_TS, gold_TS - gold_TS[0], proxy_TS - proxy_TS[0], current)


def at_distances(distance_TS: Floats, value_TS: Floats, grid_G: Floats) -> Floats:
    """Each policy's value where it first came to each distance: (S, G), on straight lines between measurements.

    Lines of value / d over d: the value is 0 at d = 0 and bends, value / d does much less so. The grid must lie within
    what every policy reached.
    """
    found = []
    for distance_T, value_T in zip(distance_TS.T, value_TS.T, strict=True):
        farther = np.concatenate([[False], distance_T[1:] > np.maximum.accumulate(distance_T)[:-1]])
        first_T = distance_T[farther]
        found.append(grid_G * np.interp(grid_G, first_T, value_T[farther] / first_T))
    return np.stack(found)


def shared_grid(*distances_TS: Floats) -> Floats:
    """Evenly spaced distances above 0, up to the farthest one that all policies of all these climbs reached."""
    return np.linspace(0, min(float(one.max(axis=0).min()) for one in distances_TS), POINTS + 1)[1:]


def rounds(world: World, count: int) -> Climbed:
    """config.rounds_distance in `count` rounds of equal length, each up fresh proxies, which compare what the policies
    of the time answer. `distance_TS`, `gold_TS`: along all rounds, distances added up."""
    config = world.config
    current = initial(config.runs, config.prompt_features, config.response_features)
    none_S, parts = torch.zeros(config.runs), []
    for number in range(count):
        data = Data(pairs=config.pairs, sets=config.runs)
        fresh = train(world, config.width, data, f"round {number}", current if number else None)
        parts.append(climb(current, fresh, world, none_S, f"round {number}", config.rounds_distance / count))
        current = parts[-1].last.rebased()
    distances, golds, proxies = ([getattr(one, name) for one in parts] for name in _CURVES)
    return Climbed(_end_to_end(distances), _end_to_end(golds), _end_to_end(proxies), current)


_CURVES = ("distance_TS", "gold_TS", "proxy_TS")


def _end_to_end(parts: list[Floats]) -> Floats:
    """Curves that begin at 0, each put where the one before it ended."""
    whole = parts[0]
    for part in parts[1:]:
        whole = np.concatenate([whole, whole[-1] + part[1:]])
    return whole


def _measured(policies: Policies, proxies: Proxies, world: World) -> tuple[Floats, Floats, Floats]:
    """Distance, mean gold and mean proxy of each policy, each (S,)."""
    inputs_PNF = sample(world.config, EVALUATED_ON, SAMPLES_EACH, generator(world.config.seed, "held out"))
    inputs_SMF = policies.moved(inputs_PNF.flatten(0, 1).expand(len(policies.shift_SIX), -1, -1))
    means = (policies.distance_S, world.gold(inputs_SMF).mean(dim=1), proxies.each(inputs_SMF).mean(dim=1))
    distance_S, gold_S, proxy_S = (one.double().numpy() for one in means)
    return distance_S, gold_S, proxy_S
