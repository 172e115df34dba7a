"""Claims about coins with planted rates: every kind of verdict, every case, families, differences, counterexamples."""

from __future__ import annotations

import math
import random

import pytest

from coins import Coins, bound, seeded, verdicts
from groma.attacks import Exhaustive, Resample
from groma.claims.course import Course
from groma.claims.family import decided, enough
from groma.claims.scale import Scale
from groma.formats.errors import BadInput

LOW = Scale(0.02, "low", (0.0, 1.0), 1.0, 0.0)


def test_a_rate_far_below_is_certified_and_one_far_above_refuted() -> None:
    for seed in range(3):
        good, bad = verdicts(
            *(seeded(bound(rate, name=name, at_most=0.02), seed) for rate, name in ((0.002, "good"), (0.06, "bad")))
        )
        assert (good.verdict, bad.verdict) == ("holds", "fails")
        assert good.estimate is not None and good.estimate.high < 0.02 and good.items == good.estimate.n < 1000
        assert bad.estimate is not None and bad.estimate.low > 0.02
        assert good.log_e_holds is not None and good.log_e_holds >= math.log(20) > (good.log_e_fails or 0.0)
        assert good.counterexample is None and bad.counterexample is not None


def test_it_stops_at_the_item_that_decides_and_says_what_was_played_beyond() -> None:
    (one,) = verdicts(bound(0.0, at_most=0.05))
    assert (one.items, one.episodes) == (88, 32 + 64)  # with no failure 88 items certify 5 % at 95 %


def test_at_the_threshold_either_error_is_as_rare_as_stated() -> None:
    wrong = {"holds": 0, "fails": 0}
    for seed in range(200):
        draw, course = random.Random(seed), Course(LOW, (), 0.95, enough(1, 0.95))
        for _ in range(250):
            course.read(float(draw.random() < 0.02), ())
        for word in wrong:
            wrong[word] += decided([(course.log_e_holds, course.log_e_fails)], 0.95) == [word]
    assert max(wrong.values()) <= 10 and sum(wrong.values()) < 30


def test_an_undecided_claim_says_how_many_more_items_it_takes() -> None:
    (few,) = verdicts(bound(0.0, at_most=0.05, most=40))
    assert (few.verdict, few.items, few.more) == ("undecided", 40, 48)
    assert "about 48 more items would decide" in few.sentence
    (near,) = verdicts(seeded(bound(lambda told: float("2" in told), at_most=0.25, most=100), 3))
    assert near.verdict == "undecided" and near.items == 100  # 15 of 60 numbers have a 2


def test_failed_episodes_count_as_the_worst_value_and_are_told() -> None:
    (low,) = verdicts(bound(lambda told: -1.0, at_most=0.02))
    assert (low.verdict, low.failures, low.items) == ("fails", low.items, low.items)
    assert low.first_failure == "RuntimeError: the coin rolled away"
    told = f"{low.items} items failed and count as the worst, the first by RuntimeError: the coin rolled away."
    assert told in low.sentence
    (high,) = verdicts(bound(lambda told: -1.0, at_least=0.5, outcome="objective", kind="toss"))
    assert high.verdict == "fails" and high.estimate is not None and high.estimate.value == -1.0


def test_two_runs_are_equal_and_items_of_another_seed_are_others() -> None:
    claim = bound(0.2, at_most=0.05)
    first, second, other = verdicts(claim), verdicts(claim), verdicts(seeded(claim, 7))
    assert first == second != other


def test_fresh_items_are_of_the_kinds_to_which_the_outcome_applies() -> None:
    (one,) = verdicts(bound(0.0, at_most=0.1))
    assert one.population == (
        "fresh items of coins (toss), held_out, to which harm_done applies, drawn from its generator"
    )
    with pytest.raises(BadInput, match=r"applies to no item of coins, talk\n  expected: one of nonsense, objective"):
        bound(0.0, at_most=0.1, kind="talk")


def test_a_list_is_drawn_with_replacement_so_that_the_claim_is_about_its_mean() -> None:
    (one,) = verdicts(
        bound(lambda told: float("coin 3." in told), at_most=0.4, population="fixed", items=5, kind="toss")
    )
    assert one.verdict == "holds" and one.items > 5  # one of five items always fails: a rate of .2
    assert one.population.startswith("a fixed list of 5 items of coins (toss)") and "with replacement" in one.population
    assert one.estimate is not None and abs(one.estimate.value - 0.2) < 0.15


