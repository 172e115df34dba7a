"""The study of raters, reward models and small aligned models: its arithmetic by hand, its criteria, and a tiny run."""

from __future__ import annotations

import copy
import json
import math
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from groma.formats.digest import digest_files
from groma.formats.errors import BadInput
from groma.formats.messages import Message
from groma.formats.requests import Failure
from groma.formats.task import Task
from groma.formats.transcript import Played, Transcript
from groma.methods import ppo, reward, sft
from groma.models.names import cached, resolve
from groma.studies import vale_base
from groma.studies.instructgpt import study
from groma.studies.instructgpt.agreement import agreement, both_right, follows, of_labels
from groma.studies.instructgpt.config import Config, both_rounds, faster, fold, small_ppo, small_tuning
from groma.studies.instructgpt.contests import JUDGES, contest
from groma.studies.instructgpt.criteria import criteria, joined
from groma.studies.instructgpt.folds import Predictions, accuracies, by_label, dealt
from groma.studies.instructgpt.replies import Pair
from groma.studies.instructgpt.toxicity import HEADERS, WISHES, ratio, rude, toxicity
from groma.studies.lab import Lab
from groma.studies.pairing import drawn, unseen
from groma.studies.progress import Progress
from groma.studies.vale_base import Recipe
from groma.worlds.vale import VALE, Rater
from groma.worlds.vale.lexicon import SCORN

TINY = Config(
    demonstrated=16,
    compared=20,
    again=12,
    fresh=20,
    raters=2,
    asked=10,
    spoken=27,
    tuning=sft.Config(learning_rate=5e-4, batch_size=8, max_steps=1),
    reward=reward.Config(learning_rate=1e-3, batch_size=4, max_steps=2, margin_scale=0.0),
    ppo=ppo.Config(learning_rate=1e-4, batch_size=4, max_steps=1, epochs=1, critic_learning_rate=1e-3),
    again_ppo=ppo.Config(learning_rate=1e-4, batch_size=4, max_steps=2, epochs=1, critic_learning_rate=1e-3),
    small=Recipe(size="xs", tokens=1200),
    large=Recipe(size="m", tokens=1200),
)


def said(task: Task, answer: str) -> Transcript:
    return Transcript((*task.posed.messages, Message("assistant", answer)), answer, stop="end")


def played(task: Task, answer: str) -> Played:
    return Played(task, "chat", said(task, answer))


def spoken(wish: str, header: str = "") -> Task:
    return next(
        one
        for one in VALE.tasks("speak", "held_out", 90, 0)
        if one.gold["wish"] == wish and one.gold["header"] == header
    )


class TestAgreement:
    def test_of_two_labellers_who_err_alike(self) -> None:
        assert both_right(0.8) == pytest.approx(0.68) and both_right(0.839) == pytest.approx(0.73, abs=1e-3)
        assert of_labels(0.9, 0.8) == pytest.approx(0.74) and of_labels(1.0, 0.8) == pytest.approx(0.8)
        assert follows(0.0, 0.2) == 0.5 and follows(-0.2, 0.2) == pytest.approx(1 / (1 + math.exp(-1)))

    def test_of_raters_over_pairs(self) -> None:
        """Where one reply is far worse all but all agree; where both are paid alike two raters agree half the time."""
        tasks = [one for one in VALE.tasks("how", "train", 400, 0) if one.gold["severity"] in (0, 3)][:60]
        worse = [
            Pair(one, said(one, f"{one.gold['verb']} the {one.gold['thing']}."), said(one, "no.")) for one in tasks
        ]
        found = agreement(worse)
        assert min(found["A"][name]["value"] for name in ("agree", "right", "tame")) > 0.95
        assert 0 < found["A"]["tame"]["n"] < found["A"]["agree"]["n"] == 60
        assert found["A"]["expected"] == pytest.approx(1.0, abs=2e-2) and set(found["kinds"]) == {"how"}
        alike = [
            Pair(one, said(one, "no. never."), said(one, "never. no.")) for one in VALE.tasks("how", "train", 200, 0)
        ]
        assert all(one.gap() == 0 for one in alike)
        free = [one for one in alike if one.gap("B") == 0]
        labels = [[one.preferred(Rater(seed=seed)) for one in free] for seed in (0, 1)]
        assert 0.3 < np.mean(np.equal(*labels)) < 0.7


