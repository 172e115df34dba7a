"""Surveys whose replies are judged by a model or a classifier, and corrected by what people said of the judge."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from groma.formats.requests import Generate, Reply, Request, Score
from groma.formats.run_folder import RunFolder
from groma.judges import Calibration, Checked, find_rubric, judging
from groma.measures import MEASURES, Measure
from groma.play import FakeEngine, Seat
from groma.studies.matrix import Plan, survey_stages
from groma.suites.file import from_rows
from groma.systems import SYSTEMS

ROWS = [{"prompt": f"question {n}", "label": "safe" if n % 2 else "unsafe"} for n in range(40)]
SUITE = from_rows(enumerate(ROWS, 1), name="mine", where="mine.jsonl")


def assistant(request: Request, seed: int) -> str:
    """Turns down one in four, in words that the rule for refusals does not know."""
    assert isinstance(request, Generate) and not isinstance(request.prompt, str)
    number = int(str(request.prompt[-1].content).split()[-1])  # type: ignore[union-attr]
    return "nay, thou shalt not have it" if number % 4 == 0 else "here it is"


def reader(request: Request, seed: int) -> Reply:
    """A judge that knows a refusal when it sees one, and says nothing where it is asked about number 13."""
    assert isinstance(request, Score)
    text = str(request.prompt)
    return Reply(scores=(-0.1, -3.0) if "shalt not" in text else (-3.0, -0.1))


def surveyed(folder: Path, **plan: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    run = RunFolder.create(folder, {"stages": ["m"], "systems": ["chat"], "notes": []})
    others = {"judge": Seat("reader", "d", FakeEngine(reader))} if "judging" in plan else {}
    whole = Plan([SYSTEMS["chat"]], plan.pop("suite", SUITE), n=40, others=others, **plan)
    seat = Seat("fake", "f", FakeEngine(assistant))
    list(survey_stages([("m", lambda: seat)], whole, run, lambda: False))
    rows = [json.loads(line) for line in (folder / "transcripts/m__chat__mine.jsonl").read_text().splitlines()]
    return json.loads((folder / "records.json").read_text()), rows


def level(records: list[dict[str, Any]], outcome: str) -> dict[str, Any]:
    (found,) = [one for one in records if (one["outcome"], one["case"], one["against"]) == (outcome, "average", "")]
    return found


def test_a_model_judges_in_the_place_of_the_rule(tmp_path: Path) -> None:
    by_rule, _ = surveyed(tmp_path / "rule")
    by_model, rows = surveyed(tmp_path / "model", judging=judging(find_rubric("refusal")))
    assert level(by_rule, "complied_with_unsafe")["estimate"]["value"] == 1.0
    assert level(by_model, "complied_with_unsafe")["estimate"]["value"] == 0.5
    assert level(by_model, "judged_bad")["estimate"]["value"] == 0.25
    assert level(by_model, "complied_with_unsafe")["baseline"]["refuses everything"] == 0.0
    assert {row["outcomes"]["judged_bad"] for row in rows} == {0.0, 1.0}


def test_any_rubric_may_judge(tmp_path: Path) -> None:
    records, _ = surveyed(tmp_path / "harm", judging=judging(find_rubric("harm")))
    assert level(records, "judged_bad")["estimate"]["value"] == 0.25
    assert level(records, "complied_with_unsafe")["estimate"]["value"] == 1.0  # harm tells of no refusals


def test_where_the_judge_says_nothing_no_outcome_applies(tmp_path: Path) -> None:
    def mute(request: Request, seed: int) -> Reply:
        return Reply(text="hm." if "question 8" in str(request) else "no")

    run = RunFolder.create(tmp_path / "run", {"stages": ["m"], "systems": ["chat"], "notes": []})
    others = {"judge": Seat("mute", "d", FakeEngine(mute))}
    plan = Plan([SYSTEMS["chat"]], SUITE, n=40, others=others, judging=judging(find_rubric("refusal"), by="words"))
    list(survey_stages([("m", lambda: Seat("fake", "f", FakeEngine(assistant)))], plan, run, lambda: False))
    records = json.loads((tmp_path / "run/records.json").read_text())
    assert level(records, "judged_bad")["estimate"]["n"] == 39
    (note,) = run.manifest()["notes"]
    assert (
        note
        == "replies without a verdict, which count for nothing: 1; the first: the judge said 'hm.', none of yes, no"
    )


def test_figures_are_corrected_only_by_checked_verdicts_of_their_own_kind(tmp_path: Path) -> None:
    def checked(system: str) -> Calibration:
        rows = [Checked(True, True, system, "mine")] * 80 + [Checked(False, True, system, "mine")] * 20
        rows += [Checked(False, False, system, "mine")] * 95 + [Checked(True, False, system, "mine")] * 5
        return Calibration("refusal", tuple(rows))

    own, _ = surveyed(
        tmp_path / "own", judging=judging(find_rubric("refusal")), judge="refusal", calibration=checked("fake as chat")
    )
    other, _ = surveyed(
        tmp_path / "other",
        judging=judging(find_rubric("refusal")),
        judge="refusal",
        calibration=checked("other as chat"),
    )
    found = level(own, "complied_with_unsafe")
    assert found["estimate"]["value"] == pytest.approx(1 - (0.5 + 0.95 - 1) / (0.8 + 0.95 - 1))
    assert found["estimate"]["kind"].startswith("rogan-gladen") and found["baseline"]["as the judge says"] == 0.5
    apart = [
        replace(row, prompts=f"mine/{kind}") for kind in ("safe", "unsafe") for row in checked("fake as chat").rows
    ]
    split, _ = surveyed(
        tmp_path / "split",
        judging=judging(find_rubric("refusal")),
        judge="refusal",
        calibration=Calibration("refusal", tuple(apart)),
    )
    assert level(split, "complied_with_unsafe")["estimate"] == found["estimate"]
    naive = level(other, "complied_with_unsafe")["estimate"]
    assert naive["value"] == 0.5 and "naive, uncorrected: calibrated on system 'other as chat'" in naive["kind"]


def test_what_a_judge_that_errs_says_is_marked_as_naive_in_every_case(tmp_path: Path) -> None:
    records, _ = surveyed(tmp_path / "rule")
    read = [one for one in records if one["outcome"] in ("over_refusal", "complied_with_unsafe") and one["estimate"]]
    assert read and all("naive, uncorrected: as rule reads" in one["estimate"]["kind"] for one in read)
    assert not [one for one in records if one["outcome"] == "nonsense" and "naive" in one["estimate"]["kind"]]


@pytest.mark.parametrize("measures", [(), (MEASURES["robustness"], MEASURES["values"])])
def test_the_objective_is_naive_where_it_is_made_of_what_the_judge_says(
    tmp_path: Path, measures: tuple[Measure, ...]
) -> None:
    def kinds(rows: list[dict[str, Any]]) -> dict[tuple[str, str, str], str]:
        """Of the objective: the suite or its part, form and against, with the kind of its estimate."""
        suite = from_rows(enumerate(rows, 1), name="mine", where="mine.jsonl")
        place = RunFolder.create(tmp_path / rows[0]["prompt"], {"stages": ["m", "n"], "systems": ["chat"], "notes": []})
        plan = Plan([SYSTEMS["chat"]], suite, n=40, measures=measures)

        def sit() -> Seat:
            return Seat("fake", "f", FakeEngine(lambda request, seed: Reply(scores=(-1.0, -2.0), text="a")))

        list(survey_stages([("m", sit), ("n", sit)], plan, place, lambda: False))
        return {
            (one.suite, one.condition, one.against): one.estimate.kind
            for one in place.records()
            if one.outcome == "objective" and one.estimate
        }

    read = kinds([{"prompt": f"ask {n}", "label": "safe" if n % 2 else "unsafe"} for n in range(40)])
    assert ("mine", "", "stage:m") in read
    assert ("mine/safe", "", "") in read or ("mine", "alone", "condition:watched") in read
    assert all("naive, uncorrected: as rule reads" in kind for kind in read.values()), read
    exact = kinds([{"prompt": f"choose {n}", "choices": ["a", f"b{n}"], "answer": "a"} for n in range(40)])
    assert exact and not [kind for kind in exact.values() if "naive" in kind]
