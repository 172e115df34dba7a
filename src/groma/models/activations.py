"""Inside the network: activations that are read, edited or differentiated, by block and position.

A layer is the number of a block, from 0; its activation is what the block puts out, before any final norm. Positions
are those of a prompt's own tokens, from 0, or from the end where negative (not so of edits, which go on beyond it).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel

from groma.formats.errors import BadInput
from groma.formats.requests import Edit


def blocks(net: PreTrainedModel) -> nn.ModuleList:
    """The blocks of a decoder, in their order."""
    count = net.config.get_text_config().num_hidden_layers
    for module in net.modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return module
    raise BadInput(f"a {net.config.model_type} has no list of {count} blocks", expected="a decoder of equal blocks")


@contextmanager
def edited(net: PreTrainedModel, edits: Sequence[Edit]) -> Iterator[None]:
    """Apply `edits` in every forward pass meanwhile.

    Those with positions count the tokens that pass, so that there must be one row then, read from its beginning.
    """
    check_edits(net, edits)
    layers = blocks(net)
    with ExitStack() as stack:
        for edit in edits:
            block = layers[edit.layer]
            vector = torch.as_tensor(edit.vector, device=net.device, dtype=net.dtype)
            seen = _Seen() if edit.positions is not None else None
            hook = block.register_forward_hook(_hook(edit, vector, seen))
            stack.callback(hook.remove)
        yield


def check_edits(net: PreTrainedModel, edits: Sequence[Edit]) -> None:
    """BadInput for a layer, a width or a position that there is none of."""
    width = net.config.get_text_config().hidden_size
    for edit in edits:
        check_layers(net, (edit.layer,))
        if edit.vector.shape != (width,):
            raise BadInput(f"an edit has a vector of shape {edit.vector.shape}", expected=f"({width},)")
        if min(edit.positions or (0,)) < 0:
            raise BadInput(f"an edit has the positions {edit.positions}", expected="0, the first token, or more")
        if edit.kind == "project_out" and not np.any(edit.vector):
            raise BadInput("an edit projects a vector of zeros out", expected="a direction")


def check_layers(net: PreTrainedModel, layers: Sequence[int]) -> None:
    """BadInput for a layer that the network has not."""
    count = len(blocks(net))
    for layer in layers:
        if not 0 <= layer < count:
            raise BadInput(f"there is no layer {layer}", expected=f"0 to {count - 1}")


def check_positions(positions: Sequence[int], count: int) -> list[int]:
    """Places from 0 of positions in `count` tokens; BadInput for one that there is none of."""
    for position in positions:
        if not -count <= position < count:
            raise BadInput(f"there is no position {position} in {count} tokens", expected=f"{-count} to {count - 1}")
    return [position % count for position in positions]


class _Seen:
    """How many tokens of the row have passed already."""

    def __init__(self) -> None:
        self.tokens = 0


def _hook(edit: Edit, vector: Tensor, seen: _Seen | None) -> Any:
    def hook(module: nn.Module, given: Any, put_out: Any) -> Any:
        whole = put_out[0] if isinstance(put_out, tuple) else put_out
        if seen is None:
            new = _apply(edit, whole, vector)
        else:
            first, seen.tokens = seen.tokens, seen.tokens + whole.shape[1]
            places = [one - first for one in edit.positions or () if first <= one < seen.tokens]
            new = whole.clone()
            new[:, places] = _apply(edit, whole[:, places], vector)
        return (new, *put_out[1:]) if isinstance(put_out, tuple) else new

    return hook


def _apply(edit: Edit, states: Tensor, vector: Tensor) -> Tensor:
    if edit.kind == "add":
        return states + vector
    if edit.kind == "set":
        return vector.expand_as(states)
    direction = vector / vector.norm()
    return states - (states @ direction)[..., None] * direction


def read(
    net: PreTrainedModel, ids: Sequence[int], layers: Sequence[int], positions: Sequence[int] | None
) -> dict[int, NDArray[np.floating]]:
    """Activations of one prompt: layer -> (positions, width), float32; all positions where None."""
    check_layers(net, layers)
    places = None if positions is None else check_positions(positions, len(ids))
    found: dict[int, NDArray[np.floating]] = {}
    every = blocks(net)
    with ExitStack() as stack:
        for layer in layers:

            def keep(module: nn.Module, given: Any, put_out: Any, layer: int = layer) -> None:
                states = put_out[0] if isinstance(put_out, tuple) else put_out
                found[layer] = states[0].float().cpu().numpy()

            hook = every[layer].register_forward_hook(keep)
            stack.callback(hook.remove)
        with torch.inference_mode():
            net(input_ids=torch.tensor([list(ids)], device=net.device), use_cache=False)
    return {layer: states if places is None else states[places] for layer, states in found.items()}


def gradients(
    net: PreTrainedModel, ids: Sequence[int], target: Sequence[int], positions: Sequence[int], top_k: int
) -> dict[int, NDArray[np.floating]]:
    """How to make `target` likelier after `ids`: position -> (top_k, 2), token ids and gradients, the strongest first.

    The gradient is of log p(target | ids) to the one-hot coding of the token at that position (Ebrahimi et al. 2018,
    HotFlip): to first order, how much a token in its place would add, less what is there now.
    """
    places = check_positions(positions, len(ids))
    whole = torch.tensor([[*ids, *target]], device=net.device)
    embed = net.get_input_embeddings()
    table = embed(torch.arange(net.config.get_text_config().vocab_size, device=net.device)).detach()  # scaled, too
    with torch.enable_grad():
        embedded = embed(whole).detach().requires_grad_(True)
        logits = net(inputs_embeds=embedded, use_cache=False).logits[0, len(ids) - 1 : -1].float()
        told = logits.log_softmax(-1)[torch.arange(len(target)), whole[0, len(ids) :]].sum()
        (slope,) = torch.autograd.grad(told, embedded)
    strength = (slope[0, places].float() @ table.float().T).cpu()
    values, tokens = strength.topk(min(top_k, strength.shape[1]), dim=-1)
    pairs = torch.stack([tokens.float(), values], -1).numpy()
    return {position: pairs[number] for number, position in enumerate(positions)}
