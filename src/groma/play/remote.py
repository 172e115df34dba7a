"""A player behind an OpenAI-compatible server: vLLM, llama.cpp, Ollama, `transformers serve`, or a provider.

Messages go to /chat/completions, plain text to /completions, `parallel` requests at a time. A busy or broken server
(no connection, a timeout, status 408, 409, 429 or 5xx, half a reply, a reply that is no JSON or not that of a
completion) is asked again, up to `retries` times, after 0.5, 1, 2 … seconds or as long as it says (Retry-After, at most
a minute); then, and at once for what the server refuses, the request is a Failure, and its siblings go on. One that was
asked again in vain is `passing`: who goes on from the log asks another time. The key is read from the environment when
a request is made, and stands in no log and no message.

Servers differ in what they make of a request. Some leave a stop string in the text: it is cut off here. Others cut it
off and do not say so: the reply's `stop` is then "end". `transformers serve` is greedy at every temperature unless the
model's generation_config.json says `do_sample`, truncates to the 50 likeliest tokens unless it says `top_k`, and
refuses a request with `top_k`.
"""

from __future__ import annotations

import http.client
import json
import os
import queue
import threading
import time
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from groma.formats.errors import BadConfig, BadInput, Unservable
from groma.formats.messages import Message, ToolCall
from groma.formats.requests import Cost, Failure, Generate, Reply, Request, Stop, Tool
from groma.play.deadline import read_until

RETRIED = (408, 409, 429, 500, 502, 503, 504, 529)
LONGEST_WAIT = 60.0
STOPS: Mapping[str, Stop] = {"stop": "end", "length": "length", "tool_calls": "end"}


class Broken(Exception):
    """A reply that is none; `again`: it may be asked for again, after `wait` seconds where the server says so."""

    def __init__(self, kind: str, message: str, again: bool, wait: float | None = None) -> None:
        super().__init__(message)
        self.kind, self.again, self.wait = kind, again, wait


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server is, and how it is asked. `base`: its URL up to and with "/v1"; `timeout`: seconds that a whole
    try may take, however slowly the answer drips.
    """

    base: str
    model: str
    key_from: str = "OPENAI_API_KEY"
    timeout: float = 120.0
    retries: int = 4
    first_wait: float = 0.5

    def __post_init__(self) -> None:
        parts = urllib.parse.urlsplit(self.base)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadConfig(f"the server {self.base!r} is no URL; give http://host:port/v1, say")
        if self.timeout <= 0 or self.retries < 0:
            raise BadConfig(f"timeout {self.timeout} and retries {self.retries}: choose above 0, and 0 or more")

    def post(self, path: str, body: Mapping[str, Any], read: Callable[[dict[str, Any]], Reply]) -> Reply:
        """The answer to a POST, as `read` reads its JSON. Broken where there is none in the end."""
        for tried in range(self.retries + 1):
            try:
                return read(self._post(path, body))
            except Broken as broken:
                if not broken.again or tried == self.retries:
                    raise Broken(broken.kind, f"{broken} (asked {tried + 1} times)", broken.again) from broken
                wait = self.first_wait * 2**tried if broken.wait is None else broken.wait
                time.sleep(min(wait, LONGEST_WAIT))
        raise AssertionError("the last try returns or raises")

    def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        parts = urllib.parse.urlsplit(self.base)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        deadline = time.monotonic() + self.timeout
        connection = kind(parts.hostname or "", parts.port, timeout=self.timeout)
        read_until(connection, deadline)
        key = os.environ.get(self.key_from)
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
        try:
            connection.request("POST", parts.path.rstrip("/") + path, json.dumps(body).encode(), headers)
            answer = connection.getresponse()
            text = answer.read()
        except TimeoutError as error:
            raise Broken("timeout", f"{self.base} did not answer within {self.timeout:g} seconds", True) from error
        except (OSError, http.client.HTTPException) as error:
            raise Broken("no_connection", f"{self.base}: {type(error).__name__}: {error}", True) from error
        finally:
            connection.close()
        if answer.status != 200:
            said = text.decode(errors="replace").strip()[:300]
            wait = answer.headers.get("Retry-After", "")
            raise Broken(
                f"status_{answer.status}",
                f"{self.base}{path} answered {answer.status}: {said}",
                answer.status in RETRIED,
                float(wait) if wait.replace(".", "", 1).isdigit() else None,
            )
        try:
            found = json.loads(text)
        except ValueError as error:
            raise Broken("bad_json", f"{self.base}{path} answered no JSON: {text[:120]!r}", True) from error
        if not isinstance(found, dict):
            raise Broken("bad_json", f"{self.base}{path} answered a {type(found).__name__}: {text[:120]!r}", True)
        return found


class RemoteEngine:
    """An engine (play/engine.py) whose requests a server answers, at most `parallel` at a time."""

    def __init__(self, server: Server, *, parallel: int = 16) -> None:
        if parallel < 1:
            raise BadConfig(f"parallel is {parallel}; choose at least 1")
        self.server = server
        self._answered: queue.SimpleQueue[tuple[int, Reply | Failure]] = queue.SimpleQueue()
        self._workers = ThreadPoolExecutor(parallel, thread_name_prefix="remote")
        self._owed = 0
        self._closed = threading.Event()

    def submit(self, ticket: int, request: Request, seed: int) -> None:
        """Take a request. Unservable for one that such servers do not answer."""
        path, body = asked(self.server.model, request, seed)
        self._owed += 1
        self._workers.submit(self._ask, ticket, path, body)

    def poll(self) -> list[tuple[int, Reply | Failure]]:
        if not self._owed:
            return []
        found = [self._answered.get()]
        while not self._answered.empty():
            found.append(self._answered.get())
        self._owed -= len(found)
        return found

    def close(self) -> None:
        """Ask nothing more; what is on its way is not waited for."""
        self._closed.set()
        self._workers.shutdown(wait=False, cancel_futures=True)

    def _ask(self, ticket: int, path: str, body: Mapping[str, Any]) -> None:
        began = time.perf_counter()
        answer: Reply | Failure
        if self._closed.is_set():
            return
        try:
            answer = self.server.post(path, body, lambda found: answered(found, began, body.get("stop", ())))
        except Broken as broken:
            answer = Failure("engine", broken.kind, str(broken), time.perf_counter() - began, passing=broken.again)
        except Exception as error:  # a worker never dies: whoever polls would wait for it for ever
            answer = Failure("engine", type(error).__name__, str(error), time.perf_counter() - began)
        self._answered.put((ticket, answer))


def asked(model: str, request: Request, seed: int) -> tuple[str, dict[str, Any]]:
    """The path and the body of a request; the seed is given in 31 bits, for servers that honour one."""
    if not isinstance(request, Generate):
        raise Unservable(f"a server answers Generate, not {type(request).__name__}(player={request.player!r})")
    if request.edits or request.prefill or (not isinstance(request.prompt, str) and isinstance(request.prompt[0], int)):
        what = "edits" if request.edits else "prefill" if request.prefill else "a prompt of token ids"
        raise Unservable(f"a server cannot serve Generate(player={request.player!r}) with {what}: leave it out")
    body: dict[str, Any] = {
        "model": model,
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "seed": seed % (1 << 31),
    }
    if request.top_k:
        body["top_k"] = request.top_k
    if request.stop:
        body["stop"] = list(request.stop)
    if request.logprobs:
        raise Unservable(f"a server's log-probabilities are not read (player={request.player!r}): leave logprobs out")
    if isinstance(request.prompt, str):
        return "/completions", {**body, "prompt": request.prompt}
    if request.tools:
        body["tools"] = [_tool(one) for one in request.tools]
    messages = _messages([one for one in request.prompt if isinstance(one, Message)])
    return "/chat/completions", {**body, "messages": messages}


def _tool(tool: Tool) -> dict[str, Any]:
    told = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": told}


def _messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Messages as such servers take them: a tool's answer names the call that it answers, in the order of the calls."""
    told: list[dict[str, Any]] = []
    open_calls: list[str] = []
    for place, message in enumerate(messages):
        plain: dict[str, Any] = {"role": message.role, "content": message.content}
        if message.tool_calls:
            open_calls = [call.id or f"call_{place}_{number}" for number, call in enumerate(message.tool_calls)]
            plain["tool_calls"] = [
                {
                    "id": name,
                    "type": "function",
                    "function": {"name": call.name, "arguments": json.dumps(dict(call.arguments))},
                }
                for name, call in zip(open_calls, message.tool_calls, strict=True)
            ]
        elif message.role == "tool" and open_calls:
            plain["tool_call_id"] = open_calls.pop(0)
        told.append(plain)
    return told


