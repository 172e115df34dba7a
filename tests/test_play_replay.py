"""Replay: an interrupted play goes on from its log, nothing answered is asked again, and a log needs no model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groma.formats.digest import digest
from groma.formats.errors import BadInput
from groma.formats.messages import Message
from groma.formats.requests import Act, Cost, Failed, Failure, Generate, Reply, Request
from groma.formats.task import Posed, Task
from groma.formats.transcript import Played, Transcript
from groma.formats.wire import to_plain
from groma.play import Budget, CallLog, FakeEngine, ReplayEngine, play
from groma.systems import System

TASKS = tuple(Task(f"t/{n}", Posed((Message("user", f"q {n}"),), seed=n), {}, "test") for n in range(30))


def talk(posed: Posed, *, manner: str = "") -> Iterator[object]:
    """Three branches, then a talk whose length depends on what is said; a failed turn is noted and gone past."""
    said = (*posed.messages, *((Message("user", manner),) if manner else ()))
    branches = yield tuple(Generate(prompt=said, max_tokens=n) for n in (1, 2, 3))
    text = "".join(one.text if isinstance(one, Reply) else one.kind for one in branches)
    while text[-1] not in "0123":
        try:
            reply = yield Generate(prompt=text)
            text += reply.text
        except Failed as failed:
            text += f"({failed.failure.kind})0"
    return Transcript(said, text)


TALK = System("talk", talk)


class Asked:
    """A fake model that counts what it is asked, and may be told to break after so many answers."""

    def __init__(self, most: int = 10**9) -> None:
        self.requests: list[tuple[Request, int]] = []
        self.most = most

    def __call__(self, request: Request, seed: int) -> Reply:
        self.requests.append((request, seed))
        if seed % 11 == 0:
            raise OSError("unlucky")
        return Reply(text=digest(request, seed)[:4], token_ids=(seed % 7,), stop="end", cost=Cost(2, 1, 1, 0.25))

    def engine(self) -> Breaking:
        return Breaking(self)


class Breaking(FakeEngine):
    """One answer a poll, in an order of its own; the machine fails when the model has answered enough."""

    def __init__(self, model: Asked) -> None:
        super().__init__(model, batch=1, shuffled=5)
        self.model = model

    def poll(self) -> list[tuple[int, Reply | Failure]]:
        if len(self.model.requests) >= self.model.most:
            raise KeyboardInterrupt
        return super().poll()


def written(results: list[Played]) -> str:
    return json.dumps([[one.task.id, to_plain(one.transcript), repr(sorted(one.cost.items()))] for one in results])


WHOLE = Asked()
EXPECTED = written(list(play(TALK, TASKS, {"assistant": FakeEngine(WHOLE)})))


def test_a_second_play_from_a_whole_log_asks_nothing(tmp_path):
    first, second = Asked(), Asked()
    for model in (first, second):
        log = CallLog(tmp_path / "log.jsonl")
        assert written(list(play(TALK, TASKS, {"assistant": model.engine()}, log=log))) == EXPECTED
    assert len(first.requests) == len(WHOLE.requests) and second.requests == []


@settings(max_examples=25)
@given(cuts=st.lists(st.integers(0, 60), min_size=1, max_size=4), torn=st.integers(0, 40), width=st.integers(1, 40))
def test_a_play_that_was_killed_asks_only_for_what_was_not_answered(tmp_path_factory, cuts, torn, width):
    path, asked = tmp_path_factory.mktemp("log") / "log.jsonl", []
    for most in cuts:
        model = Asked(most)
        try:
            list(play(TALK, TASKS, {"assistant": model.engine()}, log=CallLog(path), width=width))
        except KeyboardInterrupt:
            asked += model.requests
            with path.open("ab") as file:  # the line that the process was writing when it was killed
                file.write(b'{"system": "0123456789abcdef", "task": "t/'[:torn])
    last = Asked()
    results = list(play(TALK, TASKS, {"assistant": last.engine()}, log=CallLog(path), width=width))
    asked += last.requests
    assert written(results) == EXPECTED
    assert len(asked) == len(set(map(repr, asked)))
    assert sorted(map(repr, asked)) == sorted(map(repr, WHOLE.requests))


CHILD = """
import sys, time
from test_play_replay import TALK, TASKS, Asked
from groma.play import CallLog, play
model = Asked()
def slow(request, seed):
    time.sleep(0.005)
    return model(request, seed)
