"""The matrix of stage × system for the terminal: a small table an outcome, readable at 80 columns, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from groma.formats.records import Record
from groma.report.cells import rivals_of
from groma.report.embodiments import embodiments
from groma.report.findings import findings, parts_of
from groma.report.grids import Entry, Grid, Order, grids, order_of, views
from groma.report.properties import CASES, Row, properties
from groma.report.writing import interval, level, visible, words

LABEL, CELL, COLUMNS = 12, 21, 3
"""Widths of a row's name and of a cell, and cells a line, so that a line has at most 80 columns."""


def tables(
    records: Sequence[Record],
    *,
    stages: Sequence[Entry] = (),
    systems: Sequence[Entry] = (),
    differences: bool = False,
    case: str | None = "average",
) -> list[Table]:
    """One table for each view and outcome, objective and pay first; at 80 columns all figures stand under each other.

    Where there are more than three systems, further tables follow for the others.

    stages, systems: their order, where it is not that of the records. differences: paired differences, too.
    case: this case only, of the items as they are; None: every case, and every other form.
    """
    order = order_of(records, stages, systems)
    found = []
    for view, chosen in views(records).items():
        if case is None or (view.case == case and not view.condition):
            drawn = [grid for grid in grids(chosen, order) if differences or not grid.against]
            for grid in drawn:
                found += [_table(grid, part, view.title) for part in _parts(grid.columns)]
    return found


def glance(
    records: Sequence[Record],
    measures: Mapping[str, Any],
    wordings: Mapping[str, Mapping[str, str]],
    *,
    stages: Sequence[Entry] = (),
    systems: Sequence[Entry] = (),
) -> list[Table]:
    """A table for each property that was measured: its leading outcomes, and of each the cases below each other."""
    order = order_of(records, stages, systems)
    found = []
    for block in properties(records, order, measures, wordings):
        for part in _parts(order.systems):
            table = Table(title_justify="left", title_style="", box=None, padding=(0, 1, 0, 0))
            table.title = Text.assemble((visible(block.name), "bold"), f"  {visible(block.question)}")
            table.pad_edge = False
            table.add_column("", width=LABEL + 4, overflow="fold")
            for system in part:
                table.add_column(Text(visible(system)), width=CELL, overflow="fold")
            for row in block.rows:
                arrow = {"high": " ↑", "low": " ↓"}.get(row.good, "")
                stage = f" ({row.stage})" if len(order.stages) > 1 else ""
                table.add_row(Text(visible(f"{row.title}{arrow}{stage}")), *(_cases(row, system) for system in part))
            found.append(table)
    return found


def _cases(row: Row, system: str) -> Text:
    """The three cases of one figure, as many as there are."""
    average, *others = (row.said(system, case) for case in CASES)
    said = Text(average or "–", style="" if average not in ("", "n/a") else "dim")
    for case, text in zip(CASES[1:], others, strict=True):
        if text not in ("", "n/a"):
            said.append(f"\n{case} {text}", style="dim")
    return said


def sentences(records: Sequence[Record], *, stages: Sequence[Entry] = (), systems: Sequence[Entry] = ()) -> list[str]:
    """What changed from stage to stage in the first view that has objective and pay, a sentence each (findings.py).

    Of the parts of its suite ("vale/ask") follow the steps in which the pay rose and the objective did not; then, where
    there are several systems, what each adds and takes away (embodiments.py).
    """
    order = order_of(records, stages, systems)
    first = next(iter(views(records).values()), [])
    return [*_steps(records, order), *(visible(one.text) for one in embodiments(first, order))]


def _steps(records: Sequence[Record], order: Order) -> list[str]:
    by_view = views(records)
    for view, chosen in by_view.items():
        steps = findings(chosen, order)
        if steps:
            parts = parts_of(view, by_view, order)
            grave = [f"On {name}: {step.text}" for name, found in parts.items() for step in found if step.grave]
            return [visible(text) for text in (*(step.text for step in steps), *grave)]
    return []


def _parts(columns: Sequence[str]) -> list[Sequence[str]]:
    return [columns[place : place + COLUMNS] for place in range(0, len(columns), COLUMNS)]


def _table(grid: Grid, columns: Sequence[str], where: str) -> Table:
    """The title says what all cells share; a cell is `0.71 [0.66, 0.75]`."""
    table = Table(title=_title(grid, where), title_justify="left", title_style="", box=None, padding=(0, 1, 0, 0))
    table.pad_edge = False
    table.add_column("", width=LABEL, style="bold", overflow="fold")
    for column in columns:
        table.add_column(Text(visible(column)), width=CELL, overflow="fold")
    for row in grid.rows:
        cells = [_cell(grid.cells.get((row, column)), bool(grid.against)) for column in columns]
        table.add_row(Text(visible(row)), *cells)
    rivals = rivals_of(grid) if not grid.against else []
    notes = [f"baselines: {', '.join(rivals)}"] if rivals else []
    notes += [f"n/a: {reason}" for reason in dict.fromkeys(one.why_not for one in grid.records if one.why_not)]
    table.caption = Text(visible("\n".join(notes)), style="dim")
    table.caption_justify = "left"
    return table


def _title(grid: Grid, where: str) -> Text:
    counts = sorted({record.estimate.n for record in grid.records if record.estimate is not None})
    n = f", n {counts[0]:,}" + (f"–{counts[-1]:,}" if counts[0] != counts[-1] else "") if counts else ""
    better = {"high": " ↑ higher is better", "low": " ↓ lower is better"}.get(grid.good, "")
    if grid.against:
        better = f"{better[:2]}, difference between {grid.against}s"
    return Text.assemble((visible(words(grid.outcome)), "bold"), visible(f"{better} ({where}{n})"))


def _cell(record: Record | None, signed: bool) -> Text:
    if record is None:
        return Text("–", style="dim")
    if record.estimate is None:
        return Text("n/a", style="dim")
    return Text.assemble((level(record.estimate, signed=signed), "bold"), " ", interval(record.estimate, signed=signed))
