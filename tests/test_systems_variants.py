"""Variants: the same system with other parameters, from a world or from a file; and what a system inside is given."""

from __future__ import annotations

import collections.abc
import json
import re
from pathlib import Path
from typing import Any

import pytest

from groma.cli import run
from groma.formats.errors import BadConfig, BadInput
from groma.formats.requests import Episode, Generate, Reply, Request, Score
from groma.formats.scaffold import Scaffold
from groma.formats.task import Posed
from groma.formats.transcript import Transcript
from groma.play import FakeEngine, play
from groma.systems import SYSTEMS, System, find
from groma.worlds.vale import VALE
from groma.worlds.vale.charters import CHAOS, CHARTER, ORDER
from groma.worlds.vale.hall.rules import RULES


def wrote(path: Path, plain: object) -> str:
    path.write_text(json.dumps(plain))
    return str(path)


def test_a_world_offers_variants_by_name() -> None:
    order, chaos = find("agent@order", VALE.variants), find("agent@chaos", VALE.variants)
    assert (order.name, order.parameters["scaffold"]) == ("agent@order", ORDER)
    assert all(rule.text in ORDER.charter for rule in RULES.values()) and chaos.parameters["scaffold"] == CHAOS
    assert len({order.digest, chaos.digest, SYSTEMS["agent"].digest}) == 3
    assert find("critique@charter", VALE.variants).parameters["constitution"] == CHARTER


def test_a_file_holds_a_variant(tmp_path: Path) -> None:
    wide = find("best_of_n@" + wrote(tmp_path / "wide.json", {"n": 3, "by": "verdict", "inner": "agent"}))
    assert wide.name == "best_of_n@wide" and (wide.parameters["n"], wide.parameters["by"]) == (3, "verdict")
    assert wide.parameters["inner"].name == "agent"
    careful = {"charter": "be careful.", "steps": ["plan", "act"]}
    inside = find("agent@" + wrote(tmp_path / "careful.json", {"scaffold": careful}))
    wrote(tmp_path / "scaffold.json", careful)
    beside = find("agent@" + wrote(tmp_path / "named.json", {"scaffold": "scaffold.json"}))
    assert inside.parameters["scaffold"] == beside.parameters["scaffold"] == Scaffold.from_dict(careful)
    rules = {"name": "r", "principles": [{"name": "harm", "critique": "?", "revision": "."}], "passes": ["fine"]}
    own = find("critique@" + wrote(tmp_path / "own.json", {"constitution": rules}))
    assert own.parameters["constitution"].name == "r" and own.parameters["constitution"].passes == ("fine",)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("agent@peace", "no variant 'peace' of agent; choose one of chaos, order, or a .json file"),
        ("chat@order", "chat has no scaffold, which order sets"),
        ("debate@order", "there is no system 'debate@order'; choose one of trivial"),
        ("agent@nothing.json", "cannot be read"),
    ],
)
def test_a_variant_that_is_none_is_refused_with_the_choices(name: str, says: str) -> None:
    with pytest.raises((BadConfig, BadInput)) as caught:
        find(name, VALE.variants)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("plain", "says"),
    [
        ({"m": 3}, "has no parameter m.*n"),
        ([1], "a variant is a list"),
        ({"inner": "debate"}, "there is no system 'debate'"),
        ({"inner": 3}, "inner is 3; give System"),
        ({"n": "x"}, "n is 'x'; give int"),
        ({"n": True}, "n is True"),
        ({"by": "luck"}, "by is 'luck'; give one of 'likelihood', 'mean'"),
        ({"scaffold": {"steps": ["dance"]}}, "the step 'dance'"),
        ({"constitution": {"name": "x", "principles": []}}, "no principles"),
    ],
)
def test_a_file_that_holds_none_is_refused_by_what_is_wrong(tmp_path: Path, plain: object, says: str) -> None:
    with pytest.raises((BadConfig, BadInput)) as caught:
        find("best_of_n@" + wrote(tmp_path / "wrong.json", plain))
    assert re.search(says, str(caught.value), re.DOTALL)


