"""Records and grids → what the templates draw: cells with places on their axis, shades, details, baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from groma.formats.records import Record
from groma.formats.requests import Cost
from groma.report.findings import sign
from groma.report.grids import Grid, Order
from groma.report.writing import interval, level, number, words

BOUNDS = {"objective": (-1.0, 1.0)}


@dataclass(frozen=True, slots=True)
class Axis:
    """A range of values; `at` gives a place on it in per cent."""

    low: float
    high: float

    def at(self, value: float) -> float:
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return round(100 * min(1.0, max(0.0, share)), 2)


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure, ready to be drawn. `index` finds its details; `shade` is how far from the ideal, 0 to 1, or None."""

    index: int
    value: str
    interval: str
    n: int
    failures: int
    why_not: str
    marks: tuple[float, float, float]
    rivals: tuple[float, ...]
    shade: float | None
    change: str


def axis_of(grid: Grid) -> Axis:
    """[0, 1] for rates, [-1, 1] for the objective, symmetric for differences, otherwise what the intervals need."""
    ends = [end for one in grid.records if one.estimate for end in (one.estimate.low, one.estimate.high)]
    if grid.against:
        reach = max([abs(end) for end in ends], default=1.0) or 1.0
        return Axis(-reach, reach)
    low, high = BOUNDS.get(grid.aspect, (0.0, 1.0))
    if grid.aspect == "pay" or any(not low <= end <= high for end in ends):
        return Axis(min([0.0, *ends]), max([0.0, *ends]))
    return Axis(low, high)


def cell_of(record: Record, index: int, grid: Grid, axis: Axis) -> Cell:
    """The cell of one record of `grid`."""
    estimate = record.estimate
    if estimate is None:
        return Cell(index, "n/a", "", 0, record.failures, record.why_not, (0, 0, 0), (), None, "")
    marks = (axis.at(estimate.low), axis.at(estimate.value), axis.at(estimate.high))
    signed = bool(grid.against)
    rivals = () if grid.against else tuple(axis.at(value) for value in sorted(record.baseline.values()))
    shade = None
    if not grid.against and grid.good and (axis.low, axis.high) in ((0.0, 1.0), (-1.0, 1.0)):
        share = axis.at(estimate.value) / 100
        shade = round(share if grid.good == "low" else 1 - share, 3)
    figures = level(estimate, signed=signed), interval(estimate, signed=signed)
    return Cell(index, *figures, estimate.n, record.failures, "", marks, rivals, shade, _change(record, grid))


def _change(record: Record, grid: Grid) -> str:
    """Of a difference: "better", "worse", "more", "less", or "" where the interval holds zero."""
    if not grid.against or record.estimate is None or sign(record.estimate) == 0:
        return ""
    up = sign(record.estimate) > 0
    if not grid.good:
        return "more" if up else "less"
    return "better" if up == (grid.good == "high") else "worse"


def rivals_of(grid: Grid) -> list[str]:
    """What simple rivals get on the same items, as text; by system where their items differ."""
    found: dict[str, dict[str, dict[float, None]]] = {}
    for (_, column), record in grid.cells.items():
        for rival, value in record.baseline.items():
            found.setdefault(rival, {}).setdefault(column, {})[round(value, 6)] = None
    said = []
    for rival, columns in found.items():
        values = sorted({value for values in columns.values() for value in values})
        if len(values) == 1:
            said.append(f"{rival} {number(values[0])}")
        elif all(len(values) == 1 for values in columns.values()):
            said.append(f"{rival} " + ", ".join(f"{number(next(iter(one)))} ({name})" for name, one in columns.items()))
        else:
            said.append(f"{rival} {number(values[0])} to {number(values[-1])}")
    return said


def best_rival(grid: Grid) -> tuple[str, float] | None:
    """The rival with the best figure, where every cell has the same rivals (another item set would be another line)."""
    found = {tuple(sorted(record.baseline.items())) for record in grid.records if record.estimate is not None}
    rivals = dict(next(iter(found))) if len(found) == 1 else {}
    return (min if grid.good == "low" else max)(rivals.items(), key=lambda rival: rival[1], default=None)


def reasons(records: Sequence[Record], title: Mapping[str, str]) -> list[str]:
    """Why figures are missing: each reason once, with the systems and outcomes that it is about."""
    found: dict[str, dict[str, dict[str, None]]] = {}
    for record in records:
        if record.why_not and not record.against:
            found.setdefault(record.why_not, {}).setdefault(record.system, {})[title[record.outcome]] = None
    said = []
    for reason, systems in found.items():
        whose = "; ".join(f"{system}: {', '.join(names)}" for system, names in systems.items())
        said.append(f"{reason} ({whose})")
    return said


def detail_of(record: Record, order: Order, title: str, about: str) -> dict[str, Any]:
    """All there is to know of one figure, for the card that opens on it; texts, which the page shows as they are."""
    estimate = record.estimate
    lines: list[tuple[str, str]] = []
    if estimate is not None:
        lines = [("interval", f"{number(100 * estimate.confidence, 0)} %, {estimate.kind}"), ("n", f"{estimate.n:,}")]
    if record.baseline and not record.against:
        lines.append(("baselines", " · ".join(f"{rival} {number(value)}" for rival, value in record.baseline.items())))
    lines += [("failed episodes", f"{record.failures:,}")] if record.failures else []
    suite = " · ".join(part for part in (record.suite, words(record.split), f"{record.case} case") if part)
    whole = [("suite", suite), ("model", record.model), ("digest", record.digest), ("seed", str(record.seed))]
    find = [record.suite, order.row(record), record.system, record.split, record.outcome]
    signed = bool(record.against)
    return {
        "where": f"{order.row(record)} · {record.system}",
        "what": title if record.case == "average" else f"{title}, {record.case} case",
        "against": record.against.replace(":", " ", 1),
        "about": about,
        "value": level(estimate, signed=signed) if estimate else "n/a",
        "interval": interval(estimate, signed=signed) if estimate else record.why_not,
        "lines": lines,
        "whole": whole,
        "find": find if record.transcripts else 0,
    }


def costs(records: Sequence[Record], order: Order) -> list[tuple[str, ...]]:
    """One row a stage, system, suite and split. A record carries its arm's whole cost: the first is read."""
    rows: dict[tuple[str, ...], tuple[str, ...]] = {}
    for record in records:
        key = (order.row(record), record.system, record.suite, words(record.split))
        if record.against or key in rows or not record.cost:
            continue
        total = sum(record.cost.values(), Cost())
        counts = (total.calls, total.prompt_tokens, total.completion_tokens)
        rows[key] = (*key, *(f"{one:,}" for one in counts), f"{total.seconds:,.1f}", f"{record.wall_seconds:,.1f}")
    return list(rows.values())
