"""A key-value cache whose rows can be dropped, repeated and put together, for layers that keep plain keys and values.

Each layer has one buffer that grows by half when it is full, so that a step writes one position instead of copying all
(transformers' `DynamicLayer` concatenates). All rows end at the same position; rows that come later are put before it,
and positions at the front that no row uses any more are let go, so that the buffer is as long as the longest row.
 Layers with a sliding window keep the whole text, too: the window is in the
mask, which transformers makes from the same lengths. So every row stays a plain slice, at the price of memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from transformers import PreTrainedConfig
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer, DynamicSlidingWindowLayer


class RowLayer(DynamicLayer):
    """Keys and values (rows, heads, positions, width) of one layer: the first `count` rows and the positions `first` to
    `last` of growing buffers.
    """

    def __init__(self) -> None:
        super().__init__()
        self.count = self.first = self.last = 0

    @classmethod
    def of(cls, keys: Tensor, values: Tensor) -> RowLayer:
        """A layer that holds these, to be gathered from."""
        layer = cls()
        layer.lazy_initialization(keys, values)
        layer._keys, layer._values = keys, values
        layer.count, layer.last = len(keys), keys.shape[-2]
        return layer

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        more = key_states.shape[-2]
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self.count = len(key_states)
            self._keys, self._values = (_buffer(one, self.count, more) for one in (key_states, value_states))
        elif self.last + more > self._keys.shape[-2]:
            self._move(self.count, 0, more)
        start, self.last = self.last, self.last + more
        self._keys[: self.count, :, start : self.last] = key_states
        self._values[: self.count, :, start : self.last] = value_states
        self.keys, self.values = self.shown()
        return self.keys, self.values

    def get_seq_length(self) -> int:
        return self.last - self.first

    def append(self, parts: Sequence[tuple[RowLayer, Tensor | None]]) -> None:
        """Put rows of other layers behind those here, aligned at their ends: (layer, its rows; None for all)."""
        sizes = [layer.count if taken is None else len(taken) for layer, taken in parts]
        widest, total = max(layer.get_seq_length() for layer, _ in parts), self.count + sum(sizes)
        if not self.is_initialized:
            shown = parts[0][0].shown()
            self.lazy_initialization(*shown)
            self._keys, self._values = (_buffer(one, total, widest) for one in shown)
            self.first = self.last = widest
        elif total > len(self._keys) or widest > self.last:
            self._move(total, max(widest - self.get_seq_length(), 0), 0)
        # Zeros, not whatever memory held: a masked position has weight 0, and 0 times infinity is not 0.
        begin = min(self.first, self.last - widest)
        for buffer in (self._keys, self._values):
            buffer[: self.count, :, begin : self.first] = 0
            stop = self.count
            for (layer, taken), size in zip(parts, sizes, strict=True):
                start, stop, edge = stop, stop + size, self.last - layer.get_seq_length()
                states = layer.shown()[0 if buffer is self._keys else 1]
                buffer[start:stop, :, edge : self.last] = states if taken is None else states[taken]
                buffer[start:stop, :, begin:edge] = 0
        self.count, self.first = total, begin
        self.keys, self.values = self.shown()

    def shrink(self, count: int, holes: Tensor, fillers: Tensor, unused: int) -> None:
        """Keep `count` rows: those before it, with the rows `fillers` put into the places `holes`; and of the positions
        all but the first `unused`.
        """
        self.first += unused
        for buffer in (self._keys, self._values):
            buffer[holes, :, self.first : self.last] = buffer[fillers, :, self.first : self.last]
        self.count = count
        self.keys, self.values = self.shown()

    def shown(self) -> tuple[Tensor, Tensor]:
        """The used part of the buffers."""
        used = slice(self.count), slice(None), slice(self.first, self.last)
        return self._keys[used], self._values[used]

    def _move(self, rows: int, before: int, more: int) -> None:
        """Into new buffers for so many rows, with room before what is held and for `more` positions behind it."""
        held = self.get_seq_length()
        old = self.shown()
        self._keys, self._values = (_buffer(one, rows, before + held + more) for one in old)
        for buffer, states in zip((self._keys, self._values), old, strict=True):
            buffer[: self.count, :, before : before + held] = states
        self.first, self.last = before, before + held


class RowCache(Cache):
    """One RowLayer a layer of the model of `config`. `compacts` says whether that serves the model."""

    def __init__(self, config: PreTrainedConfig, rows: Sequence[RowLayer] = ()) -> None:
        self.rows = list(rows) or [RowLayer() for _ in DynamicCache(config=config).layers]
        super().__init__(layers=list(self.rows))

    def slice(self, row: int, first: int, last: int) -> list[tuple[Tensor, Tensor]]:
        """A copy of the positions `first` to `last` of one row, (1, heads, positions, width), of every layer."""
        return [
            (keys[row : row + 1, :, first:last].clone(), values[row : row + 1, :, first:last].clone())
            for keys, values in (layer.shown() for layer in self.rows)
        ]

    @classmethod
    def gathered(cls, config: PreTrainedConfig, parts: Sequence[tuple[RowCache, Tensor | None]]) -> RowCache:
        """Rows of other caches, one after another, aligned at their ends: (cache, its rows; None for all)."""
        whole = cls(config)
        whole.append(parts)
        return whole

    def append(self, parts: Sequence[tuple[RowCache, Tensor | None]]) -> None:
        for number, layer in enumerate(self.rows):
            layer.append([(cache.rows[number], taken) for cache, taken in parts])

    def shrink(self, count: int, holes: Tensor, fillers: Tensor, unused: int) -> None:
        for layer in self.rows:
            layer.shrink(count, holes, fillers, unused)


def compacts(config: PreTrainedConfig) -> bool:
    """Whether RowCache serves the model: all its layers keep plain keys and values, and nothing else."""
    kinds = {type(layer) for layer in DynamicCache(config=config).layers}
    return bool(kinds) and kinds <= {DynamicLayer, DynamicSlidingWindowLayer}


def slides(config: PreTrainedConfig) -> bool:
    """Whether some layer attends to a window of the text only."""
    return any(isinstance(layer, DynamicSlidingWindowLayer) for layer in DynamicCache(config=config).layers)


def _buffer(like: Tensor, rows: int, length: int) -> Tensor:
    return like.new_empty(rows, like.shape[1], length + length // 2 + 16, like.shape[3])
