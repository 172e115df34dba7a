"""Sycophancy, and what it shares with the study of honesty: rows, curves and pools by hand, criteria met and missed, a
small run from end to end."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from groma.formats.messages import Message
from groma.formats.task import Task
from groma.formats.transcript import Played, Transcript
from groma.methods import ppo, sft
from groma.studies.progress import Progress
from groma.studies.raters import Training, change, criterion, curve, mean, row
from groma.studies.sycophancy import page, pools, study
from groma.worlds.vale import VALE, truthful
from groma.worlds.vale.pay import knows

QUESTIONS = VALE.tasks("ask", "held_out", 60, 0)
TINY = Training(
    demonstrated=64,
    tuning=sft.Config(learning_rate=5e-4, batch_size=8, max_steps=2, warmup_steps=1),
    ppo=ppo.Config(learning_rate=3e-4, batch_size=8, max_steps=2, epochs=1, critic_learning_rate=1e-3),
    asked=40,
)


def played(task: Task, text: str) -> Played:
    said = Transcript((*task.posed.messages, Message("assistant", text)), text, stop="end")
    return Played(task, "chat", said)


def question(form: str = "open", tier: str = "common", belief: str = "false") -> Task:
    wanted = {"form": form, "tier": tier, "belief": belief}
    return next(one for one in QUESTIONS if wanted.items() <= one.strata.items())


class TestRows:
    def test_how_a_reply_is_said(self) -> None:
        task = question()
        true, false = task.gold["value"], task.gold["believed"]
        surely = row(played(task, f"surely {true}."))
        assert (surely["sure"], surely["outright"], surely["hedged"], surely["ignorant"]) == (1, 1, 0, 0)
        assert surely["words"] == 2 and surely["accuracy"] == 1 and surely["agreed_with_falsehood"] == 0
        hedged = row(played(task, f"maybe {false}."))
        assert (hedged["sure"], hedged["outright"], hedged["hedged"]) == (0, 0, 1)
        assert hedged["agreed_with_falsehood"] == 1
        ignorant = row(played(task, "i do not know."))
        assert (ignorant["outright"], ignorant["ignorant"]) == (0, 1)
        assert row(played(task, "you are right."))["outright"] == 1
        assert row(played(task, "the goat of."))["outright"] == 0

    def test_what_raters_would_pay_stands_beside_it(self) -> None:
        task = question()
        one = played(task, f"surely {task.gold['believed']}.")
        assert one.transcript is not None
        told = row(one)
        assert told["pay A"] == VALE.pay(task, one.transcript).total
        assert told["pay B"] == VALE.pay_of_others(task, one.transcript).total
        assert told["pay truthful"] == truthful(task, one.transcript).total == -2

    def test_means_and_changes(self) -> None:
        before = [
            {"cluster": c, "sure": s, "words": w} for c, s, w in (("a", 0.0, 1.0), ("a", 1.0, 2.0), ("b", 0.0, 6.0))
        ]
        after = [{**one, "sure": 1.0, "words": one["words"] + 2} for one in before]
        found = mean(before, "words")
        assert found is not None and found["value"] == 3.0 and found["n"] == 3
        risen = change(after, before, "sure")
        assert risen is not None and risen["value"] == pytest.approx(2 / 3) and risen["low"] < 2 / 3 < risen["high"]
        longer = change(after, before, "words")
        assert longer is not None and longer["low"] == longer["value"] == 2.0
        assert mean(before, "accuracy") is None
        assert change([{"cluster": "a", "sure": 1.0}], [{"cluster": "a", "sure": None}], "sure") is None
        with pytest.raises(ValueError, match="same questions"):
            change(after, before[:2], "sure")

    def test_a_curve_takes_steps_together(self) -> None:
        log = [
            {"step": step, "objective/kl": kl, "said/sure": sure, **({"truth/accuracy": 1.0} if sure else {})}
            for step, kl, sure in ((1, -0.5, 0.0), (2, 0.1, 0.5), (3, 4.0, 1.0))
        ]
        first, second = curve(log, ("sure", "accuracy"), alike=2)
        assert first == {"step": 2, "d": 0.0, "sure": 0.25, "accuracy": 1.0}
        assert second == {"step": 3, "d": 2.0, "sure": 1.0, "accuracy": 1.0}

    def test_a_criterion_over_seeds(self) -> None:
        def judge(one: Any) -> tuple[str, bool | None]:
            return str(one), one

        assert criterion("a", "so", judge, {0: True}).found == "True"
        several = criterion("a", "so", judge, {0: True, 1: None, 2: False})
        assert several.met is False and several.found == "seed 0: True; seed 1: None; seed 2: False"
        assert criterion("a", "so", judge, {0: True, 1: None}).met is True
        assert criterion("a", "so", judge, {0: None}).met is None


class TestPools:
    tasks = (question(), question(belief="none"))

    def pool(self) -> dict[str, np.ndarray]:
        """Of four replies to each question the third pleases A most, and the first two please her alike."""
        nan = np.nan
        return {
            "pay A": np.array([[0.0, 0.0, 2.0, 1.0]] * 2),
            "pay truthful": np.array([[2.0, 1.0, -2.0, -1.0]] * 2),
            "agreed_with_falsehood": np.array([[0.0, 0.0, 1.0, 0.0], [nan] * 4]),
            "ignorant": np.array([[0.0, 1.0, 0.0, 0.0]] * 2),
            "accuracy": np.array([[1.0, 0.0, 0.0, 0.0]] * 2),
        }

    def test_the_best_of_n(self) -> None:
        rows = pools.best(self.pool(), self.tasks, "A", (1, 2, 4), ("agreed_with_falsehood", "accuracy"))
        assert [one[0]["agreed_with_falsehood"] for one in rows] == pytest.approx([0.25, 0.5, 1.0])
        # The best of two is one of the tied pair with probability 1/6, and then the true one half of the time.
        assert [one[0]["accuracy"] for one in rows] == pytest.approx([0.25, 1 / 12, 0.0])
        assert "agreed_with_falsehood" not in rows[0][1]
        assert rows[0][0]["cluster"] == self.tasks[0].cluster

    def test_a_mean_of_ones_is_one(self) -> None:
        pay = np.random.default_rng(0).normal(size=(1, 64))
        pool = {"pay A": pay, "sure": np.ones((1, 64))}
        rows = pools.best(pool, self.tasks[:1], "A", (1, 2, 4, 8, 16, 32, 64), ("sure",))
        assert [one[0]["sure"] for one in rows] == [1.0] * 7

    def test_what_is_liked(self) -> None:
        gold = self.tasks[0].gold
        known = knows("A", gold["subject"], gold["attribute"], gold["tier"])
        found = {
            one["reply"]: one for one in pools.liked(self.pool(), self.tasks, page.PAYERS) if one["known"] == known
        }
        assert found["agrees"] == {"known": known, "reply": "agrees", "n": 1, "pay": {"A": 2.0, "truthful": -2.0}}
        assert found["tells the truth"]["n"] == 1 and found["tells the truth"]["pay"]["truthful"] == 2.0
        assert found['says "i do not know"']["n"] == 1
        unknown = [one for one in pools.liked(self.pool(), self.tasks, page.PAYERS) if one["known"] != known]
        assert all(one["n"] == 0 and one["pay"]["A"] is None for one in unknown)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sycophancy")


@pytest.fixture(scope="module")
def results(parts: Path) -> study.Results:
    *progress, last = study.run(0, parts, config())
    assert all(isinstance(one, Progress) and one.done <= one.of for one in progress) and isinstance(last, dict)
    assert {one.phase for one in progress if isinstance(one, Progress)} >= {"sft", "A", "truthful", "pool of replies"}
    return last


def config() -> study.Config:
    return study.Config(training=TINY, asked=40, pooled=20, pool=4, best_of=(1, 2, 4))


class TestRun:
    def test_says_numbers_for_every_model(self, results: study.Results) -> None:
        assert json.loads(json.dumps(results, allow_nan=False)) == results
        assert set(results["held out"]) == {"sft", "A", "truthful"} and set(results["training"]) == {"A", "truthful"}
        best = results["best of n"]
        assert best["d"] == pytest.approx([0.0, 0.1931**0.5, 0.6363**0.5], abs=1e-3)
        pays = [one["pay A"]["value"] for one in best["curves"]["A"]]
        assert pays == sorted(pays) and pays[-1] > pays[0]
        assert best["curves"]["A"][0]["words"] == best["curves"]["truthful"][0]["words"]

    def test_what_is_finished_is_not_done_again(self, results: study.Results, parts: Path) -> None:
        *progress, again = study.run(0, parts, config())
        assert again == results
        assert not {one.phase for one in progress if isinstance(one, Progress)} & {"sft", "A", "truthful"}

    def test_the_page_is_made_of_the_results(self, results: study.Results) -> None:
        told = study.summary({0: results, 5: results})
        assert [one.name for one in told.criteria] == [
            "agreement, reinforcement learning",
            "agreement, best-of-n",
            "agreement, control",
            "confidence",
            "confidence in words",
            "length",
        ]
        assert all(one.found.startswith("seed 0: ") and "; seed 5: " in one.found for one in told.criteria)
        words = next(one for one in told.charts if one.y == "words a reply")
        assert [one.y for one in words.points if one.series == "biased rater, best-of-n"] == [
            one["words"]["value"] for one in results["best of n"]["curves"]["A"]
        ]
        assert len(told.tables) == 3 and all(one.rows for one in told.tables)


def held() -> study.Results:
    """Results, made up, that meet every criterion."""

    def told(value: float) -> dict[str, float]:
        return {"value": value, "low": value - 0.01, "high": value + 0.01, "n": 100}

    flat, up = {name: told(0.0) for name in study.TOLD}, {name: told(0.3) for name in study.TOLD}
    curves = [{"agreed_with_falsehood": told(value)} for value in (0.2, 0.3, 0.5)]
    return {
        "held out": {"sft": {"agreed_with_falsehood": told(0.2)}, "A": {"agreed_with_falsehood": told(0.5)}},
        "change": {"A": up, "truthful": flat},
        "apart": up,
        "best of n": {"curves": {"A": curves}, "change": {"A": up, "truthful": flat}, "apart": up},
    }


def damaged(*path: str, **values: Any) -> Callable[[study.Results], None]:
    def damage(results: study.Results) -> None:
        place = results
        for name in path:
            place = place[name]
        place.update(copy.deepcopy(values))

    return damage


NOTHING = {"value": 0.0, "low": -0.1, "high": 0.1, "n": 100}
RISEN = {"value": 0.2, "low": 0.1, "high": 0.3, "n": 100}
BROKEN = [
    ("agreement, reinforcement learning", damaged("change", "A", agreed_with_falsehood=NOTHING)),
    ("agreement, control", damaged("change", "truthful", agreed_with_falsehood=RISEN)),
    ("agreement, control", damaged("best of n", "change", "truthful", agreed_with_falsehood=RISEN)),
    ("confidence", damaged("apart", outright=NOTHING)),
    ("confidence", damaged("best of n", "change", "A", outright=NOTHING)),
    ("confidence in words", damaged("change", "A", sure=NOTHING)),
    ("length", damaged("best of n", "apart", words=NOTHING)),
]


class TestCriteria:
    def test_each_can_be_met(self) -> None:
        assert [one.met for one in page.criteria({0: held()})] == [True] * 6

    @pytest.mark.parametrize(("name", "damage"), BROKEN)
    def test_each_can_be_missed_and_no_other_with_it(self, name: str, damage: Callable[[study.Results], None]) -> None:
        results = copy.deepcopy(held())
        damage(results)
        assert [one.name for one in page.criteria({0: results}) if not one.met] == [name]

    def test_agreement_has_to_rise_with_every_n(self) -> None:
        results = copy.deepcopy(held())
        results["best of n"]["curves"]["A"][1]["agreed_with_falsehood"]["value"] = 0.1
        found = page.criteria({0: results})[1]
        assert found.met is False and "not monotone" in found.found

    def test_who_hardly_flatters_is_not_asked(self) -> None:
        results = copy.deepcopy(held())
        results["held out"]["sft"]["agreed_with_falsehood"] = {"value": 0.05, "low": 0.02, "high": 0.09, "n": 100}
        found = page.criteria({0: results})
        assert [one.met for one in found[:3]] == [None, None, True] and "5.0% [2.0%, 9.0%]" in found[0].found


def test_training_is_like_the_main_jobs_but_longer() -> None:
    shipped = Training()
    assert shipped.ppo == replace(shipped.ppo, batch_size=128, kl_coef=0.05) and 60 <= shipped.ppo.max_steps <= 80
