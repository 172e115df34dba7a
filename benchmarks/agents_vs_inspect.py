"""64 agents of ten turns on one model: Groma held against Inspect with its local Hugging Face provider.

    python benchmarks/agents_vs_inspect.py --peer-python path/to/a/python/that/has/inspect-ai

The agent talks with a user whose lines stand in the task, one after the other, with all that was said in view. Both
sides play the same agents on the same weights (Vale's default model, float32, on the CPU) at the same temperature, and
do the same work: no token ends a turn, on either side, so that every one is `--tokens` long. In the copy of the model
that both read, generation_config.json names no end token, and what Groma knows beside that is taken away.

Timed is, after a warm-up on each side and with the model in memory: here, all of `play` with a call log on disk; there,
all of `eval` with the log that it writes. The peer runs in a process of its own, in turn with this one. `plain` is what
the model costs in a loop of `generate` by hand: one padded batch a turn, nothing kept, nothing logged.
A greedy run of each, not timed, says how many replies are equal. Writes benchmarks/results/agents_vs_inspect.json.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
from parts.machine import command, machine, spread, versions

from groma.formats.messages import Message
from groma.formats.requests import Episode, Generate
from groma.formats.task import Posed, Task
from groma.formats.transcript import Transcript
from groma.models.engine import LocalEngine
from groma.models.load import load
from groma.models.model import Model
from groma.models.names import resolve
from groma.play import CallLog, play
from groma.systems import System
from groma.worlds.vale import VALE

HERE = Path(__file__).parent
WORKER = HERE / "parts" / "inspect_worker.py"
RESULT = HERE / "results" / "agents_vs_inspect.json"
INSTALL = (
    "Make an environment of its own that has torch and transformers, `pip install inspect-ai==0.3.285` there, and name "
    "its interpreter by --peer-python."
)
TARGETS = {"defaults": 50.0, "best": 15.0}
HERE_RUNS = 3
"""Runs of each of our own sides in a repetition, of which the median counts: they are short, and the peer's long."""


@dataclass(frozen=True)
class Work:
    """What every side does. The defaults are those of the peer's provider where they cost nothing: no truncation."""

    agents: int = 64
    turns: int = 10
    tokens: int = 16
    threads: int = 2
    temperature: float = 1.0
    top_k: int = 0


@dataclass(frozen=True)
class Run:
    """seconds, tokens written, and what the agents said: a list of replies for each."""

    seconds: float
    written: int
    replies: list[list[str]]


def turn_by_turn(posed: Posed, *, tokens: int, temperature: float) -> Episode:
    """Answer the lines of the task one after the other."""
    said: tuple[Message, ...] = ()
    text = ""
    for line in posed.messages:
        reply = yield Generate(prompt=(*said, line), max_tokens=tokens, temperature=temperature)
        text = reply.text
        said = (*said, line, Message("assistant", text))
    return Transcript(said, text, stop="end")


def lines(work: Work) -> list[list[str]]:
    """What each agent's user says, a different question about Vale in every turn."""
    questions = [one.posed.messages[-1].content for one in VALE.tasks("ask", n=work.agents * work.turns)]
    return [questions[first : first + work.turns] for first in range(0, len(questions), work.turns)]


def groma(model: Model, work: Work, agents: int, *, greedy: bool = False, logged: bool = True) -> Run:
    """All of `play`. The engine is a new one, so that no earlier turn is known to it."""
    posed = [Posed(tuple(Message("user", line) for line in one)) for one in lines(work)[:agents]]
    tasks = [Task(f"agent/{number}", one, {}, "talk") for number, one in enumerate(posed)]
    system = System(
        "turn_by_turn", turn_by_turn, {"tokens": work.tokens, "temperature": work.temperature * (not greedy)}
    )
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        log = CallLog(Path(folder) / "calls.jsonl") if logged else None
        found = list(play(system, tasks, {"assistant": LocalEngine(model)}, log=log))
        seconds = time.perf_counter() - began
    written = sum(one.cost["assistant"].completion_tokens for one in found)
    said = [one.transcript.messages if one.transcript else () for one in found]
    return Run(seconds, written, [[one.content for one in talk if one.role == "assistant"] for talk in said])


def plain(model: Model, work: Work, agents: int, *, greedy: bool = False) -> Run:
    """The same by hand: one padded batch of `generate` a turn."""
    tokenizer, net, written = model.tokenizer, model.net, 0
    tokenizer.padding_side = "left"
    settings: dict[str, Any] = {"do_sample": not greedy, "max_new_tokens": work.tokens}
    settings |= {} if greedy else {"temperature": work.temperature, "top_k": work.top_k}
    asked, talks = lines(work)[:agents], [list[dict[str, str]]() for _ in range(agents)]
    began = time.perf_counter()
    with torch.inference_mode():
        for turn in range(work.turns):
            for talk, one in zip(talks, asked, strict=True):
                talk.append({"role": "user", "content": one[turn]})
            texts = tokenizer.apply_chat_template(talks, add_generation_prompt=True, tokenize=False)
            fed = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
            drawn = net.generate(**fed, **settings)[:, fed["input_ids"].shape[1] :]  # type: ignore[operator]
            written += drawn.numel()
            for talk, text in zip(talks, tokenizer.batch_decode(drawn, skip_special_tokens=True), strict=True):
                talk.append({"role": "assistant", "content": text})
    seconds = time.perf_counter() - began
    return Run(seconds, written, [[one["content"] for one in talk[1::2]] for talk in talks])


