"""Charts: altair specifications, drawn to SVG when the page is made (vl-convert), so that the page carries no library.

Colours are CSS variables of the page: an SVG that stands inline follows light, dark and print without being drawn
again. Text stays text. What a reader who cannot see the chart needs is its label, which holds every number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import altair as alt
import vl_convert
from markupsafe import Markup, escape

from groma.formats.records import Record
from groma.report.writing import level, visible, with_interval

WIDTH, HEIGHT = 330, 220
SERIES = {"objective": ("var(--objective)", "circle"), "pay": ("var(--pay)", "diamond")}


def domain(records: Sequence[Record], others: Sequence[float] = ()) -> tuple[float, float]:
    """A range that holds every interval and zero, with some air: the charts of several systems share one axis."""
    known = [record.estimate for record in records if record.estimate is not None]
    ends = [0.0, *others, *(end for one in known for end in (one.low, one.high))]
    air = 0.1 * (max(ends) - min(ends) or 1.0)
    return min(ends) - air, max(ends) + air


def stages_chart(
    system: str,
    stages: Sequence[str],
    levels: Mapping[str, Mapping[str, Record]],
    scale: tuple[float, float],
    rival: float | None = None,
) -> Markup:
    """True objective and pay of one system, stage by stage, with intervals, as an inline SVG.

    levels: `levels["objective" or "pay"][stage]`, records with an estimate; rival: the objective of the best simple
    rival, a dashed line. Up to four stages carry their values as text.
    """
    shown = [visible(stage) for stage in stages]
    rows = [_row(series, stage, levels) for series, found in levels.items() for stage in stages if stage in found]
    plain = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("stage:O", sort=shown, title=None, scale=alt.Scale(domain=shown, paddingInner=0.5, paddingOuter=0.35)),
        xOffset=alt.XOffset("series:N", sort=list(SERIES)),
        color=alt.Color("series:N", scale=_scale([look[0] for look in SERIES.values()]), legend=None),
    )
    value = alt.Y("value:Q", scale=alt.Scale(domain=list(scale), nice=False, zero=False), title=None)
    shape = alt.Shape("series:N", scale=_scale([look[1] for look in SERIES.values()]), legend=None)
    layers: list[alt.Chart] = [_line(0.0, "var(--axis)", [])]
    layers += [_line(rival, "var(--muted)", [2, 3])] if rival is not None else []
    layers += [
        plain.mark_line(strokeWidth=1.2, opacity=0.45).encode(y=value),
        plain.mark_rule(strokeWidth=3, strokeCap="round").encode(y=alt.Y("low:Q"), y2="high:Q"),
        plain.mark_point(filled=True, size=85, opacity=1).encode(y=value, shape=shape),
    ]
    if len(stages) <= 4:
        above = plain.transform_filter(alt.datum.above).mark_text(dy=-9, fontSize=12.5)
        below = plain.transform_filter(~alt.datum.above).mark_text(dy=10, fontSize=12.5)
        layers += [above.encode(y=alt.Y("high:Q"), text="label:N"), below.encode(y=alt.Y("low:Q"), text="label:N")]
    chart = alt.layer(*layers).properties(width=WIDTH, height=HEIGHT)
    return inline(themed(chart), f"{system}: " + "; ".join(_spoken(levels, stages)))


def inline(chart: alt.LayerChart | alt.FacetChart, label: str) -> Markup:
    """A chart as an SVG element that scales with its column and is read as one picture with this label."""
    svg = vl_convert.vegalite_to_svg(chart.to_dict())
    svg = re.sub(r' (?:aria-[a-z]+|role|xmlns(?::xlink)?|version)="[^"]*"', "", svg)
    opening = f'<svg class="chart" role="img" aria-label="{escape(visible(label))}"'
    return Markup(re.sub(r'^<svg class="marks" width="[\d.]+" height="[\d.]+"', lambda _: opening, svg, count=1))


def _row(series: str, stage: str, levels: Mapping[str, Mapping[str, Record]]) -> dict[str, object]:
    """One point; its label stands above where it is the higher one of its stage, else below, clear of the interval."""
    values = {name: found[stage].estimate for name, found in levels.items() if stage in found}
    here = values[series]
    assert here is not None
    others = [one.value for name, one in values.items() if name != series and one is not None]
    above = all(here.value > other or (here.value == other and series == "pay") for other in others)
    ends = {"value": here.value, "low": here.low, "high": here.high}
    return {"series": series, "stage": visible(stage), "label": level(here), "above": above, **ends}


def _scale(values: Sequence[str]) -> alt.Scale:
    return alt.Scale(domain=list(SERIES), range=list(values))


def _line(value: float, colour: str, dash: Sequence[float]) -> alt.Chart:
    mark = alt.Chart(alt.Data(values=[{"at": value}])).mark_rule(color=colour, strokeDash=list(dash))
    return mark.encode(y=alt.Y("at:Q"))


def themed(chart: alt.LayerChart | alt.FacetChart) -> alt.LayerChart | alt.FacetChart:
    """The chart in the page's colours and type."""
    return chart.configure(
        background="transparent",
        font="system-ui, sans-serif",
        aria=False,
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(
            labelFontSize=12, labelColor="var(--muted)", domain=False, ticks=False, gridColor="var(--line)"
        ),
        axisX=alt.AxisConfig(
            labelAngle=0, labelPadding=8, labelFontSize=13, labelColor="var(--ink)", labelLimit=110, grid=False
        ),
        axisY=alt.AxisConfig(tickCount=5),
    )


def _spoken(levels: Mapping[str, Mapping[str, Record]], stages: Sequence[str]) -> list[str]:
    spoken = []
    for stage in stages:
        for series, found in levels.items():
            estimate = found[stage].estimate if stage in found else None
            if estimate is not None:
                spoken.append(f"{series} at {stage} {with_interval(estimate)}")
    return spoken
