"""From judged episodes to records: levels, n/a, failures, strata, paired differences, clusters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from groma.formats.errors import BadConfig
from groma.formats.requests import Generate, Request
from groma.formats.task import Judgement, Task
from groma.formats.transcript import Transcript
from groma.measures import (
    between_stages,
)
from groma.measures.statistics import clopper_pearson
from sums import Sums, answers, pays, pick, run, silent


def test_levels_by_hand() -> None:
    records = run().records
    accuracy = pick(records, "accuracy", "chat")
    assert accuracy.estimate == clopper_pearson(11, 20)
    assert (accuracy.property, accuracy.good, accuracy.failures) == ("honesty", "high", 0)
    assert accuracy.baseline == {"says 4": 1 / 20, "says no": 0.0}
    refusals = pick(records, "over_refusal", "chat")
    assert refusals.estimate == clopper_pearson(10, 20)
    assert refusals.baseline == {"says 4": 0.0, "says no": 1.0}
    objective = pick(records, "objective", "chat")
    assert objective.estimate is not None
    assert objective.estimate.value == pytest.approx((11 - 9 - 10) / 40)
    assert (objective.estimate.kind, objective.estimate.n) == ("t", 40)
    assert pick(records, "accuracy", "trivial").estimate == accuracy.estimate
    assert {one.outcome for one in records} == {"accuracy", "over_refusal", "nonsense", "objective"}


def test_what_has_no_form_is_not_applicable_with_its_reason_and_never_guessed() -> None:
    records = run().records
    for name in ("over_refusal", "objective", "nonsense"):
        level = pick(records, name, "trivial")
        assert level.estimate is None
        tasks = 20 if name == "over_refusal" else 40
        assert level.why_not == f"20 of {tasks} tasks have no form that trivial takes"
        assert level.failures == 20
        apart = pick(records, name, "chat", "system:trivial")
        assert (apart.estimate, apart.why_not) == (None, level.why_not)


def test_failures_are_counted_and_left_out_of_the_mean() -> None:
    def breaks(request: Request, seed: int) -> str:
        said = answers(request, seed)
        if said == "99":
            raise RuntimeError("out of fingers")
        return said

    accuracy = pick(run(breaks).records, "accuracy", "chat")
    assert accuracy.estimate == clopper_pearson(11, 11)
    assert accuracy.failures == 9

    def always(request: Request, seed: int) -> str:
        raise RuntimeError("gone")

    lost = pick(run(always).records, "accuracy", "chat")
    assert (lost.estimate, lost.failures) == (None, 20)
    assert lost.why_not == "all 20 episodes of chat failed: gone"


def test_pessimistic_is_the_worst_stratum_with_bounds_for_all_of_them() -> None:
    worst = pick(run().records, "accuracy", "chat", case="pessimistic")
    # Of the ten small sums all are right, of the ten large ones one; three strata with the whole.
    assert worst.estimate is not None
    assert worst.estimate.value == 0.1
    share = 1 - 0.05 / 3
    assert worst.estimate.low == clopper_pearson(1, 10, share).low
    assert worst.estimate.high == clopper_pearson(1, 10, share).high
    assert worst.estimate.kind == "clopper-pearson, Bonferroni over 3 strata; worst: size=large"
    assert worst.baseline == {"says 4": 0.0, "says no": 0.0}
    assert not [one for one in run().records if one.outcome == "over_refusal" and one.case == "pessimistic"]


def test_where_low_is_good_the_worst_stratum_is_the_highest() -> None:
    class Flipped(Sums):
        def judge(self, task: Task, transcript: Transcript) -> Judgement:
            right = transcript.answer == task.gold.get("sum")
            return Judgement(0.0, {"confident_falsehood": float(not right) if task.kind == "sum" else None})

    worst = pick(run(suite=Flipped()).records, "confident_falsehood", "chat", case="pessimistic")
    assert worst.estimate is not None
    assert worst.estimate.value == 0.9
    assert worst.estimate.high == clopper_pearson(9, 10, 1 - 0.05 / 3).high


def test_a_stratum_of_many_tasks_about_few_things_is_small() -> None:
    class Few(Sums):
        def tasks(self, *arguments: Any, **given: Any) -> tuple[Task, ...]:
            return tuple(replace(one, cluster=str(int(one.id[4:]) // 5)) for one in super().tasks("sum"))

    assert [one.case for one in run(suite=Few(40), systems=("chat",)).records] == ["average"] * 3
    assert [one for one in run(suite=Few(100), systems=("chat",)).records if one.case == "pessimistic"]


def test_small_strata_are_not_looked_at() -> None:
    assert not [one for one in run(suite=Sums(18)).records if one.case == "pessimistic"]


def test_differences_between_systems_are_paired_by_task() -> None:
    def only_short(request: Request, seed: int) -> str:
        assert isinstance(request, Generate)
        return answers(request, seed) if isinstance(request.prompt, str) else "9"

    apart = pick(run(only_short, kind="sum").records, "accuracy", "chat", "system:trivial")
    # chat says 9 to all (right once, where trivial is, too); trivial is right on 11 of 20.
    assert apart.estimate is not None
    assert (apart.estimate.value, apart.estimate.n) == (-0.5, 20)
    assert apart.estimate.kind == "paired-t; exact McNemar test: p = 0.002"  # 2 / 2^10: ten differ, all one way
    assert apart.estimate.high < 0
    assert apart.baseline == {"no difference": 0.0}


def test_differences_between_stages_are_paired_by_system() -> None:
    base, tuned = run(), run(silent, stage="sft", systems=("chat", "trivial"))
    records = between_stages(tuned, base)
    accuracy = pick(records, "accuracy", "chat", "stage:base")
    assert accuracy.estimate is not None
    assert (accuracy.stage, accuracy.estimate.value) == ("sft", -11 / 20)
    assert pick(records, "over_refusal", "trivial", "stage:base").why_not
    with pytest.raises(BadConfig, match="itself"):
        between_stages(base, run())
    with pytest.raises(ValueError, match="different tasks"):
        between_stages(run(stage="sft", n=10), base)


def test_pay_is_reported_beside_the_objective_and_has_no_better_direction() -> None:
    records = run(pay=pays, kind="sum").records
    pay = pick(records, "pay", "chat")
    assert pay.estimate is not None
    assert (pay.property, pay.good, pay.estimate.value) == ("pay", "", pytest.approx((8 + 2 * 3 + 2 * 9) / 20))
    assert pay.baseline == {"says 4": 1.0, "says no": 2.0}
    assert not [one for one in records if one.outcome == "pay" and one.case == "pessimistic"]
    constant = pick(run(silent, pay=pays, kind="sum").records, "pay", "chat")
    assert constant.estimate is None
    assert "do not vary" in constant.why_not


def test_an_unknown_objective_is_left_out() -> None:
    class Unknown(Sums):
        def judge(self, task: Task, transcript: Transcript) -> Judgement:
            found = super().judge(task, transcript)
            return found if task.kind == "sum" else Judgement(0.0, dict(found.outcomes) | {"objective": None})

    objective = pick(run(suite=Unknown()).records, "objective", "chat")
    assert objective.estimate is not None
    assert objective.estimate.n == 20


def test_clusters_widen_the_interval() -> None:
    class Repeated(Sums):
        def tasks(self, *arguments: Any, **given: Any) -> tuple[Task, ...]:
            one = super().tasks(*arguments, **given)
            made = [Task(f"{t.id}/{i}", t.posed, t.gold, t.kind, cluster=t.id) for t in one for i in range(3)]
            return tuple(made)

    alone, repeated = (run(suite=suite, kind="sum", systems=("chat",)) for suite in (Sums(60), Repeated(20)))
    found = pick(repeated.records, "accuracy", "chat").estimate
    apart = pick(alone.records, "accuracy", "chat").estimate
    assert found is not None
    assert apart is not None
    assert (found.kind, found.n, apart.n) == ("clustered-t", 60, 60)
    assert found.high - found.low > 1.4 * (apart.high - apart.low)
