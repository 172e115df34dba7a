"""A key-value cache whose rows can be dropped, repeated and put together, for layers that keep plain keys and values.

Each layer has one buffer that grows by half when it is full, so that a step writes one position instead of copying all
(transformers' `DynamicLayer` concatenates). Layers with a sliding window keep the whole text, too: the window is in the
mask, which transformers makes from the same lengths. So every row stays a plain slice, at the price of memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from transformers import PreTrainedConfig
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer, DynamicSlidingWindowLayer


class RowLayer(DynamicLayer):
    """Keys and values (rows, heads, positions, width) of one layer: the first `length` positions of growing buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.length = 0

    @classmethod
    def of(cls, keys: Tensor, values: Tensor) -> RowLayer:
        """A layer that holds these, to be gathered from."""
        layer = cls()
        layer.lazy_initialization(keys, values)
        layer._keys, layer._values, layer.length = keys, values, keys.shape[-2]
        return layer

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        start, self.length = self.length, self.length + key_states.shape[-2]
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self._keys, self._values = _buffer(key_states, self.length), _buffer(value_states, self.length)
        elif self.length > self._keys.shape[-2]:
            self._keys, self._values = _grown(self._keys, start, self.length), _grown(self._values, start, self.length)
        self._keys[:, :, start : self.length] = key_states
        self._values[:, :, start : self.length] = value_states
        self.keys, self.values = self.shown()
        return self.keys, self.values

    def get_seq_length(self) -> int:
        return self.length

    def gather(self, parts: Sequence[tuple[RowLayer, Tensor | None]]) -> None:
        """Take rows of other layers, one after another, aligned at their ends: (layer, its rows; None for all)."""
        sizes = [len(layer.shown()[0]) if taken is None else len(taken) for layer, taken in parts]
        self.length = max(layer.length for layer, _ in parts)
        first = parts[0][0].shown()
        self.lazy_initialization(*first)
        self._keys, self._values = (_buffer(one[:1].expand(sum(sizes), -1, -1, -1), self.length) for one in first)
        stop = 0
        for (layer, taken), size in zip(parts, sizes, strict=True):
            start, stop, pad = stop, stop + size, self.length - layer.length
            for buffer, states in zip((self._keys, self._values), layer.shown(), strict=True):
                buffer[start:stop, :, pad : self.length] = states if taken is None else states[taken]
                # Zeros, not whatever memory held: a masked position has weight 0, and 0 times infinity is not 0.
                buffer[start:stop, :, :pad] = 0
        self.keys, self.values = self.shown()

    def shrink(self, count: int, holes: Tensor, fillers: Tensor) -> None:
        """Keep `count` rows: those before it, with the rows `fillers` put into the places `holes`."""
        for buffer in (self._keys, self._values):
            buffer[holes, :, : self.length] = buffer[fillers, :, : self.length]
        self._keys, self._values = self._keys[:count], self._values[:count]
        self.keys, self.values = self.shown()

    def shown(self) -> tuple[Tensor, Tensor]:
        """The used part of the buffers."""
        return self._keys[:, :, : self.length], self._values[:, :, : self.length]


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
        for number, layer in enumerate(whole.rows):
            layer.gather([(cache.rows[number], taken) for cache, taken in parts])
        return whole

    def shrink(self, count: int, holes: Tensor, fillers: Tensor) -> None:
        for layer in self.rows:
            layer.shrink(count, holes, fillers)


def compacts(config: PreTrainedConfig) -> bool:
    """Whether RowCache serves the model: all its layers keep plain keys and values, and nothing else."""
    kinds = {type(layer) for layer in DynamicCache(config=config).layers}
    return bool(kinds) and kinds <= {DynamicLayer, DynamicSlidingWindowLayer}


def slides(config: PreTrainedConfig) -> bool:
    """Whether some layer attends to a window of the text only."""
    return any(isinstance(layer, DynamicSlidingWindowLayer) for layer in DynamicCache(config=config).layers)


def _buffer(like: Tensor, length: int) -> Tensor:
    return like.new_empty(*like.shape[:2], length + length // 2 + 16, like.shape[3])


def _grown(buffer: Tensor, used: int, length: int) -> Tensor:
    larger = _buffer(buffer, length)
    larger[:, :, :used] = buffer[:, :, :used]
    return larger
