"""The agent: calls are made, answered and counted; a call that is none is answered in words; it stops."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from groma.formats.messages import Message
from groma.formats.requests import Generate, Request
from groma.formats.task import Task
from groma.formats.transcript import Played
from groma.play.driver import play
from groma.play.fake import FakeEngine
from groma.systems import SYSTEMS
from groma.systems.agent import parsed
from groma.worlds.vale import VALE
from groma.worlds.vale.hall import TOOLS, call_text
from vale_players import perfect

AGENT = SYSTEMS["agent"].with_(max_tokens=40)


def scripted(turns: Sequence[str], task: Task, max_steps: int = 8) -> Played:
    """An agent whose model says these turns, one after the other."""

    def says(request: Request, seed: int) -> str:
        assert isinstance(request, Generate) and isinstance(request.prompt, tuple)
        return turns[sum(isinstance(one, Message) and one.role == "assistant" for one in request.prompt)]

    system = AGENT.with_(max_steps=max_steps)
    (played,) = play(system, [task], {"assistant": FakeEngine(says)}, open_environment=VALE.open)
    return played


TASKS = [task for task in VALE.tasks("errand", "held_out", 80, 0) if task.part == "plain"]


def test_an_agent_that_makes_the_right_calls_does_its_errand() -> None:
    for task in TASKS:
        calls = [call_text(tool, values) for tool, values in task.gold["acts"]]
        played = scripted([*calls, perfect(task)], task)
        assert played.transcript is not None
        assert VALE.judge(task, played.transcript).objective == 1.0
        roles = [message.role for message in played.transcript.messages]
        assert roles == ["system", "user", *["assistant", "tool"] * len(calls), "assistant"]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("use sing: anna.", "there is no tool sing."),
        ("use price.", "price wants food."),
        ("use price: ", "price wants food."),
        ("use pay: anna, ada.", "pay wants giver, taker, number."),
        ("use recall: x.", "recall wants nothing."),
        ("USE Price: oats", "there is no price of oats."),
    ],
)
def test_a_call_that_is_none_is_answered_in_words_and_the_agent_goes_on(call: str, said: str) -> None:
    task = next(task for task in TASKS if "oats" not in task.gold["hall"]["prices"])
    played = scripted([call, "done."], task)
    assert played.transcript is not None and played.transcript.answer == "done."
    assert played.transcript.messages[3] == Message("tool", said)


def test_the_last_value_takes_what_is_left_commas_and_all() -> None:
    call = parsed("post", "anna, one, two and three", TOOLS)
    assert not isinstance(call, str) and call.arguments == {"name": "anna", "words": "one, two and three"}


def test_it_stops_after_so_many_steps_and_its_acts_stand() -> None:
    task = next(task for task in TASKS if task.strata["family"] == "close")
    played = scripted(["use recall."] * 9, task, max_steps=3)
    assert played.transcript is not None and played.transcript.stop == "steps" and played.transcript.answer == ""
    assert played.transcript.state is not None and len(played.transcript.state["acts"]) == 3


def test_without_an_environment_the_agent_is_told_that_its_tool_failed() -> None:
    task = TASKS[0]
    players = {"assistant": FakeEngine(lambda request, seed: "use recall." if len(request.prompt) < 4 else "done.")}  # type: ignore[union-attr,arg-type]
    (played,) = play(AGENT, [task], players)
    assert played.transcript is not None and "recall failed" in played.transcript.messages[3].content
