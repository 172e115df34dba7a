"""Proximal policy optimisation with a critic. Schulman et al. 2017; for language models Ziegler et al. 2019 and Ouyang
et al. 2022, with the details of Huang et al. 2024 ("The N+ implementation details of RLHF with PPO").

Rewards, token by token, are -kl_coef * KL(token), and the pay at the last token that the player said. Advantages are
GAE's over the player's own tokens, whitened over the real ones of the whole batch; the loss is the clipped surrogate,
a mean over the minibatch's tokens, plus vf_coef times the clipped squared error of the critic.

We differ: the score stands on the last action, not on the first pad behind it (a known fault of common trainers), and
what tools and other players said between a player's replies is stepped over; the log-probabilities of sampling are used
as they are and checked against the trainer's; the critic shares the policy's trunk by default, one more number at the
head, drawn as zero; temperature is the same in rollout, reference and update; dropout is off.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from groma.formats.digest import digest
from groma.formats.errors import BadConfig
from groma.methods import online_config, surrogate
from groma.methods.advantages import gae, whiten
from groma.methods.dealing import Part
from groma.methods.forward import read_before
from groma.methods.online import Loop, Rollout, steps
from groma.methods.pay import check_tokenizer
from groma.methods.state import State, Step
from groma.methods.updates import Loss, Updates, held
from groma.methods.work import Work
from groma.models.model import Model
from groma.models.reward import RewardModel
from groma.models.scalar import scalars, states_at, with_head

METHOD = "ppo"


@dataclass(frozen=True, kw_only=True)
class Config(online_config.Config):
    """Options of PPO, beside those that all methods of reinforcement learning share."""

    epochs: int = 4
    """How often a step's batch is learned from before the next is played."""
    gamma: float = 1.0
    """Discount per token."""
    lam: float = 0.95
    """GAE's lambda: 1 is the whole return minus the value, 0 the next token's value alone."""
    cliprange: float = 0.2
    """By how much the ratio of new to old probability may move an action's loss."""
    dual_clip: float | None = None
    """Where the advantage is negative the loss is at most this many times it. None: no such bound."""
    cliprange_value: float | None = 0.2
    """By how much the critic may move from what it said of the batch. None: it is not held."""
    vf_coef: float = 0.1
    """What the critic's error counts, beside the policy's loss."""
    whiten_advantages: bool = True
    """Advantages are set to mean 0 and deviation 1 over the batch's tokens."""
    critic: Literal["shared", "separate"] = "shared"
    """shared: one more number at the policy's head; separate: a network of its own, begun as a copy of the policy or
    from a reward model."""
    critic_learning_rate: float | None = None
    """Peak step size of the critic's own weights. None: as the policy's."""
    update_kl: float | None = None
    """A step's updates end early once the policy is this far from the one that drew, nats a token (k3). None: never."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.must(
            ("gamma", 0 < self.gamma <= 1, "above 0 and at most 1"),
            ("lam", 0 <= self.lam <= 1, "in [0, 1]"),
            ("cliprange", 0 < self.cliprange < 1, "between 0 and 1"),
            ("dual_clip", self.dual_clip is None or self.dual_clip > 1, "above 1, or None"),
            ("cliprange_value", self.cliprange_value is None or self.cliprange_value > 0, "above 0, or None"),
            ("vf_coef", self.vf_coef > 0, "above 0: the critic has to learn"),
            ("critic_learning_rate", self.critic_learning_rate is None or self.critic_learning_rate > 0, "above 0"),
            ("update_kl", self.update_kl is None or self.update_kl > 0, "above 0, or None"),
        )
        self.inert_at_first("cliprange", "dual_clip", "cliprange_value", "update_kl")

    @property
    def critic_scale(self) -> float:
        return (self.critic_learning_rate or self.learning_rate) / self.learning_rate


def train(
    model: Model, work: Work, config: Config, state: State | None = None, critic: RewardModel | None = None
) -> Iterator[Step]:
    """Train `model.net` in place on what it does in `work`; it is left a plain network, see `online.steps`.

    critic: the reward model that a separate critic begins from; None: a copy of the policy, its head zero.
    Metrics: `objective/{scores,kl,kl_per_token,entropy,rlhf_reward}` (pay as it came; KL to the start, summed over a
    reply and mean per token; entropy as -log p of what was drawn, summed), `pay/NAME` of each source,
    `policy/{loss,clipfrac,approxkl,ratio,grad_norm,updates,sampling_gap}`, `val/{loss,mean,explained}`,
    `episodes/{length,replies,cut,failed}`, `kl_coef`, `learning_rate`.
    Errors: BadConfig and BadInput when `train` is called; while it runs BadInput for pay that is no number and for too
    many episodes that failed, `Diverged` where KL explodes.
    """
    if critic is not None and config.critic == "shared":
        raise BadConfig(
            f"the critic {critic.name} would have no effect: critic is 'shared', and has no network of its own"
        )
    if critic is not None:
        check_tokenizer(critic, model, critic=True)
    return steps(model, work, config, Ppo(model, config, critic), METHOD, state)


class Ppo:
    """What PPO adds to the loop."""

    def __init__(self, model: Model, config: Config, critic: RewardModel | None) -> None:
        self.config, self.offset = config, critic.offset if critic is not None else 0.0
        self.identity = "" if critic is None else digest("critic", critic.digest, critic.offset)
        width = model.net.config.get_text_config().hidden_size
        if config.critic == "shared":
            head = nn.Linear(width, 1)
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)
            self.modules = nn.ModuleDict({"value": head})
        else:
            # A copy: the same reward model may be what pays.
            net = with_head(model, 0.0).net if critic is None else copy.deepcopy(critic.net)
            self.modules = nn.ModuleDict({"critic": net.float().eval()})

    def learn(self, loop: Loop, rollout: Rollout) -> dict[str, float]:
        batch, earned, config = rollout.batch, rollout.earned, self.config
        values_N = self._values(loop, rollout)
        rewards_N = earned.calls_N.clone()
        rewards_N[batch.last()] += earned.scores_E
        if config.kl_in == "reward":
            rewards_N = rewards_N - loop.coefficient.value * rollout.kl_N
        (rewards_ET, acted_ET), (values_ET, _) = batch.by_trace(rewards_N), batch.by_trace(values_N)
        advantages_N = gae(rewards_ET, values_ET, acted_ET, config.gamma, config.lam)[acted_ET]
        returns_N = advantages_N + values_N
        spread = float(returns_N.var(unbiased=False))
        explained = 1 - float((returns_N - values_N).var(unbiased=False)) / spread if spread > 0 else 0.0
        if config.whiten_advantages:
            advantages_N = whiten(advantages_N)
        updates = Updates(loop, rollout)
        for epoch in range(config.epochs):
            for chosen in loop.minibatches(rollout, epoch):
                loss = self._loss(updates, chosen, advantages_N, values_N, returns_N)
                updates.descend(chosen, loss)
                if config.update_kl is not None and updates.last_kl > config.update_kl:
                    break
            else:
                continue
            break
        return {**updates.means(), "val/mean": float(values_N.mean()), "val/explained": explained}

    def _loss(
        self, updates: Updates, chosen: list[int], advantages_N: Tensor, values_N: Tensor, returns_N: Tensor
    ) -> Loss:
        """The loss of some traces, a microbatch at a time: a mean over their tokens."""
        config, loop, rollout = self.config, updates.loop, updates.rollout
        count = sum(rollout.batch.lengths[place] for place in chosen)

        def loss(part: Part) -> Tensor:
            logprobs_M, now_M = self._told(loop, part)
            old_M = updates.old(part, logprobs_M, count)
            advantages_M, was_M, returns_M = (
                one[part.places].to(loop.net.device) for one in (advantages_N, values_N, returns_N)
            )
            ratio_M = surrogate.ratio(logprobs_M, old_M)
            policy_M = surrogate.clipped(ratio_M, advantages_M, config.cliprange, config.cliprange, config.dual_clip)
            value_M = surrogate.value_loss(now_M, was_M, returns_M, config.cliprange_value)
            clipped_M = surrogate.is_clipped(ratio_M.detach(), advantages_M, config.cliprange, config.cliprange)
            updates.add(count, **{"policy/loss": policy_M, "val/loss": value_M, "policy/clipfrac": clipped_M})
            kl_M = held(loop, rollout, part, logprobs_M, ratio_M)
            return (policy_M + kl_M + config.vf_coef * value_M).sum() / count

        return loss

    def _told(self, loop: Loop, part: Part) -> tuple[Tensor, Tensor]:
        """Log-probabilities of the actions, and the critic's values of the states before them; differentiable."""
        if "critic" in self.modules:
            with loop.autocast():
                return loop.forward(part), read_before(self.modules["critic"], part.rows, scalars) + self.offset
        values: list[Tensor] = []
        logprobs_M = loop.forward(part, also=lambda states: values.append(self.modules["value"](states)[:, 0].float()))
        return logprobs_M, values[0]

    def _values(self, loop: Loop, rollout: Rollout) -> Tensor:
        """What the critic says before it learns from this batch (tokens,), on the CPU."""

        def shared(net: nn.Module, rows: Tensor, columns: Tensor, **given: Any) -> Tensor:
            found: Tensor = self.modules["value"](states_at(net, rows, columns, **given))[:, 0]
            return found.float()

        own = "critic" in self.modules
        net, read = (self.modules["critic"], scalars) if own else (loop.net, shared)
        found = torch.zeros(len(rollout.batch.old_N))
        with torch.no_grad(), loop.autocast():
            for part in loop.parts(rollout):
                found[part.places] = read_before(net, part.rows, read).cpu()
        return found + self.offset
