"""One update of a policy from a part of a step's batch, its metrics, and the check of sampling against training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from groma.methods.dealing import Part
from groma.methods.divergence import estimate
from groma.methods.online import Loop, Rollout
from groma.methods.online_config import Config

Loss = Callable[[Part], Tensor]
"""A microbatch's share of an update's loss, differentiable."""


class Updates:
    """The updates of one step. Metrics are means over the tokens of each, then over the updates."""

    def __init__(self, loop: Loop, rollout: Rollout) -> None:
        self.loop, self.rollout = loop, rollout
        self.number, self.gap, self.last_kl = 0, 0.0, 0.0
        self._sums: dict[str, float] = {}
        self._now: dict[str, float] = {}

    def descend(self, traces: Sequence[int], loss: Loss) -> None:
        """One optimiser step on the sum of `loss` over the microbatches of some traces. Before the first of a step the
        policy is the one that drew: what it says must be what sampling said.
        """
        parts = self.loop.parts(self.rollout, traces)
        check = (lambda: self.loop.agree(self.gap)) if self.number == 0 else (lambda: None)
        self._now["policy/grad_norm"] = self.loop.descend(_each(parts, loss), check)
        self.number += 1
        self.last_kl = self._now.get("policy/approxkl", 0.0)
        for name, value in self._now.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._now = {}

    def old(self, part: Part, logprobs_M: Tensor, count: int) -> Tensor:
        """The log-probabilities with which the actions of a microbatch were drawn; how far the policy is from them is
        told. count: tokens of the whole update.
        """
        old_M = self.rollout.batch.old_N[part.places].to(logprobs_M.device)
        now_M = logprobs_M.detach()
        if self.number == 0:
            self.gap = max(self.gap, float((now_M - old_M).abs().max()))
        self.add(count, **{"policy/approxkl": estimate(old_M, now_M, "k3"), "policy/ratio": (now_M - old_M).exp()})
        return old_M

    def add(self, count: int, **told: Tensor) -> None:
        """A microbatch's metrics, one number a token (or trace), of an update over `count` of them."""
        for name, one in told.items():
            self._now[name] = self._now.get(name, 0.0) + float(one.detach().float().sum()) / count

    def means(self) -> dict[str, float]:
        told = {name: value / self.number for name, value in self._sums.items()}
        return {**told, "policy/updates": float(self.number), "policy/sampling_gap": self.gap}


def held(loop: Loop, rollout: Rollout, part: Part, logprobs_M: Tensor, ratio_M: Tensor) -> Tensor:
    """What KL to the reference adds to the loss of each action, where it stands in the loss."""
    if loop.config.kl_in == "reward":
        return torch.zeros_like(logprobs_M)
    reference_M = rollout.reference_N[part.places].to(logprobs_M.device)
    return loop.coefficient.value * kl_loss(logprobs_M, reference_M, ratio_M, loop.config)


def kl_loss(logprobs_N: Tensor, reference_N: Tensor, ratio_N: Tensor, config: Config) -> Tensor:
    """KL to the reference as a part of the loss (tokens,). With `kl_correction` its gradient is that of KL also when
    the policy has moved since it drew: k3 times the ratio, which is differentiated, too; k2 times it as a number.
    """
    told_N = estimate(logprobs_N, reference_N, config.kl_estimator)
    if not config.kl_correction:
        return told_N
    return told_N * (ratio_N if config.kl_estimator == "k3" else ratio_N.detach())


def _each(parts: list[Part], loss: Loss) -> Iterator[Callable[[], Tensor]]:
    return (partial(loss, part) for part in parts)
