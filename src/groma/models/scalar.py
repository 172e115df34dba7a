"""Networks that say one number: sequence classifiers with one output, read at chosen positions.

A reward model is read at the last real token of a row, which its length tells; transformers' own forward pass searches
for a pad token, and reads the token before the end where a tokenizer pads with its end token. A critic is read at every
position before an action.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from groma.formats.errors import BadInput
from groma.models import straight
from groma.models.head import spelled
from groma.models.model import Model
from groma.models.quiet import quiet
from groma.models.shared import Ids, Layout, inputs

HEAD = "score"
"""What transformers calls the layer behind a decoder that says the numbers."""


def with_head(model: Model, std: float, seed: int = 0) -> Model:
    """A copy of a language model that says one number in the place of words: weights of its head ~ N(0, std²), no bias.

    Equal seeds give equal heads; the global random state is left alone. BadInput for a network of which transformers
    has no sequence classifier that reads the last token.
    """
    net = model.net
    config = copy.deepcopy(net.config)
    config.num_labels = 1
    config.pad_token_id = config.pad_token_id if config.pad_token_id is not None else model.pad_id
    try:
        with torch.random.fork_rng(devices=[]), quiet():
            made = AutoModelForSequenceClassification.from_config(
                config, dtype=net.dtype, attn_implementation=config._attn_implementation
            )
    except ValueError as error:
        what = f"{type(net).__name__} has no sequence classifier in transformers ({str(error).splitlines()[0]:.80})"
        raise BadInput(what, expected="an architecture of which there is a …ForSequenceClassification") from error
    scalar = cast(PreTrainedModel, made)
    if not hasattr(scalar, HEAD) or net.base_model is net:
        what = f"{type(scalar).__name__} does not read the last token through a layer `{HEAD}`"
        raise BadInput(what, expected="a decoder, such as Llama, Qwen, Mistral, Gemma or GPT-2")
    scalar.base_model.load_state_dict(net.base_model.state_dict())
    head: Any = scalar.score
    with torch.no_grad():
        drawn = torch.randn(head.weight.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float32)
        head.weight.copy_(std * drawn)
        if head.bias is not None:
            head.bias.zero_()
    scalar.to(device=net.device)  # type: ignore[call-arg]
    return replace(model, net=scalar.eval())


def reads_last(net: nn.Module) -> bool:
    """Whether `net` is a decoder with one output behind it, so that its number can be read at any position."""
    head = getattr(net, HEAD, None)
    return isinstance(head, nn.Linear) and head.out_features == 1 and isinstance(net, PreTrainedModel)


def scalars(net: nn.Module, rows: Tensor, columns: Tensor, **given: Any) -> Tensor:
    """The number that `net` says at the positions (rows[i], columns[i]) of a batch: float32 (positions,),
    differentiable.
    """
    whole: Any = net
    made: Tensor = whole.score(states_at(net, rows, columns, **given))[:, 0]
    return made.float()


def states_at(net: nn.Module, rows: Tensor, columns: Tensor, **given: Any) -> Tensor:
    """The hidden states behind the last layer at the positions (rows[i], columns[i]): (positions, width)."""
    whole: Any = net
    states = straight.states(net, rows, columns, given)
    if states is None:
        made: Tensor = whole.base_model(**spelled(net, given)).last_hidden_state[rows, columns]
        return made
    return states


def last_scalars(net: nn.Module, layout: Layout, lengths: Sequence[int]) -> Tensor:
    """The number said at the last token of each text in `layout`, of these lengths: float32 (texts,)."""
    texts = np.arange(len(layout.rows))
    columns = layout.columns(texts, np.asarray(lengths) - 1)
    device = next(net.parameters()).device
    places = (torch.from_numpy(one).to(device) for one in (layout.rows, columns))
    return scalars(net, *places, **inputs(net, layout))


def tell_last(net: nn.Module, layout: Layout, texts: Sequence[Ids]) -> Tensor:
    """The same, as it is asked to see whether texts can share a row (`shared.refusal`)."""
    return last_scalars(net, layout, [len(text) for text in texts])
