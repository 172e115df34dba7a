"""Records → grids of stage × system: what both the page and the terminal's table draw. Pure functions of records.

A *view* is what may be compared: one suite, one split, one case. Within it, records of one outcome make a grid. Levels
have stages as rows and systems as columns; paired differences name on that side what was compared with what.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from groma.formats.errors import BadInput
from groma.formats.records import Record
from groma.report.writing import MINUS, words

FIRST = ("objective", "pay")
"""Properties that stand before all others, in this order."""


@dataclass(frozen=True, slots=True, order=True)
class View:
    """Figures of one view share items and may be compared; those of two views may not."""

    suite: str
    split: str = ""
    case: str = "average"
    condition: str = ""

    @property
    def title(self) -> str:
        case = "" if self.case == "average" else f"{self.case} case"
        parts = [self.suite, words(self.split), words(self.condition), case]
        return " · ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Grid:
    """One outcome of one view: `cells[row, column]`. `against`: "" for levels, "stage" or "system" for differences.

    aspect: what the records call their property.
    """

    aspect: str
    outcome: str
    against: str
    good: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: Mapping[tuple[str, str], Record] = field(repr=False)

    @property
    def records(self) -> list[Record]:
        return list(self.cells.values())

    @property
    def direction(self) -> str:
        return {"high": "higher is better", "low": "lower is better"}.get(self.good, "neither direction is better")


@dataclass(frozen=True, slots=True)
class Order:
    """How rows and columns are ordered, which models a stage stands for, and from which stage another was trained."""

    stages: tuple[str, ...]
    systems: tuple[str, ...]
    crowded: frozenset[str] = frozenset()
    start: Mapping[str, str] = field(default_factory=dict)

    def row(self, record: Record) -> str:
        """A stage's name; with the model where two models share it; the model's name where there is no stage."""
        if not record.stage:
            return record.model
        return f"{record.stage} ({record.model})" if record.stage in self.crowded else record.stage

    @property
    def lineage(self) -> str:
        """The stages in a line, those that were trained from the same one beside each other; a line that begins at an
        earlier one stands for itself.
        """
        said = ""
        for before, stage in zip(("", *self.stages), self.stages, strict=False):
            start = self.start.get(stage, before)
            if start == before:
                said += f" → {stage}"
            else:
                said += f" | {stage}" if self.start.get(before) == start else f"; {start} → {stage}"
        return said.removeprefix(" → ")


Entry = str | Mapping[str, Any]
"""A stage or a system as a manifest lists it: its name, or an object with a `name` and, where it was trained from
another stage, `from`.
"""


def order_of(records: Sequence[Record], stages: Sequence[Entry] = (), systems: Sequence[Entry] = ()) -> Order:
    """The given order for names that the records have, then the others as they appear in the records."""
    models: dict[str, set[str]] = {}
    for record in records:
        models.setdefault(record.stage, set()).add(record.model)
    crowded = frozenset(stage for stage, found in models.items() if stage and len(found) > 1)
    plain = Order((), (), crowded)
    found = [plain.row(record) for record in records], [record.system for record in records]
    rows = [*(stage for stage in map(_name, stages) if stage in found[0]), *found[0]]
    columns = [*(system for system in map(_name, systems) if system in found[1]), *found[1]]
    start = {_name(one): str(one["from"]) for one in stages if isinstance(one, Mapping) and "from" in one}
    return Order(tuple(dict.fromkeys(rows)), tuple(dict.fromkeys(columns)), crowded, start)


def _name(entry: Entry) -> str:
    return str(entry["name"]) if isinstance(entry, Mapping) and "name" in entry else str(entry)


def views(records: Sequence[Record]) -> dict[View, list[Record]]:
    """Records by view; those with an objective come first, otherwise the order of the records is kept."""
    found: dict[View, list[Record]] = {}
    for record in records:
        found.setdefault(View(record.suite, record.split, record.case, record.condition), []).append(record)
    return dict(sorted(found.items(), key=lambda item: not any(one.property in FIRST for one in item[1])))


def grids(records: Sequence[Record], order: Order) -> list[Grid]:
    """All grids of one view, levels before differences, objective and pay before the other properties.

    BadInput where two records claim the same cell: a page could show only one of them.
    """
    found: dict[tuple[str, str, str], dict[tuple[str, str], Record]] = {}
    for record in records:
        kind, _, reference = record.against.partition(":")
        row, column = order.row(record), record.system
        if kind == "stage":
            row = f"{row} {MINUS} {reference}"
        elif kind == "system":
            column = f"{column} {MINUS} {reference}"
        elif kind:
            kind = record.against
        cells = found.setdefault((record.property, record.outcome, kind), {})
        if (row, column) in cells:
            raise BadInput(
                f"two records of {record.outcome} for {row} as {column} on {record.suite} {record.split}".rstrip(),
                where="records.json",
                expected="one record for each outcome, stage, system, suite, split, case and comparison",
            )
        cells[row, column] = record
    return sorted((_grid(key, cells, order) for key, cells in found.items()), key=_rank)


def _grid(key: tuple[str, str, str], cells: Mapping[tuple[str, str], Record], order: Order) -> Grid:
    def arrange(names: set[str], known: Sequence[str]) -> tuple[str, ...]:
        places = {name: place for place, name in enumerate(known)}

        def rank(name: str) -> tuple[int, int, str]:
            first, _, reference = name.partition(f" {MINUS} ")
            return places.get(first, len(places)), -places.get(reference, -1), name

        return tuple(sorted(names, key=rank))

    rows = arrange({row for row, _ in cells}, order.stages)
    columns = arrange({column for _, column in cells}, order.systems)
    good = next((record.good for record in cells.values() if record.good), "")
    return Grid(*key, good, rows, columns, dict(cells))


def _rank(grid: Grid) -> tuple[bool, int]:
    return bool(grid.against), FIRST.index(grid.aspect) if grid.aspect in FIRST else len(FIRST)