from groma.play import FakeEngine
print("ready", flush=True)
list(play(TALK, TASKS, {"assistant": FakeEngine(slow, batch=1)}, log=CallLog(sys.argv[1])))
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_process_that_is_killed_loses_nothing_that_was_logged(tmp_path):
    path = tmp_path / "log.jsonl"
    places = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path)], env={**os.environ, "PYTHONPATH": places}, stdout=subprocess.PIPE
    )
    assert child.stdout is not None and child.stdout.readline() == b"ready\n"
    while not path.exists() or path.read_bytes().count(b"\n") < 20:
        time.sleep(0.01)
        assert child.poll() is None
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    log, model = CallLog(path), Asked()
    before = log.answered
    assert 19 <= before < len(WHOLE.requests)
    assert written(list(play(TALK, TASKS, {"assistant": FakeEngine(model)}, log=log))) == EXPECTED
    assert len(model.requests) == len(WHOLE.requests) - before


def test_a_log_is_played_with_no_model(tmp_path):
    log = CallLog(tmp_path / "log.jsonl")
    list(play(TALK, TASKS, {"assistant": Asked().engine()}, log=log))
    again = CallLog(tmp_path / "log.jsonl")
    assert written(list(play(TALK, TASKS, {"assistant": ReplayEngine(again)}, width=3))) == EXPECTED
    assert written(list(play(TALK, TASKS, {}, log=again))) == EXPECTED


def test_what_is_not_in_a_log_is_a_failure_of_the_replay(tmp_path):
    log = CallLog(tmp_path / "log.jsonl")
    list(play(TALK, TASKS[:3], {"assistant": Asked().engine()}, log=log))
    for changed in ({"tasks": TASKS[3:5]}, {"seed": 1, "tasks": TASKS[:3]}):
        (one, *_) = play(TALK, players={"assistant": ReplayEngine(log)}, **changed)
        assert "not_logged" in (one.failure.kind if one.failure else one.transcript.answer)


def test_logged_failures_are_not_asked_again(tmp_path):
    def never(request: Request, seed: int) -> str:
        raise OSError("down")

    model = Asked()
    for answers in (never, model):
        log = CallLog(tmp_path / "log.jsonl")
        results = list(play(TALK, TASKS, {"assistant": FakeEngine(answers)}, log=log))
        assert {one.transcript.answer for one in results} == {"OSErrorOSErrorOSError(OSError)0"}
    assert model.requests == []


class Patchy(Asked):
    """A server that is down for some requests, until it is mended."""

    def __init__(self, *, up: bool = False) -> None:
        super().__init__()
        self.up = up

    def __call__(self, request: Request, seed: int) -> Reply | Failure:  # type: ignore[override]
        reply = super().__call__(request, seed)
        down = not self.up and seed % 3 == 0
        return Failure("engine", "status_500", "down", passing=True) if down else reply


@pytest.mark.parametrize("killed", [None, 0, 7, 40])
def test_what_nobody_was_there_to_answer_is_asked_again_and_nothing_else(tmp_path, killed):
    path, server = tmp_path / "log.jsonl", Patchy()
    log = CallLog(path)
    outage = written(list(play(TALK, TASKS, {"assistant": FakeEngine(server)}, log=log)))
    assert outage != EXPECTED and log.unanswered
    assert written(list(play(TALK, TASKS, {"assistant": ReplayEngine(CallLog(path))}))) == outage
    if killed is not None:  # while it goes on
        going = play(TALK, TASKS, {"assistant": FakeEngine(Patchy(up=True), batch=1)}, log=CallLog(path), width=4)
        for _ in zip(range(killed), going, strict=False):
            pass
        going.close()
    log, mended = CallLog(path), Patchy(up=True)
    before = log.answered
    assert written(list(play(TALK, TASKS, {"assistant": FakeEngine(mended)}, log=log))) == EXPECTED
    assert log.unanswered == 0 and log.answered >= before
    known = {(digest(request), seed) for request, seed in server.requests if seed % 3}
    assert not [seed for request, seed in mended.requests if (digest(request), seed) in known]
    none = Asked()
    assert written(list(play(TALK, TASKS, {"assistant": FakeEngine(none)}, log=CallLog(path)))) == EXPECTED
    assert none.requests == []


