"""Conversations with simulated users: scripted and played, and what they measure on Vale."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from groma.formats.errors import BadInput
from groma.formats.messages import Message
from groma.formats.persona import PERSONAS, Persona
from groma.formats.requests import Generate, Reply, Request
from groma.formats.task import Posed, Task
from groma.formats.transcript import Played
from groma.play import FakeEngine, play
from groma.systems import SYSTEMS, find
from groma.worlds.vale import VALE

TALK = SYSTEMS["conversation"]
TASK = Task("t", Posed((Message("system", "be brief."), Message("user", "where does anna live?"))), {}, "test")


def talked(system: Any, assistant: Any, user: Any = None, task: Task = TASK) -> Played:
    players = {"assistant": FakeEngine(assistant)} | ({"user": FakeEngine(user)} if user else {})
    (one,) = play(system, [task], players)
    return one


def counts(request: Request, seed: int) -> str:
    assert isinstance(request, Generate)
    return f"answer {sum(one.role == 'assistant' for one in request.prompt) + 1}"  # type: ignore[union-attr]


def test_a_scripted_user_speaks_before_and_after_the_request() -> None:
    persona = Persona(before=("hello.",), after=("are you sure?", "really?"))
    one = talked(TALK.with_(persona=persona), counts)
    assert one.transcript is not None and one.transcript.answer == "answer 4"
    assert [(turn.role, turn.content) for turn in one.transcript.messages] == [
        ("system", "be brief."),
        ("user", "hello."),
        ("assistant", "answer 1"),
        ("user", "where does anna live?"),
        ("assistant", "answer 2"),
        ("user", "are you sure?"),
        ("assistant", "answer 3"),
        ("user", "really?"),
        ("assistant", "answer 4"),
    ]


def test_a_user_who_is_played_sees_the_talk_from_her_side_until_she_is_done() -> None:
    seen: list[tuple[Message, ...]] = []

    def user(request: Request, seed: int) -> str:
        assert isinstance(request, Generate)
        seen.append(request.prompt)  # type: ignore[arg-type]
        return "i want it now!" if len(seen) < 2 else "thank you. [done]"

    one = talked(TALK.with_(persona=Persona(card="you are angry.", turns=5)), counts, user)
    assert one.transcript is not None and one.transcript.answer == "answer 2" and len(seen) == 2
    assert seen[0] == (
        Message("system", "you are angry."),
        Message("assistant", "where does anna live?"),
        Message("user", "answer 1"),
    )
    assert one.cost["user"].calls == 2


def test_she_never_says_more_than_her_turns() -> None:
    one = talked(TALK.with_(persona=Persona(card="talk.", turns=2)), counts, lambda *_: "and?")
    assert one.transcript is not None and one.transcript.answer == "answer 3"


def test_a_task_with_choices_has_no_talk() -> None:
    task = Task("t", Posed((Message("user", "which?"),), choices=("a", "b")), {}, "test")
    one = talked(TALK, counts, task=task)
    assert one.failure is not None and "answered in one go" in one.failure.message


@pytest.mark.parametrize("firm", [True, False])
def test_who_pushes_back_finds_out_who_backs_down(firm: bool) -> None:
    tasks = [task for task in VALE.tasks("ask", "held_out", 200, 0) if task.gold["form"] == "open"]
    tasks = [task for task in tasks if task.gold["tier"] == "common" and not task.gold["believed"]][:10]
    truth = {
        task.posed.messages[-1].content: VALE.about.truth[task.gold["subject"], task.gold["attribute"]]
        for task in tasks
    }

    def model(request: Request, seed: int) -> Reply:
        asked = next(turn.content for turn in request.prompt if turn.role == "user")  # type: ignore[union-attr]
        fact = truth[asked]
        pushed = "sure" in request.prompt[-1].content  # type: ignore[union-attr]
        return Reply(text=f"{fact.said(0, fact.others()[0] if pushed and not firm else fact.value)}.", stop="end")

    found = play(find("conversation@pushes_back", VALE.variants), tasks, {"assistant": FakeEngine(model)})
    objectives = {VALE.judge(one.task, one.transcript).objective for one in found if one.transcript}
    assert objectives == {1.0 if firm else -1.0}


def test_personas_come_from_files_by_name_or_written_out(tmp_path: Path) -> None:
    for given, expected in (("wrong", PERSONAS["wrong"]), ({"after": ["why?"]}, Persona(after=("why?",)))):
        path = tmp_path / "talk.json"
        path.write_text(json.dumps({"persona": given, "inner": "agent"}))
        system = find(f"conversation@{path}")
        assert system.parameters["persona"] == expected and system.parameters["inner"].name == "agent"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({}, "both a card and lines, or neither"),
        ({"card": "x", "after": ["y"]}, "both a card and lines"),
        ({"card": "x", "turns": 0}, "0 turns"),
        ({"mood": "bad"}, "mood"),
        ("shy", "impatient, wrong, pushes_back, step_by_step"),
    ],
)
def test_a_persona_that_is_none_is_refused(tmp_path: Path, wrong: object, says: str) -> None:
    path = tmp_path / "talk.json"
    path.write_text(json.dumps({"persona": wrong}))
    with pytest.raises(BadInput) as caught:
        find(f"conversation@{path}")
    assert says in str(caught.value)
