"""From rows to log-probabilities of what is learned in them: one forward pass, the head on learned positions only."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from torch import Tensor, nn

from groma.methods.config import Config
from groma.methods.tokens import Pair, Row
from groma.models.head import Told, tell
from groma.models.shared import inputs, lay, pays, places, refusal

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Learned:
    """All learned tokens of some rows, row after row: what the network tells of them, and which row each stands in."""

    told: Told
    rows_N: Tensor


def learned(net: nn.Module, groups: Sequence[Sequence[Row]], config: Config) -> Learned:
    """The learned tokens of all rows under `net`; what the rows of a group begin with is read once."""
    rows = list(chain.from_iterable(groups))
    layout = lay([[row.ids for row in group] for group in groups])
    at_rows, at_columns, ids_N, rows_N = places(net, layout, [row.ids for row in rows], [row.learned for row in rows])
    told = tell(net, at_rows, at_columns, ids_N, megabytes=config.loss_megabytes, **inputs(net, layout))
    return Learned(told, rows_N)


def pair_logprobs(net: nn.Module, pairs: Sequence[Pair], config: Config, *, shared: bool) -> Tensor:
    """Summed log-probabilities (pairs, 2) of the chosen and the rejected answers, all in one forward pass.

    shared: whether what both sides begin with is read once.
    """
    groups = [pair.rows for pair in pairs] if shared else [(row,) for pair in pairs for row in pair.rows]
    said = learned(net, groups, config)
    logprobs_N = said.told.logprobs_N
    return logprobs_N.new_zeros(2 * len(pairs)).index_add(0, said.rows_N, logprobs_N).view(-1, 2)


def sharing(net: nn.Module, pairs: Sequence[Pair]) -> tuple[bool, dict[str, int]]:
    """Whether what both sides of a pair begin with is to be read once, and a note where `net` does not allow it."""
    groups = [[row.ids for row in pair.rows] for pair in pairs]
    if not pays(net, groups):
        return False, {}
    why = refusal(net, max(groups, key=lambda group: sum(map(len, group))))
    if not why:
        return True, {}
    note = f"have their prompt read once for each answer, since {why}"
    log.warning("%d pairs %s", len(pairs), note)
    return False, {note: len(pairs)}
