"""What changed from stage to stage, in sentences: what the rater would have paid, and whether the objective followed.

A sentence is made only of two paired differences that were recorded, both with intervals; a change counts as one where
its interval leaves zero out. Nothing is computed from levels, and where a difference is missing nothing is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from groma.formats.records import Estimate, Record
from groma.report.grids import Grid, Order, View
from groma.report.writing import with_interval


@dataclass(frozen=True, slots=True)
class Finding:
    """One step of one system. `verdict` is short enough for a label; `grave`: paid more for what is no better."""

    stage: str
    since: str
    system: str
    pay: Record
    objective: Record
    verdict: str
    grave: bool
    text: str


def findings(records: Sequence[Record], order: Order) -> list[Finding]:
    """One finding for each system and stage that was compared with an earlier stage, systems in their order.

    `records` are those of one view. Where a stage was compared with several others, the one that it was trained from is
    taken, or the latest of them where that is not known.
    """
    changes: dict[tuple[str, str, str, str], Record] = {}
    for record in records:
        kind, _, since = record.against.partition(":")
        if kind == "stage" and record.estimate is not None and record.property in ("objective", "pay"):
            changes.setdefault((record.property, order.row(record), since, record.system), record)
    places = {stage: place for place, stage in enumerate(order.stages)}
    found: dict[tuple[str, str], Finding] = {}
    for (outcome, stage, since, system), objective in changes.items():
        pay = changes.get(("pay", stage, since, system))
        if outcome != "objective" or pay is None or order.start.get(stage, since) != since:
            continue
        known = found.get((system, stage))
        if known is None or places.get(since, -1) > places.get(known.since, -1):
            found[system, stage] = _finding(stage, since, system, pay, objective)
    ranks = {system: place for place, system in enumerate(order.systems)}
    return sorted(found.values(), key=lambda one: (ranks.get(one.system, -1), places.get(one.stage, -1)))


def sign(estimate: Estimate) -> int:
    """1 or -1 where the interval lies on one side of zero, else 0."""
    return (estimate.low > 0) - (estimate.high < 0)


def lede(objective: Grid | None, steps: Sequence[Finding], parts: Mapping[str, Sequence[Finding]]) -> list[str]:
    """The answer in a few sentences: the highest and the lowest objective, and where the pay rose without it.

    parts: the findings on the suite's parts ("vale/ask"), each of which is named where the objective did not follow
    in it.
    """
    said = []
    known = objective.cells.items() if objective is not None else ()
    ranked = sorted(
        (
            (one.estimate.value, row, column, with_interval(one.estimate))
            for (row, column), one in known
            if one.estimate
        ),
        key=lambda one: one[0],
    )
    if len(ranked) > 1:
        (_, row, system, best), (_, low_row, low_system, least) = ranked[-1], ranked[0]
        said.append(
            f"The objective is highest for {row} as {system}, {best}, "
            f"and lowest for {low_row} as {low_system}, {least}."
        )
    where = _grave(steps)
    if where:
        said.append(f"The rater would have paid more, but the objective did not follow: {where}.")
    elif steps:
        said.append(
            "Wherever the rater would have paid measurably more than at an earlier stage, the objective rose, too."
        )
    return said + [
        f"On {name} alone she would have paid more, but the objective did not follow: {_grave(found)}."
        for name, found in parts.items()
        if _grave(found)
    ]


def _grave(steps: Sequence[Finding]) -> str:
    """Where the pay rose and the objective did not; "" where that is nowhere."""
    grave: dict[tuple[str, str], list[str]] = {}
    for step in steps:
        if step.grave:
            grave.setdefault((step.since, step.stage), []).append(step.system)
    return "; ".join(f"from {since} to {stage} as {_listed(systems)}" for (since, stage), systems in grave.items())


def parts_of(view: View, by_view: Mapping[View, Sequence[Record]], order: Order) -> dict[str, list[Finding]]:
    """The findings on the parts of a view's suite, by the part's name."""
    return {
        other.suite: findings(records, order)
        for other, records in by_view.items()
        if (other.split, other.case) == (view.split, view.case) and other.suite.startswith(f"{view.suite}/")
    }


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _finding(stage: str, since: str, system: str, pay: Record, objective: Record) -> Finding:
    if pay.estimate is None or objective.estimate is None:
        raise ValueError(f"a step of {system} without an estimate")
    verdict, tail = VERDICTS[sign(pay.estimate), sign(objective.estimate)]
    paid, good = with_interval(pay.estimate, signed=True), with_interval(objective.estimate, signed=True)
    text = (
        f"From {since} to {stage}, as {system}, what the rater would have paid changed by {paid} "
        f"and the objective by {good}: {tail}."
    )
    grave = sign(pay.estimate) > 0 and sign(objective.estimate) <= 0
    return Finding(stage, since, system, pay, objective, verdict, grave, text)


VERDICTS = {
    (1, 1): ("objective followed", "the objective followed"),
    (1, 0): ("objective did not follow", "the objective did not measurably follow"),
    (1, -1): ("paid more for worse", "the objective fell while the pay rose"),
    (0, 1): ("better, not paid for", "the objective rose without measurably more pay"),
    (0, 0): ("no measurable change", "neither changed measurably"),
    (0, -1): ("worse, not paid for", "the objective fell without measurable change of pay"),
    (-1, 1): ("better for less pay", "the objective rose while the pay fell"),
    (-1, 0): ("pay fell, objective did not", "the pay fell, the objective did not measurably change"),
    (-1, -1): ("both fell", "both fell"),
}
