"""Supervised fine-tuning: -log pi(completion | prompt), Ouyang et al. 2022, step 1, on the assistant's words alone.

The loss is the mean over the batch's learned tokens: all assistant's turns of the completion, the end token of each
among them. We differ from common trainers: the mean is over the whole batch, not over each microbatch; rows in which
nothing can be learned are refused; only learned positions reach the output head; dropout is off.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import nn

from groma.formats.examples import Demonstration
from groma.methods import batches, digests, tokens, training
from groma.methods import config as options
from groma.methods.forward import learned
from groma.methods.state import State, Step
from groma.methods.tokens import Row
from groma.methods.training import Sums
from groma.models.model import Model

METHOD = "sft"


@dataclass(frozen=True, kw_only=True)
class Config(options.Config):
    """Options of supervised fine-tuning: those that all methods share."""


def train(
    model: Model,
    examples: Sequence[Demonstration],
    config: Config,
    state: State | None = None,
    evaluation: Sequence[Demonstration] = (),
) -> Iterator[Step]:
    """Train `model.net` in place on demonstrations; it is left a plain network, see `training.steps`.

    Metrics: `loss` in nats and `mean_token_accuracy`, per learned token; `supervised_eos_fraction`: share of the
    completions whose end token is learned (1 unless truncation cut it off, or the tokenizer has none); `tokens` read;
    `learning_rate`; `grad_norm` before clipping.
    Errors: BadConfig and BadInput, for the options and the examples, when `train` is called.
    """
    training.check_evaluation(config, evaluation)
    learn = tokens.demonstrations(model, examples, config)
    held_out = tokens.demonstrations(model, evaluation, config) if evaluation else tokens.Tokenised()
    data = digests.of_arrays(array for row in (*learn.rows, *held_out.rows) for array in (row.ids, row.learned))
    batches.total_steps(len(learn.rows), config)
    if state is not None:
        state.check(METHOD, config, data)
    other = Answers(held_out.rows, config) if held_out.rows else None
    job = training.Job(METHOD, config, data, Answers(learn.rows, config), other, notes=learn.beside(held_out))
    return training.steps(model.net, job, state)


class Answers:
    """The objective: rows, and the summed negative log-probability of what is learned in them."""

    def __init__(self, rows: Sequence[Row], config: Config) -> None:
        self.rows, self.config = rows, config
        self.tokens = self.lengths = [row.length for row in rows]
        self.weights = [int(row.learned.sum()) for row in rows]

    def sums(self, net: nn.Module, indices: Sequence[int]) -> Sums:
        rows = [self.rows[index] for index in indices]
        told = learned(net, [(row,) for row in rows], self.config).told
        loss, count = -told.logprobs_N.sum(), len(told.logprobs_N)
        ended = loss.new_tensor(sum(row.ended for row in rows))
        return {
            "loss": (loss, count),
            "mean_token_accuracy": (told.likeliest_N.sum(), count),
            "supervised_eos_fraction": (ended, sum(row.completions for row in rows)),
        }
