"""The parts of claims by hand: properties found in a suite, ends of intervals, scales, lines of a file."""

from __future__ import annotations

import math
import random

import pytest

from coins import Coins
from groma.claims import Claim, population_of, scale_of
from groma.claims.counterexample import sentences_of
from groma.claims.course import Course
from groma.claims.ends import ends
from groma.claims.family import enough
from groma.claims.file import lines_of
from groma.claims.population import declared
from groma.claims.scale import Scale
from groma.formats.errors import BadInput
from groma.measures.outcomes import OUTCOMES
from groma.report.verdicts import e_value, markdown
from groma.worlds.vale import VALE

LOW, HIGH = Scale(0.05, "low", (0.0, 1.0), 1.0, 0.0), Scale(0.5, "high", (-1.0, 1.0), -1.0, 1.0)


@pytest.mark.parametrize(
    ("given", "outcome", "sides", "kinds"),
    [
        ({"property": "honesty"}, "belied", (("pressed",), ("neutral",)), ("ask",)),
        ({"property": "values"}, "objective", (("alone",), ("watched",)), ("choose", "how")),
        ({"property": "values", "condition": "alone"}, "kept_principle", (("alone",),), ("choose",)),
        ({"property": "harmlessness"}, "harm_done", (("",),), ("how",)),
        ({"property": "instructions", "gap": ("typos", "plain")}, "obeyed", (("typos",), ("",)), ("follow",)),
        ({"outcome": "broke_word"}, "broke_word", (("",), ("said",)), ("how",)),
        ({"outcome": "over_refusal"}, "over_refusal", (("",),), ("how", "errand")),
    ],
)
def test_what_a_claim_counts_on_vale(given: dict[str, str], outcome: str, sides: object, kinds: object) -> None:
    found = population_of(Claim("c", at_most=0.5, **given), VALE, True, 0)  # type: ignore[arg-type]
    assert (found.outcome, found.sides, found.kinds) == (outcome, sides, kinds)
    assert (found.derived is not None) == (outcome in ("belied", "broke_word"))


@pytest.mark.parametrize("outcome", ["belied", "said_too_surely"])
def test_what_two_answers_tell_is_claimed_only_of_items_where_it_can_be_told(outcome: str) -> None:
    """Nobody can answer truly about a private fact: as a stratum that never gets a value it would decide nothing."""
    found = declared(population_of(Claim("c", outcome=outcome, at_most=0.5), VALE, True, 0))
    assert {"tier=common", "tier=rare"} <= set(found) and "tier=private" not in found


def test_a_claim_may_be_of_one_stratum_alone() -> None:
    claim = Claim("c", outcome="harm_done", at_most=0.5, stratum="told=inferred")
    found = population_of(claim, VALE, True, 0)
    tasks = [forms[0] for place in range(60) if (forms := found.item(place)) is not None]
    assert tasks and {task.strata["told"] for task in tasks} == {"inferred"}
    with pytest.raises(BadInput, match=r"no item lies in 'told=twice'\n  expected: one of .*told=inferred"):
        population_of(Claim("c", outcome="harm_done", at_most=0.5, stratum="told=twice"), VALE, True, 0)
    with pytest.raises(BadInput, match="stratum is 'told'"):
        Claim("c", outcome="harm_done", at_most=0.5, stratum="told")


def test_a_margin_takes_no_outcome_that_two_answers_tell() -> None:
    claim = Claim("c", property="honesty", margin=0.1, against="m")
    assert population_of(claim, VALE, True, 0).outcome == "accuracy"
    with pytest.raises(BadInput, match="told by two answers together"):
        population_of(Claim("c", outcome="belied", margin=0.1, against="m"), VALE, True, 0)


def test_an_item_of_a_list_is_asked_anew_each_time_it_is_drawn() -> None:
    claim = Claim("c", outcome="harm_done", at_most=0.5, kind="toss", population="fixed", items=2, condition="alone")
    found = population_of(claim, Coins(), True, 0)
    drawn = [found.item(place) for place in range(20)]
    tasks = [forms[0] for forms in drawn if forms is not None]
    assert len({task.id for task in tasks}) == len(tasks) == 20
    assert {task.of.partition("#")[0] for task in tasks} == {"toss/0/0", "toss/0/1"}
    assert len(list(found.listed())) == 2 and found.digest() != population_of(claim, VALE_LESS, True, 0).digest()


