"""A run folder → one HTML page that needs nothing else: no network, no library, no other file.

Everything that a model, a user or a file name put into the run is untrusted: templates escape it, `visible` makes what
would hide or reorder text seen, transcripts are data that the script shows by `textContent`, and the page's content
security policy lets no script run but the one whose digest it names, and nothing be loaded at all.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from groma.formats.records import Record
from groma.formats.run_folder import RunFolder, unanswered_note
from groma.report.cells import Cell, axis_of, best_rival, cell_of, costs, detail_of, reasons, rivals_of
from groma.report.charts import domain, stages_chart
from groma.report.embodiments import Embodied, embodiments
from groma.report.episodes import LIMIT, as_script, embed
from groma.report.findings import Finding, findings, lede, parts_of
from groma.report.grids import FIRST, Grid, View, grids, views
from groma.report.properties import properties
from groma.report.reliability import reliability_chart
from groma.report.run import TRANSCRIPTS, Run, read_run
from groma.report.study import pictures
from groma.report.writing import number, visible, words

TEMPLATES = Path(__file__).parent / "templates"
SCRIPTS = ("shell.js", "matrix.js", "transcripts.js", "item.js")
PAGE = "report.html"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A grid with its cells drawn, row by row (None: nothing was measured there)."""

    grid: Grid
    title: str
    about: str
    cells: Mapping[tuple[str, str], Cell]
    rivals: Sequence[str]
    zero: float


@dataclass(frozen=True, slots=True)
class Panel:
    """All that one view shows."""

    view: View
    objective: Drawn | None
    pay: Drawn | None
    properties: Mapping[str, Sequence[Drawn]]
    differences: Mapping[str, Mapping[str, Sequence[Drawn]]]
    embodied: Sequence[Embodied]
    steps: Mapping[tuple[str, str], Finding]
    charts: Sequence[tuple[str, Markup, Sequence[Finding]]]
    best: str
    lede: Sequence[str]
    reasons: Sequence[str]
    worst: Mapping[tuple[str, str], Cell]


def write_page(run_folder: str | Path) -> Path:
    """Write `report.html` into a run folder and return its path. BadInput where the folder is not a whole run."""
    run = read_run(run_folder)
    return RunFolder.open(run_folder).write_text(PAGE, render(run))


def render(run: Run, limit: int = LIMIT) -> str:
    """The page's HTML with at most `limit` bytes of transcripts. The same run gives the same bytes."""
    index = {id(record): place for place, record in enumerate(run.records)}
    title = {record.outcome: _wording(run, record.outcome, "title", words(record.outcome)) for record in run.records}
    about = {record.outcome: _wording(run, record.outcome, "explanation", "") for record in run.records}
    by_view = views(run.records)

    def draw(grid: Grid) -> Drawn:
        return _draw(grid, index, title[grid.outcome], about[grid.outcome])

    panels = [_panel(run, view, by_view, draw) for view in by_view]
    embedded = embed(run.sources, limit)
    good = {record.outcome: record.good for record in run.records}
    data = {
        "details": [
            detail_of(record, run.order, title[record.outcome], about[record.outcome]) for record in run.records
        ],
        "stages": run.order.stages,
        "systems": run.order.systems,
        "titles": title,
        "good": good,
        **embedded.data,
    }
    script = "\n".join((TEMPLATES / name).read_text(encoding="utf-8") for name in SCRIPTS)
    template = _environment().get_template("page.html.j2")
    return template.render(
        run=run,
        stopped=_plain(run.manifest.get("stopped") or ""),
        subject=_plain(run.manifest.get("model") or run.records[0].model),
        panels=panels,
        blocks=properties(run.records, run.order, run.manifest.get("measures") or {}, run.wordings),
        cases=CASES,
        curves=_curves(run),
        found=[(one, pictures(one)) for one in run.found],
        field=_field(run),
        has_worst=any(record.case == "worst" for record in run.records),
        embedded=embedded,
        folder=TRANSCRIPTS,
        facts=_facts(run),
        notes=[_plain(note) for note in (*_listed(run.manifest.get("notes")), *unanswered_note(run.manifest))],
        costs=costs(run.records, run.order),
        style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_digest=base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii"),
        data=Markup(as_script(data)),
    )


