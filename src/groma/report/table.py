"""The matrix of stage × system for the terminal: one small table an outcome, readable at 80 columns, intervals included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from groma.formats.records import Record
from groma.report.cells import rivals_of
from groma.report.findings import findings
from groma.report.grids import Grid, grids, order_of, views
from groma.report.writing import interval, level, visible, words

LABEL, WIDTH = 12, 80


def tables(
    records: Sequence[Record],
    *,
    stages: Sequence[str] = (),
    systems: Sequence[str] = (),
    differences: bool = False,
    case: str | None = "average",
) -> list[Table]:
    """One table for each view and outcome, objective and pay first; all columns stand under each other at 80 columns.

    stages, systems: their order, where it is not that of the records. differences: paired differences, too.
    case: this case only; None: every case.
    """
    order = order_of(records, stages, systems)
    found = []
    for view, chosen in views(records).items():
        if case is None or view.case == case:
            drawn = [grid for grid in grids(chosen, order) if differences or not grid.against]
            found += [_table(grid, view.title) for grid in drawn]
    return found


def sentences(records: Sequence[Record], *, stages: Sequence[str] = (), systems: Sequence[str] = ()) -> list[str]:
    """What changed from stage to stage in the first view that has objective and pay, a sentence each; see `findings`."""
    order = order_of(records, stages, systems)
    for chosen in views(records).values():
        steps = findings(chosen, order)
        if steps:
            return [visible(step.text) for step in steps]
    return []


def _table(grid: Grid, where: str) -> Table:
    """The title holds what is the same for all cells; a cell is `0.71 [0.66, 0.75]`, on two lines beyond three columns."""
    table = Table(title=_title(grid, where), title_justify="left", title_style="", box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("", width=LABEL, style="bold", overflow="fold")
    wide = (WIDTH - LABEL - 1) // max(3, len(grid.columns)) - 1
    for column in grid.columns:
        table.add_column(Text(visible(column)), min_width=min(wide, 14), width=max(wide, 14), overflow="fold")
    between = " " if len(grid.columns) <= 3 else "\n"
    for row in grid.rows:
        cells = [_cell(grid.cells.get((row, column)), bool(grid.against), between) for column in grid.columns]
        table.add_row(Text(visible(row)), *cells)
    notes = [f"baselines: {', '.join(rivals_of(grid))}"] if not grid.against and rivals_of(grid) else []
    notes += [f"n/a: {reason}" for reason in dict.fromkeys(one.why_not for one in grid.records if one.why_not)]
    table.caption = Text(visible("\n".join(notes)), style="dim")
    table.caption_justify = "left"
    return table


def _title(grid: Grid, where: str) -> Text:
    counts = sorted({record.estimate.n for record in grid.records if record.estimate is not None})
    n = f", n {counts[0]:,}" + (f"–{counts[-1]:,}" if counts[0] != counts[-1] else "") if counts else ""
    kind = f", difference between {grid.against}s" if grid.against else ""
    better = {"high": " ↑ higher is better", "low": " ↓ lower is better"}.get(grid.good, "")
    return Text.assemble((visible(words(grid.outcome)), "bold"), visible(f"{kind}{better} ({where}{n})"))


def _cell(record: Record | None, signed: bool, between: str) -> Text:
    if record is None:
        return Text("–", style="dim")
    if record.estimate is None:
        return Text("n/a", style="dim")
    return Text.assemble((level(record.estimate, signed=signed), "bold"), between, interval(record.estimate, signed=signed))
