"""Kahneman-Tversky optimisation. Ethayarajh et al. 2024 (arXiv 2402.01306, last version), eq. 7 and 8: completions that
are labelled desirable or undesirable one by one, without another to compare them with.

    desirable     lambda_D (1 - sigmoid(beta (r - z)))      r = log pi(y | x) - log ref(y | x)
    undesirable   lambda_U (1 - sigmoid(beta (z - r)))      z = max(0, mean of log pi(y' | x) - log ref(y' | x))

As there: sums of the completion's token log-probabilities (the end token among them), the prompt masked; z is the mean
over mismatched pairs, a prompt x with the completion y' of another example, and is not differentiated. The completions
of each batch are rotated by one against its prompts, so that z is about the very completions that the batch learns.

We differ, so that microbatches change memory and speed and never the result: z is the mean over the whole batch, of all
processes, under the weights that the step begins with. The paper takes it over a microbatch, TRL 1.16 over the batch of
each device, so that gradient accumulation gives each part a z of its own. TRL rotates the file in its order, once, and
must not shuffle; we rotate the batches of the first epoch and keep these pairs in later ones, so that the reference of
each is computed once. Completions of one prompt are rotated past each other (`mismatched`), and a last batch of one
example is rotated with the batch before. The reference is what the run starts from, computed before anything is
trained, and dropout is off, as in DPO.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from groma.formats.errors import BadInput
from groma.formats.examples import Labelled
from groma.methods import adapters, batches, digests, mismatched, processes, reference, tokens, training
from groma.methods import config as options
from groma.methods.batches import Batches
from groma.methods.config import require
from groma.methods.forward import pair_logprobs
from groma.methods.state import State, Step
from groma.methods.tokens import Row, Tokenised
from groma.methods.training import Job, Sums
from groma.models.model import Model
from groma.models.straight import plain

METHOD = "kto"
ADVISED = (1.0, 1.5)
"""What the desirable examples together should weigh, in terms of the undesirable ones: eq. 9. The paper's first version
and TRL say 4/3 instead of 3/2."""


@dataclass(frozen=True, kw_only=True)
class Config(options.Config):
    """Options of KTO, beside those that all methods share."""

    learning_rate: float = 5e-6
    """Peak step size of AdamW, reached after the warm-up. The paper's; it wants 2 to 10 times that of DPO."""
    beta: float = 0.1
    """Pull to the reference; larger is closer, since the value of a completion saturates nearer to z."""
    desirable_weight: float = 1.0
    """The paper's lambda_D: what a desirable example counts."""
    undesirable_weight: float = 1.0
    """The paper's lambda_U: what an undesirable example counts."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.must(
            ("batch_size", self.batch_size >= 2, "at least 2: alone, a prompt has no other example's completion"),
            ("beta", 0 < self.beta < math.inf, "above 0, and finite"),
            ("desirable_weight", 0 < self.desirable_weight < math.inf, "above 0, and finite"),
            ("undesirable_weight", 0 < self.undesirable_weight < math.inf, "above 0, and finite"),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A row, and whether its completion is desirable."""

    row: Row
    desirable: bool

    @property
    def rows(self) -> tuple[Row]:
        """What is scored together: one row."""
        return (self.row,)


def loss(policy_B: Tensor, reference_B: Tensor, desirable_B: Tensor, kl: float, config: Config) -> Tensor:
    """The loss of each example (B,), from summed log-probabilities in nats. desirable_B: its labels; kl: z, in nats."""
    value_B = config.beta * (policy_B - reference_B - kl)
    good_B = config.desirable_weight * torch.sigmoid(-value_B)  # 1 - sigmoid(v), without its rounding
    bad_B = config.undesirable_weight * torch.sigmoid(value_B)
    return torch.where(desirable_B, good_B, bad_B)


