"""Policies whose KL is known exactly: to a prompt u they answer with normals around a mean that is linear in (1, u).

    x ~ N(A'(1, u), I),    KL(A || A0) = |A - A0|^2 / 2  nats, in the mean over all prompts,

since prompts are standard normal, and so (1, u) has the identity as its second moment. The initial policy is A = 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Policies:
    """S policies side by side. I = prompt features + 1, X response features; origin_SIX: where their KL is 0."""

    shift_SIX: Tensor
    origin_SIX: Tensor

    @property
    def kl_S(self) -> Tensor:
        """KL of each from its origin, in nats, exactly."""
        return (self.shift_SIX - self.origin_SIX).square().sum(dim=(1, 2)) / 2

    @property
    def distance_S(self) -> Tensor:
        """d = sqrt(KL)."""
        return self.kl_S.sqrt()

    def means(self, prompts_SPU: Tensor) -> Tensor:
        """Mean responses (S, P, X) to prompts that each policy has for itself."""
        return constant_first(prompts_SPU) @ self.shift_SIX

    def moved(self, inputs: Tensor) -> Tensor:
        """Samples (S, ..., F) of the initial policy, prompts in front, as these policies would have drawn them."""
        features = self.shift_SIX.shape[1] - 1
        prompts, responses = inputs[..., :features], inputs[..., features:]
        flat_SNU = prompts.flatten(1, -2)
        return torch.cat([prompts, responses + self.means(flat_SNU).reshape(responses.shape)], dim=-1)

    def repeated(self, members: int) -> Policies:
        """Each policy `members` times in a row."""
        return Policies(*(one.repeat_interleave(members, dim=0) for one in (self.shift_SIX, self.origin_SIX)))

    def rebased(self) -> Policies:
        """The same policies, with their KL measured from here on."""
        return Policies(self.shift_SIX, self.shift_SIX)

    def within(self, distance: float) -> Policies:
        """Those farther than `distance` from their origin drawn back to it, on a straight line."""
        factor_S = (distance / self.distance_S.clamp_min(1e-12)).clamp_max(1.0)
        return Policies(self.origin_SIX + factor_S[:, None, None] * (self.shift_SIX - self.origin_SIX), self.origin_SIX)


def initial(count: int, prompt_features: int, response_features: int) -> Policies:
    """`count` copies of the initial policy."""
    zeros_SIX = torch.zeros(count, prompt_features + 1, response_features)
    return Policies(zeros_SIX, zeros_SIX)


def constant_first(prompts: Tensor) -> Tensor:
    """(1, u): (..., U) -> (..., U + 1)."""
    return torch.cat([torch.ones_like(prompts[..., :1]), prompts], dim=-1)
