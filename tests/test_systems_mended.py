"""What a reader of systems found wrong once: budgets of steps, optional parameters, settings of variants, odd ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from groma.cli import run
from groma.formats.errors import BadInput
from groma.formats.messages import Message, ToolCall
from groma.formats.persona import Persona
from groma.formats.requests import Act, Generate, Reply, Score, Tool
from groma.formats.scaffold import Scaffold, read_scaffold
from groma.formats.task import Posed, Task
from groma.formats.transcript import Transcript
from groma.play import Budget, FakeEngine, Toolbox, play
from groma.systems import SYSTEMS, System
from groma.systems.calls import calls_in, parsed

USER = (Message("user", "hello"),)


def add(a: int, b: int = 1) -> int:
    """Add."""
    return a + b


def leave() -> str:
    """Leave."""
    raise SystemExit("bye")


def test_many_calls_in_one_reply_keep_to_the_budget_of_steps() -> None:
    calls = tuple(ToolCall("add", {"a": 1}) for _ in range(20))
    model = FakeEngine(lambda request, seed: Reply(text="", tool_calls=calls))
    task = Task("t/0", Posed(USER, tools=Toolbox([add]).tools), {}, "test")
    agent = SYSTEMS["agent"].with_(scaffold=Scaffold(protocol="native", max_steps=8))
    (found,) = play(agent, [task], {"assistant": model}, open_environment=lambda _: Toolbox([add]))
    acts = [call for call in found.calls if isinstance(call.request, Act)]
    assert len(acts) == 8 and found.transcript is not None and found.transcript.stop == "steps"


def test_optional_parameters_may_be_left_out() -> None:
    (tool,) = Toolbox([add]).tools
    assert parsed("add", "1", (tool,)) == ToolCall("add", {"a": "1"})
    assert parsed("add", "1, 2", (tool,)) == ToolCall("add", {"a": "1", "b": "2"})
    assert isinstance(parsed("add", "", (tool,)), str) and isinstance(parsed("none", "", (Tool("some"),)), str)


@pytest.mark.parametrize(
    "text",
    [
        "I will look it up.\nuse add: 1, 2.",
        "First I add.\n\n  Use Add: 1, 2  \n",
        "```\nuse add: 1, 2.\n```",
        "```text\nuse add: 1, 2\n```\n",
        "I call `add` now:\n`use add: 1, 2.`",
        "**use add: 1, 2.**",
    ],
)
def test_a_call_may_be_the_last_line_of_more_and_fenced(text: str) -> None:
    tools = Toolbox([add]).tools
    assert calls_in(Reply(text=text), tools, "text", False) == [ToolCall("add", {"a": "1", "b": "2"})]
    assert calls_in(Reply(text=text), tools, "text", True) == []  # whose players have a protocol of their own


@pytest.mark.parametrize(
    "text",
    ["use add(1, 2)", "I add.\nuse add(1, 2).", "use add with 1 and 2", "I see.\nuse add: 1, 2.\nThat is three."],
)
def test_what_is_nearly_a_call_is_told_how_one_is_written(text: str) -> None:
    (why,) = calls_in(Reply(text=text), Toolbox([add]).tools, "text", False)
    assert why == "that is no call. a call is the last line, and stands alone on it: use add: a, b."


def test_an_agent_mends_a_call_that_was_nearly_one() -> None:
    turns = ["use add(1, 2)", "I see.\nuse add: 1, 2.", "three."]
    model = FakeEngine(lambda request, seed: turns[(len(request.prompt) - 2) // 2])  # type: ignore[union-attr]
    task = Task("t/0", Posed(USER, tools=Toolbox([add]).tools), {}, "test")
    (found,) = play(SYSTEMS["agent"], [task], {"assistant": model}, open_environment=lambda _: Toolbox([add]))
    assert found.transcript is not None and found.transcript.answer == "three."
    assert found.transcript.messages[5].content == "add answered: 3"


@pytest.mark.parametrize("text", ["three.", "one may use add here.", "hello\nuse caution.", "use common sense.", ""])
def test_an_answer_is_no_call(text: str) -> None:
    assert calls_in(Reply(text=text), Toolbox([add]).tools, "text", False) == []


def test_a_tool_that_ends_the_process_ends_its_own_use() -> None:
    with pytest.raises(RuntimeError, match="leave raised SystemExit: bye"):
        Toolbox([leave]).act(Act(tool="leave"))


def exits(posed: Posed) -> Iterator[object]:
    yield Generate(prompt=posed.messages)
    raise SystemExit(1)


def numbers(posed: Posed) -> Iterator[object]:
    yield Generate(prompt=posed.messages)
    return Transcript(posed.messages, 5)  # type: ignore[arg-type]


@pytest.mark.parametrize("function", [exits, numbers])
def test_odd_ends_are_failures_of_their_episode(function: object) -> None:
    task = Task("t/0", Posed(USER), {}, "test")
    (found,) = play(System("odd", function), [task], {"assistant": FakeEngine(lambda r, s: "x")})  # type: ignore[arg-type]
    assert found.failure is not None and found.failure.boundary == "system"


def test_a_player_that_cannot_score_is_named() -> None:
    best = SYSTEMS["best_of_n"].with_(n=2)
    words = FakeEngine(lambda request, seed: "x" if isinstance(request, Score) else f"answer {seed}")
    (found,) = play(best, [Task("t/0", Posed(USER), {}, "test")], {"assistant": words})
    assert found.failure is not None and "assistant gave 0 scores for 2 answers" in found.failure.message


def test_systems_of_one_name_are_refused_before_they_are_played(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.json").write_text('{"max_tokens": 3}')
    both = ",".join(f"agent@{tmp_path}/{name}/x.json" for name in ("a", "b"))
    assert run(["survey", "fake:x", "--as", both, "--items", "7", "--out", str(tmp_path / "out")]) == 2
    assert "two systems are called 'agent@x'" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_a_variants_own_settings_stand(tmp_path: Path) -> None:
    (tmp_path / "cold.json").write_text('{"temperature": 0.25}')
    (tmp_path / "fake.py").write_text(
        "def tell(request, seed):\n    return f'{request.temperature} {request.max_tokens}'\n"
    )
    out = tmp_path / "out"
    command = ["survey", f"fake:{tmp_path}/fake.py:tell", "--as", f"chat,chat@{tmp_path}/cold.json", "--kind", "ask"]
    assert run([*command, "--items", "3", "--max-tokens", "9", "--temperature", "0.5", "--out", str(out)]) == 0
    assert '"0.5 9"' in (out / "transcripts/model__chat__vale.jsonl").read_text()
    assert '"0.25 9"' in (out / "transcripts/model__chat-cold__vale.jsonl").read_text()


@pytest.mark.parametrize(
    "plain",
    ['{"tools": "pay"}', '{"tools": [3]}', '{"max_steps": true}', '{"prompts": {"plan": 5}}', '{"own": [null]}'],
)
def test_scaffolds_that_are_none_are_refused(plain: str, tmp_path: Path) -> None:
    file = tmp_path / "scaffold.json"
    file.write_text(plain)
    with pytest.raises(BadInput, match=r"scaffold\.json"):
        read_scaffold(file)
    file.write_bytes(b"\xff\xfe{")
    with pytest.raises(BadInput, match="cannot be read"):
        read_scaffold(file)


@pytest.mark.parametrize("plain", [{"after": "hey"}, {"before": 3}, {"card": 3}, {"before": [3]}])
def test_personas_that_are_none_are_refused(plain: dict[str, object]) -> None:
    with pytest.raises(BadInput, match="a persona"):
        Persona.from_dict(plain)


def test_an_agent_whose_budget_is_used_up_ends_and_what_it_did_stands() -> None:
    model = FakeEngine(lambda request, seed: Reply(text="", tool_calls=(ToolCall("add", {"a": 1}),)))
    task = Task("t/0", Posed(USER, tools=Toolbox([add]).tools), {}, "test")
    agent = SYSTEMS["agent"].with_(scaffold=Scaffold(protocol="native"))
    for budget, acts in ({"assistant": Budget(calls=2)}, 2), ({"environment": Budget(calls=3)}, 3):
        players = {"assistant": model}
        (found,) = play(agent, [task], players, open_environment=lambda _: Toolbox([add]), budget=budget)
        assert found.transcript is not None and found.transcript.stop == "budget", budget
        assert found.transcript.state is not None and len(found.transcript.state["acts"]) == acts
        said = [one.content for one in found.transcript.messages if one.role == "tool"]
        assert said == ["2"] * acts + ["not done: the budget is used up."] * ("environment" in budget)


def test_arguments_are_given_by_name() -> None:
    for wrong in (lambda: ToolCall("add", [1]), lambda: Act(tool="add", arguments=[1])):  # type: ignore[arg-type]
        with pytest.raises(BadInput, match=r"add was given \[1\]"):
            wrong()


def test_a_player_whom_nobody_asks_is_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    said = ["survey", "fake:a", "--as", "chat", "--kind", "speak", "--items", "3", "--out", str(out)]
    assert run([*said, "--player", "critc=fake:no"]) == 0
    assert "no system asked critc" in capsys.readouterr().err
    assert "no system asked critc" in (out / "report.html").read_text()
