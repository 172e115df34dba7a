"""Over-optimisation on Vale's language models: the whole of it on a small scale, and its criteria by hand."""

from __future__ import annotations

import copy
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from groma.formats.examples import Preference
from groma.formats.messages import Message
from groma.models.load import load
from groma.studies.lab import Lab
from groma.studies.overoptimisation import on_vale, vale_criteria
from groma.studies.overoptimisation.on_vale import RATER, WHOLE, Config, split
from groma.studies.pairing import drawn
from groma.studies.progress import Progress
from groma.studies.recipes import PPO_ON_VALE, REWARD_ON_VALE, SFT_ON_VALE
from overoptimised import GOOD, climbed

SMALL = Config(
    demonstrated=64,
    tuning=replace(SFT_ON_VALE, max_steps=2, warmup_steps=1),
    compared=120,
    widths=(16,),
    sizes=(16,),
    proxy=replace(REWARD_ON_VALE, batch_size=8, warmup_steps=0),
    rounds=1,
    prompts=6,
    pool=16,
    best_of=(1, 2, 4, 8, 16),
    fitted_up_to=8,
    ppo=replace(PPO_ON_VALE, batch_size=16, max_steps=4, warmup_steps=0, kl_limit=None),
    climbed=("width 16", WHOLE),
    window=2,
)


def done(config: Config, parts: Path) -> tuple[dict[str, Any], set[str]]:
    """The results, and the phases that were worked at."""
    steps, phases = on_vale.run(config, 0, parts), set()
    while True:
        try:
            told = next(steps)
        except StopIteration as end:
            return json.loads(json.dumps(end.value)), phases
        assert isinstance(told, Progress)
        phases.add(told.phase)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    parts = tmp_path_factory.mktemp("parts")
    return done(SMALL, parts)[0], parts


def test_every_proxy_is_optimised_and_finished_parts_are_not_done_again(small: tuple[dict[str, Any], Path]) -> None:
    found, parts = small
    assert [one["name"] for one in found["best of n"]["rows"]] == ["width 16", "comparisons 16", WHOLE]
    assert [(one["name"], one["kl_coef"]) for one in found["ppo"]] == [
        (name, kl_coef) for name in ("width 16", WHOLE) for kl_coef in (0.0, 0.1)
    ]
    for row in (*found["best of n"]["rows"], found["best of n"]["rater"]):
        assert row["gold"][0] == pytest.approx(found["best of n"]["rater"]["gold"][0])  # one sample, whoever chooses
        assert all(lumps <= d**2 + 1e-9 for lumps, d in zip(row["kl of lumps"], row["d"], strict=True))
        assert row["proxy"] == sorted(row["proxy"])
    for row in found["ppo"]:
        assert len(row["d"]) == len(row["gold"]) == 2 and all(-1 <= one <= 1 for one in row["gold"])
    again, phases = done(SMALL, parts)
    assert again == found and not phases


def test_what_was_killed_in_the_midst_goes_on_to_the_same_results(
    small: tuple[dict[str, Any], Path], tmp_path: Path
) -> None:
    parts, last = tmp_path / "parts", f"ppo {WHOLE} kl 0.1"
    shutil.copytree(small[1], parts)
    shutil.rmtree(parts / last)
    steps = on_vale.run(SMALL, 0, parts)
    assert any(told.phase == last for told in steps if isinstance(told, Progress))
    steps.close()
    assert not (parts / last).exists() and done(SMALL, parts)[0] == small[0]


def test_the_page_is_made_of_the_results(small: tuple[dict[str, Any], Path]) -> None:
    found, _ = small
    rows = vale_criteria.table(found).rows
    assert [row[0] for row in rows] == ["width 16", "comparisons 16", WHOLE, RATER]
    assert len(vale_criteria.charts(found)) == 5 and "n = 16" in vale_criteria.lead(found)
    climbed = [(one["name"], f"{one['kl_coef']:g}") for one in found["ppo"]]
    assert [row[:2] for row in vale_criteria.climbs(found).rows] == climbed and len(set(climbed)) == len(climbed) > 1


def test_nothing_is_measured_on_a_prompt_that_was_learned_from(tmp_path: Path) -> None:
    """Tasks are drawn with replacement: a prompt that was compared twice is learned from or tested on, never both."""
    pairs = [
        Preference(
            (Message("user", f"{number % 40}"),), (Message("assistant", "a"),), (Message("assistant", f"{number}"),)
        )
        for number in range(100)
    ]
    learn, test = split(pairs, 3)
    assert sorted(map(repr, [*learn, *test])) == sorted(map(repr, pairs))
    assert {one.prompt for one in learn}.isdisjoint(one.prompt for one in test)
    assert len({one.prompt for one in learn}) == 36 and split(pairs, 3) == (learn, test) != split(pairs, 4)
    config, lab = replace(SMALL, compared=600), Lab(tmp_path, 0)
    known = {one.posed.messages for one in lab.tasks_compared(600)}
    assert any(one.posed.messages in known for one in drawn(100, 3))
    asked = {one.posed.messages for one in on_vale.fresh(lab, config, 100, 3)}
    assert asked and asked.isdisjoint(known)


def test_narrow_networks_are_of_the_asked_width_and_of_their_seed() -> None:
    model = load("vale")
    one, same, other = (on_vale.narrow(model, 16, seed) for seed in (1, 1, 2))
    assert one.net.config.hidden_size == 16 and one.net.num_parameters() < model.net.num_parameters() / 10
    first, second, third = (net.net.get_input_embeddings().weight for net in (one, same, other))
    assert first.equal(second) and not first.equal(third)


def met(results: dict[str, Any]) -> dict[str, bool]:
    return {one.letter.removeprefix("Vale, "): one.met for one in vale_criteria.criteria(results)}


def test_criteria_that_are_met() -> None:
    assert met(GOOD) == dict.fromkeys(
        ("forms", "size and data", "few data", "penalty", "efficiency", "over-optimised"), True
    )


def test_criteria_that_are_missed() -> None:
    bad = copy.deepcopy(GOOD)
    rows = bad["best of n"]["rows"]
    rows[0]["share"] = None  # nothing to be measured against
    rows[1]["gold"] = [0.0, 0.05, 0.05]
    rows[2]["gold"] = [0.0, 0.2, 0.3]
    bad["ppo"][0]["gold"] = [0.0, 0.6, 0.7]
    assert not any(met(bad).values())
    assert "0.10" in "".join(one.found for one in vale_criteria.criteria(GOOD))


def test_two_runs_are_held_against_each_other_at_equal_distances() -> None:
    free, held = climbed("a", 0.0, [0.0, 0.2, 0.4], [0.0] * 3), climbed("a", 0.1, [0.0, 0.1, 0.2], [0.0] * 3)
    held["d"], held["gold"] = [0.5, 1.5, 9.0], [0.1 + 0.0141421356, 0.3 + 0.0141421356, 5.0]
    # Interpolated, the errors are .01 both, together .0141: a standard error each; what lies beyond is not asked.
    assert vale_criteria.apart(free, held) == pytest.approx(2**0.5)
    held["gold"][1] -= 0.0282842712
    assert vale_criteria.apart(free, held) == pytest.approx(0.0)
    held["d"] = [3.0, 4.0, 5.0]
    assert vale_criteria.apart(free, held) == float("inf")
