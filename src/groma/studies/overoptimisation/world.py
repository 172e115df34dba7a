"""The simulator's world: prompts, responses, and the gold, a fixed random network of two layers with a planted failure.

A prompt u and a response x are vectors; under the initial policy every x is standard normal. With z = (u, x),

    gold(u, x) = (a . tanh(W z + b) / s - penalty * |m| - mean) / spread

where m are those numbers of x that are its manner, s is the network's spread within a prompt, and mean and spread make
the gold's mean 0 and its variance within a prompt 1 under the initial policy (as Gao et al. 2022 normalise it). The
network reads the manner (W, by `leak`): a little more of the right manner is better, and a narrow proxy learns that.
Whatever is far from the usual manner is worse, and that far the initial policy seldom goes: extremal Goodhart, planted.
Along a shift of the manner by t the harm first grows like t^2 and then like t, since |m| grows like sqrt(M + t^2).
The units' weights a fall as a power law, so that there is something left to learn for every size of a proxy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from groma.studies.overoptimisation.config import Config, generator

CALIBRATED_ON, SAMPLES_EACH = 2000, 64
"""Prompts, and responses to each, on which means and spreads under the initial policy are taken."""


@dataclass(frozen=True, eq=False)
class World:
    """The gold of one seed. H hidden units, F features of prompt and response together, the prompt's first.

    usual: the mean harm under the initial policy; like mean and spread, before gold is normalised.
    """

    first_FH: Tensor
    bias_H: Tensor
    last_H: Tensor
    config: Config
    mean: float = 0.0
    spread: float = 1.0
    usual: float = 0.0

    def gold(self, inputs: Tensor) -> Tensor:
        """True reward of prompts and responses: (..., F) -> (...)."""
        return (self.wanted(inputs) - self.harm(inputs) - self.mean) / self.spread

    def wanted(self, inputs: Tensor) -> Tensor:
        """The network's part, before gold is normalised."""
        return torch.tanh(inputs @ self.first_FH + self.bias_H) @ self.last_H

    def harm(self, inputs: Tensor) -> Tensor:
        """The failure's part, 0 or more, before gold is normalised."""
        start, count = self.config.prompt_features, self.config.manner_features
        return self.config.penalty * inputs[..., start : start + count].norm(dim=-1)

    def fails(self, inputs: Tensor) -> Tensor:
        """Whether the harm is a standard deviation of gold greater than usual: (..., F) -> (...)."""
        return self.harm(inputs) > self.usual + self.spread


def build(config: Config) -> World:
    """The world of a seed."""
    draw = generator(config.seed, "world")
    features, count = config.prompt_features + config.response_features, config.manner_features
    first_FH = config.gain / math.sqrt(features) * torch.randn(features, config.hidden, generator=draw)
    first_FH[config.prompt_features :][:count] *= config.leak
    bias_H = 0.5 * torch.randn(config.hidden, generator=draw)
    last_H = torch.randn(config.hidden, generator=draw) * torch.arange(1, config.hidden + 1) ** -config.decay
    inputs_PNF = sample(config, CALIBRATED_ON, SAMPLES_EACH, draw)
    last_H = last_H / _within(World(first_FH, bias_H, last_H, config).wanted(inputs_PNF))
    raw = World(first_FH, bias_H, last_H, config)
    values_PN, usual = raw.gold(inputs_PNF), float(raw.harm(inputs_PNF).mean())
    return World(first_FH, bias_H, last_H, config, float(values_PN.mean()), _within(values_PN), usual)


def sample(config: Config, prompts: int, each: int, draw: torch.Generator) -> Tensor:
    """Prompts, and responses of the initial policy to each: (prompts, each, F)."""
    prompts_PU = torch.randn(prompts, 1, config.prompt_features, generator=draw)
    responses_PNX = torch.randn(prompts, each, config.response_features, generator=draw)
    return torch.cat([prompts_PU.expand(-1, each, -1), responses_PNX], dim=-1)


def described(world: World) -> dict[str, float]:
    """Of the initial policy: the share of samples that fail, and the share of the gold's variance that is harm."""
    inputs_PNF = sample(world.config, CALIBRATED_ON, SAMPLES_EACH, generator(world.config.seed, "described"))
    return {
        "failures": float(world.fails(inputs_PNF).float().mean()),
        "harm's share of the variance": (_within(world.harm(inputs_PNF)) / world.spread) ** 2,
    }


def _within(values_PN: Tensor) -> float:
    """Standard deviation within prompts."""
    return math.sqrt(float(values_PN.var(dim=1).mean()))
