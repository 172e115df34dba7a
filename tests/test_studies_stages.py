"""Studies of all stages of alignment, small: they run whole, go on where they were stopped, and say what was found."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from groma.formats.messages import Message
from groma.formats.study import Summary
from groma.formats.task import Posed, Task
from groma.formats.transcript import Transcript
from groma.methods import dpo, ppo, reward, sft
from groma.play import FakeEngine, play
from groma.studies import items
from groma.studies.cai import config as cai
from groma.studies.constitutional import config as constitutional_config
from groma.studies.constitutional import study as constitutional
from groma.studies.constitutional.contests import contests, helpful
from groma.studies.constitutional.curves import direct
from groma.studies.items import clear, found_together, gain, interaction, level, over_seeds
from groma.studies.lab import CHAT
from groma.studies.order_chaos import page as order_chaos_page
from groma.studies.order_chaos import study as order_chaos
from groma.studies.progress import Progress
from groma.studies.stages import Aligning, aligned
from groma.studies.transfer import page as transfer_page
from groma.studies.transfer import study as transfer
from groma.studies.vale_base import Recipe
from groma.systems import System
from groma.worlds.vale import VALE

FEW = {"learning_rate": 1e-3, "batch_size": 8, "max_steps": 2}
PPO = ppo.Config(learning_rate=1e-4, batch_size=8, max_steps=2, epochs=1)
SMALL = Aligning(
    demonstrated=48,
    compared=40,
    principled=24,
    harmless=16,
    sft=sft.Config(**FEW),  # type: ignore[arg-type]
    reward=reward.Config(**FEW),  # type: ignore[arg-type]
    ppo=PPO,
    cai=cai.Config(
        red_team=8,
        tries=2,
        rounds=1,
        sft=sft.Config(**FEW),  # type: ignore[arg-type]
        dpo=dpo.Config(**FEW),  # type: ignore[arg-type]
        reward=reward.Config(**FEW),  # type: ignore[arg-type]
        ppo=PPO,
    ),
)
STUDIES: dict[str, tuple[Any, Any]] = {
    "order_chaos": (order_chaos, order_chaos.Config(aligning=SMALL, errands=16)),
    "transfer": (
        transfer,
        transfer.Config(aligning=SMALL, requests=8, questions=8, instructions=4, errands=8, best_of=2),
    ),
    "constitutional": (
        constitutional,
        constitutional_config.Config(
            aligning=SMALL, requests=16, revised=12, rounds=2, small=Recipe(size="xs", tokens=1100), contests=6
        ),
    ),
}


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of parts in which all stages are made."""
    folder = tmp_path_factory.mktemp("stages") / "seed-3"
    for _ in aligned(SMALL.lab(folder, 3), SMALL):
        pass
    return folder


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_runs_whole_and_goes_on_where_it_was_stopped(name: str, stages: Path, tmp_path: Path) -> None:
    study, config = STUDIES[name]
    shutil.copytree(stages, tmp_path / "whole")
    *shown, results = study.run(3, tmp_path / "whole", config)
    assert shown and all(isinstance(one, Progress) for one in shown)
    shutil.copytree(stages, tmp_path / "halves")
    begun = study.run(3, tmp_path / "halves", config)
    list(itertools.islice(begun, len(shown) // 2))
    begun.close()
    *rest, again = study.run(3, tmp_path / "halves", config)
    assert json.loads(json.dumps(again)) == json.loads(json.dumps(results)) and len(rest) < len(shown)
    summary = study.summary({3: results})
    assert Summary.from_dict(json.loads(json.dumps(summary.to_dict()))) == summary
    assert all(summary.findings) and summary.criteria and summary.tables and summary.charts
    both = study.summary({3: results, 4: results})
    assert len(both.tables) == len(summary.tables)


def row(name: str, **told: Any) -> items.Row:
    return {"id": name, "cluster": name, "part": "p", **told}


def test_gains_are_paired_by_item_and_interactions_are_differences_of_gains() -> None:
    before = [row("a", x=0.0), row("b", x=1.0), row("c", x=0.0), row("d")]
    after = [row("b", x=1.0), row("a", x=1.0), row("c", x=1.0), row("d", x=1.0)]
    told = gain(after, before, "x")
    assert told is not None and (told["value"], told["n"]) == (pytest.approx(2 / 3), 3)
    assert level(after, "x")["value"] == 1.0 and level(before, "y") is None  # type: ignore[index]
    other = [row("a", x=0.0), row("b", x=0.0), row("c", x=1.0)]
    found = interaction((after, before), (other, before), "x")
    assert found is not None and found["value"] == pytest.approx(2 / 3 - 0.0) and found["n"] == 3
    elsewhere = [row("e", y=0.0), row("f", y=0.0)], [row("e", y=1.0), row("f", y=0.0)]
    apart = interaction((after, before), elsewhere, "x", "y")
    assert apart is not None and apart["value"] == pytest.approx(2 / 3 + 1 / 2)
    assert apart["high"] - apart["low"] > (told["high"] - told["low"])
    assert interaction((after, before), elsewhere, "x", keep=lambda one: one["id"] == "zz") is None


def test_independent_gains_are_apart_by_the_ends_that_face_each_other() -> None:
    one, two = ({"value": value, "low": low, "high": high, "n": n} for value, low, high, n in
                ((0.5, 0.4, 0.7, 9), (0.2, 0.1, 0.25, 7)))  # fmt: skip
    found = items.apart(one, two)
    assert found["value"] == pytest.approx(0.3) and found["n"] == 7
    assert found["low"] == pytest.approx(0.3 - (0.1**2 + 0.05**2) ** 0.5)
    assert found["high"] == pytest.approx(0.3 + (0.2**2 + 0.1**2) ** 0.5)


def test_seeds_together_have_an_interval_of_their_own() -> None:
    told = [{"value": value, "low": value, "high": value, "n": 9} for value in (0.1, 0.2, 0.3)]
    found = over_seeds(told)
    assert found is not None and found["value"] == pytest.approx(0.2)
    assert found["high"] - 0.2 == pytest.approx(4.302653 * 0.1 / 3**0.5, rel=1e-5)  # t of two degrees of freedom
    assert over_seeds([None, told[0]]) == told[0] and over_seeds([None]) is None
    assert over_seeds([None, None, told[0]]) is None
    same = [{"value": 0.0, "low": 0.0, "high": high, "n": 9} for high in (0.1, 0.3)]
    assert over_seeds(same) == {"value": 0.0, "low": 0.0, "high": pytest.approx(0.2), "n": 2}
    wide = [{"value": value, "low": 0.0, "high": 1.0, "n": 9} for value in (0.1, 0.9)]
    assert (over_seeds(wide)["low"], over_seeds(wide)["high"]) == (0.0, 1.0)  # type: ignore[index]
    assert found_together({1: {"a": told[0]}, 2: {"a": told[2]}}, "a")["value"] == pytest.approx(0.2)  # type: ignore[index]
    intervals = [{"low": low, "high": high} for low, high in ((0.1, 1.0), (-1.0, -0.1), (-1.0, 1.0))]
    assert [clear(one) for one in (None, *intervals)] == [0, 1, -1, 0]


@pytest.mark.parametrize(
    ("chat", "here", "between", "said"),
    [
        ((-0.5, -0.3), (-0.3, -0.1), (0.1, 0.3), "whole"),
        ((-0.5, -0.3), (-0.6, -0.2), (-0.2, 0.2), "held"),
        ((-0.5, -0.3), (-0.9, -0.7), (-0.5, -0.2), "more"),
        ((-0.5, -0.3), (-0.3, -0.1), (0.1, 0.3), "less"),
        ((-0.5, -0.3), (-0.1, 0.1), (0.2, 0.6), "lost"),
        ((-0.5, -0.3), (-0.5, 0.1), (-0.2, 0.6), "unclear"),
        ((-0.5, -0.3), (0.1, 0.3), (0.5, 0.9), "reversed"),
        ((-0.5, 0.3), (0.1, 0.3), (0.1, 0.9), "none"),
    ],
)
def test_what_became_of_a_gain_against_harm(
    chat: tuple[float, float], here: tuple[float, float], between: tuple[float, float], said: str
) -> None:
    told = {key: {"value": sum(one) / 2, "low": one[0], "high": one[1], "n": 9} for key, one in
            {"chat": chat, "agent": here, "between": between}.items()}  # fmt: skip
    left = 0.02 if said == "whole" else 0.4
    results = {
        0: {
            "gains": {"rlhf": {name: {"harm": told[name]} for name in ("chat", "agent")}},
            "interactions": {"rlhf": {"agent": {"harm": told["between"]}}},
            "levels": {"rlhf": {"agent": {"harm": {"value": left, "low": 0.0, "high": 1.0, "n": 9}}}},
        }
    }
    assert transfer_page.carried(results, "rlhf", "agent", "harm") == said


def test_a_gain_is_held_against_what_there_was_to_gain() -> None:
    """Of 40 points of harm 28 are less than the 62 of chat, but no less of what there was."""

    def told(value: float) -> dict[str, Any]:
        return {name: {"value": value, "low": value, "high": value, "n": 9} for name in ("harm", "help")}

    results = {0: {"gains": {"cai": {"agent": told(-0.3)}}, "levels": {"base": {"agent": told(0.4)}}}}
    assert transfer_page._of_the_room(results, "cai", "agent", "harm") == pytest.approx(0.75)
    assert transfer_page._of_the_room(results, "cai", "agent", "help") == pytest.approx(-0.5)


def estimate(low: float, high: float) -> dict[str, float]:
    return {"value": (low + high) / 2, "low": low, "high": high, "n": 9}


@pytest.mark.parametrize(
    ("works", "between", "said"),
    [
        ("nothing", (-0.2, -0.1), "It cannot be told, since charters do not do as they say"),
        ("as order does", (-0.2, -0.1), "It cannot be told, since charters do not do as they say"),
        ("alone", (-0.2, -0.1), "Harder to make chaotic? Yes after SFT, RLHF and Constitutional AI."),
        ("alone", (0.1, 0.2), "Harder to make chaotic? The contrary after SFT, RLHF and Constitutional AI."),
        ("alone", (-0.1, 0.2), "No difference that can be told after SFT, RLHF and Constitutional AI."),
    ],
)
def test_of_a_charter_that_does_nothing_nothing_is_said(works: str, between: tuple[float, float], said: str) -> None:
    effect, nothing = estimate(0.1, 0.3), estimate(-0.1, 0.1)
    stages = ("base", "sft", "rlhf", "cai")
    moved = {"nothing": (), "as order does": ("chaos", "order"), "alone": ("chaos", "order to chaos")}[works]
    found = {
        "effects": {
            name: {what: {"broken": effect if what in moved and name == "base" else nothing}
                   for what in ("order", "chaos", "order to chaos")} for name in stages
        },
        "interactions": {
            name: {what: {"broken": estimate(*between)} for what in ("order", "chaos")} for name in stages
        },
        "aligned": {name: {"broken": nothing} for name in stages},
        "levels": {name: {"agent": {"broken": estimate(0.4, 0.6)}} for name in stages},
    }  # fmt: skip
    told = order_chaos_page._verdict({0: found})
    assert said in told and "What tells" not in told
    assert ("It cannot be told: the charter of order" in told) == (works == "alone")
    met = [one.met for one in order_chaos_page.criteria({0: found}) if "chaotic" in one.name]
    assert met == ([between[1] < 0] * 3 if works == "alone" else [None] * 3)
    found["aligned"]["rlhf"] = {"broken": effect}
    assert "rule-breaking, 50% with the base, moves by RLHF +20 points" in order_chaos_page._verdict({0: found})


def test_without_a_critic_every_answer_is_revised() -> None:
    said: Iterator[str] = iter(["burn it", "cut it", "", "water it"])
    task = Task("t", Posed((Message("user", "how?"),)), {}, "test")
    system = System("direct", direct).with_(rounds=3, player="reviser")
    engine = FakeEngine(lambda request, seed: next(said))
    (one,) = play(system, [task], {"assistant": engine, "reviser": engine})
    assert one.transcript is not None and one.transcript.answer == "water it"
    turns = [turn.content for turn in one.transcript.messages]
    assert turns == ["how?", "burn it", "cut it", "cut it", "water it"]
    assert one.transcript.state == {"outcomes": ["revised", "empty", "revised"]}


def test_models_are_preferred_by_what_is_true_of_their_replies() -> None:
    tasks = VALE.tasks("how", "held_out", 24, 0)

    def refuses(request: Any, seed: int) -> str:
        return "no. that is wrong, and i will not help."

    def does(request: Any, seed: int) -> str:
        deed = request.prompt[-1].content.rstrip("?.").split("how do i ")[-1].split("how to ")[-1]
        return f"{deed.split('what is the way to ')[-1]}."

    who: dict[str, Callable[..., str]] = {"does": does, "refuses": refuses}
    said = {name: list(play(CHAT, tasks, {"assistant": FakeEngine(one)})) for name, one in who.items()}
    found = contests(said, 0)
    assert found["harmlessness"]["refuses"]["low"] > 0 > found["helpfulness"]["refuses"]["high"]
    assert found["helpfulness"]["does"]["value"] == found["harmlessness"]["does"]["value"] == 0
    harmful = next(one for one in said["does"] if one.task.part == "harmful")
    assert isinstance(harmful.transcript, Transcript)
    assert "harm" not in helpful(harmful.task, harmful.transcript).parts
    assert helpful(harmful.task, harmful.transcript).total > VALE.pay(harmful.task, harmful.transcript).total
    assert replace(harmful, calls=()).task == harmful.task
