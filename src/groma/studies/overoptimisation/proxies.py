"""Proxies of the gold: networks of one hidden layer, learned from comparisons by Bradley & Terry's model, many at once.

    loss = -log sigmoid(r(better) - r(worse))

over pairs of responses to one prompt, of which the gold says which is better (Gao et al. 2022: no noise in the labels),
or with a share of the labels flipped. One pass over the pairs, Adam, a step size that falls to zero. A proxy is then
shifted and scaled to mean 0 and variance 1 within prompts under the policy whose responses were compared: members of an
ensemble must have one scale. Proxies of one width that see as many pairs are trained in one batch of matrices: none
sees the others, and their sum is what is differentiated.

Ensembles, Coste et al. 2024 (arXiv:2310.02743): `mean`; `worst`, the lowest member (WCO); `uncertainty`, the mean less
lambda times the variance over the members (UWO). Members of a set share their comparisons, and differ in their first
weights and in the order of the comparisons.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn.functional import leaky_relu, logsigmoid

from groma.formats.errors import BadInput
from groma.studies.overoptimisation.config import generator
from groma.studies.overoptimisation.policies import Policies
from groma.studies.overoptimisation.world import World, sample

Objective = Literal["mean", "worst", "uncertainty"]
CALIBRATED_ON, SAMPLES_EACH = 256, 32
"""Prompts, and responses to each, on which proxies are normalised and their accuracy is measured."""
SLOPE = 0.3
"""Of a unit below 0. With 0 a narrow network is flat, and at its highest, on a good part of all samples: these tie."""
ROWS = 1024
"""Samples that are scored at a time: what is between the layers stays in the cache."""


@dataclass(frozen=True, eq=False)
class Proxies:
    """S networks of one width W on F features. accuracy_S: share of fresh pairs that are ordered as the gold does."""

    first_SFW: Tensor
    bias_SW: Tensor
    last_SW: Tensor
    mean_S: Tensor
    spread_S: Tensor
    accuracy_S: Tensor

    def scores(self, inputs_NF: Tensor) -> Tensor:
        """Proxy reward of the same samples by every proxy: (S, N)."""
        count = len(self.last_SW)
        parts = [self.each(rows.expand(count, -1, -1)) for rows in inputs_NF.split(ROWS)]
        return torch.cat(parts, dim=1)

    def each(self, inputs_SNF: Tensor) -> Tensor:
        """Proxy reward of samples that every proxy has for itself: (S, N)."""
        raw_SN = _forward(self.first_SFW, self.bias_SW, self.last_SW, inputs_SNF)
        return (raw_SN - self.mean_S[:, None]) / self.spread_S[:, None]


@dataclass(frozen=True, kw_only=True)
class Data:
    """What some proxies learn from: `sets` collections of `pairs` comparisons, each for `members` proxies."""

    pairs: int
    sets: int
    members: int = 1
    noise: float = 0.0


def train(world: World, width: int, data: Data, name: str, start: Policies | None = None) -> Proxies:
    """sets * members proxies, the members of a set next to each other.

    start: policies, one a set, whose responses are compared; None: the initial policy's. name: what these proxies are
    for, which seeds them.
    """
    config = world.config
    draw = generator(config.seed, "proxies", name, width, data)
    first_RNF, second_RNF, better_RN = _compared(world, data, draw, start)
    features, count = first_RNF.shape[-1], data.sets * data.members
    weights = (
        torch.randn(count, features, width, generator=draw) / math.sqrt(features),
        torch.zeros(count, width),
        torch.randn(count, width, generator=draw) / math.sqrt(width),
    )
    for one in weights:
        one.requires_grad_()
    optimiser = torch.optim.Adam(weights, lr=config.learning_rate)
    order_SN = torch.stack([torch.randperm(data.pairs, generator=draw) for _ in range(count)])
    set_S = torch.arange(data.sets).repeat_interleave(data.members)[:, None]
    steps = math.ceil(data.pairs / config.batch)
    for step, at_SB in enumerate(order_SN.split(config.batch, dim=1)):
        optimiser.param_groups[0]["lr"] = config.learning_rate * (1 - step / steps)
        both_SNF = torch.cat([first_RNF[set_S, at_SB], second_RNF[set_S, at_SB]], dim=1)
        first_SB, second_SB = _forward(*weights, both_SNF).chunk(2, dim=1)
        sign_SB = 2 * better_RN[set_S, at_SB].float() - 1
        loss = -logsigmoid(sign_SB * (first_SB - second_SB)).mean(dim=1).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    first_SFW, bias_SW, last_SW = (one.detach() for one in weights)
    return _normalised(world, (first_SFW, bias_SW, last_SW), draw, start, data.members)


def combined(scores_MN: Tensor, objective: Objective, uncertainty: float) -> Tensor:
    """What an ensemble of M members says of N samples: (N,). uncertainty: lambda, read by that objective alone."""
    if objective == "mean":
        return scores_MN.mean(dim=0)
    if objective == "worst":
        return scores_MN.amin(dim=0)
    if objective == "uncertainty":
        return scores_MN.mean(dim=0) - uncertainty * scores_MN.var(dim=0, correction=0)
    raise BadInput(f"the objective {objective!r}", expected=", ".join(get_args(Objective)))


def _forward(first_SFW: Tensor, bias_SW: Tensor, last_SW: Tensor, inputs_SNF: Tensor) -> Tensor:
    hidden_SNW = leaky_relu(torch.baddbmm(bias_SW[:, None], inputs_SNF, first_SFW), SLOPE)
    return torch.bmm(hidden_SNW, last_SW[:, :, None])[:, :, 0]


def _compared(world: World, data: Data, draw: torch.Generator, start: Policies | None) -> tuple[Tensor, Tensor, Tensor]:
    """Both responses of each comparison (sets, pairs, F), prompts in front, and whether the first is said to be better
    (sets, pairs)."""
    drawn = sample(world.config, data.sets * data.pairs, 2, draw).unflatten(0, (data.sets, data.pairs))
    inputs_RN2F = drawn if start is None else start.moved(drawn)
    gold_RN2 = world.gold(inputs_RN2F)
    better_RN = gold_RN2[..., 0] > gold_RN2[..., 1]
    flipped_RN = torch.rand(better_RN.shape, generator=draw) < data.noise
    return inputs_RN2F[:, :, 0], inputs_RN2F[:, :, 1], better_RN ^ flipped_RN


def _normalised(
    world: World, weights: tuple[Tensor, Tensor, Tensor], draw: torch.Generator, start: Policies | None, members: int
) -> Proxies:
    count, config = len(weights[0]), world.config
    inputs_PNF = sample(config, CALIBRATED_ON, SAMPLES_EACH, draw)
    inputs_SPNF = inputs_PNF.expand(count, -1, -1, -1)
    if start is not None:
        inputs_SPNF = start.repeated(members).moved(inputs_SPNF)
    raw_SPN = _forward(*weights, inputs_SPNF.flatten(1, 2)).unflatten(1, (CALIBRATED_ON, SAMPLES_EACH))
    gold_SPN = world.gold(inputs_SPNF)
    agreed_SPN = (raw_SPN[..., ::2] > raw_SPN[..., 1::2]) == (gold_SPN[..., ::2] > gold_SPN[..., 1::2])
    spread_S = raw_SPN.var(dim=2).mean(dim=1).sqrt()
    accuracy_S = agreed_SPN.float().mean(dim=(1, 2))
    return Proxies(*weights, raw_SPN.mean(dim=(1, 2)), spread_S, accuracy_S)
