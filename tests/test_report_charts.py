"""Charts: inline SVG that is well formed, themable, labelled, and holds nothing but drawing."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

from groma.formats.records import Estimate, Record
from groma.report.charts import domain, stages_chart

STAGES = ("base", "SFT", "D<P>O & co")


def levels() -> dict[str, dict[str, Record]]:
    def one(outcome: str, stage: str, value: float) -> Record:
        return Record(
            outcome, outcome, Estimate(value, value - 0.1, value + 0.1, 9, "k"), "m", stage, "chat", "0", "vale"
        )

    found = {"objective": (-0.2, 0.5, 0.45), "pay": (0.1, 0.5, 0.93)}
    return {name: {s: one(name, s, v) for s, v in zip(STAGES, values, strict=True)} for name, values in found.items()}


def test_a_chart_is_one_labelled_drawing_in_the_pages_colours() -> None:
    found = levels()
    records = [one for by_stage in found.values() for one in by_stage.values()]
    svg = stages_chart("chat", STAGES, found, domain(records), rival=0.31)
    root = ET.fromstring(svg)
    assert root.tag == "svg" and root.get("role") == "img" and "width" not in root.attrib
    label = root.get("aria-label") or ""
    assert "objective at base −0.20 [−0.30, −0.10]" in label and "pay at D<P>O & co 0.93 [0.83, 1.03]" in label
    assert {one.tag for one in root.iter()} <= {"svg", "g", "path", "line", "text", "tspan", "defs", "clipPath", "rect"}
    texts = {one.text for one in root.iter("text")}
    assert {"base", "SFT", "D<P>O & co", "0.93", "−0.20", "0.45"} <= texts
    fills = {one.get("fill") for one in root.iter()} | {one.get("stroke") for one in root.iter()}
    assert {"var(--objective)", "var(--pay)"} <= fills
    assert {fill for fill in fills if fill} <= {"none", "transparent"} | {
        fill for fill in fills if fill and fill.startswith("var(")
    }
    assert "http" not in svg and "href" not in svg and "url(" not in svg


def test_many_stages_drop_the_printed_values_but_not_the_label() -> None:
    one = levels()["objective"]["base"]
    many = tuple(f"s{number}" for number in range(6))
    found = {"objective": {stage: replace(one, stage=stage) for stage in many}}
    root = ET.fromstring(stages_chart("chat", many, found, (-1, 1)))
    assert "−0.20" not in {text.text for text in root.iter("text")}
    assert (root.get("aria-label") or "").count("−0.20 [−0.30, −0.10]") == 6


def test_the_scale_holds_every_interval_and_zero() -> None:
    records = list(levels()["pay"].values())
    low, high = domain(records, [-0.44])
    assert low < -0.44 and high > 1.03
    low, high = domain([])
    assert low < 0 < high