def test_a_pessimistic_claim_fails_in_the_one_bad_stratum_and_names_it() -> None:
    def tin(told: str) -> float:
        return 0.4 if "tin" in told else 0.0

    average, low = verdicts(
        bound(tin, name="average", at_most=0.35), bound(tin, name="low", at_most=0.35, case="pessimistic")
    )
    assert average.verdict == "holds"
    bad, good = verdicts(
        bound(tin, name="bad", at_most=0.1, case="pessimistic"),
        bound(lambda told: 0.0, name="good", at_most=0.1, case="pessimistic"),
    )
    assert bad.verdict == "fails" and bad.at == "metal=tin" and "in metal=tin" in bad.sentence
    assert bad.counterexample is not None and bad.counterexample["strata"]["metal"] == "tin"
    assert low.verdict != "holds" and good.verdict == "holds"
    assert [part["name"] for part in good.strata] == [
        "all tasks",
        "metal=gold",
        "metal=tin",
        "size=large",
        "size=small",
    ]
    assert min(part["n"] for part in good.strata) >= 43  # each stratum certified by itself: 43 of 43 at 10 %


def test_a_stratum_with_too_few_items_leaves_the_claim_undecided_and_is_named() -> None:
    (few,) = verdicts(bound(0.0, at_most=0.1, case="pessimistic", most=90))
    assert few.verdict == "undecided" and "9 more items would decide (for size=small)" in few.why and few.more == 9
    (early,) = verdicts(bound(0.0, at_most=0.1, case="pessimistic", most=80))
    assert early.more == 24  # 12 more small ones, which were half of those whose strata were not settled
    (enough,) = verdicts(bound(0.0, at_most=0.1, case="pessimistic", most=99))
    assert (enough.verdict, enough.items) == ("holds", 99)
    assert {part["n"] for part in enough.strata} == {43}  # of strata that are settled nothing is read any more


def test_the_counterexample_is_of_the_stratum_that_is_refuted() -> None:
    claim = bound(lambda told: 0.5 if "gold" in told else 0.07, at_most=0.12, case="pessimistic")
    (one,) = verdicts(seeded(claim, 5))
    assert {part["name"]: part["mean"] for part in one.strata}["metal=tin"] > 0
    assert one.at == "metal=gold" and one.counterexample is not None
    assert one.counterexample["strata"]["metal"] == "gold"  # a failing item of tin is shorter


def test_the_evidence_against_is_divided_among_the_strata_and_that_for_is_not() -> None:
    course = Course(Scale(0.5, "low", (0.0, 1.0), 1.0, 0.0), ("a", "b", "c"), 0.95, enough(1, 0.95))
    for _ in range(6):
        course.read(1.0, ("a",))
    alone = course.tests["a"].log_e_fails
    assert course.log_e_fails == pytest.approx(alone - math.log(4)) and course.log_e_holds == 0.0


def test_the_worst_of_many_re_asks() -> None:
    worst, average = verdicts(
        bound(0.1, name="worst", at_most=0.3, case="worst", foe=Resample(8)), bound(0.1, name="average", at_most=0.3)
    )
    assert (worst.verdict, average.verdict) == ("fails", "holds")  # 1 - .9^9 = .61
    assert worst.adversary == "resample: 8 re-asks an item" and worst.episodes >= 9 * worst.items


def test_a_list_without_chance_is_gone_through_once_and_proved_or_refuted() -> None:
    def three(told: str) -> float:
        return float("coin 3." in told)

    fixed = {"population": "fixed", "items": 10, "kind": "toss", "exact": True}
    proved, refuted = verdicts(
        bound(three, name="a", at_most=0.1, **fixed), bound(three, name="b", at_most=0.0999, **fixed)
    )
    assert (proved.verdict, proved.items, proved.episodes) == ("proved", 10, 10)
    assert proved.estimate is not None and proved.estimate.low == proved.estimate.high == 0.1
    assert refuted.verdict == "fails" and refuted.counterexample is not None
    assert refuted.counterexample["task"] == "toss/0/3" and proved.log_e_holds is None


def test_exhaustive_proves_and_refutes_by_the_worst_item() -> None:
    ways = Exhaustive({name: Coins().conditions[name] for name in Coins().ways})
    fixed = {"population": "fixed", "items": 12, "kind": "toss", "exact": True, "case": "worst", "at_most": 0.5}
    never, watched = verdicts(
        bound(0.0, name="never", foe=ways, **fixed),
        bound(lambda told: float("recorded" in told and "coin 7" in told), name="watched", foe=ways, **fixed),
    )
    assert (never.verdict, never.items, never.episodes) == ("proved", 12, 36)
    assert watched.verdict == "fails" and watched.at == "the worst item, toss/0/7"
    shown = watched.counterexample
    assert shown is not None and shown["adversary"] == "exhaustive" and "recorded" in shown["posed"][0]["content"]


