"""The sentences about pay and objective: only from paired differences with intervals, and true of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from groma.formats.records import Estimate, Record
from groma.report.findings import findings, lede, parts_of
from groma.report.grids import grids, order_of, views
from groma.report.writing import interval, level, number

UP, FLAT, DOWN = (0.41, 0.33, 0.49), (-0.05, -0.11, 0.01), (-0.4, -0.5, -0.3)


def record(outcome: str, stage: str, against: str, values: tuple[float, float, float], system: str = "chat") -> Record:
    estimate = Estimate(*values, n=200, kind="paired" if against else "clustered")
    good = "high" if outcome == "objective" else ""
    return Record(outcome, outcome, estimate, "m", stage, system, "0", "vale", good=good, against=against)


LEVELS = [record("objective", stage, "", (0.5, 0.4, 0.6)) for stage in ("base", "SFT", "DPO")]


def found(*changes: Record) -> list:
    records = [*LEVELS, *changes]
    return findings(records, order_of(records))


@pytest.mark.parametrize(
    ("pay", "objective", "grave", "tail"),
    [
        (UP, UP, False, "the objective followed."),
        (UP, FLAT, True, "the objective did not measurably follow."),
        (UP, DOWN, True, "the objective fell while the pay rose."),
        (FLAT, UP, False, "the objective rose without measurably more pay."),
        (FLAT, FLAT, False, "neither changed measurably."),
        (FLAT, DOWN, False, "the objective fell without measurable change of pay."),
        (DOWN, UP, False, "the objective rose while the pay fell."),
        (DOWN, FLAT, False, "the pay fell, the objective did not measurably change."),
        (DOWN, DOWN, False, "both fell."),
    ],
)
def test_each_pair_of_changes_has_its_sentence(pay: tuple, objective: tuple, grave: bool, tail: str) -> None:
    (step,) = found(record("objective", "DPO", "stage:SFT", objective), record("pay", "DPO", "stage:SFT", pay))
    assert step.text.endswith(tail) and step.grave == grave
    assert (step.stage, step.since, step.system) == ("DPO", "SFT", "chat")


def test_the_sentence_holds_both_numbers_with_their_intervals() -> None:
    (step,) = found(record("objective", "DPO", "stage:SFT", FLAT), record("pay", "DPO", "stage:SFT", UP))
    assert step.text == (
        "From SFT to DPO, as chat, what the rater would have paid changed by +0.41 [+0.33, +0.49] "
        "and the objective by −0.05 [−0.11, +0.01]: the objective did not measurably follow."
    )


def test_nothing_is_said_without_both_paired_differences() -> None:
    assert found(record("objective", "DPO", "stage:SFT", UP)) == []
    assert found(record("pay", "DPO", "stage:SFT", UP)) == []
    assert found(record("objective", "DPO", "stage:SFT", UP), record("pay", "DPO", "stage:base", UP)) == []
    assert found(record("objective", "DPO", "system:trivial", UP), record("pay", "DPO", "system:trivial", UP)) == []
    missing = replace(record("pay", "DPO", "stage:SFT", UP), estimate=None, why_not="no pay")
    assert found(record("objective", "DPO", "stage:SFT", UP), missing) == []
    assert lede(None, [], {}) == []


def test_the_latest_earlier_stage_is_what_a_stage_is_held_against() -> None:
    both = [record(name, "DPO", f"stage:{since}", UP) for since in ("SFT", "base") for name in ("objective", "pay")]
    assert [(step.since, step.stage) for step in found(*both)] == [("SFT", "DPO")]
    assert [(step.since, step.stage) for step in found(*both[::-1])] == [("SFT", "DPO")]


def test_a_stage_is_held_against_the_one_it_was_trained_from() -> None:
    stages = [
        {"name": "base"},
        {"name": "SFT", "from": "base"},
        *({"name": one, "from": "SFT"} for one in ("DPO", "PPO")),
    ]
    changes = [
        record(name, "PPO", f"stage:{since}", UP) for since in ("DPO", "SFT", "base") for name in ("objective", "pay")
    ]
    records = [*LEVELS, record("objective", "PPO", "", UP), *changes]
    order = order_of(records, stages)
    assert [(step.since, step.stage) for step in findings(records, order)] == [("SFT", "PPO")]
    own = [*stages, {"name": "PPO", "from": "base"}]
    assert order_of(records, own).lineage == "base → SFT → DPO; base → PPO"
    assert order.lineage == "base → SFT → DPO | PPO" and order_of(records).lineage == "base → SFT → DPO → PPO"


def test_the_lede_names_highest_lowest_and_where_pay_led_astray() -> None:
    records = [
        record("objective", "base", "", (-0.2, -0.3, -0.1)),
        record("objective", "DPO", "", (0.6, 0.5, 0.7)),
        *(record("objective", "DPO", "stage:base", FLAT, system) for system in ("chat", "completion")),
        *(record("pay", "DPO", "stage:base", UP, system) for system in ("chat", "completion")),
    ]
    order = order_of(records)
    (grid, *_) = grids(next(iter(views(records).values())), order)
    assert lede(grid, findings(records, order), {}) == [
        "The objective is highest for DPO as chat, 0.60 [0.50, 0.70], "
        "and lowest for base as chat, −0.20 [−0.30, −0.10].",
        "The rater would have paid more, but the objective did not follow: from base to DPO as chat and completion.",
    ]


def test_the_lede_names_the_parts_in_which_the_objective_did_not_follow() -> None:
    whole = [record("objective", "DPO", "stage:SFT", UP), record("pay", "DPO", "stage:SFT", UP)]
    part = [record("objective", "DPO", "stage:SFT", FLAT), record("pay", "DPO", "stage:SFT", UP)]
    records = [*(replace(one, suite="vale") for one in whole), *(replace(one, suite="vale/ask") for one in part)]
    by_view, order = views(records), order_of(records)
    view = next(iter(by_view))
    parts = parts_of(view, by_view, order)
    assert list(parts) == ["vale/ask"]
    assert lede(None, findings(by_view[view], order), parts) == [
        "Wherever the rater would have paid measurably more than at an earlier stage, the objective rose, too.",
        "On vale/ask alone she would have paid more, but the objective did not follow: from SFT to DPO as chat.",
    ]


def test_numbers_carry_as_many_digits_as_their_interval() -> None:
    assert interval(Estimate(0.5, 0.4, 0.6, 9, "k")) == "[0.40, 0.60]"
    assert interval(Estimate(0.004, 0.001, 0.009, 9, "k")) == "[0.001, 0.009]"
    assert interval(Estimate(1.0, 1.0, 1.0, 9, "k")) == "[1.00, 1.00]"
    assert level(Estimate(-0.001, -0.2, 0.2, 9, "k"), signed=True) == "0.00"
    assert (number(-0.5), number(0.5, signed=True), number(-0.0)) == ("−0.50", "+0.50", "0.00")
    assert level(Estimate(12.3456, 10.0, 15.0, 9, "k")) == "12.35"
