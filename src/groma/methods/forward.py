"""From rows to log-probabilities of what is learned in them: one forward pass, the head on learned positions only."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from torch import Tensor, nn

from groma.methods.config import Learning
from groma.methods.tokens import Pair, Row
from groma.models.head import Reader, Told, tell
from groma.models.shared import Telling, inputs, lay, logprobs, pays, places, refusal

log = logging.getLogger(__name__)


class Rows(Protocol):
    """Rows that are scored together: both sides of a pair, or a single row."""

    @property
    def rows(self) -> tuple[Row, ...]:
        """As many in every one of a list."""


@dataclass(frozen=True, slots=True)
class Learned:
    """All learned tokens of some rows, row after row: what the network tells of them, and which row each stands in."""

    told: Told
    rows_N: Tensor


def learned(
    net: nn.Module,
    groups: Sequence[Sequence[Row]],
    config: Learning,
    *,
    temperature: float = 1.0,
    also: Reader | None = None,
) -> Learned:
    """The learned tokens of all rows under `net`; what the rows of a group begin with is read once.

    temperature, also: as in `models.head.tell`.
    """
    rows = list(chain.from_iterable(groups))
    layout = lay([[row.ids for row in group] for group in groups])
    at_rows, at_columns, ids_N, rows_N = places(net, layout, [row.ids for row in rows], [row.learned for row in rows])
    bound = config.loss_megabytes
    told = tell(
        net, at_rows, at_columns, ids_N, megabytes=bound, temperature=temperature, also=also, **inputs(net, layout)
    )
    return Learned(told, rows_N)


Reading = Callable[..., Tensor]
"""`read(net, rows, columns, **inputs)`: a number at each of some positions of a batch (positions,)."""


def read_before(net: nn.Module, groups: Sequence[Sequence[Row]], read: Reading) -> Tensor:
    """What `read` says at the token before each learned one, row after row (tokens,): a critic's value of the state in
    which an action was taken.
    """
    rows = list(chain.from_iterable(groups))
    layout = lay([[row.ids for row in group] for group in groups])
    at_rows, at_columns, *_ = places(net, layout, [row.ids for row in rows], [row.learned for row in rows])
    return read(net, at_rows, at_columns, **inputs(net, layout))


def pair_logprobs(net: nn.Module, pairs: Sequence[Rows], config: Learning, *, shared: bool) -> Tensor:
    """Summed log-probabilities (pairs, 2) of the chosen and the rejected answers, all in one forward pass.

    shared: whether what both sides begin with is read once. Of single rows, (rows, 1).
    """
    groups = [pair.rows for pair in pairs] if shared else [(row,) for pair in pairs for row in pair.rows]
    said = learned(net, groups, config)
    logprobs_N = said.told.logprobs_N
    count = sum(len(pair.rows) for pair in pairs)
    return logprobs_N.new_zeros(count).index_add(0, said.rows_N, logprobs_N).view(len(pairs), -1)


def sharing(net: nn.Module, pairs: Sequence[Pair], tell_all: Telling = logprobs) -> tuple[bool, dict[str, int]]:
    """Whether what both sides of a pair begin with is to be read once, and a note where `net` does not allow it.

    tell_all: what is asked of the network, to see whether it says the same either way.
    """
    groups = [[row.ids for row in pair.rows] for pair in pairs]
    if not pays(net, groups):
        return False, {}
    why = refusal(net, max(groups, key=lambda group: sum(map(len, group))), tell_all)
    if not why:
        return True, {}
    note = f"have their prompt read once for each answer, since {why}"
    log.warning("%d pairs %s", len(pairs), note)
    return False, {note: len(pairs)}
