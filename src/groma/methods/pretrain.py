"""Pre-training from scratch: the next token of every position, over rows of whole documents.

Documents follow each other in a row, each within its begin and end tokens, and later ones see earlier ones: that is
how a model learns to go on in the manner of whoever spoke before. A document is never cut in two; what does not fit
begins the next row, and a document longer than a row is refused. Small batches win per token at this size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn
from torch.nn import functional

from groma.formats.errors import BadInput
from groma.formats.messages import Message
from groma.methods import batches, digests, training
from groma.methods import config as options
from groma.methods.state import State, Step
from groma.methods.training import Job, Sums
from groma.models.model import Model

METHOD = "pretrain"
TOLD_EVERY = 200
"""Rows between two reports of progress."""


@dataclass(frozen=True, kw_only=True)
class Config(options.Config):
    """Options of pre-training. The defaults are for a model of about a million parameters."""

    learning_rate: float = 3e-3
    """Peak step size of AdamW, reached after the warm-up."""
    batch_size: int = 8
    """Rows per optimiser step."""
    warmup_steps: int = 50
    """Steps over which the step size rises linearly from zero."""
    weight_decay: float = 0.05
    """AdamW's decoupled decay, on matrices only."""
    betas: tuple[float, float] = (0.9, 0.95)
    """AdamW's two averages."""
    bucket: int | None = None
    """Rows are about equally long: there is nothing to sort."""
    loss_megabytes: float | None = None
    """Every position is learned, from one forward pass."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("max_length", "truncation", "bucket"):
            options.inert(self, name, "rows are packed to their length beforehand", True)
        options.inert(self, "loss_megabytes", "all positions of a microbatch are learned at once", True)
        for name in ("evaluate_every", "keep"):
            options.inert(self, name, "pre-training has no evaluation data", True)


def pack(
    documents: Iterable[str | tuple[Message, ...]],
    model: Model,
    tokens: int,
    length: int,
    told: Callable[[int, int], None] = lambda done, of: None,
) -> tuple[np.ndarray, ...]:
    """Rows of at most `length` tokens, in the order of `documents`, until they hold `tokens` tokens in all.

    told: is told now and then how many tokens are packed, and of how many.
    """
    rows: list[np.ndarray] = []
    row: list[int] = []
    total = 0
    for document in documents:
        ids = ids_of(document, model)
        if len(ids) > length:
            raise BadInput(
                f"a document of {len(ids)} tokens: {document!r:.80}", expected=f"at most {length}, the length of a row"
            )
        if len(row) + len(ids) > length:
            rows.append(np.array(row))
            total, row = total + len(row), []
            if len(rows) % TOLD_EVERY == 0:
                told(min(total, tokens), tokens)
            if total >= tokens:
                return tuple(rows)
        row.extend(ids)
    return (*rows, np.array(row)) if row else tuple(rows)


def train(model: Model, rows: Sequence[np.ndarray], config: Config, state: State | None = None) -> Iterator[Step]:
    """Train `model.net` in place on `rows`. Metrics: `loss` in nats per token, `grad_norm`, `learning_rate`,
    `tokens`.
    """
    data = digests.of_arrays(rows)
    if state is not None:
        state.check(METHOD, config, data)
    return training.steps(model.net, Job(METHOD, config, data, _Rows(rows)), state)


class _Rows:
    """The objective: every token but a row's first is to be predicted."""

    def __init__(self, rows: Sequence[np.ndarray]) -> None:
        self.rows = rows
        self.tokens = self.lengths = [len(row) for row in rows]
        self.weights = [len(row) - 1 for row in rows]

    def sums(self, net: nn.Module, indices: Sequence[int]) -> Sums:
        device = next(net.parameters()).device
        ids_BT, lengths_B = batches.pad([self.rows[index] for index in indices], device)
        # The network's own forward pass: another one rounds otherwise, and would make other bits of the frozen bases.
        logits_BTV = net(input_ids=ids_BT, use_cache=False).logits[:, :-1]
        there_BT = (lengths_B[:, None] - 1) > lengths_B.new_tensor(range(ids_BT.shape[1] - 1))
        loss = functional.cross_entropy(logits_BTV[there_BT].float(), ids_BT[:, 1:][there_BT], reduction="sum")
        return {"loss": (loss, sum(self.weights[index] for index in indices))}


def ids_of(document: str | tuple[Message, ...], model: Model) -> list[int]:
    tokenizer = model.tokenizer
    if isinstance(document, str):
        return [*tokenizer(document)["input_ids"], tokenizer.eos_token_id]
    turns = [message.to_dict() for message in document]
    return list(tokenizer.apply_chat_template(turns, tokenize=True, return_dict=False))
