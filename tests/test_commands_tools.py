"""`groma survey --tools`, and what is said of a user's own system before it is played."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from groma.cli import run

TOOLS = '''
def price(food: str) -> str:
    """What food costs.

    food: which one.
    """
    return "three coins"


def untyped(food):
    return ""
'''
MODEL = """
def says(request, seed):
    told = request.prompt[-1].content
    return "use price: oats." if "cost" in told else "it answered that."
"""
SCORES = MODEL.replace(
    "def",
    """from groma.formats.requests import Reply, Score

def""",
).replace(
    "    told",
    """    if isinstance(request, Score):
        return Reply(scores=tuple(-float(len(one)) for one in request.answers))
    told""",
)


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tools.py").write_text(TOOLS)
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "p.jsonl").write_text('{"prompt": "what do oats cost?"}\n{"prompt": "what does soup cost?"}\n')
    (tmp_path / "inner.json").write_text('{"inner": "agent", "by": "mean"}')
    return tmp_path


def survey(*options: str, on: str = "p.jsonl") -> int:
    command = ["survey", "fake:model.py:says", "--on", on, "--out", "run", "--properties", "none"]
    return run([*command, *options])


def test_an_agent_uses_functions_of_a_file_on_the_users_own_prompts(given: Path) -> None:
    assert survey("--as", "chat,agent", "--tools", "tools.py:price") == 0
    (rows,) = (given / "run").glob("transcripts/*agent*.jsonl")
    for row in map(json.loads, rows.read_text().splitlines()):
        assert "- price: food. What food costs." in row["messages"][0]["content"]
        assert [one["content"] for one in row["messages"][2:]] == [
            "use price: oats.",
            "price answered: three coins",
            "it answered that.",
        ]
    settings = json.loads((given / "run" / "manifest.json").read_text())["settings"]
    assert list(settings["tools"]) == ["tools.py:price"]


def test_a_run_whose_tools_changed_is_not_gone_on_with(given: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stopped = ("--budget", "assistant=calls:1")
    assert survey("--as", "agent", "--tools", "tools.py:price", *stopped) != 0
    (given / "tools.py").write_text(TOOLS.replace("three", "four"))
    assert survey("--as", "agent", "--tools", "tools.py:price", "--resume") == 2
    assert "begun with other options: tools was {'tools.py:price': " in " ".join(capsys.readouterr().err.split())
    assert survey("--as", "agent", "--resume") == 2
    (given / "tools.py").write_text(TOOLS)
    assert survey("--as", "agent", "--tools", "tools.py:price", "--resume") == 0


def test_functions_without_effects_are_tried_in_copies_and_may_take_so_long(
    given: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (given / "model.py").write_text(SCORES)
    (given / "tools.py").write_text(TOOLS.replace("    return", "    import time; time.sleep(0.05); return"))
    systems, tools = ("--as", "planner,best_of_n@inner.json"), ("--tools", "tools.py:price", "--repeatable")
    assert survey(*systems, *tools) == 0
    for rows in (given / "run").glob("transcripts/*.jsonl"):
        told = [json.loads(row) for row in rows.read_text().splitlines()]
        assert [one["failure"] for one in told] == [None, None]
        assert all("price answered: three coins" in json.dumps(one["messages"]) for one in told)
    assert survey("--as", "agent", *tools, "--tool-seconds", "0.01", "--fresh") == 0
    (rows,) = (given / "run").glob("transcripts/*agent*.jsonl")
    assert "did not come back within 0.01 seconds" in rows.read_text()
    assert survey("--as", "agent", "--repeatable", "--fresh") == 2
    assert "--repeatable True would have no effect: no --tools are named" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--as", "chat,trivial"), "none of the systems uses tools (chat, trivial); add agent (with --repeatable"),
        (("--as", "chat", "--repeatable"), "add agent, planning_agent, planner"),
        (("--as", "planner"), "planner: the tools act on the world outside"),
        (("--as", "agent,planning_agent"), "planning_agent: the tools act on the world outside"),
        (("--as", "agent,best_of_n@inner.json"), "best_of_n@inner: the tools act on the world outside"),
        (("--as", "agent", "--tool-seconds", "0"), "--tool-seconds 0: choose above 0"),
        (("--as", "agent", "--on", "vale"), "vale has tools of its own (ledger"),
        (("--as", "agent", "--tools", "tools.py:untyped"), "the parameter food of the tool untyped has no type"),
        (("--as", "agent", "--tools", "tools.py:gone"), "there is no function 'gone'"),
        (("--as", "agent", "--tools", "price"), "name functions as FILE.py:function"),
    ],
)
def test_tools_that_cannot_be_are_refused_before_anything_is_asked(
    given: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], says: str
) -> None:
    tools = () if "--tools" in options else ("--tools", "tools.py:price")
    on = options[options.index("--on") + 1] if "--on" in options else "p.jsonl"
    rest = [one for one in options if one not in ("--on", on)]
    assert survey(*rest, *tools, on=on) == 2 and not (given / "run").exists()
    assert says in " ".join(capsys.readouterr().err.split())


MINE = """
import time
from groma.formats.messages import Message
from groma.formats.requests import Generate
from groma.formats.transcript import Transcript

def mine(posed):
    now = time.time()
    reply = yield Generate(prompt=posed.messages)
    return Transcript((*posed.messages, Message("assistant", reply.text)), reply.text)
"""


def test_what_is_wrong_with_a_users_own_system_is_said_and_noted(
    given: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (given / "mine.py").write_text(MINE)
    assert survey("--as", "chat,mine.py:mine") == 0
    fault = "mine.mine: mine.py:8: clock: time.time: now = time.time()"
    assert f"note: {fault}" in " ".join(capsys.readouterr().err.split())
    assert fault in json.loads((given / "run" / "manifest.json").read_text())["notes"]
    assert fault in (given / "run" / "report.html").read_text()
    (given / "mine.py").write_text(MINE.replace("now = time.time()", "pass"))
    assert survey("--as", "mine.py:mine", "--fresh") == 0
    assert "note: mine" not in capsys.readouterr().err
