"""Pairs of rows to learn from: how both sides of each are laid out, in DPO and in reward modelling alike."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from groma.methods.forward import sharing
from groma.methods.tokens import Pair
from groma.models.shared import Telling


class Paired:
    """The part of an objective (`training.Objective`) that says how long its pairs are; each counts one."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self.pairs, self.weights = pairs, [1] * len(pairs)
        self.lay(shared=False)

    def lay(self, shared: bool) -> None:
        """Whether both sides of a pair stand in one row from now on, or in two that are padded alike."""
        self.shared = shared
        self.tokens = [pair.length - shared * pair.shared for pair in self.pairs]
        self.lengths = self.tokens if shared else [2 * max(row.length for row in pair.rows) for pair in self.pairs]


def share(net: nn.Module, learn: Paired, other: Paired | None, tell_all: Telling) -> dict[str, int]:
    """Lay the pairs out with their prompt read once, where that pays and the network allows it; a note where it does
    not.
    """
    shared, notes = sharing(net, learn.pairs, tell_all)
    for one in (learn, *([other] if other is not None else [])):
        one.lay(shared)
    return notes
