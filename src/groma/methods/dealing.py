"""How the traces of a step go through the network: in microbatches, those of one task in one row where that pays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from torch import Tensor, nn

from groma.methods.batches import split
from groma.methods.earnings import Earned
from groma.methods.online_config import Config
from groma.methods.rollouts import Batch
from groma.methods.tokens import Row
from groma.models.shared import common, logprobs, pays, refusal


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A microbatch: traces, their rows as the network reads them (those of a group in one), and where the tokens that
    a forward pass tells stand among all tokens of the step.
    """

    traces: tuple[int, ...]
    rows: list[list[Row]]
    places: Tensor


class Dealing:
    """Deals traces out to microbatches. All rows of a trace stand in one."""

    def __init__(self, net: nn.Module, config: Config) -> None:
        self._net, self._config = net, config
        self._shares: bool | None = None

    def parts(self, earned: Earned, traces: Sequence[int]) -> list[Part]:
        """The microbatches of some traces, longest first."""
        acted, chosen = earned.batch, set(traces)
        rows = {place: acted.rows_of[place] for place in chosen}
        units = [[place for place in group if place in chosen] for group in earned.groups]
        units = [unit for unit in units if unit]
        shared = self._share(acted, units, rows)
        if not shared:
            units = [[place] for unit in units for place in unit]
        lengths = [_length(acted, [rows[place] for place in unit], shared) for unit in units]
        each = max(map(len, units), default=1)
        dealt = split(lengths, range(len(units)), self._config, each)
        return [self._part(acted, [units[place] for place in group], rows, shared) for group in dealt]

    def _part(self, acted: Batch, units: list[list[int]], rows: dict[int, tuple[int, ...]], shared: bool) -> Part:
        numbers = [[row for place in unit for row in rows[place]] for unit in units]
        laid = numbers if shared else [[row] for group in numbers for row in group]
        places = acted.places(list(chain.from_iterable(laid)))
        traces = tuple(place for unit in units for place in unit)
        return Part(traces, [[acted.rows[row] for row in group] for group in laid], places)

    def _share(self, acted: Batch, units: list[list[int]], rows: dict[int, tuple[int, ...]]) -> bool:
        """Whether traces of one task are read in one row: a row each, worth it, and the network allows it."""
        if max(map(len, units), default=1) < 2 or any(len(one) > 1 for one in rows.values()):
            return False
        texts = [[acted.rows[rows[place][0]].ids for place in unit] for unit in units]
        if not pays(self._net, texts):
            return False
        if self._shares is None:
            self._shares = not refusal(self._net, max(texts, key=lambda group: sum(map(len, group))), logprobs)
        return self._shares


def _length(acted: Batch, traces: list[tuple[int, ...]], shared: bool) -> int:
    """Tokens that a unit takes in a microbatch, with what fills up its own rows."""
    texts = [acted.rows[row].ids for rows in traces for row in rows]
    if shared:
        return sum(map(len, texts)) - (len(texts) - 1) * common(texts)
    return len(texts) * max(map(len, texts))
