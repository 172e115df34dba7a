"""The loop of reinforcement learning: play, pay, learn. A method adds what it learns from a batch of paid episodes.

Each step plays the system on fresh tasks with the weights as they are, has the episodes paid, and hands the method
their actions with the log-probabilities with which they were drawn. The reference is the model that the run started
from: a copy of it or, under adapters, the same network without them. What a step draws is a function of (seed, step),
so that a run goes on bit for bit from any saved state.

What peers leave to trust is checked: the first forward pass of a step must give the log-probabilities that sampling
gave, within `models.agree`'s tolerance; KL that explodes stops the run, and the weights are those before it did.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from groma.formats.digest import digest
from groma.formats.errors import BadConfig, BadInput
from groma.formats.transcript import Played
from groma.methods import adapters, digests, earnings, optimiser, processes, training
from groma.methods.dealing import Dealing, Part
from groma.methods.divergence import Coefficient, estimate
from groma.methods.earnings import Earned
from groma.methods.forward import learned
from groma.methods.online_config import Config
from groma.methods.pay import paid
from groma.methods.rollouts import Batch, Learner
from groma.methods.state import Diverged, State, Step
from groma.methods.work import Work
from groma.models.agree import TOLERANCES
from groma.models.model import Model
from groma.play.driver import play
from groma.play.engine import Engine

WATCHED = 8
"""Replies of the last step on which it is looked how far its updates moved the policy."""


@dataclass(frozen=True, slots=True, eq=False)
class Rollout:
    """What a step learns from: paid traces, and the log-probabilities of their actions under the reference
    (tokens,).
    """

    earned: Earned
    reference_N: Tensor

    @property
    def batch(self) -> Batch:
        return self.earned.batch

    @property
    def kl_N(self) -> Tensor:
        """k1 token by token, under the policy that drew."""
        return estimate(self.batch.old_N, self.reference_N)


class Method(Protocol):
    """What a method adds. modules: what it trains beside the policy (a critic), by name; identity: of what these began
    from, where that is not the policy.
    """

    @property
    def identity(self) -> str: ...
    @property
    def modules(self) -> nn.ModuleDict: ...

    def learn(self, loop: Loop, rollout: Rollout) -> dict[str, float]: ...


def steps(model: Model, work: Work, config: Config, method: Method, name: str, state: State | None) -> Iterator[Step]:
    """Train `model.net` in place. When the iterator ends or is closed it is a plain network in evaluation mode."""
    loop = Loop(model, work, config, method, name)
    if state is not None:
        state.check(name, config, loop.data, "system, tasks, sources of pay")
    return _steps(loop, state)


def _steps(loop: Loop, state: State | None) -> Iterator[Step]:
    try:
        if state is not None:
            loop.restore(state)
        while loop.number < loop.config.max_steps:
            metrics = loop.step()
            yield Step(loop.number, loop.config.max_steps, metrics, None, None, loop.capture)
    finally:
        loop.end()


class Loop:
    """The moving parts of a run, and what a method asks of it."""

    def __init__(self, model: Model, work: Work, config: Config, method: Method, name: str) -> None:
        if processes.here().count > 1:
            raise BadConfig("reinforcement learning runs in one process: start it without accelerate launch")
        work.check(config)
        self.model, self.net, self.work, self.config, self.method, self.name = (
            model, model.net, work, config, method, name,
        )  # fmt: skip
        self.data = digest(work.digest, method.identity) if method.identity else work.digest
        training.prepare(self.net, config)
        self.start = digests.of_weights(self.net)
        self.reference: nn.Module | None = None
        if config.lora_rank is None:
            self.reference = copy.deepcopy(self.net).requires_grad_(False)
        else:
            adapters.attach(self.net, config)
        self.method.modules.to(self.net.device)
        parts = {"": self.net, **{f"{part}.": module for part, module in self.method.modules.items()}}
        self.trained = {
            f"{part}{weight}": one
            for part, module in parts.items()
            for weight, one in module.named_parameters()
            if one.requires_grad
        }
        self.optimiser = optimiser.adamw(self.net, config)
        if others := [one for one in self.method.modules.parameters() if one.requires_grad]:
            self.optimiser.add_param_group({"params": others, "weight_decay": 0.0, "scale": config.critic_scale})
        self.coefficient = Coefficient(config.kl_coef, config.kl_target, config.kl_horizon)
        self.moments = torch.zeros(3, dtype=torch.float64)  # count, mean and sum of squares apart from it
        self.dealing = Dealing(self.net, config)
        self.number, self.temperature = 0, 1.0
        self.good = 0, training.copies(self.trained)

    def step(self) -> dict[str, float]:
        """Play, pay, learn. BadInput and Diverged as said at the head of the file."""
        size = optimiser.learning_rate(self.number, self.config.max_steps, self.config)
        for group in self.optimiser.param_groups:
            group["lr"] = size * group.get("scale", 1.0)
        rollout, told = self._rollout()
        if self.number == 0:  # the reference is the policy itself
            self.agree(float(rollout.kl_N.abs().max()))
        self._watch(told["objective/kl"])
        told |= self.method.learn(self, rollout)
        told["learning_rate"] = size
        if not all(math.isfinite(one) for one in told.values()):
            bad = ", ".join(f"{name} {value}" for name, value in told.items() if not math.isfinite(value))
            raise self._diverged(f"a metric of step {self.number + 1} is no number ({bad})")
        if self.number + 1 == self.config.max_steps:
            self._watch_last(rollout)
        self.coefficient = self.coefficient.after(told["objective/kl"], len(rollout.batch.traces))
        self.number += 1
        return told

    def _rollout(self) -> tuple[Rollout, dict[str, float]]:
        tasks = self.work.of_step(self.number, self.config)
        learner = Learner(self.work.engine(self.model))
        players: dict[str, Engine] = {**self.work.others, **dict.fromkeys(self.config.learners, learner)}
        with self.autocast():
            episodes = list(
                play(
                    self.work.system, tasks, players, seed=int(digest(self.config.seed, self.number), 16) % 2**31,
                    width=self.work.width, open_environment=self.work.open_environment,
                )
            )  # fmt: skip
        learner.close()
        if learner.refused is not None:
            raise learner.refused
        self.temperature = learner.temperature or 1.0
        return self._earned(episodes)

    def _earned(self, episodes: Sequence[Played]) -> tuple[Rollout, dict[str, float]]:
        found = paid(self.work.pay, episodes, self.config.learners[0])
        earned = earnings.earned(episodes, found, self.config, self.moments, self.number + 1)
        self.moments = earned.moments
        rollout = Rollout(earned, self._told(earned))
        kl_N = rollout.kl_N
        kl = float(earned.batch.sums(kl_N).mean())
        told = dict(earned.metrics) | {
            "objective/kl": kl,
            "objective/kl_per_token": float(kl_N.mean()),
            "objective/rlhf_reward": earned.metrics["objective/scores"] - self.coefficient.value * kl,
            "kl_coef": self.coefficient.value,
        }
        return rollout, told

    def autocast(self) -> AbstractContextManager[Any]:
        return training.autocast(self.net, self.config)

    def parts(self, rollout: Rollout, traces: Sequence[int] | None = None) -> list[Part]:
        """Microbatches of `traces` (None: all)."""
        return self.dealing.parts(rollout.earned, range(len(rollout.batch.traces)) if traces is None else traces)

    def minibatches(self, rollout: Rollout, epoch: int) -> list[list[int]]:
        """All traces in the minibatches of an epoch over this step's batch."""
        order = np.random.default_rng((self.config.seed, self.number, epoch)).permutation(len(rollout.batch.traces))
        return [part.tolist() for part in np.array_split(order, self.config.minibatches) if len(part)]

    def forward(self, part: Part, **also: Any) -> Tensor:
        """Log-probabilities of the actions of a microbatch under the policy, in the order of `part.places`."""
        with self.autocast():
            said = learned(self.net, part.rows, self.config, temperature=self.temperature, **also)
        return said.told.logprobs_N

    def _told(self, earned: Earned, policy: nn.Module | None = None, most: int | None = None) -> Tensor:
        """Log-probabilities under the reference, or `policy`, of all actions or the first `most` traces' (tokens,)."""
        alone = policy is None and self.reference is None
        net = policy if policy is not None else self.net if self.reference is None else self.reference
        found = torch.zeros(len(earned.batch.old_N))
        bare = adapters.without(net) if alone else nullcontext()
        with torch.no_grad(), bare, self.autocast():
            for part in self.dealing.parts(earned, range(len(earned.batch.traces))[:most]):
                said = learned(net, part.rows, self.config, temperature=self.temperature)
                found[part.places] = said.told.logprobs_N.cpu()
        return found

    def descend(self, parts: Iterable[Callable[[], Tensor]], check: Callable[[], None] = lambda: None) -> float:
        """One optimiser step on the sum of some losses, after `check`; the norm of the gradient before clipping."""
        self.optimiser.zero_grad(set_to_none=True)
        for part in parts:
            with torch.enable_grad():
                part().backward()
        check()
        norm = float(nn.utils.clip_grad_norm_(self.trained.values(), self.config.max_grad_norm or math.inf))
        if not math.isfinite(norm):
            raise self._diverged(f"the gradient of step {self.number + 1} has the norm {norm}")
        self.optimiser.step()
        return norm

    def agree(self, apart: float) -> None:
        """Stop where the trainer's log-probabilities are not those of sampling. BadConfig."""
        most = TOLERANCES[training.arithmetic(self.net, self.config) or self.net.dtype] / min(1.0, self.temperature)
        if apart > most:
            raise BadConfig(
                f"sampling and training differ by {apart:.2g} nats in a token's log-probability before any update, and "
                f"{most:.2g} is rounding\n  the ratio that is learned from would be wrong: load the model with "
                "attn_implementation sdpa or eager, and with the dtype that it is trained in"
            )

    def _watch(self, kl: float) -> None:
        """Stop where KL exploded; where it did not, remember these weights."""
        limit = self.config.kl_limit
        if limit is not None and not kl <= limit:
            raise self._diverged(
                f"KL to the reference is {kl:.1f} nats a reply at step {self.number + 1}, above kl_limit {limit}"
            )
        self.good = self.number, training.copies(self.trained)

    def _watch_last(self, rollout: Rollout) -> None:
        """Stop where the last update left the policy far from the one that drew: no later step would notice."""
        limit, batch = self.config.kl_limit, rollout.batch
        if limit is None:
            return
        apart_N = estimate(batch.old_N, self._told(rollout.earned, self.net, WATCHED), "k3")
        moved = float(batch.sums(apart_N)[:WATCHED].mean())
        if not moved <= limit:
            far = f"{moved:.1f} nats a reply, above kl_limit {limit}"
            raise self._diverged(f"the last step's updates moved the policy by {far}")

    def _diverged(self, what: str) -> Diverged:
        """The error, with the last good weights put back."""
        at, weights = self.good
        self._load(weights)
        return Diverged(
            f"{what}\n  the policy left what the reference would say: lower learning_rate or epochs, raise kl_coef, or "
            f"set kl_target\n  the weights are those of step {at}, the last that were good"
        )

    def capture(self, number: int) -> State:
        if number != self.number:
            raise RuntimeError(f"the state of step {number} is gone: read it before the next step, while the run lasts")
        kept = {"kl_coef": torch.tensor(self.coefficient.value, dtype=torch.float64), "pay": self.moments.clone()}
        return State(
            self.name, self.config.to_dict(), self.data, self.number, training.copies(self.trained),
            training.copied(self.optimiser.state_dict()), self.start, None, kept,
        )  # fmt: skip

    def restore(self, state: State) -> None:
        """Go on where `state` was captured. BadInput where the model is not the one that the run began with."""
        if state.start != self.start:
            raise BadInput(
                f"the weights have the digest {self.start}, those that the run began with {state.start}",
                expected="the model that the run began with; it is the reference, too",
            )
        self._load(state.weights)
        self.optimiser.load_state_dict(training.copied(state.optimiser))
        self.coefficient = replace(self.coefficient, value=float(state.kept["kl_coef"]))
        self.moments, self.number = state.kept["pay"].clone(), state.step
        self.good = self.number, training.copies(self.trained)

    def _load(self, weights: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name, weight in self.trained.items():
                weight.copy_(weights[name])

    def end(self) -> None:
        """Adapters folded in, gradients freed."""
        self.optimiser.zero_grad(set_to_none=True)
        self.number = -1
        if self.config.lora_rank is not None:
            adapters.merge(self.net)
