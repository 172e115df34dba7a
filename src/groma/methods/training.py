"""The loop that the methods share: batches in, steps out, at every step a state from which the run goes on bit for bit.

A step's gradient is that of the whole batch: each microbatch contributes its summed loss divided by what the *batch*
counts (learned tokens, or pairs), so gradient accumulation equals the big batch. The network stays in evaluation mode:
dropout is off, the only thing drawn is the order of the examples, a function of (seed, step), and there is no random
state to save. The caller's own random state is left alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

from groma.formats.errors import BadConfig, BadInput
from groma.methods import adapters, batches, digests, optimiser
from groma.methods.batches import Batches
from groma.methods.config import Config
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


def prepare(net: nn.Module, config: Config) -> None:
    """Make the weights that are trained float32, in place; under bfloat16 arithmetic, frozen ones stay as they are."""
    if config.lora_rank is None or arithmetic(net, config) is None:
        net.float()
    net.eval()


def arithmetic(net: nn.Module, config: Config) -> torch.dtype | None:
    """The type that matrix products are computed in, where it is not that of the weights."""
    device = next(net.parameters()).device.type
    able = device == "cuda" and torch.cuda.is_bf16_supported()
    chosen = config.precision or ("bfloat16" if able else "float32")
    return torch.bfloat16 if chosen == "bfloat16" else None


def autocast(net: nn.Module, config: Config) -> AbstractContextManager[Any]:
    """The context in which the network is run, for training, reference and evaluation alike."""
    dtype = arithmetic(net, config)
    return torch.autocast(next(net.parameters()).device.type, dtype=dtype) if dtype is not None else nullcontext()


def steps(net: nn.Module, job: Job[Any], resume: State | None = None) -> Iterator[Step]:
    """Train `net` in place. When the iterator ends or is closed, `net` is a plain network in evaluation mode.

    It then has the last weights or, where evaluations ran and `keep` is "best", the best ones.
    """
    run = _Run(net, job)
    try:
        if resume is not None:
            run.restore(resume)
        while run.number < run.of:
            metrics = run.learn()
            yield Step(run.number, run.of, metrics, run.evaluate(), run.best, run.capture, job.notes)
    finally:
        run.end()


class _Run:
    """The moving parts of a run: network, optimiser, step number, best evaluation."""

    def __init__(self, net: nn.Module, job: Job[Any]) -> None:
        self.net, self.job, self.config = net, job, job.config
        self.of = batches.total_steps(len(job.objective.lengths), job.config)
        self.batches = Batches(job.objective.lengths, job.config)
        self.number, self.best, self.start = 0, None, ""  # type: int, Best | None, str
        prepare(net, job.config)
        if job.config.lora_rank is not None:
            adapters.attach(net, job.config)
            self.start = digests.of_frozen(net)
        self.trained = {name: weight for name, weight in net.named_parameters() if weight.requires_grad}
        self.optimiser = optimiser.adamw(net, job.config)

    def learn(self) -> dict[str, float]:
        """One step: gradients of all microbatches, clipping, update. Returns the batch's metrics."""
        objective, config, step = self.job.objective, self.config, self.number
        groups = self.batches.of_step(step)
        indices = [index for group in groups for index in group]
        share = 1.0 / sum(objective.weights[index] for index in indices)
        parts: list[Sums] = []
        self.optimiser.zero_grad(set_to_none=True)
        for group in groups:
            with torch.enable_grad():  # the caller may iterate without
                with autocast(self.net, config):
                    sums = objective.sums(self.net, group)
                (sums["loss"][0] * share).backward()
            parts.append({name: (value.detach(), count) for name, (value, count) in sums.items()})
        norm = nn.utils.clip_grad_norm_(self.trained.values(), config.max_grad_norm or math.inf)
        size = optimiser.learning_rate(step, self.of, config)
        metrics = _means(parts) | {"grad_norm": float(norm), "learning_rate": size}
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
        metrics = measure(self.net, objective, self.config)
        if self.best is None or metrics["loss"] < self.best.loss:
            weights = _copies(self.trained) if self.config.keep == "best" else {}
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
            _copies(self.trained),
            _copied(self.optimiser.state_dict()),
            self.start,
            self.best,
            self.job.kept,
        )

    def end(self) -> None:
        """Best weights back, adapters folded in, gradients freed."""
        if self.best is not None and self.best.weights:
            self._load(self.best.weights)
        self.optimiser.zero_grad(set_to_none=True)
        self.number = -1
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
        self.optimiser.load_state_dict(_copied(state.optimiser))
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
                weight.copy_(weights[name])


def measure(net: nn.Module, objective: Objective, config: Config) -> dict[str, float]:
    """The mean metrics of all examples of `objective`, without gradients and without dropout."""
    parts = []
    for group in Batches(objective.lengths, config).of_all():
        with torch.no_grad(), autocast(net, config):
            parts.append(objective.sums(net, group))
    return _means(parts)


def _means(parts: Sequence[Sums]) -> dict[str, float]:
    """Sums of microbatches → means over the batch."""
    values = torch.stack([torch.stack([part[name][0].float() for name in parts[0]]) for part in parts]).sum(0).tolist()
    counts = [sum(part[name][1] for part in parts) for name in parts[0]]
    return {name: value / count for name, value, count in zip(parts[0], values, counts, strict=True)}


def _copies(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: weight.detach().to("cpu", copy=True) for name, weight in weights.items()}


def _copied(value: Any) -> Any:
    """Nested dictionaries and lists with every tensor copied."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, Mapping):
        return {name: _copied(one) for name, one in value.items()}
    return [_copied(one) for one in value] if isinstance(value, list) else value
