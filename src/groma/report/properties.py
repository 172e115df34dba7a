"""The survey at a glance: a property a block, its leading outcomes as rows, each system's three cases in a cell.

Which outcomes lead stands in the manifest (`measures`), as the measures declare them; here they are only looked up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from groma.formats.records import Record
from groma.report.grids import Order
from groma.report.writing import MINUS, level, number, with_interval, words

CASES = ("average", "pessimistic", "worst")


@dataclass(frozen=True, slots=True)
class Row:
    """One leading outcome of one stage: `cells[system]` has its records by case."""

    title: str
    about: str
    good: str
    stage: str
    cells: Mapping[str, Mapping[str, Record]]

    @property
    def rivals(self) -> list[str]:
        """What simple rivals get on the same items, in the average case."""
        known: dict[str, float] = {}
        for cases in self.cells.values():
            for record in cases.values():
                if record.case == "average" and not record.against:
                    known.update(record.baseline)
        return [f"{name} {number(value)}" for name, value in known.items()]

    def said(self, system: str, case: str) -> str:
        """The figure, or "n/a" where the system has no form for it, or "" where it was not measured."""
        record = self.cells.get(system, {}).get(case)
        if record is None:
            return ""
        if record.estimate is None:
            return "n/a"
        signed = bool(record.against)
        shown = with_interval(record.estimate, signed=signed) if case == "average" else level(record.estimate)
        return f"{shown} naive" if "naive" in record.estimate.kind else shown


@dataclass(frozen=True, slots=True)
class Block:
    """A property, the question that it asks, and its rows."""

    name: str
    question: str
    rows: Sequence[Row]


def properties(
    records: Sequence[Record], order: Order, measures: Mapping[str, Any], wordings: Mapping[str, Mapping[str, str]]
) -> list[Block]:
    """The blocks, in the order in which the measures are listed; a property without a record is left out. Below each
    stands what the systems can do at all, where the run measured it.
    """
    found: dict[tuple[str, str, str], list[Record]] = {}
    for record in records:
        if "/" not in record.suite:
            found.setdefault((record.outcome, record.condition, record.against), []).append(record)
    blocks = []
    for name, measure in measures.items():
        rows, able = (
            [row for one in measure.get(shown, ()) for row in _rows(found.get(tuple(one), []), order, wordings)]
            for shown in ("leading", "ability")
        )
        if rows:
            rows += [replace(one, title=f"ability: {one.title}") for one in able]
            blocks.append(Block(words(name), str(measure["question"]), rows))
    return blocks


def _rows(records: Sequence[Record], order: Order, wordings: Mapping[str, Mapping[str, str]]) -> list[Row]:
    """A row for each stage that has a figure."""
    rows = []
    for stage in order.stages:
        cells: dict[str, dict[str, Record]] = {}
        for record in records:
            if order.row(record) == stage:
                cells.setdefault(record.system, {}).setdefault(record.case, record)
        if any(record.estimate for cases in cells.values() for record in cases.values()):
            first = next(record for cases in cells.values() for record in cases.values())
            about = wordings.get(first.outcome, {})
            rows.append(Row(_title(first, about), str(about.get("explanation", "")), first.good, stage, cells))
    return rows


def _title(record: Record, about: Mapping[str, str]) -> str:
    title = str(about.get("title") or words(record.outcome))
    if record.against:
        return f"{title}: {words(record.condition)} {MINUS} {words(record.against.partition(':')[2])}"
    return f"{title}, {words(record.condition)}" if record.condition else title
