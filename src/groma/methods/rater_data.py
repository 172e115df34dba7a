"""Files of preferences as comparisons by raters, and soft labels as rows of such a file.

An item is a reply to a prompt: one that stands in several pairs of its prompt is one item, whoever compared it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groma.formats.columns import Text, as_cell
from groma.formats.errors import BadInput
from groma.formats.examples import Preference
from groma.formats.whole import to_json
from groma.methods.rater_labels import Compared, Floats, Soft, Whole, pairs_of


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """Who preferred which reply to which prompt.

    items: (prompt, reply) of each item (I); prompt: of each item the number of its prompt (I,); compared: the choices,
    `first` the preferred one; raters, groups: the name of each rater, and that of her group ("" where none is told).
    """

    items: tuple[tuple[Text, Text], ...]
    prompt: Whole
    compared: Compared
    raters: tuple[str, ...]
    groups: tuple[str, ...]

    @property
    def of_prompt(self) -> Whole:
        """The number of the prompt of each comparison (N,)."""
        return self.prompt[self.compared.first]

    def choices(self, which: NDArray[np.bool_]) -> Compared:
        """The comparisons `which` (N,), by the raters' numbers."""
        told = self.compared
        return Compared(told.first[which], told.second[which], told.rater[which], told.preferred[which])

    def kept(self, which: NDArray[np.bool_]) -> Heard:
        """Only the comparisons `which` (N,): raters without one are left out, and numbered anew; items stay."""
        told = self.choices(which)
        old, new_N = np.unique(told.rater, return_inverse=True)
        raters, groups = (tuple(names[one] for one in old) for names in (self.raters, self.groups))
        return replace(self, compared=replace(told, rater=new_N), raters=raters, groups=groups)


def heard(examples: Sequence[Preference]) -> Heard:
    """The comparisons of some preferences, in their order, raters and items in order of appearance.

    Errors: BadInput where a row has no rater or a soft label, a rater two groups, or where there is one rater only.
    """
    _check(examples)
    items: dict[bytes, int] = {}
    prompts: dict[bytes, int] = {}
    raters: dict[str, int] = {}
    groups: list[str] = []
    told: list[tuple[Text, Text]] = []
    prompt, rows = [], []
    for one in examples:
        number = prompts.setdefault(to_json(as_cell(one.prompt)), len(prompts))
        ends = []
        for side in (one.chosen, one.rejected):
            place = items.setdefault(to_json([number, as_cell(side)]), len(items))
            if place == len(told):
                told.append((one.prompt, side))
                prompt.append(number)
            ends.append(place)
        by = raters.setdefault(one.rater, len(raters))
        if by == len(groups):
            groups.append(one.group)
        if groups[by] != one.group:
            what = f"rater {one.rater!r} is of the group {groups[by]!r} in one row and of {one.group!r} in another"
            raise BadInput(what, expected="one group for each rater in all rows, or no column group")
        rows.append((*ends, by, 0))
    if len(raters) < 2:
        what = (
            f"all {len(examples)} rows are by the rater {next(iter(raters))!r}, and there is nobody to hold her against"
        )
        raise BadInput(what, expected="two raters or more; a reward model of one: `groma align reward`")
    return Heard(tuple(told), np.array(prompt), Compared(*np.array(rows).T), tuple(raters), tuple(groups))


def rows_of(items: Sequence[tuple[Text, Text]], labels: Soft) -> Iterator[dict[str, Any]]:
    """One row for each label: prompt, chosen (of a probability of one half or more), rejected, probability, votes."""
    for first, second, share, votes in zip(labels.first, labels.second, labels.share, labels.votes, strict=True):
        chosen, rejected = (first, second) if share >= 0.5 else (second, first)
        yield {
            "prompt": as_cell(items[first][0]),
            "chosen": as_cell(items[chosen][1]),
            "rejected": as_cell(items[rejected][1]),
            "probability": float(max(share, 1 - share)),
            "votes": int(votes),
        }


def other_votes(compared: Compared, prior: float = 1.0) -> tuple[Floats, Floats]:
    """For each comparison the smoothed share (N,) of the *other* raters' votes on the same pair that are as she chose,
    (k + prior) / (n + 2 prior), and their number n (N,). Worked example: 2 of 3 others, prior 1: 3 / 5.
    """
    pairs = pairs_of(compared)
    for_first_N = (compared.preferred == 0) != pairs.turned
    cell_N = pairs.pair * (int(compared.rater.max()) + 1) + compared.rater
    _, own_N = np.unique(cell_N, return_inverse=True)
    others_N = pairs.votes[pairs.pair] - np.bincount(own_N)[own_N]
    first_N = np.bincount(pairs.pair, weights=for_first_N)[pairs.pair] - np.bincount(own_N, weights=for_first_N)[own_N]
    return (np.where(for_first_N, first_N, others_N - first_N) + prior) / (others_N + 2 * prior), others_N


def _check(examples: Sequence[Preference]) -> None:
    nameless = sum(not one.rater for one in examples)
    if nameless:
        which = "no row says" if nameless == len(examples) else f"{nameless} of {len(examples)} rows do not say"
        grouped = any(one.group for one in examples)
        mend = "; where the column group names single raters, call it rater" if grouped else ""
        raise BadInput(f"{which} who compared", expected=f"a column rater with a name or number in each row{mend}")
    soft = sum(one.probability is not None for one in examples)
    if soft:
        what = f"{soft} of {len(examples)} rows have a probability, which is no rater's choice"
        raise BadInput(what, expected="one row for each choice of each rater, without a column probability")
