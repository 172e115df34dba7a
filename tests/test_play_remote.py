"""A player behind an OpenAI-compatible server: what is asked, and what becomes of every way in which a server fails."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from groma.formats.errors import BadConfig, Unservable
from groma.formats.messages import Message, ToolCall
from groma.formats.requests import Act, Cost, Failure, Generate, Reply, Request, Score, Tool
from groma.formats.scaffold import Scaffold
from groma.formats.task import Posed, Task
from groma.play import Toolbox, play
from groma.play.remote import RemoteEngine, Server
from groma.systems import SYSTEMS

USER = (Message("user", "hello"),)
FINE = {
    "choices": [{"message": {"role": "assistant", "content": "hi there"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 2},
}

WHOLE = json.dumps(FINE).encode()


class Fake:
    """A server that answers with what `answers` gives for each request: (status, body, headers)."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self.answers: Callable[[int], tuple[int, bytes, dict[str, str]]] = lambda count: (
            200,
            WHOLE,
            {},
        )
        self.strict, self.drips = False, 0.0
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                fake.seen.append((self.path, body, dict(self.headers)))
                status, text, headers = fake.answers(len(fake.seen))
                if fake.strict and (why := refused(body.get("messages", ()))):
                    status, text = 400, why.encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(text)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.dripped(text)

            def dripped(self, text: bytes) -> None:
                for one in [text] if not fake.drips else [text[place : place + 1] for place in range(len(text))]:
                    time.sleep(fake.drips)
                    try:
                        self.wfile.write(one)
                        self.wfile.flush()
                    except OSError:  # whoever asked is gone
                        return

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.http.server_port}/v1"


def refused(messages: Sequence[dict[str, Any]]) -> str:
    """Why a strict server refuses messages: each call is answered once, directly behind it, by a turn of the tool."""
    owed: list[str] = []
    for one in messages:
        if one["role"] == "tool":
            if one.get("tool_call_id") not in owed:
                return "a message of the role tool has to answer a call before it"
            owed.remove(one["tool_call_id"])
        elif owed:
            return f"the calls {owed} have no answer"
        owed = owed or [call["id"] for call in one.get("tool_calls", ())]
    return f"the calls {owed} have no answer" if owed else ""


@pytest.fixture
def fake() -> Iterator[Fake]:
    server = Fake()
    yield server
    server.http.shutdown()
    server.http.server_close()


def asked(fake: Fake, request: Request, **options: Any) -> Reply | Failure:
    engine = RemoteEngine(Server(fake.base, "m", first_wait=0.001, **options))
    engine.submit(7, request, 3)
    ((ticket, answer),) = engine.poll()
    engine.close()
    assert ticket == 7 and engine.poll() == []
    return answer


def test_messages_go_to_chat_completions_with_their_settings(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    tool = Tool("pay", "pay somebody", {"type": "object"})
    called = Message("assistant", "", tool_calls=(ToolCall("pay", {"to": "ben"}), ToolCall("pay", {"to": "cy"}, "c9")))
    said = (called, Message("tool", "paid."), Message("tool", "paid, too."), Message("tool", "nobody asked."))
    request = Generate(prompt=(*USER, *said), tools=(tool,), max_tokens=9, temperature=0.5,
                       top_k=4, top_p=0.9, stop=("x",))  # fmt: skip
    answer = asked(fake, request)
    assert isinstance(answer, Reply) and (answer.text, answer.stop) == ("hi there", "end")
    assert answer.cost.prompt_tokens == 5 and answer.cost.completion_tokens == 2 and answer.cost.seconds > 0
    ((path, body, headers),) = fake.seen
    assert path == "/v1/chat/completions" and headers["Authorization"] == "Bearer secret"
    assert {name: body[name] for name in ("model", "max_tokens", "temperature", "top_k", "top_p", "stop", "seed")} == {
        "model": "m", "max_tokens": 9, "temperature": 0.5, "top_k": 4, "top_p": 0.9, "stop": ["x"], "seed": 3,
    }  # fmt: skip
    assert body["tools"][0]["function"]["name"] == "pay"
    assert body["messages"][1]["tool_calls"][0]["function"] == {"name": "pay", "arguments": '{"to": "ben"}'}
    first, second = (one["id"] for one in body["messages"][1]["tool_calls"])
    assert [one.get("tool_call_id") for one in body["messages"][2:]] == [first, second, None] and second == "c9"


def test_text_goes_to_completions(fake: Fake) -> None:
    fake.answers = lambda count: (200, b'{"choices": [{"text": " you.", "finish_reason": "length"}]}', {})
    answer = asked(fake, Generate(prompt="thank"))
    assert isinstance(answer, Reply) and (answer.text, answer.stop) == (" you.", "length")
    assert fake.seen[0][0] == "/v1/completions" and fake.seen[0][1]["prompt"] == "thank"
    assert answer.cost == Cost(calls=1, seconds=answer.cost.seconds)


def test_a_stop_string_that_a_server_leaves_in_its_text_is_cut_off(fake: Fake) -> None:
    fake.answers = lambda count: (200, b'{"choices": [{"text": "one, two. three", "finish_reason": "stop"}]}', {})
    answer = asked(fake, Generate(prompt="count", stop=(".", ", ")))
    assert isinstance(answer, Reply) and (answer.text, answer.stop) == ("one", "stop")
    answer = asked(fake, Generate(prompt="count", stop=("four",)))
    assert isinstance(answer, Reply) and (answer.text, answer.stop) == ("one, two. three", "end")


def test_tool_calls_are_read(fake: Fake) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "pay", "arguments": '{"coins": 2}'}}
    body = {"choices": [{"message": {"content": None, "tool_calls": [call]}, "finish_reason": "tool_calls"}]}
    fake.answers = lambda count: (200, json.dumps(body).encode(), {})
    answer = asked(fake, Generate(prompt=USER))
    assert (
        isinstance(answer, Reply) and answer.tool_calls == (ToolCall("pay", {"coins": 2}, "c1"),) and answer.text == ""
    )


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_busy_server_is_asked_again(fake: Fake, status: int) -> None:
    fake.answers = lambda count: (status, b"busy", {}) if count < 3 else (200, WHOLE, {})
    answer = asked(fake, Generate(prompt=USER))
    assert isinstance(answer, Reply) and answer.text == "hi there" and len(fake.seen) == 3