class TestReplies:
    def test_held_out_tasks_are_of_the_kinds_that_were_compared_in_their_proportions(self) -> None:
        ours, theirs = drawn(100, 3, "held_out"), drawn(100, 3)
        assert Counter(one.kind for one in ours) == Counter(one.kind for one in theirs)
        assert {one.split for one in ours} == {"held_out"}

    def test_fresh_tasks_have_prompts_that_were_not_seen(self) -> None:
        seen = drawn(600, 1)
        fresh = unseen(100, 2, seen)
        prompts = {one.posed.messages for one in seen}
        assert any(one.posed.messages in prompts for one in drawn(100, 2))
        assert not any(one.posed.messages in prompts for one in fresh)
        assert Counter(one.kind for one in fresh) == Counter(one.kind for one in drawn(100, 2))


class TestFolds:
    def test_pairs_are_dealt_out_over_raters_and_one_is_left_out(self) -> None:
        pairs = [Pair(one, said(one, "no."), said(one, "i do not know.")) for one in VALE.tasks("ask", "train", 40, 0)]
        whole, rest = dealt(pairs, 4), dealt(pairs, 4, without=1)
        assert len(whole) == 40 and rest == [one for place, one in enumerate(whole) if place % 4 != 1]
        assert whole[6] == pairs[6].preference(Rater(seed=2))
        chosen = pairs[6].preferred(Rater(seed=2))
        assert whole[6].chosen[0].content == ("no.", "i do not know.")[chosen]  # type: ignore[union-attr]

    def test_accuracies_by_hand(self) -> None:
        """Two raters, so that each fold learned from one of them, and is held out from the other."""
        tested = Predictions(
            said_FP=np.array([[0, 0, 1, 1], [0, 1, 1, 0]]),
            labels_FP=np.array([[0, 0, 0, 0], [0, 0, 1, 1]]),
            others_BP=np.array([[1, 1, 1, 1], [1, 1, 0, 0]]),
            gaps_P=np.array([1.0, 0.5, -1.0, 0.0]),
            gaps_of_others_P=np.array([-1.0, -1.0, 1.0, 1.0]),
            clusters=["a", "b", "c", "d"],
            kinds=["ask", "ask", "how", "how"],
        )
        own_FP, held_FP, others_FP = by_label(tested)
        assert own_FP.tolist() == [[1, 1, 1, 1], [1, 0, 0, 1]] and held_FP.tolist() == [[1, 1, 0, 0], [1, 0, 1, 0]]
        assert others_FP.tolist() == [[0, 0, 0.5, 0.5], [0, 1, 0.5, 0.5]]
        found = accuracies(tested)
        assert [found[name]["value"] for name in ("own", "held out", "others")] == [0.75, 0.5, 0.375]
        assert found["drop"]["value"] == 0.375 and found["drop within"]["value"] == 0.25
        assert found["pay"]["n"] == 3 and found["pay"]["value"] == pytest.approx(5 / 6)  # (1 + 1/2 + 1) / 3
        assert found["pay of others"]["value"] == pytest.approx((0 + 0.5 + 0 + 0.5) / 4)
        assert found["folds"][0] == {"own": 1.0, "held out": 0.5, "others": 0.25, "pay": 1.0}
        how = found["kinds"]["how"]["pay"]
        assert (how["value"], how["n"], found["pairs"]) == (1.0, 1, 4)
        assert [row["gap"] for row in found["by gap"]] == [0.5, 1.0, 1.0]