VALE_LESS = Coins(name="other")


def test_a_fresh_items_place_in_its_block_is_uniform() -> None:
    found = population_of(Claim("c", outcome="harm_done", at_most=0.5), Coins(), True, 3)
    places = [forms[0].id.split("/")[2] for forms in map(found.item, range(400)) if forms is not None]
    assert len({int(place) // 10 for place in places}) == 6 and len(places) == 400


def test_the_interval_is_the_test_turned_round() -> None:
    for rate, scale in ((0.0, LOW), (0.02, LOW), (0.2, LOW), (0.9, HIGH), (0.5, HIGH)):
        draw, course = random.Random(5), Course(scale, (), 0.95, enough(1, 0.95))
        low, high = scale.bounds
        values = [high if draw.random() < rate else low for _ in range(300)]
        for number, value in enumerate(values, 1):
            course.read(value, ())
            left, right = ends(values[:number], scale, 0.05, 0.05) if number % 60 == 0 else (low, high)
            if number % 60 == 0:
                beyond = scale.threshold > right if scale.good == "low" else scale.threshold < left
                against = scale.threshold < left if scale.good == "low" else scale.threshold > right
                assert beyond == (course.tests["all tasks"]._holds.log_e >= math.log(20))
                assert against == (course.tests["all tasks"]._fails.log_e >= math.log(20))


def test_88_items_without_a_failure_certify_5_percent_and_one_less_does_not() -> None:
    assert ends([0.0] * 88, LOW, 0.05, 0.05)[1] < 0.05 < ends([0.0] * 87, LOW, 0.05, 0.05)[1]
    low, high = ends([0.5, 0.25, 0.75] * 30, HIGH, 0.05, 0.05)
    assert -1 < low < 0.5 < high < 1


def test_what_fails_speaks_against_the_claim_and_for_the_rival() -> None:
    harm, truth = OUTCOMES["harm_done"], OUTCOMES["accuracy"]
    most, least = Claim("c", outcome="x", at_most=0.1), Claim("c", outcome="x", at_least=0.1)
    margin = Claim("c", outcome="x", margin=0.1, against="m")
    assert (scale_of(most, harm).worst, scale_of(least, truth).worst) == (1.0, 0.0)
    low, high = scale_of(margin, harm), scale_of(margin, truth)
    assert (low.worst, low.best, high.worst, high.best) == (1.0, 0.0, 0.0, 1.0)
    assert low.difference(0.2, 0.9) == pytest.approx(0.7) == high.difference(0.9, 0.2)
    assert low.bounds == (-1.0, 1.0) and low.fails(-0.2) and not low.fails(-0.05)
    with pytest.raises(BadInput, match="neither direction"):
        scale_of(margin, OUTCOMES["refused"])
    with pytest.raises(BadInput, match="has no bounds"):
        scale_of(most, OUTCOMES["pay"])
    with pytest.raises(BadInput, match="less than 1"):
        scale_of(Claim("c", outcome="x", margin=1.0, against="m"), harm)


def test_lines_are_those_of_the_file_not_of_texts_in_it() -> None:
    text = '# a\n[[claim]]\nsays = """\nname = 3\n[[claim]]\n"""\nname = "x"\n\n[[ claim ]]\n"most" = 3\n'
    assert lines_of(text) == [{"": 2, "says": 3, "name": 7}, {"": 9, "most": 10}]


def test_sentences_joined_are_the_text() -> None:
    text = "Hello there. How do I\ncook 1.5 eggs? Tell me: now"
    assert "".join(sentences_of(text)) == text
    assert [one.strip() for one in sentences_of(text)] == [
        "Hello there.",
        "How do I",
        "cook 1.5 eggs?",
        "Tell me:",
        "now",
    ]


def test_evidence_and_markdown_are_safe_to_show() -> None:
    assert [e_value(one) for one in (None, 0.0, math.log(25), 2000.0)] == ["–", "1.0", "25", "1e+304"]
    plain = {"name": "a|b <i>", "statement": "*s*", "sentence": "x\ny", "verdict": "holds", "items": 3, "notes": []}
    text = markdown([{**plain, "estimate": None, "counterexample": None}])
    assert "| a\\|b \\<i\\> | ✅ holds | – | 3 |" in text and "\\*s\\*. x y" in text
