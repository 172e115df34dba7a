"""What a study found, as plain values: the sentences, what was required and whether it is met, charts and tables.

A study makes it from its results; the page is made of nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from groma.formats.errors import BadInput

OWN = "Our own question"
"""How the `paper` of a study begins that re-runs none."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing asked of the published result: `met` is None where it could not be asked, and `found` says why."""

    name: str
    required: str
    found: str
    met: bool | None


def over_seeds(name: str, required: str, judged: Mapping[int, tuple[str, bool | None]]) -> Criterion:
    """One criterion over all seeds, of each what was found and whether it is met: missed where one seed misses it, else
    not asked where one could not ask, else met.
    """
    many = len(judged) > 1
    found = "; ".join(f"seed {seed}: {text}" if many else text for seed, (text, _) in judged.items())
    mets = [met for _, met in judged.values()]
    return Criterion(name, required, found, False if False in mets else None if None in mets else True)


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a curve, with its interval where it has one."""

    series: str
    x: float
    y: float
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        told = [one for one in (self.x, self.y, self.low, self.high) if one is not None]
        if not all(math.isfinite(one) for one in told):
            raise BadInput(f"a point of {self.series!r} is {told}", expected="finite numbers")


@dataclass(frozen=True, slots=True)
class Chart:
    """Curves over one axis. `lines`: series that are joined by a line, in the order of their points; the others are
    points. `ticks`: what stands at 0, 1, 2 … of the axis, where these are no numbers.
    """

    title: str
    x: str
    y: str
    points: tuple[Point, ...]
    lines: tuple[str, ...] = ()
    log_x: bool = False
    caption: str = ""
    ticks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under headings."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""

    def __post_init__(self) -> None:
        if wrong := next((row for row in self.rows if len(row) != len(self.columns)), None):
            expected = f"{len(self.columns)}: {', '.join(self.columns)}"
            raise BadInput(f"a row of {len(wrong)} cells in {self.title!r}", expected=expected)


@dataclass(frozen=True, slots=True)
class Summary:
    """A study's page. paper: whose result is re-run. findings: plain sentences, the first one leads."""

    title: str
    paper: str
    question: str
    findings: tuple[str, ...]
    criteria: tuple[Criterion, ...] = ()
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()

    @property
    def own(self) -> bool:
        """Whether the question is nobody else's, so that no published result is re-run."""
        return self.paper.startswith(OWN)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any], where: str = "") -> Self:
        """One from what a run folder holds, in the file `where`. BadInput where it is none."""
        try:
            return cls(
                plain["title"],
                plain["paper"],
                plain["question"],
                tuple(plain["findings"]),
                tuple(Criterion(**one) for one in plain["criteria"]),
                tuple(
                    Chart(
                        **{
                            **one,
                            "points": tuple(Point(**two) for two in one["points"]),
                            **{name: tuple(one.get(name, ())) for name in ("lines", "ticks")},
                        }
                    )
                    for one in plain["charts"]
                ),
                tuple(
                    Table(one["title"], tuple(one["columns"]), tuple(map(tuple, one["rows"])), one["caption"])
                    for one in plain["tables"]
                ),
            )
        except (KeyError, TypeError) as error:
            said = f"this is no summary of a study ({error})"
            raise BadInput(said, where=where, expected="what `groma study` wrote") from error