def train(
    model: Model,
    examples: Sequence[Labelled],
    config: Config,
    state: State | None = None,
    evaluation: Sequence[Labelled] = (),
    cache: Path | None = None,
) -> Iterator[Step]:
    """Train `model.net` in place on labelled completions; it is left a plain network, see `training.steps`.

    cache: folder in which reference log-probabilities are kept, and found again by content; None: nowhere. They also
    stand in every State, so that a resumed run has the reference that it began with.
    Metrics: `loss`, the mean over the batch; `kl`, its z in nats; `logps/{chosen,rejected}` (summed over the
    completion, in nats) and `rewards/{chosen,rejected}` (beta times the log-ratio to the reference), means over the
    batch's desirable and undesirable examples, left out where it has none; `rewards/margins`, their difference, where
    it has both; and `supervised_eos_fraction`, `tokens` (those of the mismatched pairs among them), `learning_rate`,
    `grad_norm` as in SFT. In an evaluation, z is the mean over all its examples.
    Notes say where one kind of label is missing, and where the kinds weigh other than eq. 9 advises.
    Errors: BadConfig and BadInput, for the options and the examples, when `train` is called.
    """
    training.check_evaluation(config, evaluation)
    learn = _tokenised(model, examples, config)
    held_out = _tokenised(model, evaluation, config) if evaluation else Tokenised()
    for what, some in (("examples", learn.rows), ("evaluation examples", held_out.rows)):
        if len(some) == 1:
            raise BadInput(f"1 is left of the {what}", expected="at least 2: prompts are joined to others' completions")
    both = (*learn.rows, *held_out.rows)
    arrays = [array for one in both for array in (one.row.ids, one.row.learned)]
    data = digests.of_arrays([*arrays, np.array([one.desirable for one in both])])
    batches.total_steps(len(learn.rows), config)
    if state is not None:
        state.check(METHOD, config, data)
    limit = config.max_length if config.max_length is not None else model.context
    objective = Answers(learn.rows, _epoch(learn.rows, config), limit, config)
    other = Answers(held_out.rows, [range(len(held_out.rows))], limit, config) if held_out.rows else None
    job = Job(METHOD, config, data, objective, other, learn.beside(held_out) | balance(learn.rows, config))
    return _steps(model.net, job, state, cache)


def balance(examples: Sequence[Judged], config: Config) -> dict[str, int]:
    """A note where one kind of label is missing, or where both weigh other than eq. 9 advises (note → examples)."""
    good = sum(one.desirable for one in examples)
    bad = len(examples) - good
    if not good or not bad:
        has, lacks = ("desirable", "undesirable") if good else ("undesirable", "desirable")
        return {f"are {has}, and none is {lacks}: nothing is learned of the difference": len(examples)}
    ratio = config.desirable_weight * good / (config.undesirable_weight * bad)
    low, high = ADVISED
    if low - 1e-9 <= ratio <= high + 1e-9:
        return {}
    fit = config.desirable_weight / ratio
    advised = f"{low:g} to {high:g} is advised: a desirable_weight from {fit * low:.3g} to {fit * high:.3g}"
    return {f"are desirable, and weigh {ratio:.3g} times what the undesirable ones do; {advised}": good}


def _tokenised(model: Model, examples: Sequence[Labelled], config: Config) -> Tokenised[Judged]:
    """The rows of both kinds, the desirable ones first."""
    made = tokens.labelled(model, examples, config)
    rows = sorted(made.rows, key=lambda one: not one[1])
    return Tokenised(tuple(Judged(row, label) for row, label in rows), made.notes)


def _epoch(examples: Sequence[Judged], config: Config) -> list[list[int]]:
    """The batches of the first epoch, each of two examples or more."""
    drawn = Batches([one.row.length for one in examples], config)
    found = [drawn.whole(step) for step in range(batches.steps_per_epoch(len(examples), config.batch_size))]
    return found if len(found[-1]) > 1 else [*found[:-2], found[-2] + found[-1]]


def _steps(net: PreTrainedModel, job: Job[Answers], state: State | None, cache: Path | None) -> Iterator[Step]:
    """The run, with the reference before it: that of the saved state, or `net` as it is now."""
    learn, other, config = job.objective, job.evaluation, job.config
    training.prepare(net, config)
    if state is not None:
        kept = dict(state.kept)
    else:
        adapters.merge(net)
        drawn, count = Batches(learn.lengths, config), len(learn.examples)
        first = min(batches.steps_per_epoch(count, config.batch_size), batches.total_steps(count, config))
        with plain() if processes.here().shards else nullcontext():  # as the shards will be asked
            kept = {"train": learn.scored(net, [drawn.of_step(step) for step in range(first)], cache)}
            if other is not None:
                kept["evaluation"] = other.scored(net, [Batches(other.lengths, config).of_all()], cache)
    learn.reference_n2 = kept["train"]
    if other is not None:
        other.reference_n2 = kept["evaluation"]
    yield from training.steps(net, replace(job, kept=kept), state)


