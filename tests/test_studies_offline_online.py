"""Offline and online methods: curves by hand, the change of mind to the bit, criteria met and missed, a small run."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from groma.formats.errors import BadConfig
from groma.formats.examples import Preference
from groma.methods.state import Step
from groma.studies.lab import Lab
from groma.studies.offline_online import config, criteria, curves, measuring, memory, results, study, training
from groma.studies.offline_online.config import BEST, METHODS, Config
from groma.studies.progress import Progress
from groma.studies.recipes import SFT_ON_VALE
from groma.worlds.vale import VALE

torch.set_num_threads(1)

FEW: dict[str, Any] = {"batch_size": 8, "max_steps": 2, "learning_rate": 1e-3}
BRIEF = {**FEW, "warmup_steps": 0}
SMALL = Config(
    demonstrated=40,
    tuning=replace(SFT_ON_VALE, max_steps=1, batch_size=8, warmup_steps=0),
    pairs=24,
    dpo=replace(config.DPO, **BRIEF),
    kto=replace(config.KTO, **BRIEF),
    online_dpo=replace(config.ONLINE_DPO, **FEW),
    ppo=replace(config.PPO, **FEW),
    rloo=replace(config.RLOO, **{**FEW, "samples": 2}),
    grpo=replace(config.GRPO, **{**FEW, "samples": 2}),
    marks=(0.5, 1.0),
    turned=("online-dpo",),
    held_out=10,
    searched=6,
    best_of=(1, 2, 3),
    weighed=(),
)


class TestConfig:
    def test_every_method_has_as_many_replies(self) -> None:
        shipped = Config()
        assert {shipped.replies(method) for method in METHODS} == {6144}
        assert {method: shipped.half(method) for method in ("ppo", "dpo")} == {"ppo": 24, "dpo": 48}
        assert shipped.steps_at("ppo") == (4, 8, 12, 24, 36, 48)
        assert shipped.options("kto", 3) == replace(shipped.kto, seed=3)

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            ({"marks": (0.25, 1.0)}, "among the marks are a half"),
            ({"marks": (0.5, 0.25, 1.0)}, "they must rise"),
            ({"marks": (0.5, 0.51, 1.0)}, "two marks of online-dpo are one step"),
            ({"best_of": (2, 4)}, "it must begin with 1"),
            ({"turned": ("dpo",)}, "dpo cannot be paid by a changed rater"),
            ({"turned": ()}, "no method goes on"),
            ({"searched": 500}, "searched is 500; choose 2 to 400"),
        ],
    )
    def test_what_cannot_be_meant_is_refused(self, options: dict[str, Any], says: str) -> None:
        with pytest.raises(BadConfig, match=says):
            Config(**options)


class TestCurves:
    def test_a_curve_is_linear_between_its_points(self) -> None:
        """Points at 0, 1 and 3, two tasks: at 2 each counts half of the last two."""
        values = [[0.0, 0.0], [1.0, 2.0], [2.0, 6.0]]
        assert curves.at([0, 1, 3], values, 2.0).tolist() == [1.5, 4.0]
        assert curves.at([0, 1, 3], values, 3.0).tolist() == [2.0, 6.0]
        assert curves.at([0, 1, 3], values, 0.0).tolist() == [0.0, 0.0]

    def test_training_that_comes_back_is_read_where_it_first_came_past(self) -> None:
        found = curves.weights([0, 2, 4, 1], 1.0)
        assert found is not None and found.tolist() == [0.5, 0.5, 0, 0]
        assert curves.weights([0, 2, 4, 1], 4.5) is None
        assert curves.reach([0, 2, 4, 1], [0, 3]) == 3
        with pytest.raises(ValueError, match="does not reach"):
            curves.at([0, 2], [[0.0], [1.0]], 3)

    def test_distances_and_differences(self) -> None:
        assert curves.distance(4.0) == 2.0 and curves.distance(-0.01) == 0.0
        told = curves.difference([1.0, 2.0, 4.0], [0.0, 0.0, 1.0], ["a", "b", "c"])
        assert told["value"] == 2.0 and told["n"] == 3 and told["low"] < 2.0 < told["high"]
        assert curves.difference([1.0, 2.0], [1.0, 2.0], ["a", "b"]) == {"value": 0.0, "low": 0.0, "high": 0.0, "n": 2}

    def test_best_of_n_by_hand(self) -> None:
        """Two tasks with pools of two: one reply at random is paid their mean, the best of both the higher."""
        found = measuring.best(np.array([[0.0, 1.0], [3.0, 3.0]]), np.array([[1.0, -1.0], [0.0, 1.0]]), [1, 2])
        assert np.array(found["pay"]) == pytest.approx(np.array([[0.5, 3.0], [1.0, 3.0]]))
        assert np.array(found["objective"]) == pytest.approx(np.array([[0.0, 0.5], [-1.0, 0.5]]))

    def test_the_published_form_is_found_where_it_is(self) -> None:
        d = np.array([0.0, 0.5, 1.0, 2.0, 3.0])
        gold = 0.3 + d * (0.4 - 0.2 * np.log(np.where(d > 0, d, 1)))
        one = results.Curve(tuple(d), tuple({"objective": [value, value]} for value in gold))
        form = results.fitted(one)
        assert form is not None and (form["alpha"], form["beta"], form["r2"]) == pytest.approx((0.4, 0.2, 1.0))
        assert results.fitted(results.Curve((0.0, 0.0, 0.0), one.rows[:3])) is None


class TestTraining:
    def test_comparisons_without_their_other_half(self) -> None:
        rows = training.labelled([Preference("a", "good", "bad"), Preference("b", "yes", "no")])
        told = [(one.prompt, one.completion, one.label) for one in rows]
        assert told == [("a", "good", True), ("a", "bad", False), ("b", "yes", True), ("b", "no", False)]

    def test_every_step_is_timed(self) -> None:
        def steps() -> Iterator[Step]:
            for number in (1, 2):
                sum(range(100_000))
                yield Step(number, 2, {"loss": 1.0}, None, None, lambda _: None)  # type: ignore[arg-type, return-value]

        found = list(training.timed(steps()))
        assert [one.number for one in found] == [1, 2] and found[0].metrics["loss"] == 1.0
        assert all(one.metrics[name] > 0 for one in found for name in (training.SECONDS, training.PROCESSOR))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, study.Results]:
    folder = tmp_path_factory.mktemp("offline_online")
    *progress, last = study.run(0, folder, SMALL)
    assert all(isinstance(one, Progress) for one in progress) and isinstance(last, dict)
    return folder, json.loads(json.dumps(last, allow_nan=False))


class TestRun:
    def test_tells_of_every_method(self, whole: tuple[Path, study.Results]) -> None:
        _, found = whole
        assert set(found["methods"]) == set(METHODS)
        for row in found["methods"].values():
            assert len(row["points"]) == 2 and row["points"][-1]["pay"]["n"] == 10
            assert row["points"][-1]["kl"][0] > row["points"][0]["kl"][0] - 0.2
        assert found["start"]["kl"] == [0.0, 0.0]
        pays = [point["pay"]["value"] for point in found[BEST]["points"]]
        assert pays == sorted(pays) and pays[0] < pays[-1]
        assert all(seconds > 0 for took in found["costs"]["training"].values() for seconds in took.values())
        assert 0 < found["costs"]["comparisons"] <= 24 and found["costs"]["memory"] == {}
        (turned,) = [row for row in found["changed"] if row["turned"]]
        (stayed,) = [row for row in found["changed"] if not row["turned"] and row["method"] == "online-dpo"]
        assert turned["method"] == "online-dpo" and turned["points"][:2] == stayed["points"][:2]
        for row in found["online and offline"]:
            assert all(0 < share <= 1 for share in row["shares"]) and row["kl"] > 0
        (dpo,) = [row for row in found["changed"] if row["method"] == "dpo"]
        assert dpo["gain beyond DPO's"]["value"] == 0.0

    def test_what_is_finished_is_not_done_again(self, whole: tuple[Path, study.Results]) -> None:
        folder, found = whole
        assert list(study.run(0, folder, SMALL)) == [found]
        (folder / "measured-rloo.json").unlink()
        *progress, again = study.run(0, folder, SMALL)
        assert {one.phase for one in progress if isinstance(one, Progress)} == {"measure rloo"} and again == found

    def test_a_changed_mind_changes_nothing_but_the_pay(
        self, whole: tuple[Path, study.Results], tmp_path: Path
    ) -> None:
        """Paid on as before, the run that goes on from the half is the run that was never interrupted, to the bit."""
        folder, _ = whole
        lab = Lab(tmp_path, 0)
        shutil.copytree(folder / "sft", tmp_path / "sft")
        shutil.copy(folder / "online-dpo-half.state", tmp_path)
        for _ in training.turned(lab, "online-dpo", SMALL, VALE.pay):
            pass
        again, whole_run = lab.model("online-dpo-turned"), Lab(folder, 0).model("online-dpo")
        for name, weight in whole_run.net.state_dict().items():
            assert torch.equal(weight, again.net.state_dict()[name])
        log = Lab(folder, 0).log("online-dpo-turned")
        assert [row["step"] for row in log] == [2]
        assert log[0]["objective/scores"] != Lab(folder, 0).log("online-dpo")[1]["objective/scores"]

    @pytest.mark.parametrize("method", ["dpo", "ppo", BEST])
    def test_memory_is_told_by_a_process_of_its_own(
        self, method: str, whole: tuple[Path, study.Results], capsys: pytest.CaptureFixture[str]
    ) -> None:
        told: dict[str, Any] = {"seed": 0, "pairs": SMALL.pairs, "replies": 2}
        if method != BEST:
            told["options"] = replace(SMALL.options(method, 0), max_steps=1, warmup_steps=0).to_dict()
        memory.main([method, str(whole[0]), json.dumps(told)])
        found = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert 50 < found["before"] <= found["after"] < 100_000

    def test_a_process_that_breaks_is_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(study, "MEMORY", "groma.no_such_module")
        with pytest.raises(RuntimeError, match="no_such_module"):
            study.weigh(Lab(tmp_path, 0), BEST, SMALL)

    def test_the_page_can_be_made(self, whole: tuple[Path, study.Results]) -> None:
        told = study.summary({0: whole[1], 1: whole[1]})
        assert len(told.criteria) == len(criteria.ASKED) and all("seed 1: " in one.found for one in told.criteria)
        truth, pay, changing = told.charts
        assert {one.series for one in truth.points} == {BEST, *METHODS.values()} == {one.series for one in pay.points}
        assert len(changing.lines) == 3
        ends, equal, changed, costs, options = told.tables
        assert len(ends.rows) == 7 and len(costs.rows) == 7 and len(changed.rows) == 4 and len(equal.rows) >= 8
        assert dict(zip(options.columns, options.rows[3], strict=True))["updates a step"] == "4"


def near(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.1, "high": value + 0.1, "n": 400}


def held() -> study.Results:
    """Results, made up, that meet every criterion."""

    def point(pay: float) -> dict[str, Any]:
        return {"pay": near(pay), "objective": near(0.2), "kl": [4.0, 0.1]}

    methods = {method: {"points": [point(0.5), point(1.0)]} for method in METHODS}
    for method in ("dpo", "ppo"):
        methods[method]["form"] = {"alpha": 0.4, "beta": 0.2, "r2": 0.99}  # type: ignore[assignment]
    sides = [
        {"online": one, "offline": other, "kl": 2.0, "pay": near(0.2), "objective": near(0.0)}
        for one in config.ONLINE
        for other in config.OFFLINE
    ]
    return {
        "start": point(0.1),
        "methods": methods,
        BEST: {"n": [1, 64], "kl": [0.0, 3.17], "points": [point(0.1), point(0.9)]},
        "online and offline": sides,
        "best-of-n and methods": [
            {"method": one, "kl": 1.0, "pay": near(0.3), "objective": near(0)} for one in METHODS
        ],
        "changed": [
            {"method": "ppo", "turned": True, "gain beyond DPO's": near(0.5)},
            {"method": "ppo", "turned": False, "gain beyond DPO's": near(0.0)},
        ],
    }


BROKEN: list[tuple[int, bool | None, Callable[[study.Results], object]]] = [
    (0, False, lambda one: one["methods"]["kto"]["points"][-1].update(pay=near(0.29))),
    (0, False, lambda one: one[BEST]["points"][-1].update(pay=near(0.29))),
    (1, False, lambda one: one["best-of-n and methods"][0].update(pay=near(0.05))),
    (1, None, lambda one: one["best-of-n and methods"].clear()),
    (2, False, lambda one: one["online and offline"][3].update(pay=near(0.05))),
    (3, False, lambda one: one["changed"][0].update({"gain beyond DPO's": near(0.05)})),
    (4, False, lambda one: one["methods"]["dpo"]["form"].update(r2=0.9)),
    (4, None, lambda one: one["methods"]["ppo"].update(form=None)),
]


class TestCriteria:
    def test_each_can_be_met(self) -> None:
        assert [one.met for one in criteria.criteria({0: held()})] == [True] * len(criteria.ASKED)

    @pytest.mark.parametrize(("place", "met", "damage"), BROKEN)
    def test_each_can_be_missed_and_no_other_with_it(
        self, place: int, met: bool | None, damage: Callable[[study.Results], object]
    ) -> None:
        broken = copy.deepcopy(held())
        damage(broken)
        expected: list[bool | None] = [True] * len(criteria.ASKED)
        expected[place] = met
        assert [one.met for one in criteria.criteria({0: broken})] == expected
        both = criteria.criteria({0: held(), 1: broken})
        assert both[place].met is met and "seed 0: " in both[place].found

    def test_what_best_of_n_does_not_reach_is_named(self) -> None:
        one = held()
        one["best-of-n and methods"].pop()
        assert "not within reach: GRPO" in criteria.criteria({0: one})[1].found
