"""Direct preference optimisation. Rafailov et al. 2023, eq. 7, for a chosen answer c and a rejected one r:

    -log sigmoid(beta * margin),  margin = (log pi(c) - log ref(c)) - (log pi(r) - log ref(r))

As there: sums, not means, of the answer's token log-probabilities (the end token among them), the prompt masked. We
differ: the reference is what the run starts from, its log-probabilities computed once, in the batches of the first
epoch, before anything is trained; dropout stays off; both sides of a pair go through the network in one batch, in one
row where the network allows it, which reads their prompt once (`models.shared`).

`loss_type`:
    sigmoid   as above; `label_smoothing` e makes it conservative DPO (Mitchell 2023): (1 - e) L(chosen) +
              e L(rejected); a soft label (the `probability` column) does so pair by pair
    hinge     max(0, 1 - beta * margin), Zhao et al. 2023 (SLiC) as in TRL and RSO (Liu et al. 2023)
    ipo       (margin - 1 / (2 beta))^2, Azar et al. 2023, eq. 17. The paper writes log-probabilities of whole answers:
              `normalisation="sum"`. TRL divides each side by its answer's tokens and reports that the authors confirmed
              this as what their results used: "mean", our default
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from groma.formats.errors import BadConfig, BadInput
from groma.formats.examples import Preference
from groma.methods import adapters, batches, digests, processes, reference, tokens, training
from groma.methods import config as options
from groma.methods.batches import Batches
from groma.methods.config import inert, require
from groma.methods.forward import pair_logprobs
from groma.methods.paired import Paired, share
from groma.methods.state import State, Step
from groma.methods.tokens import Pair
from groma.methods.training import Job, Sums
from groma.models.model import Model
from groma.models.shared import logprobs
from groma.models.straight import plain

METHOD = "dpo"


@dataclass(frozen=True, kw_only=True)
class Config(options.Config):
    """Options of DPO, beside those that all methods share."""

    learning_rate: float = 1e-6
    """Peak step size of AdamW, reached after the warm-up."""
    beta: float = 0.1
    """Pull to the reference; larger is closer. For ipo: the paper's tau."""
    loss_type: Literal["sigmoid", "hinge", "ipo"] = "sigmoid"
    """Which loss of the margin; see the head of the file."""
    label_smoothing: float = 0.0
    """Share of the labels taken to be wrong (conservative DPO); only with sigmoid."""
    normalisation: Literal["sum", "mean"] | None = None
    """Only with ipo: log-probabilities summed over the answer, or their mean per token. None: mean."""
    prompts: Literal["shared", "apart"] = "shared"
    """shared: what both answers begin with is read once, where that pays and the network gives the same for it; apart:
    once for each answer."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 < self.beta < math.inf, f"beta is {self.beta!r}; it must be above 0, and finite")
        require(0 <= self.label_smoothing < 0.5, f"label_smoothing is {self.label_smoothing!r}; it must be in [0, 0.5)")
        other = f"loss_type is {self.loss_type!r}"
        inert(self, "label_smoothing", f"{other}, and only sigmoid smooths labels", self.loss_type != "sigmoid")
        inert(self, "normalisation", f"{other}, and only ipo divides by lengths", self.loss_type != "ipo")


def loss(
    policy_B2: Tensor, reference_B2: Tensor, lengths_B2: Tensor, config: Config, sure_B: Tensor | None = None
) -> Tensor:
    """The loss of each pair (B,), from summed log-probabilities in nats. Column 0 is the chosen answer, 1 the rejected.

    lengths_B2: supervised tokens of each answer, read by ipo with the mean per token. sure_B: the probability that the
    chosen answer is the better one, read by sigmoid; None: 1.
    """
    ratio_B2 = policy_B2 - reference_B2
    if config.loss_type == "ipo" and config.normalisation != "sum":
        ratio_B2 = ratio_B2 / lengths_B2
    margin_B = ratio_B2[:, 0] - ratio_B2[:, 1]
    if config.loss_type == "ipo":
        return (margin_B - 1 / (2 * config.beta)) ** 2
    if config.loss_type == "hinge":
        return torch.relu(1 - config.beta * margin_B)
    right = functional.logsigmoid(config.beta * margin_B)
    wrong = functional.logsigmoid(-config.beta * margin_B)
    doubt = config.label_smoothing if sure_B is None else 1 - sure_B + config.label_smoothing * (2 * sure_B - 1)
    return -(1 - doubt) * right - doubt * wrong


def train(
    model: Model,
    examples: Sequence[Preference],
    config: Config,
    state: State | None = None,
    evaluation: Sequence[Preference] = (),
    cache: Path | None = None,
) -> Iterator[Step]:
    """Train `model.net` in place on preferences; it is left a plain network, see `training.steps`.

    cache: folder in which reference log-probabilities are kept, and found again by content; None: nowhere. They also
    stand in every State, so that a resumed run has the reference that it began with.
    Metrics, means over the batch's pairs: `loss`, `logps/{chosen,rejected}` (summed over the answer, in nats),
    `rewards/{chosen,rejected,margins}` (beta times the log-ratio to the reference), `rewards/accuracies` (a tie counts
    as wrong); and `supervised_eos_fraction`, `tokens` (what a pair shares counted once where it is read once),
    `learning_rate`, `grad_norm` as in SFT.
    Errors: BadConfig and BadInput, for the options and the examples, when `train` is called.
    """
    training.check_evaluation(config, evaluation)
    learn = tokens.preferences(model, examples, config)
    held_out = tokens.preferences(model, evaluation, config) if evaluation else tokens.Tokenised()
    rows = [row for pair in (*learn.rows, *held_out.rows) for row in pair.rows]
    sure = [pair.sure for pair in (*learn.rows, *held_out.rows)]
    if config.loss_type != "sigmoid" and any(one != 1.0 for one in sure):
        raise BadConfig(
            f"the labels are soft (column probability), and loss_type {config.loss_type} takes none: sigmoid does"
        )
    data = digests.of_arrays([*(array for row in rows for array in (row.ids, row.learned)), np.array(sure)])
    batches.total_steps(len(learn.rows), config)
    if state is not None:
        state.check(METHOD, config, data)
    margins = sum(one.margin is not None for one in examples)
    notes = learn.beside(held_out) | ({"have a margin, which DPO does not use": margins} if margins else {})
    other = Pairs(held_out.rows, config) if held_out.rows else None
    return _steps(model.net, Job(METHOD, config, data, Pairs(learn.rows, config), other, notes), state, cache)


def _steps(net: PreTrainedModel, job: Job[Pairs], state: State | None, cache: Path | None) -> Iterator[Step]:
    """The run, with the reference before it: that of the saved state, or `net` as it is now."""
    learn, other, config = job.objective, job.evaluation, job.config
    training.prepare(net, config)
    notes = dict(job.notes)
    if learn.config.prompts == "shared":
        notes |= share(net, learn, other, logprobs)
        if state is not None and bool(state.kept.get("shared", learn.shared)) != learn.shared:
            raise BadInput(
                f"the saved run read prompts {'for each answer' if learn.shared else 'once'}, and this one would not",
                expected="the network, the attention and the versions that the run began with",
            )
    if state is not None:
        kept = dict(state.kept)
    else:
        adapters.merge(net)
        kept = {"shared": torch.tensor(learn.shared)}
        with plain() if processes.here().shards else nullcontext():  # as the shards will be asked
            kept["train"] = learn.scored(net, Batches(learn.lengths, config).first_epoch(), cache)
            if other is not None:
                kept["evaluation"] = other.scored(net, Batches(other.lengths, config).of_all(), cache)
    learn.reference_n2 = kept["train"]
    if other is not None:
        other.reference_n2 = kept["evaluation"]
    yield from training.steps(net, replace(job, kept=kept, notes=notes), state)


class Pairs(Paired):
    """The objective: pairs of rows, and the reference's log-probabilities of both sides (n, 2), once they are known."""

    def __init__(self, pairs: Sequence[Pair], config: Config) -> None:
        super().__init__(pairs)
        self.config, self.reference_n2 = config, torch.full((len(pairs), 2), math.nan)

    def scored(self, net: nn.Module, groups: Sequence[Sequence[int]], cache: Path | None) -> Tensor:
        """Log-probabilities (n, 2) of both sides under `net`, computed in these microbatches."""
        return reference.logprobs(net, self.pairs, groups, self.config, cache, shared=self.shared)

    def sums(self, net: nn.Module, indices: Sequence[int]) -> Sums:
        pairs = [self.pairs[index] for index in indices]
        policy_B2 = pair_logprobs(net, pairs, self.config, shared=self.shared)
        reference_B2 = self.reference_n2[list(indices)].to(policy_B2)
        lengths_B2 = policy_B2.new_tensor([[int(row.learned.sum()) for row in pair.rows] for pair in pairs])
        sure_B = policy_B2.new_tensor([pair.sure for pair in pairs])
        losses_B = loss(policy_B2, reference_B2, lengths_B2, self.config, sure_B)
        rewards_B2 = self.config.beta * (policy_B2.detach() - reference_B2)
        margins_B = rewards_B2[:, 0] - rewards_B2[:, 1]
        rows, count = [row for pair in pairs for row in pair.rows], len(pairs)
        ended = policy_B2.new_tensor(sum(row.ended for row in rows))
        return {
            "loss": (losses_B.sum(), count),
            "rewards/chosen": (rewards_B2[:, 0].sum(), count),
            "rewards/rejected": (rewards_B2[:, 1].sum(), count),
            "rewards/margins": (margins_B.sum(), count),
            "rewards/accuracies": ((margins_B > 0).sum(), count),
            "logps/chosen": (policy_B2[:, 0].sum(), count),
            "logps/rejected": (policy_B2[:, 1].sum(), count),
            "supervised_eos_fraction": (ended, sum(row.completions for row in rows)),
        }
