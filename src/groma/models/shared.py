"""Texts that begin alike, read once. Prefix sharing for paired preferences, arXiv 2410.20305, and for sampled groups.

A row holds what the texts of a group have in common, then each one's own rest. Position ids begin again behind what is
shared, and a rest sees what is shared and itself: every token sees exactly what it would see in a row of its own, so
values and gradients are those of separate rows, up to rounding. What is shared is the longest common run of token ids,
not the prompt's messages: a tokenizer may merge across that border. We differ from the paper: a dense mask instead of
FlexAttention's blocks (where attention is our own, none: `branches`), and layers with a sliding window are kept (the
window is counted in positions, not in columns).

Whether a network can do that is tried once, on texts of the run: `refusal` says why not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

from groma.models.branches import WINDOWS, Branches
from groma.models.cache import compacts
from groma.models.head import tell, whole

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Token ids (rows, columns), padded on the right with 0, and where each text lies in them.

    positions, branches: of each column, where some row holds more than one text; branch 0 is what its texts share.
    rows, lengths: of each text. begins, gaps: a text's position p is column p before `begins`, and column p + `gaps`
    from there.
    """

    ids_RT: Ids
    positions_RT: Ids | None
    branches_RT: Ids | None
    rows: Ids
    lengths: Ids
    begins: Ids
    gaps: Ids

    def columns(self, texts: Ids, positions: Ids) -> Ids:
        """The columns of the given positions of the given texts."""
        return positions + np.where(positions >= self.begins[texts], self.gaps[texts], 0)


Telling = Callable[[nn.Module, Layout, Sequence[Ids]], Tensor]
"""What a network tells of the texts of a layout, as numbers in the order of the texts, whatever the layout."""


def common(texts: Sequence[Ids]) -> int:
    """How many token ids all the texts begin with."""
    least = min(map(len, texts))
    same = np.all([text[:least] == texts[0][:least] for text in texts], axis=0)
    return least if same.all() else int(same.argmin())


def lay(groups: Sequence[Sequence[Ids]]) -> Layout:
    """A row for each group of texts. Groups of one text each make plain rows, without positions and branches."""
    begins = [common(group) for group in groups]
    lengths = [begin + sum(len(text) - begin for text in group) for group, begin in zip(groups, begins, strict=True)]
    shape = len(groups), max(lengths)
    ids_RT, positions_RT, branches_RT = (np.zeros(shape, dtype=np.int64) for _ in range(3))
    gaps = []
    for row, (group, begin) in enumerate(zip(groups, begins, strict=True)):
        ids_RT[row, :begin], positions_RT[row, :begin] = group[0][:begin], range(begin)
        column = begin
        for branch, text in enumerate(group, start=1):
            end = column + len(text) - begin
            ids_RT[row, column:end], positions_RT[row, column:end] = text[begin:], range(begin, len(text))
            branches_RT[row, column:] = branch  # what pads the row counts to the last: no real token sees it
            gaps.append(column - begin)
            column = end
    sizes = [len(group) for group in groups]
    several = max(sizes) > 1
    return Layout(
        ids_RT,
        positions_RT if several else None,
        branches_RT if several else None,
        np.repeat(np.arange(len(groups)), sizes),
        np.array([len(text) for text in chain.from_iterable(groups)]),
        np.repeat(begins, sizes),
        np.array(gaps),
    )


def inputs(net: nn.Module, layout: Layout) -> dict[str, Any]:
    """What `models.head` and `models.scalar` call a network with (`spelled` makes masks of it for the network's own
    forward pass). Plain rows need none: a real token never sees what is on its right.
    """
    device = next(net.parameters()).device
    ids_RT = torch.from_numpy(layout.ids_RT).to(device)
    if layout.positions_RT is None or layout.branches_RT is None:
        return {"input_ids": ids_RT, "use_cache": False}
    positions, branches = layout.positions_RT, layout.branches_RT
    tensors = (torch.from_numpy(one).to(device) for one in (positions, branches, *_apart(layout, positions, branches)))
    seen = Branches(*tensors)
    return {"input_ids": ids_RT, "position_ids": seen.positions_RT, "attention_mask": seen, "use_cache": False}


