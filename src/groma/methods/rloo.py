"""REINFORCE leave-one-out. Ahmadian et al. 2024, arXiv:2402.14740, eq. 5.

A whole reply is one action: its advantage is its pay, KL subtracted, minus the mean pay of the other replies to the
same task; its ratio is that of the whole reply's probabilities, 1 at the first update, where the gradient is
REINFORCE's own. Further updates from one batch are clipped as PPO's are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from groma.methods import advantages, online_config, surrogate
from groma.methods.dealing import Part
from groma.methods.grouped import by_group
from groma.methods.online import Loop, Rollout, steps
from groma.methods.state import State, Step
from groma.methods.updates import Loss, Updates, held
from groma.methods.work import Work
from groma.models.model import Model

METHOD = "rloo"


@dataclass(frozen=True, kw_only=True)
class Config(online_config.Config):
    """Options of RLOO, beside those that all methods of reinforcement learning share."""

    samples: int = 4
    """How often each task is played in a step; divides batch_size."""
    cliprange: float = 0.2
    """By how much the ratio of a reply's new to old probability may move its loss."""
    whiten_advantages: bool = False
    """Advantages are set to mean 0 and deviation 1 over the batch's replies."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.must(
            ("samples", self.samples >= 2, "at least 2: a reply is compared with the others"),
            ("cliprange", 0 < self.cliprange < 1, "between 0 and 1"),
        )
        self.inert_at_first("cliprange")


def train(model: Model, work: Work, config: Config, state: State | None = None) -> Iterator[Step]:
    """Train `model.net` in place on what it does in `work`; it is left a plain network, see `online.steps`.

    Metrics and errors: as GRPO's; `policy/clipfrac` and `policy/loss` are means over replies.
    """
    return steps(model, work, config, Rloo(config), METHOD, state)


class Rloo:
    """What RLOO adds to the loop."""

    def __init__(self, config: Config) -> None:
        self.config, self.modules, self.identity = config, nn.ModuleDict(), ""

    def learn(self, loop: Loop, rollout: Rollout) -> dict[str, float]:
        found = by_group(loop, rollout, advantages.rloo)
        advantages_E = found.advantages_E
        if self.config.whiten_advantages:
            some = sorted(found.kept)
            advantages_E[some] = advantages.whiten(advantages_E[some])
        updates = Updates(loop, rollout)
        for epoch in range(self.config.epochs):
            for chosen in loop.minibatches(rollout, epoch):
                some = [place for place in chosen if place in found.kept]
                if some:
                    updates.descend(some, self._loss(updates, some, advantages_E))
        return {**updates.means(), **found.metrics}

    def _loss(self, updates: Updates, chosen: list[int], advantages_E: Tensor) -> Loss:
        """The loss of some traces, a microbatch at a time: a mean over replies."""
        clip, loop, rollout = self.config.cliprange, updates.loop, updates.rollout
        batch = rollout.batch
        count = sum(batch.lengths[place] for place in chosen)

        def loss(part: Part) -> Tensor:
            logprobs_M = loop.forward(part)
            old_M = updates.old(part, logprobs_M, count)
            ordered = torch.tensor(sorted(part.traces))
            of_M = torch.searchsorted(ordered, batch.trace_N[part.places]).to(logprobs_M.device)
            whole_T, was_T = (one.new_zeros(len(ordered)).index_add(0, of_M, one) for one in (logprobs_M, old_M))
            advantages_T = advantages_E[ordered].to(logprobs_M.device)
            ratio_T = surrogate.ratio(whole_T, was_T)
            policy_T = surrogate.clipped(ratio_T, advantages_T, clip, clip)
            clipped_T = surrogate.is_clipped(ratio_T.detach(), advantages_T, clip, clip)
            updates.add(len(chosen), **{"policy/loss": policy_T, "policy/clipfrac": clipped_T})
            kl_M = held(loop, rollout, part, logprobs_M, surrogate.ratio(logprobs_M, old_M))
            return (policy_T.sum() + kl_M.sum()) / len(chosen)

        return loss