class Answers:
    """The objective: labelled rows, each with a mismatched one, and the reference's log-probabilities of both (n, 2),
    once they are known. `begin` finds z for a batch, `sums` reads it.

    joined: the batches within which prompts are joined to completions; every example stands in one. limit: of tokens.
    """

    def __init__(
        self, examples: Sequence[Judged], joined: Sequence[Sequence[int]], limit: int | None, config: Config
    ) -> None:
        self.examples, self.config = examples, config
        prompts = [mismatched.prompt(one.row) for one in examples]
        partners = {index: one for batch in joined for index, one in mismatched.rotated(batch, prompts).items()}
        pairs = [(one, examples[partners[index]]) for index, one in enumerate(examples)]
        self.others = [Judged(mismatched.joined(one.row, other.row, limit), other.desirable) for one, other in pairs]
        longest, most = max(one.row.length for one in self.others), config.microbatch_tokens
        require(
            most is None or longest <= most,
            f"microbatch_tokens is {most}, and a prompt with the completion of another example takes {longest} tokens: "
            f"set it to {longest} or more, or lower max_length",
        )
        self.reference_n2 = torch.full((len(examples), 2), math.nan)
        self.lengths = [one.row.length for one in examples]
        self.tokens = [one.row.length + other.row.length for one, other in zip(examples, self.others, strict=True)]
        self.weights = [1] * len(examples)
        self.kl, self.good, self.bad = math.nan, 0, 0

    def scored(self, net: nn.Module, steps: Sequence[Sequence[Sequence[int]]], cache: Path | None) -> Tensor:
        """Log-probabilities (n, 2) of the rows and of the mismatched ones under `net`. steps: their microbatches."""
        groups = [group for step in steps for group in step]
        apart = [group for step in steps for group in self._split([index for group in step for index in group])]
        own = reference.logprobs(net, self.examples, groups, self.config, cache)
        return torch.cat([own, reference.logprobs(net, self.others, apart, self.config, cache)], dim=1)

    def begin(self, net: nn.Module, indices: Sequence[int]) -> None:
        """z of the batch of these examples under `net`, and how many of them are desirable."""
        together = processes.here()
        parts, count = [], 0
        for group, counts in together.deal(self._split(indices)):
            ratio_B = self._logprobs(net, self.others, group)
            ratio_B = ratio_B - self.reference_n2[list(group), 1].to(ratio_B)
            parts.append(ratio_B.sum() * counts)
            count += len(group) * counts
        total, number = together.sums([float(torch.stack(parts).sum()), float(count)])
        self.kl = max(0.0, total / number)
        self.good = sum(self.examples[index].desirable for index in indices)
        self.bad = len(indices) - self.good

    def sums(self, net: nn.Module, indices: Sequence[int]) -> Sums:
        some, count = [self.examples[index] for index in indices], len(indices)
        policy_B = self._logprobs(net, self.examples, indices)
        reference_B = self.reference_n2[list(indices), 0].to(policy_B)
        desirable_B = torch.tensor([one.desirable for one in some], device=policy_B.device)
        losses_B = loss(policy_B, reference_B, desirable_B, self.kl, self.config)
        rewards_B = self.config.beta * (policy_B.detach() - reference_B)
        ended = policy_B.new_tensor(sum(one.row.ended for one in some))
        found = {
            "loss": (losses_B.sum(), count),
            "kl": (policy_B.new_tensor(self.kl * count), count),
            "supervised_eos_fraction": (ended, sum(one.row.completions for one in some)),
        }
        number = sum(one.desirable for one in some)
        kinds = ("chosen", desirable_B, number, self.good), ("rejected", ~desirable_B, count - number, self.bad)
        for name, kind_B, here, in_batch in kinds:
            if in_batch:  # and so in every process: a mean over none is no number
                found[f"rewards/{name}"] = (torch.where(kind_B, rewards_B, 0.0).sum(), here)
                found[f"logps/{name}"] = (torch.where(kind_B, policy_B, 0.0).sum(), here)
        if self.good and self.bad:
            batch = self.good + self.bad
            share_B = torch.where(desirable_B, batch / self.good, -batch / self.bad)
            found["rewards/margins"] = ((rewards_B * share_B).sum(), count)
        return found

    def _logprobs(self, net: nn.Module, among: Sequence[Judged], indices: Sequence[int]) -> Tensor:
        """Summed log-probabilities (B,) of the completions of some rows."""
        return pair_logprobs(net, [among[index] for index in indices], self.config, shared=False)[:, 0]

    def _split(self, indices: Sequence[int]) -> list[list[int]]:
        """Microbatches of the mismatched rows of a batch; those of the batch's own rows may have other lengths."""
        return batches.split([one.row.length for one in self.others], indices, self.config)
