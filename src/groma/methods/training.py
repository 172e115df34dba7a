"""The loop that the methods share: batches in, steps out, at every step a state from which the run goes on bit for bit.

A step's gradient is that of the whole batch: each microbatch contributes its summed loss divided by what the *batch*
counts (learned tokens, or pairs), so gradient accumulation equals the big batch. The network stays in evaluation mode:
dropout is off, the only thing drawn is the order of the examples, a function of (seed, step), and there is no random
state to save. The caller's own random state is left alone.

Several processes share a step's microbatches (`processes`), and each yields the same steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn

from groma.formats.digest import digest
from groma.formats.errors import BadConfig, BadInput
from groma.methods import adapters, batches, digests, optimiser, processes, sharded
from groma.methods.batches import Batches
from groma.methods.config import Config, Learning
from groma.methods.processes import Processes
from groma.methods.state import Best, State, Step

Sums = dict[str, tuple[Tensor, int]]
"""Name of a metric → its sum over some examples, and over how many tokens or examples it was summed."""


class Objective(Protocol):
    """What a method adds to the loop: its examples, and the summed loss of some of them."""

    @property
    def lengths(self) -> Sequence[int]:
        """Tokens that each example takes in a batch, what fills its own rows up among them: like ones go together."""

    @property
    def tokens(self) -> Sequence[int]:
        """Tokens of each example that are read."""

    @property
    def weights(self) -> Sequence[int]:
        """What each example counts in the mean loss: its learned tokens, or 1 for a pair."""

    def sums(self, net: nn.Module, indices: Sequence[int]) -> Sums:
        """The metrics of the examples at `indices`; `loss` among them, differentiable."""


@runtime_checkable
class Begins(Protocol):
    """An objective that has to see a whole batch before the microbatches are summed."""

    def begin(self, net: nn.Module, indices: Sequence[int]) -> None:
        """The batch of `indices` comes next; every process is told the whole of it. No gradients are kept."""


Learns = TypeVar("Learns", bound=Objective)


@dataclass(frozen=True, slots=True)
class Job(Generic[Learns]):
    """A method's run, ready to begin: what `steps` needs beside the network.

    data: digest of all rows. notes: what was done to the examples. kept: what the method keeps in every State.
    """

    method: str
    config: Config
    data: str
    objective: Learns
    evaluation: Learns | None = None
    notes: Mapping[str, int] = field(default_factory=dict)
    kept: Mapping[str, Tensor] = field(default_factory=dict)


def check_evaluation(config: Config, evaluation: Sequence[object]) -> None:
    """Evaluation data and `evaluate_every` come together or not at all."""
    if config.evaluate_every is not None and not evaluation:
        raise BadConfig(f"evaluate_every {config.evaluate_every} would have no effect: there is no evaluation data")
    if config.evaluate_every is None and evaluation:
        raise BadConfig(f"{len(evaluation)} evaluation examples would have no effect: evaluate_every is not set")


def prepare(net: nn.Module, config: Learning) -> None:
    """Make the weights that are trained float32, in place; under bfloat16 arithmetic, frozen ones stay as they are."""
    if config.lora_rank is None or arithmetic(net, config) is None:
        net.float()
    net.eval()


def arithmetic(net: nn.Module, config: Learning) -> torch.dtype | None:
    """The type that matrix products are computed in, where it is not that of the weights."""
    device = next(net.parameters()).device.type
    able = device == "cuda" and torch.cuda.is_bf16_supported()
    chosen = config.precision or ("bfloat16" if able else "float32")
    return torch.bfloat16 if chosen == "bfloat16" else None


def autocast(net: nn.Module, config: Learning) -> AbstractContextManager[Any]:
    """The context in which the network is run, for training, reference and evaluation alike."""
    dtype = arithmetic(net, config)
    return torch.autocast(next(net.parameters()).device.type, dtype=dtype) if dtype is not None else nullcontext()


def steps(net: nn.Module, job: Job[Any], resume: State | None = None) -> Iterator[Step]:
    """Train `net` in place. When the iterator ends or is closed, `net` is a plain network in evaluation mode.

    It then has the last weights or, where evaluations ran and `keep` is "best", the best ones. Where several processes
    hold shards of the weights, `net` is empty while the run lasts, and stays so where the run fails or is closed before
    its end; a step's state, which is whole, is to be asked for in all of them.
    """
    run = _Run(net, job)
    ended = False
    try:
        if resume is not None:
            run.restore(resume)
        while run.number < run.of:
            metrics = run.learn()
            yield Step(run.number, run.of, metrics, run.evaluate(), run.best, run.capture, job.notes)
        ended = True
    finally:
        if ended or not run.processes.shards:  # who failed alone would wait for the others for ever
            run.end()


class _Run:
    """The moving parts of a run: network, optimiser, step number, best evaluation."""

    def __init__(self, net: nn.Module, job: Job[Any]) -> None:
        self.net, self.job, self.config, self.processes = net, job, job.config, processes.here()
        self.processes.agree("the examples or the options", f"{job.data} {digest(job.config.to_dict())}")
        self.of = batches.total_steps(len(job.objective.lengths), job.config)
        self.batches = Batches(job.objective.lengths, job.config)
        self.number, self.best, self.start = 0, None, ""  # type: int, Best | None, str
        prepare(net, job.config)
        if job.config.lora_rank is not None:
            adapters.attach(net, job.config)
            self.start = digests.of_frozen(net)
        self.running = sharded.shard(net, self.processes) if self.processes.shards else net
        self.weights = dict(self.running.named_parameters())
        self.trained = {name: weight for name, weight in self.weights.items() if weight.requires_grad}
        self.optimiser = optimiser.adamw(self.running, job.config)

    def learn(self) -> dict[str, float]:
        """One step: gradients of all microbatches, clipping, update. Returns the batch's metrics."""
        objective, config, step = self.job.objective, self.config, self.number
        groups = self.batches.of_step(step)
        indices = [index for group in groups for index in group]
        share = 1.0 / sum(objective.weights[index] for index in indices)
        share *= self.processes.count if self.processes.shards else 1  # FSDP2 takes the mean over processes
        parts: list[Sums] = []
        self.optimiser.zero_grad(set_to_none=True)
        _begin(self.running, objective, indices, config)
        for group, counts in self.processes.deal(groups):
            with torch.enable_grad():  # the caller may iterate without
                with autocast(self.running, config):
                    sums = objective.sums(self.running, group)
                (sums["loss"][0] * (share if counts else 0.0)).backward()
            parts.append(_detached(sums, counts))
        self.processes.sum_gradients(self.trained.values())
        norm = nn.utils.clip_grad_norm_(self.trained.values(), config.max_grad_norm or math.inf)
        size = optimiser.learning_rate(step, self.of, config)
        metrics = _means(parts, self.processes)
        metrics |= {"grad_norm": float(sharded.whole(norm)), "learning_rate": size}
        metrics["tokens"] = float(sum(objective.tokens[index] for index in indices))
        if not (math.isfinite(metrics["loss"]) and math.isfinite(metrics["grad_norm"])):
            raise BadConfig(
                f"training diverged at step {step + 1}: loss {metrics['loss']}, gradient norm {metrics['grad_norm']}\n"
                f"  learning_rate is {config.learning_rate} and max_grad_norm {config.max_grad_norm}: lower them"
            )
        optimiser.set_learning_rate(self.optimiser, size)
        self.optimiser.step()
        self.number += 1
        return metrics

    def evaluate(self) -> dict[str, float] | None:
        """The evaluation examples' metrics, where this step has an evaluation; remembers the best."""
        every, objective = self.config.evaluate_every, self.job.evaluation
        if objective is None or every is None or (self.number % every and self.number != self.of):
            return None
        metrics = measure(self.running, objective, self.config)
        if self.best is None or metrics["loss"] < self.best.loss:
            weights = copies(self.trained) if self.config.keep == "best" else {}
            self.best = Best(self.number, metrics["loss"], weights)
        return metrics

    def capture(self, number: int) -> State:
        if number != self.number:
            raise RuntimeError(f"the state of step {number} is gone: read it before the next step, while the run lasts")
        return State(
            self.job.method,
            self.config.to_dict(),
            self.job.data,
            self.number,
            copies(self.trained),
            copied(self.optimiser.state_dict()),
            self.start,
            self.best,
            self.job.kept,
        )

    def end(self) -> None:
        """Best weights back, shards made whole, adapters folded in, gradients freed."""
        if self.best is not None and self.best.weights:
            self._load(self.best.weights)
        self.optimiser.zero_grad(set_to_none=True)
        self.number = -1
        if self.processes.shards:
            sharded.give_back(self.net, self.weights)
        if self.config.lora_rank is not None:
            adapters.merge(self.net)

    def restore(self, state: State) -> None:
        """Go on where `state` was captured. BadInput where the model is not the one that the run began with."""
        if state.start != self.start:
            raise BadInput(
                f"the frozen weights have the digest {self.start}, those of the saved state {state.start}",
                expected="the model that the run began with; the adapters alone are in the state",
            )
        self._load(state.weights)
        self.optimiser.load_state_dict(copied(state.optimiser))
        sharded.lay_averages(self.optimiser)
        self.number, self.best = state.step, state.best

    def _load(self, weights: Mapping[str, Tensor]) -> None:
        wrong = sorted(
            name for name in {*weights, *self.trained}
            if name not in weights or name not in self.trained or weights[name].shape != self.trained[name].shape
        )  # fmt: skip
        if wrong:
            what = f"the saved weights do not fit the model ({', '.join(wrong[:3])})"
            raise BadInput(what, expected="the model that the run began with")
        with torch.no_grad():
            for name, weight in self.trained.items():
                weight.copy_(sharded.laid(weights[name], weight))