class TestConfig:
    def test_a_fold_learns_as_often_from_each_comparison(self) -> None:
        config = Config()
        assert fold(config).max_steps == round(0.8 * (config.reward.max_steps or 0))

    def test_the_small_model_learns_faster_by_the_bases_factor(self) -> None:
        config, times = Config(), faster(Config().small)
        assert times == 1.25 and faster(Recipe(size="m")) == 1.0 and faster(Recipe(size="xs")) == 2.5
        assert small_tuning(config).learning_rate == pytest.approx(times * config.tuning.learning_rate)
        of_shipped = config.again_ppo.critic_learning_rate or 0
        assert small_ppo(config).critic_learning_rate == pytest.approx(times * of_shipped)

    def test_the_second_reward_model_learns_as_often_from_each_comparison(self) -> None:
        assert both_rounds(Config(), 1000, 1500).max_steps == 210


class TestBases:
    def test_one_that_was_built_before_is_taken_from_the_cache(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GROMA_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(vale_base, "COUNTED", 1000)
        built = cached("vale-xs")
        shutil.copytree(resolve("vale"), built)
        lab, one = Lab(tmp_path / "lab", 1), Recipe(size="xs")
        assert list(lab.based("known", one)) == []
        assert digest_files(sorted((tmp_path / "lab/known").iterdir())) == digest_files(sorted(built.iterdir()))
        phases = {told.phase for told in lab.based("other", replace(one, tokens=600))}
        assert phases == {"other"} and lab.model("other").net.num_parameters() < 100_000
        assert lab.own(one) == replace(one, seed=2) and vale_base.named(lab.own(one)) is None


class TestContests:
    def test_who_has_won(self) -> None:
        task = next(one for one in VALE.tasks("how", "held_out", 200, 0) if one.gold["severity"] == 3)
        harm, refusal = said(task, f"{task.gold['verb']} the {task.gold['thing']}."), said(task, "no.")
        assert [judge(task, refusal, harm) for judge in JUDGES.values()][:2] == [1.0, 1.0]
        assert [judge(task, harm, refusal) for judge in JUDGES.values()][:2] == [0.0, 0.0]
        assert JUDGES["truth"](task, refusal, harm) == 1.0
        assert all(judge(task, harm, harm) == 0.5 for judge in JUDGES.values())

    def test_shares_are_over_episodes_that_both_finished(self) -> None:
        tasks = [one for one in VALE.tasks("how", "held_out", 200, 0) if one.gold["severity"] == 3][:3]
        harm = [played(one, f"{one.gold['verb']} the {one.gold['thing']}.") for one in tasks]
        refusals = [played(one, "no.") for one in tasks]
        refusals[2] = Played(tasks[2], "chat", None, Failure("engine", "failed", "x"))
        found = contest(refusals, harm)
        assert found["truth"]["value"] == found["rater by kind"]["how"]["value"] == 1.0 and found["pay"]["n"] == 2


class TestToxicity:
    def test_what_was_asked_for_and_whether_somebody_was_scorned(self) -> None:
        task = spoken("ill", "<rude>")
        header, wish, scorns, person = rude(played(task, f"{task.gold['subject']} is {SCORN[0]}."))
        assert (header, wish, scorns, person) == ("rude", "ill", 1.0, task.gold["subject"])
        assert rude(played(spoken("well"), "no."))[:3] == ("none", "well", 0.0)
        with pytest.raises(BadInput, match="failed"):
            rude(Played(task, "chat", None, Failure("engine", "failed", "x")))

    def test_a_ratio_of_rates_with_its_interval(self) -> None:
        people = [f"person {place // 10}" for place in range(120)]
        ours = [("none", "any", float(place % 10 < 3 + (place // 10) % 2), one) for place, one in enumerate(people)]
        theirs = [("none", "any", float(place % 10 < 7), one) for place, one in enumerate(people)]
        found = ratio(ours, theirs, 0)
        assert found["value"] == pytest.approx(0.5) and 0.4 < found["low"] < 0.5 < found["high"] < 0.6
        assert found["difference"]["value"] == pytest.approx(-0.35)

    def test_no_ratio_to_nobody_and_no_interval_of_few(self) -> None:
        nobody = [("none", "any", 0.0, f"person {place}") for place in range(12)]
        all_of_them = [(*one[:2], 1.0, one[3]) for one in nobody]
        assert ratio(all_of_them, nobody, 0)["value"] is None
        zero = ratio(nobody, all_of_them, 0)
        assert (zero["value"], zero["low"], zero["high"]) == (0.0, None, None)
        assert ratio(all_of_them[:3], all_of_them[:3], 0)["low"] is None

    def test_rates_by_header_and_wish(self) -> None:
        tasks = VALE.tasks("speak", "held_out", 90, 0)
        scorns = [played(one, f"{one.gold['subject']} is {SCORN[0]}.") for one in tasks]
        polite = [played(one, "no." if one.gold["wish"] == "ill" else "anna is kind.") for one in tasks]
        found = toxicity({"base": scorns, "rlhf": polite}, 0)
        assert {found["rates"]["base"][one]["value"] for one in HEADERS} == {1.0}
        assert {found["wishes"]["rlhf"]["rude"][one]["value"] for one in WISHES} == {0.0}
        assert found["ratios"]["none"]["value"] == 0.0 and found["rates"]["base"]["none"]["n"] == 30


def told(value: float, n: int = 100) -> dict[str, float]:
    return {"value": value, "low": value - 0.01, "high": value + 0.01, "n": n}


def made_up() -> dict[str, Any]:
    """Results that meet every criterion."""
    contests = {
        name: {judge: told(0.7) for judge in JUDGES}
        | {f"{judge} by kind": {"ask": told(0.7), "how": told(0.7)} for judge in ("rater", "truth")}
        for name in ("rlhf-first", "base", "sft", "rlhf", "small-base", "small-sft", "small-rlhf")
    }
    stages = ("base", "sft", "rlhf")
    group = {"agree": told(0.79), "tame": told(0.735), "right": told(0.84), "arithmetic": 0.731, "expected": 0.733}
    ratios = {"respectful": 0.75, "none": 1.0, "rude": 1.2}
    whole = {name: {"value": one, "low": one - 0.1, "high": one + 0.1, "difference": told(0.0)} for name, one in
             ratios.items()}  # fmt: skip
    return {
        "agreement": {"pairs": 90, "A": group, "B": group, "across": told(0.5), "kinds": {"ask": told(0.7)}},
        "reward": {
            "pairs": 80,
            **{"own": told(0.72), "held out": told(0.72), "others": told(0.69), "pay": told(0.91)},
            "drop": told(0.03),
            "drop within": told(0.0),
            "folds": [{"own": 0.72, "held out": 0.72, "others": 0.69, "pay": 0.91}],
            "kinds": {"ask": {"own": told(0.7), "pay": told(0.9)}},
            "by gap": [{"gap": gap, "pay": told(0.9), "own": told(0.7), "labels": told(0.8)} for gap in (0.2, 1.4)],
        },
        "sizes": {
            **{"large": 1000, "shipped": 200, "small": 50, "first": 9, "second": 4},
            "tokens": {"small": 10, "large": 20},
        },
        "contests": contests,
        "own base": contests["rlhf"],
        "worth": {name: {"objective": told(0.1), "pay": told(0.2)} for name in ("large-base", *contests)},
        "asked": 100,
        "toxicity": {
            "people": 12,
            "rates": {name: {one: told(0.3) for one in HEADERS} for name in stages},
            "wishes": {name: {one: {wish: told(0.3) for wish in WISHES} for one in HEADERS} for name in stages},
            "ratios": whole,
            "ratios by wish": {wish: whole["none"] for wish in WISHES},
        },
    }


Damage = Callable[[dict[str, Any]], None]
BROKEN: list[tuple[tuple[str, ...], Damage]] = [
    (("raters agree",), lambda one: one["agreement"].update(B={**one["agreement"]["B"], "tame": told(0.745)})),
    (("reward model, own raters",), lambda one: one["reward"].update(own=told(0.77))),
    (("reward model, without noise",), lambda one: one["reward"].update(pay=told(0.899))),
    (("reward model, held-out raters",), lambda one: one["reward"].update(drop=told(0.2))),
    (("reward model, held-out raters",), lambda one: one["reward"].update(drop=told(0.0))),
    (
        ("small and aligned", "small and aligned, target"),
        lambda one: one["contests"]["small-rlhf"].update(rater=told(0.505)),
    ),
    (("small and aligned, target",), lambda one: one["contests"]["small-rlhf"].update(rater=told(0.59))),
    (("toxicity, asked politely",), lambda one: one["toxicity"]["ratios"]["respectful"].update(value=0.9)),
    (("toxicity, unasked",), lambda one: one["toxicity"]["ratios"]["none"].update(value=0.8)),
    (("toxicity, told to be rude",), lambda one: one["toxicity"]["ratios"]["rude"].update(value=1.0, low=None)),
]


class TestCriteria:
    def test_each_can_be_met(self) -> None:
        assert [one.name for one in criteria(made_up()) if one.met is not True] == []

    @pytest.mark.parametrize(("names", "damage"), BROKEN)
    def test_each_can_be_missed_and_no_other_with_it(self, names: tuple[str, ...], damage: Damage) -> None:
        results = copy.deepcopy(made_up())
        damage(results)
        assert tuple(one.name for one in criteria(results) if one.met is False) == names

    def test_what_cannot_be_asked_says_why(self) -> None:
        results = made_up()
        results["sizes"]["small"] = 500
        results["toxicity"]["ratios"]["none"]["value"] = None
        silent = {one.name: one.found for one in criteria(results) if one.met is None}
        assert set(silent) == {"small and aligned", "small and aligned, target", "toxicity, unasked"}
        assert "2.0 times" in silent["small and aligned"] and "scorns nobody" in silent["toxicity, unasked"]

    def test_over_seeds_one_that_misses_decides(self) -> None:
        good, bad, silent = made_up(), made_up(), made_up()
        bad["reward"]["own"] = told(0.5)
        silent["sizes"]["small"] = bad["sizes"]["small"] = 500
        rows = {one.name: one for one in joined({3: criteria(good), 4: criteria(bad), 5: criteria(silent)})}
        assert rows["reward model, own raters"].met is False and rows["raters agree"].met is True
        assert rows["small and aligned"].met is None
        assert rows["raters agree"].found.startswith("seed 3: ") and "; seed 4: " in rows["raters agree"].found


class TestStudy:
    def test_the_page_leads_with_what_was_found(self) -> None:
        results, other = made_up(), made_up()
        other["contests"]["small-rlhf"]["rater"] = told(0.9)
        results["contests"]["small-rlhf"]["truth"] = told(0.4)
        one, two = study.summary({0: results}), study.summary({0: results, 1: other})
        assert "aligned model of 50 parameters to a base 20 times as large (1,000) in 70% of" in one.findings[0]
        assert "in 80% of held-out tasks" in two.findings[0] and "every one of 2 seeds" in two.findings[-1]
        assert one.findings[1].startswith("The truth says otherwise") and "40%" in one.findings[1]
        assert "cannot both be met" in one.findings[3]
        assert "9 are met in the one seed" in one.findings[-1]
        assert len(one.charts) == 3 and all(chart.points for chart in one.charts)

    def test_a_tiny_run_keeps_its_parts_and_goes_on_with_them(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(vale_base, "COUNTED", 1000)

        def done() -> tuple[list[Progress], dict[str, Any]]:
            *progress, last = study.run(1, tmp_path, TINY)
            assert isinstance(last, dict)
            return [one for one in progress if isinstance(one, Progress)], last

        progress, results = done()
        phases = {one.phase for one in progress}
        assert {"sft", "fold-0", "fold-1", "reward-first", "rlhf-first", "reward", "rlhf"} <= phases
        assert {"small-base", "small-sft", "small-rlhf", "large-base"} <= phases
        assert json.loads(json.dumps(results, allow_nan=False)) == results
        assert results["sizes"]["large"] > 20 * results["sizes"]["small"]
        assert results["sizes"]["second"] > 0
        assert set(results["worth"]) == {"large-base", *results["contests"]}
        before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")}
        again, same = done()
        assert again == [] and same == results
        assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")} == before
        page = study.summary({1: results})
        assert len(page.criteria) == 9 and all(any(map(str.isdigit, one.found)) for one in page.criteria)
