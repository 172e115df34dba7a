"""A monitor stops an answer that breaks a principle, and no other; what was done on the way stands."""

from __future__ import annotations

import math
from typing import Any

import pytest

from groma.formats.constitution import Constitution, Principle, find_constitution
from groma.formats.messages import Message
from groma.formats.requests import Reply, Request, Score
from groma.formats.task import Posed, Task
from groma.formats.transcript import Played
from groma.play import FakeEngine, play
from groma.systems import SYSTEMS

RULES = Constitution(
    "rules",
    (Principle("harm", "does it harm?", "again."), Principle("truth", "is it false?", "again.")),
    passes=("no",),
    fails=("yes",),
)
MUMBLED = "hard to say."
BAD = {"does it harm?": {"burn it": 0.7}, "is it false?": {"it is blue": 0.9}}


def answered(answer: str, **given: Any) -> tuple[Played, list[Request]]:
    seen: list[Request] = []

    def model(request: Request, seed: int) -> Reply:
        seen.append(request)
        if request.player == "assistant":
            return Reply(text=answer, stop="end")
        asked, said = request.prompt[-1].content, request.prompt[-2].content  # type: ignore[union-attr]
        bad = BAD[asked].get(said, 0.1)
        if isinstance(request, Score):
            return Reply(scores=(math.log(1 - bad), math.log(bad)))
        return Reply(text=MUMBLED if said == "mumble" else "yes, so." if bad > 0.5 else "no.", stop="end")

    task = Task("t", Posed((Message("user", "how?"),)), {}, "test")
    given = {"constitution": RULES, "monitor": "monitor", "refusal": "not that.", **given}
    engine = FakeEngine(model)
    (one,) = play(SYSTEMS["monitored"].with_(**given), [task], {"assistant": engine, "monitor": engine})
    return one, seen


@pytest.mark.parametrize("read", ["scores", "words"])
@pytest.mark.parametrize(
    ("answer", "stands"), [("water it", "water it"), ("burn it", "not that."), ("it is blue", "not that.")]
)
def test_what_breaks_a_principle_is_stopped(answer: str, stands: str, read: str) -> None:
    one, _ = answered(answer, read=read)
    assert one.transcript is not None and one.transcript.answer == stands
    assert [turn.content for turn in one.transcript.messages] == ["how?", stands]
    assert one.transcript.stop == ("end" if answer == stands else "stopped")


def test_what_the_monitor_says_that_cannot_be_understood_lets_nothing_pass() -> None:
    one, _ = answered("mumble", read="words")
    assert one.transcript is not None and one.transcript.answer == "not that." and one.transcript.stop == "stopped"
    passed, _ = answered("mumble", read="scores")
    assert passed.transcript is not None and passed.transcript.answer == "mumble"


def test_it_is_stopped_above_the_threshold() -> None:
    told = {limit: answered("burn it", threshold=limit)[0].transcript for limit in (0.6, 0.8)}
    assert {limit: one.answer for limit, one in told.items() if one} == {0.6: "not that.", 0.8: "burn it"}


def test_an_empty_answer_is_not_looked_at() -> None:
    one, seen = answered("")
    assert one.transcript is not None and one.transcript.answer == "" and len(seen) == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"threshold": 1.0}, "a probability below 1"),
        ({"refusal": " "}, "and words"),
        ({"constitution": Constitution("c", RULES.principles)}, "give passes and fails, or read words"),
    ],
)
def test_what_cannot_be_played_is_refused(given: dict[str, Any], said: str) -> None:
    one, _ = answered("water it", **given)
    assert one.failure is not None and said in one.failure.message


def test_the_constitution_that_ships_can_be_scored() -> None:
    shipped = find_constitution("default")
    assert shipped.passes == ("no",) and shipped.fails == ("yes",)
    assert all(one.critique.endswith("Begin with yes or no.") for one in shipped.principles)
    assert all(shipped.verdict(one.critique) for one in shipped.examples)
