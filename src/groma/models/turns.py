"""Earlier turns: keys and values of what a model has read and said, so that a conversation that goes on is never
computed again from its beginning.

Kept are whole rows (prompt and answer), found by their token ids: the longest beginning of a new prompt that ends in
the prompt or the answer of a kept row. What was not used for longest goes when there is no more room. Where the
weights have changed since, all is forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from torch import Tensor
from torch.nn.modules import module as modules
from transformers import PreTrainedModel

KEPT_BYTES = 1 << 29
"""Half a gibibyte: of Vale's default model a thousand conversations of a hundred tokens."""

States = list[tuple[Tensor, Tensor]]
"""Keys and values (1, heads, positions, width) of each layer."""


@dataclass(slots=True, eq=False)
class Kept:
    """One row: what it read, what came of it in each layer, and by which keys it is found."""

    ids: tuple[int, ...]
    states: States
    keys: list[tuple[int, int]] = field(default_factory=list)

    @property
    def size(self) -> int:
        return sum(one.nbytes for pair in self.states for one in pair)

    def upto(self, length: int) -> States:
        """The first `length` positions."""
        return [(keys[:, :, :length], values[:, :, :length]) for keys, values in self.states]


class Turns:
    """Rows of `net` that may go on. `most`: bytes of keys and values that are kept at a time; 0 keeps none."""

    def __init__(self, net: PreTrainedModel, most: int = KEPT_BYTES) -> None:
        self._net, self._most, self._held = net, most, 0
        self._found: dict[tuple[int, int], Kept] = {}
        self._rows: dict[Kept, None] = {}
        self._weights = fingerprint(net)

    def __len__(self) -> int:
        return len(self._rows)

    def check(self) -> None:
        """Forget everything where weights or hooks are not what they were. To be called before a look-up."""
        now = fingerprint(self._net)
        if now != self._weights:
            self._weights = now
            self.clear()

    def clear(self) -> None:
        self._found, self._rows, self._held = {}, {}, 0

    def find(self, ids: Sequence[int]) -> tuple[Kept, int] | None:
        """The row that holds the longest beginning of `ids`, and that one's length: a token is always left to read."""
        if not self._rows:
            return None
        best = None
        for key in _keys(ids[:-1]):
            if key in self._found:
                best = self._found[key], key[0]
        if best is None or best[0].ids[: best[1]] != tuple(ids[: best[1]]):
            return None
        self._rows[best[0]] = self._rows.pop(best[0])
        return best

    def keep(self, ids: tuple[int, ...], prompt: int, states: States) -> None:
        """Keep a row, of which the first `prompt` ids were read and the others said. One that it goes on from goes."""
        new = Kept(ids, states)
        if new.size > self._most:
            return
        keys = [key for key in _keys(ids) if key[0] >= prompt]
        earlier = self.find((*ids, 0))
        if earlier is not None and len(earlier[0].ids) == earlier[1]:
            keys = [*earlier[0].keys, *keys]
            self._drop(earlier[0])
        for key in keys:
            self._found[key] = new
        new.keys = keys
        self._rows[new] = None
        self._held += new.size
        while self._held > self._most:
            self._drop(next(iter(self._rows)))

    def _drop(self, row: Kept) -> None:
        del self._rows[row]
        self._held -= row.size
        for key in row.keys:
            if self._found.get(key) is row:
                del self._found[key]


def _keys(ids: Sequence[int]) -> Iterator[tuple[int, int]]:
    """A key for each beginning of `ids`: its length, and a hash of it."""
    running = 0
    for length, one in enumerate(ids, 1):
        running = hash((running, one))
        yield length, running


def fingerprint(net: PreTrainedModel) -> int:
    """Changes with every change of the weights in place (an optimiser's step), with every exchange of a tensor, and
    with every hook that is put on or taken off.
    """
    weights = tuple((one.data_ptr(), one._version) for one in net.parameters())
    hooks = tuple((*one._forward_pre_hooks, *one._forward_hooks, "forward" in vars(one)) for one in net.modules())
    return hash((weights, hooks, *modules._global_forward_pre_hooks, *modules._global_forward_hooks))