def test_systems_tasks_seeds_and_calls_do_not_answer_for_each_other(tmp_path):
    log = CallLog(tmp_path / "log.jsonl")
    plays = [(TALK, 0), (TALK, 1), (TALK.with_(manner="kindly"), 0)]
    asked = []
    for system, seed in (*plays, *plays):
        model = Asked()
        list(play(system, TASKS[:5], {"assistant": FakeEngine(model)}, log=log, seed=seed))
        asked.append(len(model.requests))
    assert all(asked[:3]) and asked[3:] == [0, 0, 0]


def test_a_system_that_asks_something_else_than_it_did_is_an_error(tmp_path):
    class Changed:
        """The same identity, but another behaviour: a system that reads a clock, say."""

        name, digest = TALK.name, TALK.digest

        def __call__(self, posed):
            return talk(posed, manner="in haste")

    list(play(TALK, TASKS[:3], {"assistant": Asked().engine()}, log=CallLog(tmp_path / "log.jsonl")))
    with pytest.raises(BadInput, match=r"log\.jsonl: request 0 on task t/0 was logged as [0-9a-f]{16}, and now it is"):
        list(play(Changed(), TASKS[:3], {"assistant": Asked().engine()}, log=CallLog(tmp_path / "log.jsonl")))


def test_a_log_of_another_model_is_refused(tmp_path):
    CallLog(tmp_path / "log.jsonl", {"model": "base", "dtype": "float32"})
    CallLog(tmp_path / "log.jsonl", {"dtype": "float32", "model": "base"})
    with pytest.raises(BadInput, match=r"written about .*base.*, and now it is about .*dpo"):
        CallLog(tmp_path / "log.jsonl", {"model": "dpo", "dtype": "float32"})


def test_a_broken_row_is_named_by_its_line(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"about": {}}\n{"system": "x", "task": "t", "call": 0, "seed": 1, "request": "y"}\n')
    with pytest.raises(BadInput, match=r"log\.jsonl:2: the row has no 'reply'"):
        CallLog(path)


def test_budgets_and_failed_submits_are_the_same_after_resuming(tmp_path):
    class Picky(FakeEngine):
        def submit(self, ticket: int, request: Request, seed: int) -> None:
            if seed % 3 == 0:
                raise ValueError("not this one")
            super().submit(ticket, request, seed)

    budget = {"assistant": Budget(calls=4, tokens=9)}
    results = [
        list(play(TALK, TASKS, {"assistant": engine}, log=CallLog(tmp_path / "log.jsonl"), budget=budget))
        for engine in (Picky(Asked()), FakeEngine(Asked(0)))
    ]
    assert written(results[0]) == written(results[1]) != EXPECTED
    assert "ValueError" in written(results[0]) and "calls" in written(results[0])


# environments


class Dial:
    """An environment; `start` is what a changed world would change."""

    repeatable = True

    def __init__(self, start: int) -> None:
        self.value = start

    @property
    def state(self) -> dict[str, int]:
        return {"value": self.value}

    def act(self, request: Act) -> Reply:
        self.value += request.arguments["by"]
        return Reply(text=str(self.value), cost=Cost(seconds=time.perf_counter()))

    def close(self) -> None:
        pass


def turns(posed: Posed) -> Iterator[object]:
    try:
        first = yield Act(tool="turn", arguments={"by": posed.seed})
    except Failed:  # no recovering from an environment that is not what it was
        return Transcript(posed.messages, "recovered")
    said = yield Generate(prompt=first.text)
    second = yield Act(tool="turn", arguments={"by": len(said.text)})
    return Transcript(posed.messages, f"{first.text} {said.text} {second.text}")


def test_logged_acts_are_done_again_and_have_to_say_the_same(tmp_path):
    system = System("turns", turns)
    expected = list(play(system, TASKS[:9], {"assistant": FakeEngine(Asked())}, open_environment=lambda task: Dial(0)))
    for model in (Asked(5), Asked()):
        log = CallLog(tmp_path / "log.jsonl")
        results = play(system, TASKS[:9], {"assistant": model.engine()}, log=log, open_environment=lambda task: Dial(0))
        try:
            finished = list(results)
        except KeyboardInterrupt:
            assert model.most == 5
    assert [one.transcript for one in finished] == [one.transcript for one in expected]
    assert len(model.requests) == 9 - 5

    changed = play(system, TASKS[:1], {}, log=CallLog(tmp_path / "log.jsonl"), open_environment=lambda task: Dial(7))
    (one,) = changed
    assert (one.failure.boundary, one.failure.kind) == ("interrupted", "environment_differs")
    assert "'turn' said ('0', ()), and now ('7', ())" in one.failure.message