def test_a_server_says_how_long_to_wait(fake: Fake) -> None:
    fake.answers = lambda count: (429, b"", {"Retry-After": "0.3"}) if count < 2 else (200, WHOLE, {})
    began = time.perf_counter()
    assert isinstance(asked(fake, Generate(prompt=USER)), Reply) and time.perf_counter() - began > 0.3


@pytest.mark.parametrize("arguments", ['{"a": 1', "[1]", "5"])
def test_a_malformed_call_is_told_to_the_model_which_may_mend_it(fake: Fake, arguments: str) -> None:
    def answers(count: int) -> tuple[int, bytes, dict[str, str]]:
        call = {"id": "c", "function": {"name": "look", "arguments": arguments if count == 1 else "{}"}}
        message = {"content": "done."} if count > 2 else {"content": None, "tool_calls": [call]}
        return 200, json.dumps({"choices": [{"message": message, "finish_reason": "stop"}]}).encode(), {}

    def look() -> str:
        """Look."""
        return "seen"

    fake.answers = answers
    agent = SYSTEMS["agent"].with_(scaffold=Scaffold(protocol="native"))
    task = Task("t/0", Posed(USER, tools=Toolbox([look]).tools), {}, "test")
    engine = RemoteEngine(Server(fake.base, "m"))
    (found,) = play(agent, [task], {"assistant": engine}, open_environment=lambda _: Toolbox([look]))
    engine.close()
    assert found.transcript is not None and found.transcript.answer == "done."
    said = [(one.role, one.content) for one in found.transcript.messages if one.role in ("user", "tool")]
    assert said[1][0] == "user" and said[1][1].startswith("that is no call") and said[2] == ("tool", "seen")


