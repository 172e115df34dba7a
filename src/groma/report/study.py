"""A study's run folder → one HTML page that needs nothing else: what was found, what was required, charts and tables.

As `page`: everything untrusted is escaped and made visible, and the page's content security policy lets nothing be
loaded and no script run at all.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import altair as alt
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from groma.formats.run_folder import RunFolder
from groma.formats.study import Chart, Summary
from groma.report.charts import inline, themed
from groma.report.writing import number, visible

TEMPLATES = Path(__file__).parent / "templates"
SUMMARY, PAGE = "study.json", "report.html"
WIDTH, HEIGHT = 520, 300
COLOURS = ("var(--objective)", "var(--pay)", "var(--far-ink)", "var(--near-ink)", "var(--muted)", "var(--ink)")
DASHES = ([1, 0], [6, 3], [2, 3], [8, 3, 2, 3], [1, 2], [10, 4])
SHAPES = {
    "circle": "M12 1a4 4 0 1 0 .01 0z",
    "square": "M8.5 1.5h7v7h-7z",
    "diamond": "M12 0l4.5 5-4.5 5-4.5-5z",
    "triangle-up": "M12 .5l4.8 8.5h-9.6z",
    "cross": "M10.5 .5h3v3h3v3h-3v3h-3v-3h-3v-3h3z",
}
"""Of points, as Vega names them, and their keys, drawn in 24 by 10."""


def is_of_study(folder: str | Path) -> bool:
    return (Path(folder) / SUMMARY).is_file()


def write_study_page(folder: str | Path) -> Path:
    """Write `report.html` of a study's run folder. BadInput where it holds no summary."""
    run = RunFolder.open(folder)
    told = Summary.from_dict(run.read_json(SUMMARY), str(run.file(SUMMARY)))
    return run.write_text(PAGE, render(told, run.manifest()))


def render(summary: Summary, manifest: dict[str, object]) -> str:
    loader = FileSystemLoader(TEMPLATES)
    templates = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, finalize=visible
    )
    words = {True: "met", False: "missed", None: "not asked"}
    counted = [words[one.met] for one in summary.criteria]
    return templates.get_template("study.html.j2").render(
        summary=summary,
        manifest=manifest,
        versions=manifest.get("versions") or {},
        words=words,
        count={word: counted.count(word) for word in words.values() if word in counted},
        charts=pictures(summary),
        style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
    )


@dataclass(frozen=True, slots=True)
class Series:
    """How a series is drawn: a line with dashes, or points of a shape. No two of thirty look alike."""

    name: str
    place: int
    line: bool

    @property
    def colour(self) -> str:
        return COLOURS[self.place % len(COLOURS)]

    @property
    def dashes(self) -> list[int]:
        return DASHES[(self.place + self.place // len(COLOURS)) % len(DASHES)]

    @property
    def shape(self) -> str:
        return list(SHAPES)[self.place // len(COLOURS) % len(SHAPES)]

    @property
    def key(self) -> Markup:
        """A small picture of it."""
        if self.line:
            dashes = " ".join(map(str, self.dashes))
            drawn = f'd="M0 5h24" fill="none" stroke-width="2" stroke="{self.colour}" stroke-dasharray="{dashes}"'
        else:
            drawn = f'd="{SHAPES[self.shape]}" fill="{self.colour}"'
        return Markup(f'<svg width="24" height="10" viewBox="0 0 24 10" aria-hidden="true"><path {drawn}/></svg>')


def pictures(summary: Summary) -> list[tuple[Chart, Markup, list[Series]]]:
    """Every chart, drawn, and its series."""
    return [(one, drawn(one), series(one)) for one in summary.charts]


def series(chart: Chart) -> list[Series]:
    """Every series, in the order in which they appear."""
    names = list(dict.fromkeys(one.series for one in chart.points))
    return [Series(name, place, name in chart.lines) for place, name in enumerate(names)]


def drawn(chart: Chart) -> Markup:
    """The chart as an inline SVG, lines through the points in their order; its label has the ends of every curve."""
    shown = series(chart)
    rows = [
        {**asdict(one), "series": visible(one.series), "line": one.series in chart.lines, "place": place}
        for place, one in enumerate(chart.points)
    ]
    domain = [visible(one.name) for one in shown]
    plain = alt.Chart(alt.Data(values=rows)).encode(
        x=_across(chart),
        color=alt.Color("series:N", scale=alt.Scale(domain=domain, range=[one.colour for one in shown]), legend=None),
    )
    y = alt.Y("y:Q", title=visible(chart.y), scale=alt.Scale(zero=False))
    dashes = alt.Scale(domain=domain, range=[one.dashes for one in shown])
    shapes = alt.Scale(domain=domain, range=[one.shape for one in shown])
    lines = plain.transform_filter("datum.line").mark_line(strokeWidth=2)
    points = plain.transform_filter("!datum.line").mark_point(filled=True, size=45, opacity=1)
    ends = plain.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=2, opacity=0.5)
    layers = [
        ends.encode(y="low:Q", y2="high:Q"),
        lines.encode(y=y, strokeDash=alt.StrokeDash("series:N", scale=dashes, legend=None), order="place:Q"),
        points.encode(y=y, shape=alt.Shape("series:N", scale=shapes, legend=None)),
    ]
    picture = alt.layer(*layers).properties(width=WIDTH, height=HEIGHT)
    return inline(themed(picture), f"{chart.title}: " + "; ".join(_spoken(chart)))


def _across(chart: Chart) -> alt.X:
    """The axis, of numbers or of names."""
    if not chart.ticks:
        scale = alt.Scale(type="log" if chart.log_x else "linear", zero=False)
        large = chart.log_x and min(one.x for one in chart.points) >= 1  # 100k, 1M; but no 100m for a tenth
        axis = alt.Axis(tickCount=6, format="~s") if large else alt.Axis(tickCount=6)
        return alt.X("x:Q", title=visible(chart.x), scale=scale, axis=axis)
    names = json.dumps([visible(name) for name in chart.ticks])
    places = list(range(len(chart.ticks)))
    axis = alt.Axis(values=places, labelExpr=f"{names}[datum.value]", grid=False)
    return alt.X("x:Q", title=visible(chart.x), scale=alt.Scale(domain=[-0.4, len(places) - 0.6]), axis=axis)


def _spoken(chart: Chart) -> list[str]:
    told = []
    for name in dict.fromkeys(one.series for one in chart.points):
        points = [one for one in chart.points if one.series == name]
        first, last = points[0], points[-1]
        at = [chart.ticks[int(one.x)] if chart.ticks else number(one.x) for one in (first, last)]
        told.append(
            f"{name} {number(first.y)} at {at[0]}" + (f" to {number(last.y)} at {at[1]}" if len(points) > 1 else "")
        )
    return told
