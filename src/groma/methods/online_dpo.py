"""Online DPO: of the replies to a task, drawn now, the best paid is preferred to the worst paid. Guo et al. 2024,
arXiv:2402.04792, with DPO's loss (methods/dpo.py) against the model that the run started from.

We differ: whatever pays may choose, a rater, a judge or a reward model; what was paid the same says nothing and is left
out; an episode of many replies counts as one answer, its log-probability the sum over all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from groma.methods import dpo, online_config
from groma.methods.config import inert, require
from groma.methods.dealing import Part
from groma.methods.grouped import pay_of
from groma.methods.online import Loop, Rollout, steps
from groma.methods.state import State, Step
from groma.methods.updates import Loss, Updates
from groma.methods.work import Work
from groma.models.model import Model

METHOD = "online-dpo"


@dataclass(frozen=True, kw_only=True)
class Config(online_config.Config):
    """Options of online DPO, beside those that all methods of reinforcement learning share."""

    samples: int = 2
    """How often each task is played in a step; divides batch_size."""
    beta: float = 0.1
    """Pull to the reference; larger is closer."""
    loss_type: Literal["sigmoid", "hinge", "ipo"] = "sigmoid"
    """Which loss of the margin; see methods/dpo.py."""
    kl_coef: float = 0.0
    """Stays 0: beta holds the policy to the reference."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.samples >= 2, f"samples is {self.samples}; it must be at least 2: one is preferred to another")
        for name in ("kl_coef", "kl_in"):
            inert(self, name, "beta holds the policy to the reference", True)
        dpo.Config(beta=self.beta, loss_type=self.loss_type)  # refuses what DPO refuses

    @property
    def dpo(self) -> dpo.Config:
        """The loss's own options."""
        return dpo.Config(beta=self.beta, loss_type=self.loss_type)


def train(model: Model, work: Work, config: Config, state: State | None = None) -> Iterator[Step]:
    """Train `model.net` in place on what it does in `work`; it is left a plain network, see `online.steps`.

    Metrics: `objective/*`, `pay/NAME`, `episodes/*` as PPO's; `policy/loss`, `rewards/{accuracies,margins}` over pairs;
    `groups/alike`: the share of tasks without a pair. Errors: as PPO's.
    """
    return steps(model, work, config, OnlineDpo(config), METHOD, state)


class OnlineDpo:
    """What online DPO adds to the loop."""

    def __init__(self, config: Config) -> None:
        self.config, self.modules, self.identity = config, nn.ModuleDict(), ""

    def learn(self, loop: Loop, rollout: Rollout) -> dict[str, float]:
        pay_E = pay_of(loop, rollout)
        pairs = []
        for group in rollout.earned.groups:
            best, worst = (pick(group, key=lambda place: float(pay_E[place])) for pick in (max, min))
            if float(pay_E[best]) > float(pay_E[worst]):
                pairs.append((best, worst))
        told = {"groups/alike": 1 - len(pairs) / len(rollout.earned.groups)}
        updates = Updates(loop, rollout)
        whole_E = rollout.batch.sums(rollout.reference_N)
        for epoch in range(self.config.epochs):
            order = [place for part in loop.minibatches(rollout, epoch) for place in part]
            ranked = sorted(range(len(pairs)), key=lambda number: order.index(pairs[number][0]))
            size = -(-len(ranked) // self.config.minibatches)
            for start in range(0, len(ranked), max(size, 1)):
                some = [pairs[number] for number in ranked[start : start + size]]
                updates.descend([place for pair in some for place in pair], self._loss(updates, some, whole_E))
        return {**(updates.means() if updates.number else {}), **told}

    def _loss(self, updates: Updates, pairs: list[tuple[int, int]], reference_E: Tensor) -> Loss:
        """The loss of some pairs, a microbatch at a time. The sides of a pair may stand in two: a side's gradient is
        that of the pair's loss at the values that all of them have before the update.
        """
        loop, rollout, config = updates.loop, updates.rollout, self.config.dpo
        batch = rollout.batch
        count = sum(batch.lengths[place] for pair in pairs for place in pair)
        chosen = torch.tensor(pairs)
        lengths_P2 = torch.tensor(batch.lengths)[chosen].float()
        with torch.no_grad():
            before_N = torch.zeros(len(batch.old_N))
            for part in loop.parts(rollout, chosen.flatten().tolist()):
                before_N[part.places] = loop.forward(part).cpu()
        policy_P2 = batch.sums(before_N)[chosen].requires_grad_()
        with torch.enable_grad():
            losses_P = dpo.loss(policy_P2, reference_E[chosen], lengths_P2, config)
            (slope_P2,) = torch.autograd.grad(losses_P.sum(), policy_P2)
        slope_E = torch.zeros(len(batch.traces)).index_put((chosen.flatten(),), slope_P2.flatten(), accumulate=True)
        margins_P = config.beta * (policy_P2 - reference_E[chosen]).detach().diff(dim=1).neg()[:, 0]
        told = {"rewards/margins": margins_P, "rewards/accuracies": margins_P > 0, "policy/loss": losses_P}
        updates.add(len(pairs), **told)

        def loss(part: Part) -> Tensor:
            logprobs_M = loop.forward(part)
            updates.old(part, logprobs_M, count)
            slope_M = slope_E[batch.trace_N[part.places]].to(logprobs_M.device)
            return (slope_M * logprobs_M).sum() / len(pairs)

        return loss