def answered(found: Mapping[str, Any], began: float, stops: Sequence[str] = ()) -> Reply:
    """A reply from what a server answered, up to the first of `stops` in it. Broken where parts are missing.

    began: when it was asked, as time.perf_counter has it.
    """
    try:
        (choice, *_) = found["choices"]
        said = choice.get("message")
        text = _text((said.get("content") or "") if said is not None else choice["text"])
        usage = found.get("usage") or {}
        read, written = (int(usage.get(f"{kind}_tokens") or 0) for kind in ("prompt", "completion"))
        cost = Cost(read, written, 1, time.perf_counter() - began)
        tools, malformed = _calls((said or {}).get("tool_calls") or ())
        stop = STOPS.get(choice.get("finish_reason") or "stop", "end")
        cuts = [at for at in map(text.find, stops) if at >= 0]
        text, stop = (text[: min(cuts)], "stop") if cuts else (text, stop)
        return Reply(text=text + malformed, tool_calls=tools, stop=stop, cost=cost)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        shown = json.dumps(found)[:120]
        raise Broken("bad_reply", f"the server's answer has not the form of a completion: {shown}", True) from error


def _text(content: object) -> str:
    """What was said, as text or in parts of text. TypeError for anything else."""
    if isinstance(content, list):
        content = "".join(part["text"] for part in content)
    if not isinstance(content, str):
        raise TypeError(f"the content is a {type(content).__name__}")
    return content


def _calls(plain: Sequence[Any]) -> tuple[tuple[ToolCall, ...], str]:
    """The calls of a message, and those that are none, as text: a malformed call is the model's doing, not the
    server's, so that an agent can answer it by an error, as it does where the model is a local one.
    """
    calls, broken = list[ToolCall](), list[str]()
    for one in plain:
        function = one["function"]
        given = function.get("arguments") or "{}"
        try:
            arguments = json.loads(given) if isinstance(given, str) else given
            if not isinstance(arguments, dict):
                raise ValueError("arguments are a JSON object")
            calls.append(ToolCall(function["name"], arguments, str(one.get("id") or "")))
        except (ValueError, BadInput):
            broken.append(f"<tool_call>{function.get('name')} {given}</tool_call>")
    return tuple(calls), "".join(broken)
