"""Group relative policy optimisation: the critic is the mean of the group. Shao et al. 2024, arXiv:2402.03300, eq. 3.

Each task is played `samples` times; a reply's advantage is its pay against its group's, alike for all of its tokens.
`variant` names what differs among those that go by this name:
    grpo      pay minus the group's mean, over its deviation; each reply counts alike, whatever its length
    dr_grpo   not divided by the deviation, and a token counts alike whatever its reply's length: 1 / (replies *
              most_tokens) (Liu et al. 2025, arXiv:2503.20783, who show both divisions to be biases)
    dapo      divided by the deviation; every token of the batch counts alike; groups that were all paid the same are
              left out, and the upper clip is wider (Yu et al. 2025, arXiv:2503.14476)

We differ: a group shares the reading of its prompt; KL in the loss is k3 as published, but times the ratio, so that its
gradient is KL's (`kl_correction`); an episode of many replies is learned from as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from groma.methods import advantages, online_config, surrogate
from groma.methods.config import inert
from groma.methods.dealing import Part
from groma.methods.divergence import Estimator
from groma.methods.grouped import by_group
from groma.methods.online import Loop, Rollout, steps
from groma.methods.state import State, Step
from groma.methods.updates import Loss, Updates, held
from groma.methods.work import Work
from groma.models.model import Model

METHOD = "grpo"
AGGREGATED: dict[str, surrogate.Aggregation] = {"grpo": "sequence", "dr_grpo": "constant", "dapo": "token"}


@dataclass(frozen=True, kw_only=True)
class Config(online_config.Config):
    """Options of GRPO, beside those that all methods of reinforcement learning share."""

    samples: int = 8
    """How often each task is played in a step; divides batch_size."""
    variant: Literal["grpo", "dr_grpo", "dapo"] = "grpo"
    """How advantages are scaled and tokens counted; see the head of the file."""
    kl_in: Literal["reward", "loss"] = "loss"
    """Where KL stands: subtracted from the pay, or added to the loss."""
    kl_estimator: Estimator = "k3"
    """How KL is estimated: in the reward k1, in the loss k2 or k3 (methods/divergence.py says why no other)."""
    kl_coef: float = 0.04
    """What a nat of KL to the model that the run started from costs. 0: nothing, KL is only told."""
    cliprange: float = 0.2
    """By how much the ratio of new to old probability may move an action's loss."""
    cliprange_high: float | None = None
    """The same where the probability grows. None: as cliprange, and 0.28 for dapo."""
    most_tokens: int | None = None
    """Only for dr_grpo: the most tokens that a reply may have. None: the longest of the batch."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.must(
            ("samples", self.samples >= 2, "at least 2: a group is compared with itself"),
            ("cliprange", 0 < self.cliprange < 1, "between 0 and 1"),
            ("cliprange_high", self.cliprange_high is None or self.cliprange_high > 0, "above 0, or None"),
            ("most_tokens", self.most_tokens is None or self.most_tokens >= 1, "at least 1, or None"),
        )
        self.inert_at_first("cliprange", "cliprange_high")
        inert(self, "most_tokens", f"variant is {self.variant!r}", self.variant != "dr_grpo")

    @property
    def high(self) -> float:
        """The upper clip."""
        return self.cliprange_high or (0.28 if self.variant == "dapo" else self.cliprange)


def train(model: Model, work: Work, config: Config, state: State | None = None) -> Iterator[Step]:
    """Train `model.net` in place on what it does in `work`; it is left a plain network, see `online.steps`.

    Metrics: those of PPO without `val/*`; `groups/{alone,alike}`: the share of replies whose group has no other left,
    and of groups that were all paid the same, which teach nothing.
    Errors: as PPO's.
    """
    return steps(model, work, config, Grpo(config), METHOD, state)


class Grpo:
    """What GRPO adds to the loop."""

    def __init__(self, config: Config) -> None:
        self.config, self.modules, self.identity = config, nn.ModuleDict(), ""

    def learn(self, loop: Loop, rollout: Rollout) -> dict[str, float]:
        config = self.config
        divide = config.variant != "dr_grpo"
        found = by_group(loop, rollout, lambda pay_GK: advantages.grpo(pay_GK, divide=divide))
        kept = found.kept if config.variant != "dapo" else found.unlike
        updates = Updates(loop, rollout)
        for epoch in range(config.epochs):
            for chosen in loop.minibatches(rollout, epoch):
                some = [place for place in chosen if place in kept]
                if some:
                    updates.descend(some, self._loss(updates, some, found.advantages_E))
        return {**updates.means(), **found.metrics}

    def _loss(self, updates: Updates, chosen: list[int], advantages_E: Tensor) -> Loss:
        """The loss of some traces, a microbatch at a time: their tokens weighed as the variant weighs them."""
        config, loop, rollout = self.config, updates.loop, updates.rollout
        batch = rollout.batch
        inside_N = torch.isin(batch.trace_N, torch.tensor(chosen))
        most = config.most_tokens or max(batch.lengths)
        weights_N = torch.zeros(len(batch.old_N))
        weights_N[inside_N] = surrogate.weights(batch.trace_N[inside_N], AGGREGATED[config.variant], most)
        count = int(inside_N.sum())

        def loss(part: Part) -> Tensor:
            logprobs_M = loop.forward(part)
            old_M = updates.old(part, logprobs_M, count)
            weights_M = weights_N[part.places].to(logprobs_M.device)
            advantages_M = advantages_E[batch.trace_N[part.places]].to(logprobs_M.device)
            ratio_M = surrogate.ratio(logprobs_M, old_M)
            policy_M = surrogate.clipped(ratio_M, advantages_M, config.cliprange, config.high)
            clipped_M = surrogate.is_clipped(ratio_M.detach(), advantages_M, config.cliprange, config.high)
            updates.add(count, **{"policy/loss": policy_M, "policy/clipfrac": clipped_M})
            return (weights_M * (policy_M + held(loop, rollout, part, logprobs_M, ratio_M))).sum()

        return loss