def measure(net: nn.Module, objective: Objective, config: Config) -> dict[str, float]:
    """The mean metrics of all examples of `objective`, without gradients and without dropout."""
    together, parts, groups = processes.here(), [], Batches(objective.lengths, config).of_all()
    _begin(net, objective, range(len(objective.lengths)), config)
    for group, counts in together.deal(groups):
        with torch.no_grad(), autocast(net, config):
            parts.append(_detached(objective.sums(net, group), counts))
    return _means(parts, together)


def _begin(net: nn.Module, objective: Objective, indices: Sequence[int], config: Config) -> None:
    if isinstance(objective, Begins):
        with torch.no_grad(), autocast(net, config):
            objective.begin(net, indices)


def _detached(sums: Sums, counts: bool) -> Sums:
    """The sums without their gradients; nothing, under the same names, where they do not count."""
    if not counts:
        return {name: (value.new_zeros(()), 0) for name, (value, _) in sums.items()}
    return {name: (value.detach(), count) for name, (value, count) in sums.items()}


def _means(parts: Sequence[Sums], together: Processes) -> dict[str, float]:
    """Sums of microbatches, of all processes → means over the batch."""
    values = torch.stack([torch.stack([part[name][0].float() for name in parts[0]]) for part in parts]).sum(0).tolist()
    counts = [sum(part[name][1] for part in parts) for name in parts[0]]
    summed = together.sums([*values, *counts])
    pairs = zip(summed[: len(values)], summed[len(values) :], strict=True)
    return {name: value / count for name, (value, count) in zip(parts[0], pairs, strict=True)}


def copies(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights as they are now, whole, on the CPU."""
    return {name: sharded.whole(weight.detach()).to("cpu", copy=True) for name, weight in weights.items()}


def copied(value: Any) -> Any:
    """Nested dictionaries and lists with every tensor copied."""
    if isinstance(value, Tensor):
        return sharded.whole(value.detach()).to("cpu", copy=True)
    if isinstance(value, Mapping):
        return {name: copied(one) for name, one in value.items()}
    return [copied(one) for one in value] if isinstance(value, list) else value
