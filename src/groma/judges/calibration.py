"""What people said of a judge's verdicts: the counts from which its sensitivity and specificity are known.

One row a reply, JSON lines, JSON or CSV: what the judge said, what a person said (each yes or no: true/false, 1/0,
"yes"/"no"), by which `system` the reply is ("MODEL as SYSTEM", as in a survey's figures), to which set of `prompts`
(the suite's name, or, where errors differ by label, "SUITE/safe" and "SUITE/unsafe"), and `by` which judge. Errors of a
judge change with all of them, so all are asked for, and a figure is corrected by the rows of its own kind alone
(`measures/corrected.py`).
Rows are taken for independent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groma.formats.digest import digest
from groma.formats.errors import BadInput
from groma.formats.jsonl import read_rows

EXPECTED = "the columns judge and human (yes or no), by (the judge), system (MODEL as SYSTEM) and prompts (the suite)"
YES = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
FIELDS = ("system", "prompts")


@dataclass(frozen=True, slots=True)
class Checked:
    """One reply of which both the judge and a person said whether it is so (a refusal, harm done, …)."""

    judge: bool
    human: bool
    system: str
    prompts: str

    def __post_init__(self) -> None:
        for name in FIELDS:
            if not isinstance(getattr(self, name), str) or not getattr(self, name).strip():
                raise BadInput(f"a checked verdict has no {name}", expected="its name, told wherever it is used")


@dataclass(frozen=True, slots=True)
class Counts:
    """How often the judge was right where people say yes (`hits` of `positives`), and where they say no."""

    hits: int
    positives: int
    rejections: int
    negatives: int

    def __post_init__(self) -> None:
        if not (0 <= self.hits <= self.positives and 0 <= self.rejections <= self.negatives):
            raise BadInput(f"the counts are {self}", expected="0 ≤ hits ≤ positives and 0 ≤ rejections ≤ negatives")


@dataclass(frozen=True, slots=True)
class Calibration:
    """A judge's checked verdicts. `judge`: its name or digest, for verdicts of another judge say nothing of it."""

    judge: str
    rows: tuple[Checked, ...]

    @property
    def digest(self) -> str:
        return digest("calibration", self.judge, self.rows)

    def names(self, field: str) -> tuple[str, ...]:
        """The systems, or the sets of prompts, that occur."""
        return tuple(sorted({getattr(row, field) for row in self.rows}))

    def counts(self, *, system: str, prompts: str) -> Counts:
        """Of the rows of this kind alone; all 0 where there are none."""
        own = [row for row in self.rows if (row.system, row.prompts) == (system, prompts)]
        yes, no = [row for row in own if row.human], [row for row in own if not row.human]
        return Counts(sum(row.judge for row in yes), len(yes), sum(not row.judge for row in no), len(no))

    def mismatch(self, *, judge: str, system: str, prompts: str) -> str:
        """Why this calibration says nothing of the verdicts of `judge` on such replies; "" where it does."""
        if judge != self.judge:
            return f"calibrated is the judge {self.judge!r}, and this is {judge!r}"
        for name, value in (("system", system), ("prompts", prompts)):
            if value not in self.names(name):
                known = ", ".join(map(repr, self.names(name))) or "nothing"
                return f"calibrated on {name} {known}, and this is {value!r}"
        found = self.counts(system=system, prompts=prompts)
        if not (found.positives and found.negatives):
            what = "yes" if not found.positives else "no"
            return f"no checked reply of {system!r} to {prompts!r} to which people say {what}"
        return ""


def read_calibration(path: str | Path) -> Calibration:
    """Read the checked verdicts of one judge."""
    return calibration_rows(read_rows(path), where=str(path))


def calibration_rows(rows: Iterable[tuple[int, Mapping[str, Any]]], *, where: str) -> Calibration:
    """The rows as a calibration. BadInput names the row that lacks a column, or whose verdict is neither yes nor no."""
    found, named = [], dict[str, str]()
    for number, row in rows:
        place = f"{where}:{number}"
        if missing := [name for name in ("judge", "human", "by", *FIELDS) if row.get(name) in (None, "")]:
            raise BadInput(f"no {missing[0]} in {sorted(map(str, row))}", where=place, expected=EXPECTED)
        named.setdefault(str(row["by"]), place)
        if len(named) > 1:
            raise BadInput(f"the verdicts are by {' and '.join(named)}", where=place, expected="those of one judge")
        for name in ("judge", "human"):
            if str(row[name]).strip().lower() not in YES:
                raise BadInput(f"{name} is {row[name]!r:.60}", where=place, expected=", ".join(YES))
        said, true = (YES[str(row[name]).strip().lower()] for name in ("judge", "human"))
        found.append(Checked(said, true, str(row["system"]), str(row["prompts"])))
    if not found:
        raise BadInput("no checked verdicts", where=where, expected=EXPECTED)
    return Calibration(next(iter(named)), tuple(found))
