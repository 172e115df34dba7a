"""AI feedback: soft labels, both orders and clamping by hand; what a judge is sent; what is refused."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest

from groma.formats.constitution import Constitution, Principle
from groma.formats.errors import BadConfig, BadInput
from groma.formats.messages import Message
from groma.formats.requests import Generate, Reply, Request, Score
from groma.formats.task import Posed, Task
from groma.formats.transcript import Transcript
from groma.judges.feedback import SO, UNREAD, WHY, Label, drawn, feedback, label, pair
from groma.play import FakeEngine, play
from groma.systems import System

HARM = Principle("harm", "does it harm?", "again.", "Which does less harm, A or B?", weight=3)
RULES = Constitution(
    "rules", (HARM, Principle("truth", comparison="Which is truer, A or B?")), passes=("no",), fails=("yes",)
)
ONE = Constitution("one", (HARM,), passes=("no",), fails=("yes",))
TASK = Task("t", Posed((Message("user", "how?"),), seed=3), {"secret": 1}, "test")
REPLIES = (Transcript((), "water it"), Transcript((), "burn it"))


def log(*shares: float) -> tuple[float, ...]:
    return tuple(math.log(one) for one in shares)


def test_labels_by_hand() -> None:
    """The judge holds A for better with .9 and, the other way round, with .3; unnormalised masses are normalised."""
    told = Transcript((), "harm", log(0.9, 0.1, 0.3, 0.7))
    assert label(told, "comparison") == Label(
        "harm", pytest.approx(0.8), pytest.approx(0.8), True, pytest.approx(0.1)
    )  # fmt: skip
    assert label(Transcript((), "harm", log(0.09, 0.01, 0.003, 0.007)), "comparison").first == pytest.approx(0.8)
    always_a = label(Transcript((), "harm", log(0.9, 0.1, 0.9, 0.1)), "comparison")
    assert always_a.first == pytest.approx(0.5) and always_a.agree is False and always_a.bias == pytest.approx(0.4)
    held = label(told, "comparison", (0.4, 0.6))
    assert (held.first, held.sure) == (0.6, pytest.approx(0.8))
    assert label(Transcript((), "harm", log(0.1, 0.9, 0.8, 0.2)), "comparison", (0.4, 0.6)).first == 0.4
    assert label(Transcript((), "harm", log(0.5, 0.5, 0.4, 0.6)), "comparison", (0.4, 0.6)).first == pytest.approx(0.55)


def test_labels_by_critiques_by_hand() -> None:
    """Odds of passing 4 : 1 and 1 : 4 make 16 : 1 for the first."""
    told = label(Transcript((), "harm", log(0.8, 0.2, 0.2, 0.8)), "critique")
    assert told.first == pytest.approx(16 / 17) and told.agree is None and told.bias is None
    assert label(Transcript((), "harm", log(0.3, 0.1, 0.6, 0.2)), "critique").first == pytest.approx(0.5)
    assert label(Transcript((), "harm", (0.0, -900.0, 0.0, -900.0)), "critique").first == pytest.approx(0.5)


def asked(system: System, said: Any = None) -> tuple[Transcript, list[Request]]:
    """Compared by a judge to whom the option that stands with "water it" has the probability .75."""
    seen: list[Request] = []

    def judge(request: Request, seed: int) -> Reply:
        seen.append(request)
        if isinstance(request, Generate):
            return Reply(text="because.", stop="end")
        assert isinstance(request, Score)
        text = " ".join(one.content for one in request.prompt)  # type: ignore[union-attr]
        if "does it harm?" in text:
            return Reply(scores=log(0.9, 0.1) if "water" in text else log(0.1, 0.9))
        return Reply(scores=log(0.75, 0.25) if text.index("water") < text.index("burn it") else log(0.25, 0.75))

    (one,) = play(system, [pair(TASK, *REPLIES)], {"judge": FakeEngine(judge)})
    assert one.transcript is not None and one.task.gold == {}
    return one.transcript, seen


def test_both_orders_are_asked_of_one_principle() -> None:
    told, seen = asked(System("feedback", feedback, {"constitution": ONE}))
    assert told.answer == "harm" and len(seen) == 2
    found = label(told, "comparison")
    assert found.first == pytest.approx(0.75) and found.agree and found.bias == pytest.approx(0.0)
    first, second = (one.prompt[0].content for one in seen)  # type: ignore[union-attr]
    assert first.index("water it") < first.index("burn it") and second.index("burn it") < second.index("water it")
    assert "Which does less harm, A or B?" in first and "user: how?" in first


def test_reasons_come_before_the_options() -> None:
    told, seen = asked(System("feedback", feedback, {"constitution": ONE, "reasons": True}))
    assert [type(one) for one in seen] == [Generate, Generate, Score, Score]
    assert seen[0].prompt[0].content.endswith(WHY)  # type: ignore[union-attr]
    turns = [(one.role, one.content) for one in seen[2].prompt[1:]]  # type: ignore[union-attr]
    assert turns == [("assistant", "because."), ("user", SO)]
    assert label(told, "comparison", (0.4, 0.6)).first == 0.6


def test_critics_are_asked_of_each_reply_apart() -> None:
    told, seen = asked(System("feedback", feedback, {"constitution": ONE, "by": "critique"}))
    turns = [[one.content for one in request.prompt] for request in seen]  # type: ignore[union-attr]
    assert turns == [["how?", "water it", "does it harm?"], ["how?", "burn it", "does it harm?"]]
    assert all(isinstance(one, Score) and one.answers == ("no", "yes") for one in seen)
    assert label(told, "critique").first == pytest.approx(81 / 82)


@pytest.mark.parametrize(
    ("said", "first"),
    [(("A", "B."), 1.0), (("so it is B", "a"), 0.0), (("A", "A"), 0.5), (("A", "who knows"), None), (("?", "?"), None)],
)
def test_judges_may_only_speak(said: tuple[str, str], first: float | None) -> None:
    def judge(request: Request, seed: int) -> Reply:
        assert isinstance(request, Generate) and request.temperature == 0
        text = request.prompt[0].content  # type: ignore[union-attr]
        return Reply(text=said[text.index("water") > text.index("burn it")], stop="end")

    system = System("feedback", feedback, {"constitution": ONE, "read": "words"})
    (one,) = play(system, [pair(TASK, *REPLIES)], {"judge": FakeEngine(judge)})
    assert one.transcript is not None and (one.transcript.stop == UNREAD) == (first is None)
    if first is not None:
        assert label(one.transcript, "comparison").first == pytest.approx(first)


@pytest.mark.parametrize(
    ("said", "first"),
    [(("no.", "yes, it burns."), 1.0), (("yes.", "no"), 0.0), (("no", "no"), 0.5), (("?", "?"), None)],
)
def test_critics_may_only_speak(said: tuple[str, str], first: float | None) -> None:
    def critic(request: Request, seed: int) -> Reply:
        return Reply(text=said["burn" in request.prompt[-2].content], stop="end")  # type: ignore[union-attr]

    system = System("feedback", feedback, {"constitution": ONE, "by": "critique", "read": "words"})
    (one,) = play(system, [pair(TASK, *REPLIES)], {"judge": FakeEngine(critic)})
    assert one.transcript is not None and (one.transcript.stop == UNREAD) == (first is None)
    if first is not None:
        assert label(one.transcript, "critique").first == pytest.approx(first)


def test_the_principle_is_drawn_by_its_weight() -> None:
    found = Counter(drawn(RULES, "comparison", seed).name for seed in range(1000))
    assert 0.7 < found["harm"] / 1000 < 0.8 and set(found) == {"harm", "truth"}
    assert {drawn(RULES, "critique", seed).name for seed in range(20)} == {"harm"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"constitution": Constitution("c", (Principle("x", "c?", "r."),))}, "has a comparison"),
        ({"constitution": Constitution("c", (Principle("x", "c?", "r."),)), "by": "critique"}, "passes and fails"),
        ({"constitution": ONE, "by": "critique", "reasons": True}, "reasons would have no effect"),
    ],
)
def test_what_cannot_be_asked_is_refused(given: dict[str, Any], said: str) -> None:
    (one,) = play(System("feedback", feedback, given), [pair(TASK, *REPLIES)], {"judge": FakeEngine(lambda *_: "")})
    assert one.failure is not None and said in one.failure.message


@pytest.mark.parametrize("clamp", [(0.6, 0.4), (0.5, 0.6), (-0.1, 0.6), (0.4, 1.1)])
def test_clamps_that_hold_no_half_are_refused(clamp: tuple[float, float]) -> None:
    with pytest.raises(BadConfig, match="clamp is"):
        label(Transcript((), "harm", log(0.5, 0.5, 0.5, 0.5)), "comparison", clamp)
    with pytest.raises(BadInput, match="2 scores"):
        label(Transcript((), "harm", log(0.5, 0.5)), "comparison")
