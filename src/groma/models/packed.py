"""Rows without their padding, one behind another, where attention has a kernel for texts of unlike length.

Products and norms then run over tokens that are read, whatever the rows' lengths, and each text attends to itself alone
(as in FlashAttention-2, Dao 2023, its variable-length form; torch's own kernel, on a GPU and in half precision). No
text ever sees another one. A row ends behind the last position that is asked for: what comes later can change nothing.

Elsewhere texts are attended to one after the other, which is what the kernel is held against.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad, scaled_dot_product_attention

try:
    from torch.nn.attention.varlen import varlen_attn
except ImportError:  # a torch before 2.10
    varlen_attn = None  # type: ignore[assignment]

HALF = (torch.bfloat16, torch.float16)


@dataclass(frozen=True, slots=True)
class Texts:
    """Rows behind each other. ids, positions: (1, tokens). ends: where each text begins, and the last one's end
    (texts + 1,), int32. longest: tokens of a text. asked: of the positions asked for, their places among the tokens.
    """

    ids_1N: Tensor
    positions_1N: Tensor
    ends: Tensor
    longest: int
    asked: Tensor


def pack(ids_RT: Tensor, rows: Tensor, columns: Tensor) -> Texts:
    """The rows of a batch padded on the right, as far as the positions (rows[i], columns[i]) need them."""
    count, width = ids_RT.shape
    lengths = torch.zeros(count, dtype=torch.long, device=ids_RT.device).scatter_reduce_(0, rows, columns + 1, "amax")
    place = torch.arange(width, device=ids_RT.device).expand(count, width)
    there_RT = place < lengths[:, None]
    ends = pad(lengths.cumsum(0), (1, 0))
    return Texts(
        ids_RT[there_RT][None], place[there_RT][None], ends.int(), int(lengths.max()), ends[:-1][rows] + columns
    )


def has_kernel(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether attention over such texts is one call there."""
    return varlen_attn is not None and device.type == "cuda" and dtype in HALF


def attend(
    query: Tensor, key: Tensor, value: Tensor, texts: Texts, window: int, scale: float, dtype: torch.dtype
) -> Tensor:
    """Causal attention of each text to itself, within a window (0: all of it). query, key, value: (tokens, heads,
    width), with as many heads for keys and values as divide those of the queries. dtype: of the arithmetic.
    """
    query, key, value = (one.to(dtype) for one in (query, key, value))
    grouped = query.shape[1] != key.shape[1]
    if has_kernel(query.device, dtype):
        reach = (window - 1 if window else -1, 0)
        ends, most = texts.ends, texts.longest
        told = varlen_attn(
            query, key, value, ends, ends, most, most, scale=scale, window_size=reach, enable_gqa=grouped
        )
        assert isinstance(told, Tensor)  # not asked for anything beside it
        return told
    parts = []
    for begin, end in zip(texts.ends[:-1].tolist(), texts.ends[1:].tolist(), strict=True):
        some_q, some_k, some_v = (one[begin:end].transpose(0, 1)[None] for one in (query, key, value))
        place = torch.arange(end - begin, device=query.device)
        back = place[:, None] - place
        near = (back >= 0) & (back < window) if 0 < window < end - begin else None
        seen = scaled_dot_product_attention(
            some_q, some_k, some_v, attn_mask=near, is_causal=near is None, scale=scale, enable_gqa=grouped
        )
        parts.append(seen[0].transpose(0, 1))
    return torch.cat(parts)