@pytest.mark.parametrize(
    ("status", "body", "kind", "says", "times"),
    [
        (500, b"oh no", "status_500", "answered 500: oh no.*asked 3 times", 3),
        (400, b'{"error": "too long"}', "status_400", "too long.*asked 1 times", 1),
        (401, b"who are you", "status_401", "who are you", 1),
        (200, b'{"choices": [{"mess', "bad_json", "no JSON", 3),
        (200, b"[1, 2]", "bad_json", "answered a list", 3),
        (200, b'{"choices": []}', "bad_reply", "not the form of a completion", 3),
        (200, b'{"error": "overloaded"}', "bad_reply", "overloaded", 3),
        (200, b'{"choices": [{"message": {"tool_calls": [{"name": "a"}]}}]}', "bad_reply", "not the form", 3),
        (200, b'{"choices": [{"message": {"content": [1]}}]}', "bad_reply", "not the form", 3),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_a_failure_that_says_what_came(
    fake: Fake, status: int, body: bytes, kind: str, says: str, times: int
) -> None:
    fake.answers = lambda count: (status, body, {})
    answer = asked(fake, Generate(prompt=USER), retries=2)
    assert isinstance(answer, Failure) and (answer.boundary, answer.kind) == ("engine", kind)
    assert len(fake.seen) == times and answer.passing == (times > 1)
    assert re.search(says, answer.message, re.DOTALL), answer.message


def test_a_reply_in_parts_is_their_text(fake: Fake) -> None:
    parts = [{"type": "text", "text": "hi "}, {"type": "text", "text": "there"}]
    body = json.dumps({"choices": [{"message": {"content": parts}}]}).encode()
    fake.answers = lambda count: (200, body, {})
    answer = asked(fake, Generate(prompt=USER))
    assert isinstance(answer, Reply) and answer.text == "hi there"


def test_half_a_reply_is_asked_for_again(fake: Fake) -> None:
    fake.answers = lambda count: (
        (200, WHOLE, {"Content-Length": str(len(WHOLE) + 50)}) if count < 2 else (200, WHOLE, {})
    )
    assert isinstance(asked(fake, Generate(prompt=USER), timeout=0.5), Reply) and len(fake.seen) == 2


def test_a_server_that_is_late_or_gone_is_a_failure(fake: Fake) -> None:
    def late(count: int) -> tuple[int, bytes, dict[str, str]]:
        time.sleep(0.4)
        return 200, WHOLE, {}

    fake.answers = late
    answer = asked(fake, Generate(prompt=USER), timeout=0.1, retries=1)
    assert isinstance(answer, Failure) and answer.kind == "timeout" and "within 0.1 seconds" in answer.message
    assert answer.seconds >= 0.2  # two tries
    gone = RemoteEngine(Server("http://127.0.0.1:1/v1", "m", retries=1, first_wait=0.001))
    gone.submit(0, Generate(prompt=USER), 0)
    ((_, answer),) = gone.poll()
    gone.close()
    assert isinstance(answer, Failure) and answer.kind == "no_connection" and "127.0.0.1:1" in answer.message


def test_a_server_that_drips_is_late_too(fake: Fake) -> None:
    """Each byte comes well within the time; all of them do not."""
    fake.drips = 0.05
    began = time.perf_counter()
    answer = asked(fake, Generate(prompt=USER), timeout=0.5, retries=0)
    assert isinstance(answer, Failure) and answer.kind == "timeout" and "within 0.5 seconds" in answer.message
    assert time.perf_counter() - began < 2 < 0.05 * len(WHOLE)
    fake.drips = 0.001
    answer = asked(fake, Generate(prompt=USER), timeout=30, retries=0)
    assert isinstance(answer, Reply) and answer.text == "hi there"


@pytest.mark.parametrize("protocol", ["text", "native"])
def test_a_strict_server_takes_what_an_agent_sends(fake: Fake, protocol: str) -> None:
    def look() -> str:
        """Look."""
        return "seen"

    def answers(count: int) -> tuple[int, bytes, dict[str, str]]:
        call = {"id": "c1", "function": {"name": "look", "arguments": "{}"}}
        called = {"content": "use look.", **({"tool_calls": [call]} if protocol == "native" else {})}
        message = ({"content": "i look."}, called, {"content": "done."}, {"content": "yes."})[count - 1]
        return 200, json.dumps({"choices": [{"message": message}]}).encode(), {}

    fake.answers, fake.strict = answers, True
    agent = SYSTEMS["agent"].with_(scaffold=Scaffold(protocol=protocol, steps=("plan", "act", "check")))
    task = Task("t/0", Posed(USER, tools=Toolbox([look]).tools), {}, "test")
    engine = RemoteEngine(Server(fake.base, "m"))
    (found,) = play(agent, [task], {"assistant": engine}, open_environment=lambda _: Toolbox([look]))
    engine.close()
    assert found.transcript is not None and found.transcript.answer == "done."
    told = fake.seen[2][1]["messages"][-1]
    assert told["content"] == ("look answered: seen" if protocol == "text" else "seen")
    assert (told["role"], told.get("tool_call_id")) == (("user", None) if protocol == "text" else ("tool", "c1"))


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (Score(prompt=USER, answers=("a",)), "not Score"),
        (Act(tool="x"), "not Act"),
        (Generate(prompt=USER, prefill="well"), "prefill"),
        (Generate(prompt=(1, 2)), "token ids"),
        (Generate(prompt=USER, logprobs=True), "logprobs"),
    ],
)
def test_what_a_server_cannot_do_is_refused_by_name(fake: Fake, request_: Request, says: str) -> None:
    engine = RemoteEngine(Server(fake.base, "m"))
    with pytest.raises(Unservable, match=says):
        engine.submit(0, request_, 0)
    engine.close()


def test_a_key_stands_in_no_message(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-very-secret")
    fake.answers = lambda count: (403, b"no", {})
    answer = asked(fake, Generate(prompt=USER), key_from="MY_KEY")
    assert fake.seen[0][2]["Authorization"] == "Bearer sk-very-secret" and "secret" not in str(answer)


def test_many_are_asked_at_a_time_and_come_back_as_they_are_ready(fake: Fake) -> None:
    def slow(count: int) -> tuple[int, bytes, dict[str, str]]:
        time.sleep(0.1)
        return 200, WHOLE, {}

    fake.answers = slow
    tasks = [Task(f"t/{number}", Posed(USER), {}, "test") for number in range(24)]
    engine = RemoteEngine(Server(fake.base, "m"), parallel=12)
    began = time.perf_counter()
    found = list(play(SYSTEMS["chat"], tasks, {"assistant": engine}))
    engine.close()
    assert all(one.transcript and one.transcript.answer == "hi there" for one in found)
    assert time.perf_counter() - began < 1.5 and len(fake.seen) == 24


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"base": "localhost:8000"}, "is no URL"), ({"timeout": 0}, "timeout 0"), ({"retries": -1}, "-1")],
)
def test_a_server_that_makes_no_sense_is_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(BadConfig, match=says):
        Server(**{"base": "http://localhost:8000/v1", "model": "m", **wrong})
    with pytest.raises(BadConfig, match="parallel is 0"):
        RemoteEngine(Server("http://localhost:8000/v1", "m"), parallel=0)
