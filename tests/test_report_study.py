"""The page of a study: it shows what was found and required, and nothing of it can do harm."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from groma.cli import run
from groma.formats.errors import BadInput
from groma.formats.run_folder import RunFolder
from groma.formats.study import OWN, Chart, Criterion, Point, Summary, Table
from groma.report.study import SUMMARY, render, series, write_study_page

CURVES = tuple(
    Point(name, x, y * x - 0.1 * x * x, y * x - 0.1 * x * x - 0.05, y * x)
    for name, y in (("wide", 1.0), ("narrow", 0.6))
    for x in range(1, 6)
)
CHART = Chart(
    "gold against distance",
    "root of KL",
    "gold",
    (*CURVES, *(Point("measured", x, 0.5 * x) for x in (1, 3, 5))),
    lines=("wide", "narrow"),
    caption="The forms, and what was measured.",
)
SUMMARY_OF = Summary(
    "Over-optimisation of a proxy",
    "Gao et al. 2022, arXiv:2210.10760",
    "Does the truth follow the pay?",
    ("It does at first, and then it falls.", "A wider proxy falls later."),
    (
        Criterion("a", "within 10 % of the peak", "off by 4 %", True),
        Criterion("b", "ranks .8", "<b>.6</b>", False),
        Criterion("c", "n = 60,000", "not with a language model", None),
    ),
    (CHART,),
    (Table("peaks", ("width", "peak"), (("2", "0.4"), ("8", "0.9"))),),
)
MANIFEST = {
    "command": "groma study overoptimisation",
    "created": "today",
    "notes": ["a note"],
    "versions": {"groma": "0"},
}


def test_a_summary_survives_the_run_folder(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "study", dict(MANIFEST))
    folder.write_json(SUMMARY, SUMMARY_OF.to_dict())
    assert Summary.from_dict(folder.read_json(SUMMARY)) == SUMMARY_OF
    assert run(["report", str(tmp_path / "study")]) == 0
    assert (tmp_path / "study/report.html").read_text() == render(SUMMARY_OF, folder.manifest())


def test_the_page_leads_with_the_finding_and_counts_what_is_met() -> None:
    page = render(SUMMARY_OF, dict(MANIFEST))
    assert page.index("It does at first") < page.index("A wider proxy") < page.index("1 met, 1 missed, 1 not asked")
    assert '<span class="word missed">missed</span>' in page
    label = re.findall(r'aria-label="(gold against distance[^"]*)"', page)
    assert label and "wide 0.90 at 1.00 to 2.50 at 5.00" in label[0]
    for name in ("wide", "narrow"):
        assert f"</svg>{name}</span>" in page


def test_no_two_series_of_a_chart_look_alike() -> None:
    for lines in (True, False):
        names = [f"series {number}" for number in range(30)]
        points = tuple(Point(name, x, float(place)) for place, name in enumerate(names) for x in (1, 2))
        keys = [one.key for one in series(Chart("many", "x", "y", points, tuple(names) if lines else ()))]
        assert len(set(keys)) == 30
        assert len(set(re.findall('fill=.([^"]*)', "".join(keys)))) <= 6


def test_a_question_of_our_own_re_runs_nothing() -> None:
    page = render(replace(SUMMARY_OF, paper=f"{OWN}. Charters: somebody"), dict(MANIFEST))
    assert "Held against what is required: 1 met" in page and "Re-run" not in page
    assert "Held against the published result" in render(SUMMARY_OF, dict(MANIFEST))


def test_an_axis_may_have_names() -> None:
    named = Chart(
        "harm", "stage", "share", (Point("chat", 0, 0.8), Point("chat", 1, 0.2)), ("chat",), ticks=("a<b", "SFT")
    )
    page = render(replace(SUMMARY_OF, charts=(named,)), dict(MANIFEST))
    assert 'aria-label="harm: chat 0.80 at a&lt;b to 0.20 at SFT"' in page
    assert ">SFT</text>" in page and ">a&lt;b</text>" in page
    assert Summary.from_dict(replace(SUMMARY_OF, charts=(named,)).to_dict()).charts == (named,)


def test_what_others_wrote_is_text() -> None:
    page = render(SUMMARY_OF, dict(MANIFEST))
    assert "&lt;b&gt;.6&lt;/b&gt;" in page and "<b>.6</b>" not in page
    assert "default-src 'none'" in page and "<script" not in page


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (b"", "broken JSON"),
        (b"[]", "no summary of a study"),
        (b'{"title": "a"}', "no summary of a study"),
        (b"\xff\xfe", "no UTF-8 text"),
    ],
)
def test_a_broken_file_of_findings_is_refused_by_its_name(tmp_path: Path, held: bytes, said: str) -> None:
    RunFolder.create(tmp_path / "run", dict(MANIFEST))
    (tmp_path / "run" / SUMMARY).write_bytes(held)
    with pytest.raises(BadInput, match=f"{SUMMARY}.*{said}"):
        write_study_page(tmp_path / "run")


def test_what_is_no_summary_is_refused() -> None:
    with pytest.raises(BadInput, match="no summary of a study"):
        Summary.from_dict({"title": "x"})
    with pytest.raises(BadInput, match="finite"):
        Point("x", 1.0, float("nan"))
    with pytest.raises(BadInput, match="a row of 1 cells in 'peaks'"):
        Table("peaks", ("width", "peak"), (("2",),))
