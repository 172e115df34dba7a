"""A player behind a real server: what `transformers serve` answers, held against the local engine of the same model."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from groma.formats.messages import Message
from groma.formats.requests import Failure, Generate, Reply, Request
from groma.formats.task import Task
from groma.formats.transcript import Played
from groma.models.engine import LocalEngine
from groma.models.load import load
from groma.models.names import resolve
from groma.play import Engine, play
from groma.play.remote import RemoteEngine, Server
from groma.systems import SYSTEMS
from groma.worlds.vale import VALE

NEEDED = ("fastapi", "uvicorn", "openai")
ABSENT = [name for name in NEEDED if find_spec(name) is None]
needs_server = pytest.mark.skipif(
    bool(ABSENT), reason=f"`transformers serve` needs {', '.join(ABSENT)}: pip install 'transformers[serving]'"
)

READY_WITHIN = 60.0


@contextmanager
def started(command: Sequence[str], port: int, output: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server of its own process, from when it answers /health until the end of the block, whatever happens there."""
    with output.open("wb") as log:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait_for(server, f"http://127.0.0.1:{port}/health", output)
        yield server
    finally:
        server.kill()
        server.wait()


def _wait_for(server: subprocess.Popen[bytes], health: str, output: Path) -> None:
    began = time.monotonic()
    while True:
        try:
            urllib.request.urlopen(health, timeout=1).close()
            return
        except urllib.error.HTTPError:
            return  # somebody answers
        except OSError:
            said = output.read_text(errors="replace")[-2000:]
            if server.poll() is not None:
                pytest.fail(f"the server ended with {server.returncode} before it was ready. It said:\n{said}")
            if time.monotonic() - began > READY_WITHIN:
                pytest.fail(f"the server was not ready within {READY_WITHIN:g} seconds. It said:\n{said}")
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Vale's default model, with a generation configuration in which a temperature is not ignored by the server."""
    copy = tmp_path_factory.mktemp("served") / "vale"
    shutil.copytree(resolve("vale"), copy)
    path = copy / "generation_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "do_sample": True, "top_k": 0}))
    return copy


@pytest.fixture(scope="module")
def served(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    port, output = free_port(), tmp_path_factory.mktemp("output") / "server.txt"
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(folder), "--device", "cpu",
               "--dtype", "float32", "--host", "127.0.0.1", "--port", str(port)]  # fmt: skip
    with started(command, port, output):
        yield Server(f"http://127.0.0.1:{port}/v1", str(folder), retries=0, timeout=60)


@pytest.fixture(scope="module")
def local() -> LocalEngine:
    return LocalEngine(load("vale", device="cpu", dtype="float32"))


@pytest.fixture
def remote(served: Server) -> Iterator[RemoteEngine]:
    engine = RemoteEngine(served, parallel=4)
    yield engine
    engine.close()


def asked(engine: Engine, request: Request, seed: int = 3) -> Reply | Failure:
    engine.submit(0, request, seed)
    ((_, answer),) = engine.poll()
    return answer


def talked(engine: Engine, tasks: Sequence[Task], max_tokens: int) -> list[Played]:
    return list(play(SYSTEMS["chat"].with_(temperature=0.0, max_tokens=max_tokens), tasks, {"assistant": engine}))


@needs_server
@pytest.mark.parametrize("max_tokens", [80, 6])
def test_greedy_answers_are_those_of_the_local_engine(
    remote: RemoteEngine, local: LocalEngine, max_tokens: int
) -> None:
    tasks = VALE.tasks(("ask", "how", "follow", "count", "speak"), n=20)
    ends = set()
    for here, there in zip(talked(local, tasks, max_tokens), talked(remote, tasks, max_tokens), strict=True):
        assert here.transcript and there.transcript, there.failure
        assert there.transcript.messages == here.transcript.messages
        one, other = here.cost["assistant"], there.cost["assistant"]
        assert (other.prompt_tokens, other.completion_tokens, other.calls) == (
            one.prompt_tokens,
            one.completion_tokens,
            1,
        )
        # The server says "length" as well where the end token is the last one that it may say.
        full = one.completion_tokens == max_tokens
        assert there.transcript.stop == ("length" if full else here.transcript.stop)
        ends.add(here.transcript.stop)
    assert ends == ({"end"} if max_tokens == 80 else {"end", "length"})


@needs_server
def test_plain_text_goes_on_as_it_does_here(remote: RemoteEngine, local: LocalEngine) -> None:
    request = Generate(prompt="in vale, the ", temperature=0.0, max_tokens=12)
    here, there = asked(local, request), asked(remote, request)
    assert isinstance(here, Reply) and isinstance(there, Reply)
    assert (there.text, there.stop, there.cost.prompt_tokens) == (here.text, here.stop, here.cost.prompt_tokens)


@needs_server
def test_a_stop_string_is_cut_off(remote: RemoteEngine, local: LocalEngine) -> None:
    (task,) = VALE.tasks("ask", n=1)
    whole = asked(local, Generate(prompt=task.posed.messages, temperature=0.0))
    assert isinstance(whole, Reply)
    word = whole.text.split()[1]
    request = Generate(prompt=task.posed.messages, temperature=0.0, stop=("never said", word))
    here, there = asked(local, request), asked(remote, request)
    assert isinstance(here, Reply) and isinstance(there, Reply)
    assert (there.text, there.stop) == (here.text, here.stop) == (whole.text[: whole.text.index(word)], "stop")
    assert there.cost.completion_tokens == here.cost.completion_tokens


@needs_server
def test_a_temperature_and_a_seed_are_honoured_one_request_at_a_time(served: Server) -> None:
    """One at a time: the server seeds all requests that are on their way together."""
    engine = RemoteEngine(served, parallel=1)
    request = Generate(prompt=(Message("user", "tell me about vale."),), temperature=1.0, max_tokens=24)
    said = [asked(engine, request, seed) for seed in (1, 2, 3, 4, 1)]
    engine.close()
    texts = [one.text for one in said if isinstance(one, Reply)]
    assert len(texts) == 5 and texts[0] == texts[4] and len(set(texts)) > 1


@needs_server
def test_what_the_server_refuses_is_a_failure_of_each_episode(served: Server, remote: RemoteEngine) -> None:
    engine = RemoteEngine(Server(served.base, "nobody/knows-it", retries=0))
    tasks = VALE.tasks("ask", n=3)
    failures = [one.failure for one in talked(engine, tasks, 8)]
    engine.close()
    assert [one and (one.boundary, one.kind) for one in failures] == [("engine", "status_400")] * 3
    assert failures[0] and "nobody/knows-it" in failures[0].message
    refused = asked(remote, Generate(prompt=tasks[0].posed.messages, top_k=3))
    assert isinstance(refused, Failure) and refused.kind == "status_422" and "top_k" in refused.message


def test_a_server_is_killed_at_the_end_whatever_happens(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    with pytest.raises(KeyboardInterrupt), started(command, port, tmp_path / "output") as server:
        raise KeyboardInterrupt
    assert server.returncode is not None and server.returncode != 0


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such model')"]
    with (
        pytest.raises(pytest.fail.Exception, match=r"ended with 1(.|\n)*no such model"),
        started(command, free_port(), tmp_path / "output"),
    ):
        raise AssertionError("never ready")
