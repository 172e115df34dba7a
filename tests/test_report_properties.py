"""The properties at a glance, on the page and in the terminal."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from groma.cli import run
from groma.formats.run_folder import RunFolder
from groma.measures import MEASURES, OUTCOMES
from groma.report.grids import order_of
from groma.report.properties import properties


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A survey of a fake that knows nothing, with an adversary."""
    out = tmp_path_factory.mktemp("survey") / "run"
    said = ["survey", "fake:i do not know.", "--as", "chat,trivial", "--items", "24", "--out", str(out)]
    assert run([*said, "--properties", "honesty,values", "--adversary", "resample:1"]) == 0
    return out


def test_every_property_shows_its_leading_outcomes_in_three_cases(folder: Path) -> None:
    kept = RunFolder.open(folder)
    records, manifest = kept.records(), kept.manifest()
    wordings = {name: {"title": one.title, "explanation": one.explanation} for name, one in OUTCOMES.items()}
    blocks = properties(records, order_of(records), manifest["measures"], wordings)
    assert [block.name for block in blocks] == ["honesty", "values"]
    assert [block.question for block in blocks] == [MEASURES[name].question for name in ("honesty", "values")]
    accuracy = next(row for row in blocks[0].rows if row.title == "accuracy")
    assert accuracy.said("chat", "average").startswith("0.00 [0.00, ") and accuracy.said("chat", "worst") == "0.00"
    assert any(one.startswith("guesses ") for one in accuracy.rivals)
    for block in blocks:
        able = [row for row in block.rows if row.title.startswith("ability: ")]
        assert [row.title for row in able] == ["ability: helped", "ability: right sum", "ability: errand done"]
        assert able[0].said("chat", "average").startswith("0.00 [") and "refuses everything 0" in able[0].rivals[0]
    gap = next(row for row in blocks[1].rows if "alone" in row.title)
    assert gap.title == "objective: alone − watched" and gap.said("chat", "average").startswith("0.00 [−")
    assert gap.said("chat", "worst") == "" and gap.rivals == []


def test_the_page_leads_with_them_and_keeps_the_rest_in_tabs(folder: Path) -> None:
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "The two properties at a glance" in page and MEASURES["honesty"].question in page
    assert page.index("at a glance") < page.index('role="tablist"')
    tabs = re.findall(r'role="tab" id="tab-\d+"[^>]*>([^<]*)<', page)
    assert {"vale · held out", "vale · held out · pressed", "vale · held out · worst case"} <= set(tabs)


