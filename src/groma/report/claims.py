"""A run folder of claims → one HTML page that needs nothing else: each claim, its verdict, the course of its evidence.

As `page`: everything untrusted is escaped and made visible, and the page's content security policy lets nothing be
loaded and no script run at all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from groma.formats.run_folder import RunFolder
from groma.report.verdicts import ENDS, beside, e_value, estimate, in_short
from groma.report.writing import visible

TEMPLATES = Path(__file__).parent / "templates"
VERDICTS, PAGE = "verdicts.json", "report.html"
WIDE, HIGH, LEFT, BELOW = 420, 150, 46, 24
"""Of a chart, in its own units: its size, and the room for the words at the left and below."""


def is_of_claims(folder: str | Path) -> bool:
    return (Path(folder) / VERDICTS).is_file()


def write_claims_page(folder: str | Path) -> Path:
    """Write `report.html` of a run folder of claims. BadInput where it holds no verdicts."""
    run = RunFolder.open(folder)
    return run.write_text(PAGE, render(run.read_json(VERDICTS), run.manifest()))


def render(verdicts: Sequence[Mapping[str, Any]], manifest: Mapping[str, Any]) -> str:
    loader = FileSystemLoader(TEMPLATES)
    templates = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, finalize=visible
    )
    count = {
        word: sum(one["verdict"] == word for one in verdicts) for word in ("proved", "holds", "fails", "undecided")
    }
    return templates.get_template("claims.html.j2").render(
        verdicts=verdicts,
        manifest=manifest,
        versions=manifest.get("versions") or {},
        count={word: n for word, n in count.items() if n},
        estimate=estimate,
        beside=beside,
        ends=ENDS,
        in_short=in_short,
        e_value=e_value,
        chart=chart,
        style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
    )


def chart(one: Mapping[str, Any]) -> Markup:
    """The course of the evidence as an inline SVG: log10 e for and against by items read, and the line that decides."""
    course = one["course"]
    if len(course) < 2:
        return Markup("")
    last = course[-1][0]
    needed = -math.log10(1 - one["confidence"])
    top = max(needed * 1.25, *(max(holds, fails) / math.log(10) for _, holds, fails in course))

    def at(n: float, log10: float) -> str:
        x = LEFT + (WIDE - LEFT - 8) * n / last
        return f"{x:.1f},{HIGH - BELOW - (HIGH - BELOW - 10) * min(log10, top) / top:.1f}"

    def line(place: int) -> str:
        return " ".join(at(point[0], point[place] / math.log(10)) for point in course)

    y = at(0, needed).split(",")[1]
    e = f"{1 / (1 - one['confidence']):.3g}"
    about = f"Evidence by items read: e for {e_value(one['log_e_holds'])}, against {e_value(one['log_e_fails'])}."
    return Markup(
        f'<svg class="chart" viewBox="0 0 {WIDE} {HIGH}" role="img" aria-label="{about}" width="{WIDE}">'
        f'<line x1="{LEFT}" x2="{WIDE - 8}" y1="{y}" y2="{y}" class="enough"/>'
        f'<text x="{LEFT - 6}" y="{y}" text-anchor="end" dominant-baseline="middle">e = {e}</text>'
        f'<text x="{LEFT - 6}" y="{HIGH - BELOW}" text-anchor="end">e = 1</text>'
        f'<line x1="{LEFT}" x2="{WIDE - 8}" y1="{HIGH - BELOW}" y2="{HIGH - BELOW}" class="axis"/>'
        f'<polyline points="{line(1)}" class="for"/><polyline points="{line(2)}" class="against"/>'
        f'<text x="{WIDE - 8}" y="{HIGH - 6}" text-anchor="end">{last:,} items</text></svg>'
    )