def _apart(layout: Layout, positions_RT: Ids, branches_RT: Ids) -> tuple[Ids, Ids]:
    """The places of all texts' tokens among the columns, and of all columns among the texts' tokens: see `Branches`."""
    texts, width, longest = np.arange(len(layout.rows)), layout.ids_RT.shape[1], int(layout.lengths.max())
    position_SL = np.broadcast_to(np.arange(longest), (len(texts), longest))
    column_SL = layout.columns(np.repeat(texts, longest), position_SL.ravel()).reshape(position_SL.shape)
    column_SL = np.where(position_SL < layout.lengths[:, None], column_SL, 0)
    first_R = np.searchsorted(layout.rows, np.arange(len(layout.ids_RT)))
    text_RT = first_R[:, None] + np.maximum(branches_RT - 1, 0)
    return layout.rows[:, None] * width + column_SL, text_RT * longest + positions_RT


def _inner(net: nn.Module) -> PreTrainedModel:
    inner = whole(net)
    assert inner is not None
    return inner


def pays(net: nn.Module, groups: Sequence[Sequence[Ids]]) -> bool:
    """Whether sharing makes less work in all. A token of a layer costs about 24 h^2 operations beside its attention,
    which costs 4 h for each column it is scored against: half of the row, unless a mask is given. (h: the width.)
    """
    width = _inner(net).config.get_text_config().hidden_size
    alone = sum(len(text) + len(text) ** 2 / (12 * width) for text in chain.from_iterable(groups))
    rows = [sum(map(len, group)) - (len(group) - 1) * common(group) for group in groups]
    return sum(row + row**2 / (6 * width) for row in rows) < alone


def logprobs(net: nn.Module, layout: Layout, texts: Sequence[Ids]) -> Tensor:
    """Of all tokens but the first of every text."""
    wanted = [np.ones(len(text), dtype=np.bool_) for text in texts]
    for one in wanted:
        one[0] = False
    return tell(net, *places(net, layout, texts, wanted)[:3], megabytes=256, **inputs(net, layout)).logprobs_N


def refusal(net: nn.Module, texts: Sequence[Ids], tell_all: Telling = logprobs) -> str:
    """Why `net` cannot read `texts` in one row, or "" where it can: tried on them, in the type of its weights.

    tell_all: what the network tells of the texts in a layout, number by number.

    The longest texts of a run are the best to try: an attention that reaches less far than it says shows on them.
    """
    inner = _inner(net)
    why = _unfit(inner.config, inner.config.get_text_config())
    if why:
        return why
    try:
        with torch.no_grad(), torch.autocast(inner.device.type, enabled=False):
            apart, together = (tell_all(net, lay(groups), texts) for groups in ([[text] for text in texts], [texts]))
    except (RuntimeError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        return f"its forward pass takes no mask of its own ({type(error).__name__}: {error})"
    differ = (apart - together).abs()
    if inner.dtype in (torch.float32, torch.float64):
        same = float(differ.max()) <= 1e-3
    else:
        same = float(differ.mean()) <= 5e-2
    return "" if same else f"one row and separate rows differ by {float(differ.max()):.2g}"


def _unfit(config: PreTrainedConfig, text: PreTrainedConfig) -> str:
    if not compacts(config):
        return "it has layers that keep more than plain keys and values"
    if config._attn_implementation not in ("sdpa", "eager"):
        return f"its attention {config._attn_implementation!r} takes no mask of its own (sdpa and eager do)"
    unknown = sorted(set(getattr(text, "layer_types", None) or ()) - set(WINDOWS))
    return f"it has layers of an unknown kind: {', '.join(unknown)}" if unknown else ""


def places(
    net: nn.Module, layout: Layout, texts: Sequence[Ids], wanted: Sequence[NDArray[np.bool_]]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of all wanted tokens, text after text: row and column of the token before, their ids, and the text's number."""
    positions = [np.flatnonzero(one) for one in wanted]
    numbers = np.repeat(np.arange(len(texts)), [len(one) for one in positions])
    flat = np.concatenate(positions)
    ids = np.concatenate([text[one] for text, one in zip(texts, positions, strict=True)])
    found = layout.rows[numbers], layout.columns(numbers, flat - 1), ids, numbers
    device = next(net.parameters()).device
    rows, columns, ids_N, texts_N = (torch.from_numpy(one).to(device) for one in found)
    return rows, columns, ids_N, texts_N
