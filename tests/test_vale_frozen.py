"""Vale is frozen: what later figures are compared with does not change unnoticed."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest

from groma.formats.task import Task
from groma.studies import vale_base
from groma.worlds.vale import VALE
from groma.worlds.vale.frozen import DIGESTS, digests, probed

RESULT = Path(__file__).parents[1] / "benchmarks" / "results" / "vale_acceptance.json"


@pytest.mark.parametrize("part", list(DIGESTS))
def test_a_part_of_the_world_is_as_it_was_frozen(part: str, found: dict[str, str]) -> None:
    assert found[part] == DIGESTS[part], f"{part} has changed: see the head of worlds/vale/frozen.py"


@pytest.mark.parametrize(
    ("where", "name", "broken"),
    [
        ("groma.worlds.vale.reading", "refusal_in", lambda clause: "" if clause.startswith("i will not") else None),
        ("groma.worlds.vale.judge.speak", "_OF_SPEAKING", re.compile("never said")),
        ("groma.worlds.vale.judge.count", "_LEAD", re.compile("never said")),
        ("groma.worlds.vale.judge.choose", "_DIGITS", {"1": "two", "2": "one"}),
        ("groma.worlds.vale.hall.judging", "_about", lambda gold, of: "asked"),
    ],
)
def test_the_digest_of_the_judge_sees_a_change_of_any_wording(
    where: str, name: str, broken: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = [task for kind in VALE.kinds for task in VALE.tasks(kind, "held_out", 12, 0)]
    before = judgements(tasks)
    monkeypatch.setattr(f"{where}.{name}", broken)
    assert judgements(tasks) != before


def judgements(tasks: list[Task]) -> list[object]:
    return [VALE.judge(task, told) for task, told in probed(tasks)]


def test_every_part_has_a_digest(found: dict[str, str]) -> None:
    assert set(found) == set(DIGESTS)


def test_the_recipe_of_the_bases_is_as_it_was_frozen() -> None:
    assert vale_base.recipe_digest() == "06084a43a2293ad6", (
        "the recipe has changed: see the head of worlds/vale/frozen.py"
    )


def test_the_acceptance_table_was_measured_on_this_world_and_on_the_bases_that_are_named(found: dict[str, str]) -> None:
    measured = json.loads(RESULT.read_text())
    assert measured["world"] == found
    built = {name.removeprefix("build:"): one["weights"] for name, one in measured.items() if name.startswith("build:")}
    assert built == dict(vale_base.WEIGHTS) and built["m:1"] == found["base"]


def test_a_build_says_how_its_weights_stand_to_those_that_were_measured() -> None:
    shipped = Path(str(files("groma"))) / "worlds/vale/checkpoints/m/model.safetensors"
    assert "bit for bit" in vale_base.compared(vale_base.Recipe(), shipped)
    told = vale_base.compared(vale_base.Recipe(size="s"), shipped)
    assert "another processor" in told and vale_base.WEIGHTS["s:1"] in told
    assert vale_base.compared(vale_base.Recipe(tokens=5000), shipped) == ""


@pytest.fixture(scope="module")
def found() -> dict[str, str]:
    return digests()