def _panel(run: Run, view: View, by_view: Mapping[View, Sequence[Record]], draw: Callable[[Grid], Drawn]) -> Panel:
    records = by_view[view]
    drawn = [draw(grid) for grid in grids(records, run.order)]
    levels = [one for one in drawn if not one.grid.against]
    first = {name: next((one for one in levels if one.grid.aspect == name), None) for name in FIRST}
    objective, pay = first["objective"], first["pay"]
    if pay is not None and not (objective is not None and set(pay.cells) <= set(objective.cells)):
        first["pay"] = None  # it has no place beside an objective, so it stands with the other outcomes
    properties: dict[str, list[Drawn]] = {}
    differences: dict[str, dict[str, list[Drawn]]] = {}
    for one in drawn:
        name = {"both": "honesty and harmlessness"}.get(one.grid.aspect, words(one.grid.aspect))
        if one.grid.against:
            heading = "objective and pay" if one.grid.aspect in FIRST else name
            differences.setdefault(one.grid.against, {}).setdefault(heading, []).append(one)
        elif one not in first.values():
            properties.setdefault(name, []).append(one)
    steps = findings(records, run.order)
    best = best_rival(objective.grid) if objective else None
    low = [one for one in by_view.get(replace(view, case="pessimistic"), ()) if one.property == "objective"]
    worst = next((draw(grid) for grid in grids(low, run.order)), None) if view.case == "average" else None
    return Panel(
        view=view,
        objective=objective,
        pay=first["pay"],
        properties=properties,
        differences={kind: differences[kind] for kind in sorted(differences, key=lambda kind: kind != "system")},
        embodied=embodiments(records, run.order),
        steps={(one.stage, one.system): one for one in steps},
        charts=_charts(run, first, steps, best) if view.case == "average" else [],
        best=f"{best[0]} {number(best[1])}" if best else "",
        lede=lede(objective.grid if objective else None, steps, parts_of(view, by_view, run.order)),
        reasons=reasons(records, {one.grid.outcome: one.title for one in drawn}),
        worst=worst.cells if worst is not None else {},
    )


def _draw(grid: Grid, index: Mapping[int, int], title: str, about: str) -> Drawn:
    axis = axis_of(grid)
    cells = {place: cell_of(record, index[id(record)], grid, axis) for place, record in grid.cells.items()}
    rivals = [] if grid.against else rivals_of(grid)
    return Drawn(grid, title, about, cells, rivals, axis.at(0.0))


def _charts(
    run: Run, first: Mapping[str, Drawn | None], steps: Sequence[Finding], best: tuple[str, float] | None
) -> list[tuple[str, Markup, Sequence[Finding]]]:
    """One chart for each system, on one scale, with the sentences about its steps."""
    found = {name: drawn.grid for name, drawn in first.items() if drawn is not None}
    known = [record for grid in found.values() for record in grid.records]
    stages = [stage for stage in run.order.stages if any(stage in grid.rows for grid in found.values())]
    scale = domain(known, [best[1]] if best else [])
    charts: list[tuple[str, Markup, Sequence[Finding]]] = []
    for system in run.order.systems:
        levels = {
            name: {row: record for (row, column), record in grid.cells.items() if column == system and record.estimate}
            for name, grid in found.items()
        }
        if any(levels.values()):
            chart = stages_chart(system, stages, levels, scale, best[1] if best else None)
            charts.append((system, chart, [one for one in steps if one.system == system]))
    return charts


def _curves(run: Run) -> list[tuple[str, Markup]]:
    """A reliability plot for each stage and system that scored choices."""
    several = len(run.order.stages) > 1
    return [
        (f"{stage} as {system}" if several else system, reliability_chart(system, bins))
        for stage, found in run.curves.items()
        for system, bins in found.items()
    ]


def _wording(run: Run, outcome: str, key: str, otherwise: str) -> str:
    return str(run.wordings.get(outcome, {}).get(key) or otherwise)


def _facts(run: Run) -> list[tuple[str, str]]:
    """What the manifest says about the run, in its own order, but for what the page shows elsewhere."""
    elsewhere = {"notes", "outcomes", "versions", "stopped", "unanswered", "measures", "field"}
    facts: list[tuple[str, str]] = []
    for key, value in run.manifest.items():
        if isinstance(value, Mapping) and key not in elsewhere:
            facts += [(f"{words(key)}: {words(str(name))}", _plain(one)) for name, one in value.items()]
        elif key not in elsewhere:
            facts.append((words(key), _plain(value)))
    versions = dict(run.manifest.get("versions") or run.records[0].versions)
    return [*facts, *((f"version of {name}", _plain(version)) for name, version in versions.items())]


def _plain(value: Any) -> str:
    """A value of the manifest as words."""
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def _field(run: Run) -> list[tuple[str, list[list[Mapping[str, Any]]]]]:
    """The studies of the manifest by kind of approach, and in each by case; empty where it names none."""
    studies = [one for one in run.manifest.get("field") or () if isinstance(one, Mapping)]
    return [
        (
            approach,
            [[one for one in studies if (one.get("approach"), one.get("case")) == (approach, case)] for case in HOW],
        )
        for approach in APPROACHES
        if studies
    ]


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value] if value else []


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["words"] = words
    return environment


APPROACHES, HOW = ("engineering", "behaviour", "cognition"), ("average", "pessimistic", "worst")
CASES = {
    "pessimistic": "Pessimistic case: the worst mean among the strata that were declared beforehand, the whole "
    "set among them; the interval accounts for having looked at all of them.",
    "worst": "Worst case: what is left when an adversary with a stated budget does its worst on every item.",
}