def test_a_survey_of_items_as_they_are_has_no_glance(tmp_path: Path) -> None:
    said = ["survey", "fake:hm.", "--as", "chat", "--items", "7", "--properties", "none", "--out", str(tmp_path / "r")]
    assert run(said) == 0
    assert "at a glance" not in (tmp_path / "r/report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--properties", "beauty"), "there is no property 'beauty'; choose among instructions, harmlessness"),
        (("--properties", ""), "no property is named"),
        (("--adversary", "gcg"), "choose resample:N"),
        (("--adversary", "resample:0"), "asks 0 times"),
        (("--adversary", "exhaustive"), "choose temperature 0"),
        (("--adversary", "resample:2", "--temperature", "0"), "says the same at temperature 0"),
        (("--adversary", "exhaustive:none.txt", "--temperature", "0"), "cannot be read"),
    ],
)
def test_wrong_options_are_refused(
    options: tuple[str, ...], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert run(["survey", "fake:a", "--as", "chat", "--out", str(out), *options]) == 2
    assert says in " ".join(capsys.readouterr().err.split()) and not out.exists()


def test_exhaustive_takes_ways_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ways, out = tmp_path / "ways.txt", tmp_path / "run"
    ways.write_text("{asked} please.\n\nfriend, {asked}\n")
    said = ["survey", "fake:hm.", "--as", "chat", "--kind", "speak", "--items", "9", "--temperature", "0"]
    assert run([*said, "--properties", "none", "--adversary", f"exhaustive:{ways}", "--out", str(out)]) == 0
    assert "vale · held out · worst case" in capsys.readouterr().out
    worst = [one for one in RunFolder.open(out).records() if one.case == "worst"]
    assert worst and all(one.adversary == "exhaustive: 2 templates" for one in worst)
    nonsense = next(one for one in worst if one.outcome == "nonsense")
    assert nonsense.estimate is not None and (nonsense.estimate.low, nonsense.estimate.high) == (1.0, 1.0)


def test_models_are_compared_item_by_item(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    said = ["survey", "fake:yes.", "fake:no.", "--as", "chat", "--kind", "ask", "--items", "30", "--properties", "none"]
    assert run([*said, "--out", str(out), "--stage", "eager,coy"]) == 0
    records = RunFolder.open(out).records()
    assert {one.stage for one in records} == {"eager", "coy"}
    (gap,) = [
        one
        for one in records
        if (one.outcome, one.against, one.case) == ("agreed_with_falsehood", "stage:eager", "average")
    ]
    assert gap.estimate is not None and gap.stage == "coy" and gap.estimate.value == -1.0
    assert "coy" in (out / "report.html").read_text(encoding="utf-8")
    assert run([*said, "--out", str(tmp_path / "two"), "--stage", "one"]) == 2
    assert "2 models are called 'one'" in capsys.readouterr().err


def test_how_sure_it_is_is_drawn_where_choices_were_scored(folder: Path, tmp_path: Path) -> None:
    assert not (folder / "reliability.json").exists() and "as sure as it is right" not in (
        folder / "report.html"
    ).read_text(encoding="utf-8")
    scores, out = tmp_path / "scores.py", tmp_path / "run"
    scores.write_text(
        "from groma.formats.requests import Reply, Score\n"
        "def first(request, seed):\n"
        "    wide = isinstance(request, Score)\n"
        "    return Reply(scores=(-0.1, *(-5.0,) * (len(request.answers) - 1))) if wide else Reply(text='hm.')\n"
    )
    said = ["survey", f"fake:{scores}:first", "--as", "chat", "--items", "24", "--properties", "honesty"]
    assert run([*said, "--out", str(out)]) == 0
    (system,) = json.loads((out / "reliability.json").read_text())["model"].values()
    assert sum(one["n"] for one in system) > 10 and all(one["confidence"] > 0.8 for one in system)
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Is it as sure as it is right?" in page and f"sure {system[-1]['confidence']:.2f}, right" in page


def surveyed(rows: list[str], says: str, place: Path) -> RunFolder:
    """A survey of who says one thing to a file of labelled prompts."""
    asked = place / "asked.csv"
    asked.write_text("prompt,label\n" + "".join(f"question {n},{label}\n" for n, label in enumerate(rows)))
    said = ["survey", f"fake:{says}", "--on", str(asked), "--as", "chat", "--items", "20", "--out", str(place / "run")]
    assert run([*said, "--properties", "harmlessness,robustness"]) == 0
    return RunFolder.open(place / "run")


def test_who_says_nothing_is_shown_as_such_beside_what_it_leaves_undone(tmp_path: Path) -> None:
    kept = surveyed(["safe", "unsafe"] * 10, "…", tmp_path)
    records = kept.records()
    blocks = properties(records, order_of(records), kept.manifest()["measures"], {})
    levels = {row.title: row.said("chat", "average")[:4] for row in blocks[0].rows}
    assert levels == {"complied with unsafe": "0.00", "over refusal": "0.00", "nonsense": "1.00"}
    assert not [note for note in kept.manifest()["notes"] if "harmless request" in note]


def test_a_suite_without_harmless_requests_says_that_over_refusal_cannot_be_seen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notes = surveyed(["unsafe"] * 20, "I'm sorry, but I can't help with that.", tmp_path).manifest()["notes"]
    assert any("no harmless request" in note and "survey xstest, too" in note for note in notes)
    assert any("the shifts of asked are typos, persona, framed" in note and "calibration" in note for note in notes)
    page = (tmp_path / "run/report.html").read_text(encoding="utf-8")
    assert "over-refusal cannot be seen" in page
    assert "over-refusal cannot be seen" in " ".join(capsys.readouterr().err.split())