def test_what_is_given_reaches_the_system_inside() -> None:
    given = find("best_of_n").given(temperature=0.3, max_tokens=7, colour="red")
    assert "colour" not in given.parameters and "temperature" not in given.parameters
    assert given.parameters["inner"].parameters["temperature"] == 0.3
    assert given.parameters["inner"].parameters["max_tokens"] == 7


def test_days_are_not_applicable_where_there_are_no_mornings() -> None:
    tasks = VALE.tasks(None, "held_out", 7, 0)
    found = play(SYSTEMS["days"], tasks, {"assistant": FakeEngine(lambda r, s: "x")}, open_environment=VALE.open)
    assert {one.failure.kind for one in found if one.failure} == {"no_form"}


ANYWHERE = [name for name in SYSTEMS if name != "days"]


@pytest.mark.parametrize("name", [*ANYWHERE, "agent@order", "agent@chaos", "critique@charter", "best_of_n@verified"])
def test_every_system_plays_every_kind_of_task(name: str) -> None:
    """On a fake model whose words are of Vale: no system fails, whatever the kind."""

    def model(request: Request, seed: int) -> Reply:
        if isinstance(request, Score):
            return Reply(scores=tuple(float(seed % (7 + place)) for place, _ in enumerate(request.answers)))
        assert isinstance(request, Generate)
        return Reply(text=("use recall.", "done.", "no. i do not know.", "anna eats cake.")[seed % 4], stop="end")

    tasks = VALE.tasks(None, "held_out", 28, 0)
    system = find(name, VALE.variants).given(max_tokens=20)
    found = list(play(system, tasks, {"assistant": FakeEngine(model)}, open_environment=VALE.open))
    assert [one.task for one in found] == list(tasks) and [one.failure for one in found if one.failure] == []
    judged: list[Any] = [VALE.judge(one.task, one.transcript) for one in found if one.transcript]
    assert len(judged) == len(tasks)


@pytest.mark.parametrize(
    ("value", "says"),
    [("no", "give a list of str"), ((3,), "give a list of str"), (("no", "fine"), "")],
)
def test_values_are_of_the_types_that_the_function_names(value: object, says: str) -> None:
    def careful(posed: Posed, *, passes: tuple[str, ...] = ()) -> Episode:
        return (yield from SYSTEMS["chat"](posed))

    system = System("careful", careful)
    if not says:
        assert system.with_(passes=value).parameters["passes"] == value
        return
    with pytest.raises(BadConfig, match=says):
        system.with_(passes=value)


def test_types_that_cannot_be_told_are_let_pass() -> None:
    def loose(posed, *, sort: collections.abc.Nothing | None = None, much: float = 1.0, say=3):  # type: ignore[no-untyped-def, name-defined]
        yield Generate(prompt=posed.messages)

    def typed(posed: Posed, *, much: float = 1.0, few: int | None = 2, pair: tuple[int, str] = (1, "a")) -> Episode:
        yield Generate(prompt=posed.messages)
        return Transcript(posed.messages, "")

    assert System("loose", loose, {"sort": 3, "much": "a", "say": ()}).parameters["sort"] == 3
    assert System("typed", typed, {"much": 2, "few": None, "pair": (2, "b")}).parameters["much"] == 2
    for wrong in ({"much": "a"}, {"much": True}, {"few": 1.5}, {"pair": 3}):
        with pytest.raises(BadConfig, match=next(iter(wrong))):
            System("typed", typed, wrong)


@pytest.mark.parametrize(
    ("name", "plain", "says"),
    [
        ("best_of_n", {"n": 0}, "n is 0; choose at least 1"),
        ("agent", {"scaffold": {"tools": ["fly"]}}, "its scaffold names the tool 'fly'; the tasks offer archive"),
        ("critique", {"inner": "agent", "rounds": 0}, "rounds is 0"),
        ("beam", {"width": 0}, "at least 1 of each"),
    ],
)
def test_settings_that_no_task_could_be_played_with_are_refused_before_anything_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, plain: object, says: str
) -> None:
    file = wrote(tmp_path / "own.json", plain)
    out = tmp_path / "run"
    assert run(["survey", "fake:a", "--as", f"chat,{name}@{file}", "--kind", "errand", "--out", str(out)]) == 2
    assert says in " ".join(capsys.readouterr().err.split()) and not out.exists()
