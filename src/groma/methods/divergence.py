"""How far a policy went from its reference: estimators of KL(policy || reference) from samples, and what holds it back.

With d = log pi(a) - log ref(a) for an action a that the policy drew (Schulman 2020, "Approximating KL divergence"):
    k1  d                     unbiased, may be negative
    k2  d^2 / 2               biased, low variance
    k3  exp(-d) - 1 + d       unbiased, never negative
Which of them may stand where is a matter of gradients, not of values:
    in the reward  k1 alone. The policy gradient of a sum of -k1 is the gradient of -KL; that of the others is not.
    in the loss    k1's gradient is 0 on average: it holds nothing back. k2's is that of KL, where the policy is the one
                   that drew. k3's is that of KL(reference || policy), by its samples (DeepSeek's GRPO has it so); times
                   the ratio of the policy to the one that drew, which is differentiated, too, it is that of KL again,
                   and stays so when the policy has moved (TRL's `use_bias_correction_kl`).
Config of the methods refuses the others. KL is told in two units, and named so: summed over a reply (OpenAI, TRL), and
mean per token (verl, OpenRLHF); a target of 6 nats is of the first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Estimator = Literal["k1", "k2", "k3"]
MOST = 20.0
"""Nats to which differences are held before they are exponentiated."""


def estimate(logprobs_N: Tensor, reference_N: Tensor, kind: Estimator = "k1") -> Tensor:
    """The estimator token by token (tokens,). Worked example, d = 0.5: k1 0.5, k2 0.125, k3 0.10653."""
    apart_N = logprobs_N - reference_N
    if kind == "k1":
        return apart_N
    if kind == "k2":
        return apart_N**2 / 2
    held_N = apart_N.clamp(-MOST, MOST)
    return torch.exp(-held_N) - 1 + held_N


@dataclass(frozen=True, slots=True)
class Coefficient:
    """What a nat of KL costs. Adaptive as in Ziegler et al. 2019, section 2.2: it grows where KL is above `target`.

    value: now. target: nats, summed over a reply; None: the value is fixed. horizon: episodes over which it adapts.
    """

    value: float
    target: float | None = None
    horizon: int = 10_000

    def after(self, kl: float, episodes: int) -> Coefficient:
        """The coefficient after a batch of so many episodes with this mean KL.

        Worked example: 0.2 with a target of 6, after 100 episodes of KL 9: 0.2 * (1 + 0.2 * 100 / 10000) = 0.2004.
        """
        if self.target is None or not math.isfinite(kl):
            return self
        error = min(max(kl / self.target - 1, -0.2), 0.2)
        return Coefficient(self.value * (1 + error * episodes / self.horizon), self.target, self.horizon)
