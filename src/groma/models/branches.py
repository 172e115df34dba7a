"""Attention where a row holds several texts that begin alike: each sees what they share, and its own rest.

As transformers takes it, that is a dense mask, of which a group of eight short texts uses an eighth. So where attention
is our own (`straight`), queries, keys and values are first put text by text, what is shared is repeated, and each text
attends to itself, as in a row of its own; everything else in a layer is still computed once for all. Where that is more
work than the mask (pairs of short texts, much that many share), the mask is taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import embedding
from transformers import PreTrainedModel

WINDOWS = {"full_attention": False, "sliding_attention": True}
"""Kinds of layers whose mask is known: whether they see a window of the text only."""
A_TEXT, A_TOKEN = 8192, 64
"""In scores of one head, as measured on a processor: what attention takes to begin a text or a row, and what it takes
to copy a token's queries, keys and values, and what is seen, forwards and backwards.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Branches:
    """Where the texts of some rows lie. positions, branches: (rows, columns); branch 0 is what a row's texts share.

    apart: (texts, longest), the place of each text's tokens among all columns, row after row; behind its end, that of
    its row's first. together: (rows, columns), the place of each column among all tokens of all texts.
    """

    positions_RT: Tensor
    branches_RT: Tensor
    apart_SL: Tensor
    together_RT: Tensor

    @property
    def cheaper(self) -> bool:
        """Whether text by text is less work than the mask: of a causal square, half the scores are made."""
        (texts, longest), (rows, columns) = self.apart_SL.shape, self.together_RT.shape
        apart = texts * (longest**2 / 2 + longest * A_TOKEN + A_TEXT)
        return apart < rows * (columns**2 + A_TEXT)

    def masks(self, net: PreTrainedModel) -> Tensor | dict[str, Tensor]:
        """The mask, or one for each kind of layer, in the form in which transformers hands it on unchanged."""
        branches_RT, positions_RT = self.branches_RT, self.positions_RT
        seen_RTT = ((branches_RT[:, None, :] == 0) | (branches_RT[:, None, :] == branches_RT[:, :, None])).tril()
        config = net.config.get_text_config()
        window = getattr(config, "sliding_window", None)
        kinds = getattr(config, "layer_types", None)

        def mask(slides: bool) -> Tensor:
            if not slides or window is None:
                return _written(net, seen_RTT)
            return _written(net, seen_RTT & (positions_RT[:, :, None] - positions_RT[:, None, :] < window))

        return mask(slides=True) if kinds is None else {kind: mask(WINDOWS[kind]) for kind in set(kinds)}


def _written(net: PreTrainedModel, seen_RTT: Tensor) -> Tensor:
    """As the attention of `net` reads it: truth values, or for plain matrix products what is added to the scores."""
    if net.config._attn_implementation == "sdpa":
        return seen_RTT[:, None]
    added = torch.zeros(seen_RTT.shape, dtype=net.dtype, device=net.device)
    return added.masked_fill(~seen_RTT, torch.finfo(net.dtype).min)[:, None]


def picked(states: Tensor, places: Tensor) -> Tensor:
    """Of states (rows, columns, …) those at `places` (a, b), counted row after row: (a, b, …), differentiable."""
    rest = states.shape[2:]
    # A lookup in a table: its gradient adds up what was taken more than once, in parallel, which indexing does not.
    return embedding(places, states.flatten(0, 1).flatten(1)).unflatten(-1, rest)