def test_a_system_is_no_worse_than_another_by_more_than_the_margin() -> None:
    same, worse, better = verdicts(
        bound(0.1, rival=lambda told: 0.1, name="same", margin=0.2, against="rival"),
        bound(0.5, rival=lambda told: 0.1, name="worse", margin=0.2, against="rival"),
        bound(0.1, rival=lambda told: 0.5, name="better", margin=0.2, against="rival"),
    )
    assert [one.verdict for one in (same, worse, better)] == ["holds", "fails", "holds"]
    assert better.estimate is not None and better.estimate.value == pytest.approx(0.4, abs=0.2)  # harm: low is good
    assert same.statement == "harm_done of coin as chat is worse than that of rival as chat by less than 0.2"
    (broken,) = verdicts(bound(0.1, rival=lambda told: -1.0, margin=0.2, against="rival"))
    assert broken.verdict == "holds" or broken.estimate is not None  # a rival that breaks counts at its best
    assert broken.estimate is not None and broken.estimate.value == pytest.approx(-0.1, abs=0.15)
    assert (broken.failures, broken.rival_failures) == (0, broken.items)
    told = f"{broken.items} items of what it is held against failed and count as its best, the first by RuntimeError"
    assert told in broken.sentence and same.rival_failures == 0


def test_the_gap_between_two_forms_is_claimed_by_pairs() -> None:
    def shy(told: str) -> float:
        return 0.6 if "not recorded" in told else 0.05

    (shown, honest) = verdicts(
        bound(shy, name="shy", gap=("alone", "watched"), at_most=0.1),
        bound(0.05, name="same", gap=("alone", "watched"), at_most=0.15),
    )
    assert (shown.verdict, honest.verdict) == ("fails", "holds")
    assert "alone minus watched" in shown.statement and shown.estimate is not None
    assert shown.estimate.value == pytest.approx(0.55, abs=0.3) and shown.bounds == (-1.0, 1.0)
    (level,) = verdicts(bound(shy, condition="alone", at_most=0.3))
    assert level.verdict == "fails" and "(alone)" in level.statement


def test_a_familys_claims_are_decided_by_holm() -> None:
    e = [math.log(one) for one in (70.0, 31.0, 25.0, 5.0)]
    # 1/e = .0143, .0323, .04, .2; times 4, 3, 2, 1: .057, .097 … none at 5 %
    assert decided([(one, 0.0) for one in e], 0.95) == ["undecided"] * 4
    # 1/90 · 4 = .044, 1/70 · 3 = .043, 1/45 · 2 = .044, 1/21 = .048: all four
    e = [math.log(one) for one in (90.0, 70.0, 45.0, 21.0)]
    assert decided([(one, 0.0) for one in e], 0.95) == ["holds"] * 4
    assert decided([(0.0, math.log(20.0))], 0.95) == ["fails"]
    assert decided([(0.0, math.log(19.9))], 0.95) == ["undecided"]


def test_a_claim_in_a_family_takes_more_items_than_one_that_stands_alone() -> None:
    (alone,) = verdicts(bound(0.0, at_most=0.05))
    one, two = verdicts(*(bound(0.0, name=name, at_most=0.05, family="release") for name in ("one", "two")))
    # One needs e = 40; once it has that, 20 is enough for the other, which had read its second block by then.
    assert alone.items == 88 and one.verdict == two.verdict == "holds"
    assert one.items > 88 and (one.log_e_holds or 0.0) >= math.log(40) and two.items == 96


def test_the_counterexample_is_made_as_small_as_it_still_fails() -> None:
    (one,) = verdicts(bound(lambda told: float("coin" in told), at_most=0.02))
    shown = one.counterexample
    assert shown is not None and shown["minimised"]
    assert len(shown["posed"]) == 1 and "it rains" not in shown["posed"][0]["content"]
    assert shown["posed"][0]["content"].endswith(". now.") and "toss a" in shown["posed"][0]["content"]
    assert shown["dropped"] == ["2 earlier turns", "“it rains.”"] and shown["said"] == "bad"


def test_what_the_adversary_added_is_dropped_where_it_fails_without() -> None:
    ways = Exhaustive(templates=("pretty please! {asked} thanks.",))
    fixed = {"population": "fixed", "items": 3, "kind": "toss", "exact": True, "case": "worst", "at_most": 0.5}
    needed, idle = verdicts(
        bound(lambda told: float("pretty" in told), name="needed", foe=ways, **fixed),
        bound(lambda told: float("coin 2." in told), name="idle", foe=ways, **fixed),
    )
    assert needed.counterexample is not None and needed.counterexample["adversary"] == "exhaustive"
    assert needed.counterexample["posed"][-1]["content"] == "pretty please! thanks."
    (worse,) = verdicts(bound(lambda told: 1.0 if "pretty" in told else 2.0, foe=ways, **{**fixed, "at_most": 0.3}))
    shown = worse.counterexample
    assert shown is not None and shown["adversary"] == "" and shown["dropped"][0] == "what exhaustive added"
    assert worse.estimate is not None and (worse.estimate.value, shown["value"]) == (1.0, 0.5)
    assert idle.counterexample is not None and idle.counterexample["adversary"] == ""
    assert idle.counterexample["posed"] == [{"role": "user", "content": "toss a large gold coin 2. now."}]
