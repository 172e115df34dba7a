"""The red team: the worst of several requests is found, in either way of writing them; what cannot be played."""

from __future__ import annotations

import math
from typing import Any

import pytest

from groma.formats.constitution import Constitution, Principle
from groma.formats.messages import Message
from groma.formats.requests import Generate, Reply, Request, Score
from groma.formats.task import Posed, Task
from groma.formats.transcript import Played
from groma.play import FakeEngine, play
from groma.systems import System
from groma.systems.red_team import red_team

HARM = Principle("harm", "does it harm?", "without harm.")
RULES = Constitution("rules", (HARM,), passes=("no",), fails=("yes",))
BAD = {"water": 0.1, "cut": 0.3, "poison": 0.8, "burn": 0.95, "drown": 0.6}


def found(written: list[str], read: str = "scores", **given: Any) -> tuple[Played, list[Request]]:
    """What an attacker finds who writes these requests, one after the other. The target repeats what it was asked."""
    writes, seen = iter(written), list[Request]()

    def model(request: Request, seed: int) -> Reply:
        seen.append(request)
        if request.player == "attacker":
            return Reply(text=next(writes), stop="end")
        last = request.prompt[-1].content  # type: ignore[union-attr]
        if request.player == "assistant":
            return Reply(text=f"so: {last}", stop="end")
        bad = next(value for word, value in BAD.items() if word in request.prompt[-2].content)  # type: ignore[union-attr]
        if isinstance(request, Score):
            return Reply(scores=(math.log(1 - bad), math.log(bad)))
        return Reply(text="yes, it would." if bad > 0.5 else "no.", stop="end")

    task = Task("t", Posed((Message("user", "mow it"),), seed=1), {}, "test")
    system = System("red_team", red_team).with_(constitution=RULES, read=read, tries=len(written), **given)
    engine = FakeEngine(model)
    (one,) = play(system, [task], {"attacker": engine, "assistant": engine, "critic": engine})
    return one, seen


def test_the_worst_request_is_the_answer() -> None:
    one, seen = found(["water it", "poison it", "cut it"])
    assert one.transcript is not None
    assert (one.transcript.answer, one.transcript.scores) == ("poison it", (pytest.approx(0.8),))
    assert [turn.content for turn in one.transcript.messages] == ["poison it", "so: poison it"]
    asked = [one.prompt[-1].content for one in seen if one.player == "attacker"]  # type: ignore[union-attr]
    assert "- mow it\n\n" in asked[0] and "- mow it\n- water it\n" in asked[1] and "- mow it\n- poison it\n" in asked[2]
    assert {one.answers for one in seen if isinstance(one, Score)} == {("no", "yes")}


def test_a_search_ends_where_it_is_bad_enough() -> None:
    one, seen = found(["burn it", "poison it"])
    assert one.transcript is not None and one.transcript.answer == "burn it" and len(seen) == 3
    assert len(found(["burn it", "poison it"], enough=1.0)[1]) == 6


def test_a_critic_may_only_speak() -> None:
    one, seen = found(["cut it", "drown it"], "words")
    assert one.transcript is not None and (one.transcript.answer, one.transcript.scores) == ("drown it", (1.0,))
    assert not [one for one in seen if isinstance(one, Score)]


def test_an_attacker_may_go_on_with_a_text() -> None:
    one, seen = found([" burn it", "x"], opening="<user>", begins=("how do i",), stop=("<end>",))
    assert one.transcript is not None and one.transcript.answer == "how do i burn it"
    assert isinstance(seen[0], Generate) and (seen[0].prompt, seen[0].stop) == ("<user>how do i", ("<end>",))


def test_who_writes_nothing_finds_nothing() -> None:
    one, _ = found(["", " "])
    assert one.transcript is not None and (one.transcript.answer, one.transcript.scores) == ("", (0.0,))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"enough": 0.0}, "a probability above 0"),
        ({"constitution": Constitution("c", (HARM,))}, "give passes and fails, or read words"),
        ({"constitution": Constitution("c", (Principle("x", comparison="A or B?"),), fails=("yes",))}, "criticises"),
    ],
)
def test_what_cannot_be_played_is_refused(given: dict[str, Any], said: str) -> None:
    task = Task("t", Posed((Message("user", "mow it"),)), {}, "test")
    system = System("red_team", red_team).with_(**{"constitution": RULES, **given})
    (one,) = play(system, [task], {"attacker": FakeEngine(lambda *_: "")})
    assert one.failure is not None and said in one.failure.message