@contextmanager
def endless_model() -> Iterator[tuple[Path, Model]]:
    """A copy of Vale's default model in which no token ends a turn, and the model itself."""
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(shutil.copytree(resolve("vale"), Path(parent) / "vale"))
        told = folder / "generation_config.json"
        told.write_text(json.dumps({**json.loads(told.read_text()), "eos_token_id": None}))
        yield folder, replace(load(folder, device="cpu", dtype="float32"), eos_ids=())


class Peer:
    """Inspect in a process of its own (parts/inspect_worker.py), which keeps its model between runs."""

    def __init__(self, python: str, folder: Path, work: Work, errors: Path) -> None:
        # Its own packages only, and no network; the threads are set again inside.
        env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        env |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": str(work.threads)}
        self._errors = errors
        with errors.open("w") as file:
            self._process = subprocess.Popen(
                [python, str(WORKER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file, text=True, env=env,
                cwd=errors.parent,
            )  # fmt: skip
        given = {"folder": str(folder), "lines": lines(work), "max_tokens": work.tokens, **asdict(work)}
        self.versions = self._ask(given)

    def _ask(self, what: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            said = self._errors.read_text(errors="replace")[-3000:]
            raise SystemExit(f"the peer ended with {self._process.wait()}. It said:\n{said}")
        return dict(json.loads(answer))

    def run(self, settings: str, agents: int, *, greedy: bool = False) -> Run:
        return Run(**self._ask({"settings": settings, "agents": agents, "greedy": greedy}))

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def has_inspect(python: str) -> bool:
    """Whether that interpreter finds inspect_ai, which is not imported for that."""
    probe = "import importlib.util, sys; sys.exit(importlib.util.find_spec('inspect_ai') is None)"
    return subprocess.run([python, "-c", probe], check=False, cwd=HERE).returncode == 0


def equal(one: Run, other: Run) -> float:
    """The share of replies that are the same."""
    pairs = [pair for talks in zip(one.replies, other.replies, strict=True) for pair in zip(*talks, strict=True)]
    return sum(a == b for a, b in pairs) / len(pairs)


def checked(run: Run, work: Work) -> float:
    """The seconds of a run that did all of the work."""
    expected = work.agents * work.turns * work.tokens
    if run.written != expected or [len(one) for one in run.replies] != [work.turns] * work.agents:
        raise SystemExit(f"{run.written} tokens were written, and {expected} had to be: the sides are not comparable")
    return run.seconds


def measure(model: Model, peer: Peer, work: Work, repetitions: int, at_defaults: int) -> dict[str, list[float]]:
    """Seconds of each side, run in turn."""
    ours: dict[str, Callable[[], Run]] = {
        "groma": lambda: groma(model, work, work.agents),
        "groma, no log": lambda: groma(model, work, work.agents, logged=False),
        "plain": lambda: plain(model, work, work.agents),
    }
    found: dict[str, list[float]] = {name: [] for name in (*ours, "best", "defaults")}
    for number in range(max(repetitions, at_defaults)):
        for name, run in ours.items():
            found[name].append(median(checked(run(), work) for _ in range(HERE_RUNS)))
        for settings, times in (("best", repetitions), ("defaults", at_defaults)):
            if number < times:
                found[settings].append(checked(peer.run(settings, work.agents), work))
        print({name: round(values[-1], 3) for name, values in found.items() if len(values) > number}, flush=True)
    return found


def report(seconds: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Prints the table; the ratios are those of runs of the same repetition."""
    ratios: dict[str, Any] = {}
    print(f"\n{'side':<16}{'seconds':>10}   (lowest to highest)   times Groma")
    for name, values in seconds.items():
        pairs = [value / ours for value, ours in zip(values, seconds["groma"], strict=False)]
        ratios[name] = spread(pairs)
        target = f"   target {TARGETS[name]:g}" if name in TARGETS else ""
        low, high = min(values), max(values)
        runs = f"{len(values)} runs" if len(values) > 1 else "1 run"
        print(f"{name:<16}{median(values):>10.3f}   ({low:.3f} to {high:.3f}, {runs})   {median(pairs):.1f}{target}")
    return ratios


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", default=sys.executable, help="an interpreter that has inspect-ai")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--at-defaults", type=int, default=3, help="runs of the peer at its defaults: each is long")
    parser.add_argument("--threads", type=int, default=Work.threads)
    given = parser.parse_args()
    if not has_inspect(given.peer_python):
        who = Path(given.peer_python).name
        print(f"{who} has no inspect_ai, and nothing was measured. {INSTALL}")
        return
    work = Work(threads=given.threads)
    torch.set_num_threads(work.threads)
    with endless_model() as (folder, model), tempfile.TemporaryDirectory() as scratch:
        peer = Peer(given.peer_python, folder, work, Path(scratch) / "peer.txt")
        try:
            greedy = groma(model, work, work.agents, greedy=True)
            same = {"plain": equal(greedy, plain(model, work, work.agents, greedy=True))}
            same["inspect"] = equal(greedy, peer.run("best", work.agents, greedy=True))
            peer.run("defaults", 2)
            seconds = measure(model, peer, work, given.repetitions, given.at_defaults)
        finally:
            peer.close()
    print(f"greedy replies that are Groma's: {same}")
    whole = {"work": asdict(work), "equal_greedy_replies": same, "seconds": seconds, "times_groma": report(seconds)}
    about = {"machine": machine(), "peer": peer.versions, "versions": versions(), "command": command()}
    RESULT.write_text(json.dumps({**whole, **about}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
