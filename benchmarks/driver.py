"""What the driver costs: time per request, and memory per episode that waits, at 10,000 episodes at once.

    python benchmarks/driver.py

`chat` makes ten requests one after the other and does nothing else; `agent` is the shipped one on Vale's errands, whose
town hall it asks in every step. A fake engine answers at once, always the same.

Time: `play` beside `bare`, which drives the same generators with the same engine and the same environments, and does
nothing that a driver does (no seeds, no costs, no failures). The overhead is the difference of the two, run in turn;
what a call log on disk adds stands beside it. All times are the processor's, of this process, so that a busy machine
changes them little.

Memory: what Python holds (tracemalloc) when every episode waits for the answer to its first and to its last request,
less what its record holds (requests, replies, messages), measured alone, and its environment. The engine that makes
them wait holds eight bytes a request. Writes benchmarks/results/driver.json.
"""

from __future__ import annotations

import argparse
import array
import gc
import itertools
import json
import time
import tracemalloc
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from parts.machine import command, machine, spread, versions

from groma.formats.environment import Environment
from groma.formats.messages import Message
from groma.formats.requests import Act, Cost, Episode, Failure, Generate, Reply, Request
from groma.formats.scaffold import Scaffold
from groma.formats.task import Posed, Task
from groma.formats.transcript import Call, Transcript
from groma.play import CallLog, FakeEngine, play
from groma.systems import SYSTEMS, System
from groma.worlds.vale import VALE

RESULT = Path(__file__).parent / "results" / "driver.json"
TURNS = 10
TARGET_MS, TARGET_KB = 0.1, 4.0


@dataclass(frozen=True)
class Case:
    """A system on tasks. `requests`: how many each episode makes, of which the model answers TURNS."""

    system: System
    tasks: tuple[Task, ...]
    reply: Reply
    requests: int
    open: Callable[[Task], Environment | None]


def small_chat(posed: Posed, *, turns: int = TURNS) -> Episode:
    """Asks the same in every turn, and keeps the last answer."""
    text = ""
    for _ in range(turns):
        reply = yield Generate(prompt=posed.messages)
        text = reply.text
    return Transcript((*posed.messages, Message("assistant", text)), text, stop="end")


def cases(episodes: int) -> dict[str, Case]:
    cost = Cost(prompt_tokens=20, completion_tokens=5, calls=1)
    asked = tuple(
        Task(f"question/{number}", Posed((Message("user", f"question {number}?"),)), {}, "talk")
        for number in range(episodes)
    )
    # Two hundred errands over and over, each under an id of its own: the environments are not shared.
    errands = itertools.cycle(VALE.tasks("errand", n=200))
    agents = tuple(replace(one, id=f"{one.id}/{number}") for number, one in zip(range(episodes), errands, strict=False))
    agent = SYSTEMS["agent"].with_(scaffold=Scaffold(max_steps=TURNS))
    return {
        "chat": Case(
            System("small_chat", small_chat), asked, Reply(text="an answer.", cost=cost), TURNS, lambda _: None
        ),
        "agent": Case(agent, agents, Reply(text="use ledger: anna.", stop="end", cost=cost), 2 * TURNS, VALE.open),
    }


def played(case: Case, width: int, path: Path | None = None) -> float:
    """Seconds per request of all of `play`, with a call log at `path`."""
    engine, count = FakeEngine(lambda request, seed: case.reply), 0
    began = time.process_time()
    log = CallLog(path) if path else None
    players = {"assistant": engine}
    for one in play(case.system, case.tasks, players, width=width, open_environment=case.open, log=log):
        assert one.transcript is not None, one.failure
        count += len(one.calls)
    seconds = time.process_time() - began
    assert count == case.requests * len(case.tasks), f"{count} requests were made"
    return seconds / count


def bare(case: Case, width: int) -> float:
    """Seconds per request of what is left without a driver: the systems, the engine and the environments."""
    engine = FakeEngine(lambda request, seed: case.reply)
    began = time.process_time()
    for first in range(0, len(case.tasks), width):
        some = case.tasks[first : first + width]
        live = {number: (case.system(task.posed), case.open(task)) for number, task in enumerate(some)}
        for number, (episode, environment) in list(live.items()):
            _to_engine(engine, number, episode, environment, None)
        while live:
            for number, reply in engine.poll():
                if not _to_engine(engine, number, *live[number], reply):
                    del live[number]
    return (time.process_time() - began) / (case.requests * len(case.tasks))


def _to_engine(
    engine: FakeEngine, number: int, episode: Episode, environment: Environment | None, reply: Reply | Failure | None
) -> bool:
    """Let a generator go on to its next request to the model; False where it ends before."""
    try:
        request = episode.send(reply)
        while isinstance(request, Act):
            assert environment is not None
            request = episode.send(environment.act(request))
    except StopIteration:
        return False
    assert isinstance(request, Request)
    engine.submit(number, request, 0)
    return True


class Halt(Exception):
    """Memory was measured, and the play need not go on."""


class Waiting:
    """An engine that answers `rounds` times and then, instead of answering, notes how much memory is in use."""

    def __init__(self, reply: Reply, rounds: int) -> None:
        self._reply, self._rounds = reply, rounds
        self._tickets = array.array("Q")
        self.held = 0

    def submit(self, ticket: int, request: Request, seed: int) -> None:
        self._tickets.append(ticket)

    def poll(self) -> list[tuple[int, Reply | Failure]]:
        if not self._rounds:
            self.held = held()
            raise Halt
        self._rounds -= 1
        now, self._tickets = self._tickets, array.array("Q")
        return [(ticket, self._reply) for ticket in now]

    def close(self) -> None:
        pass


def held() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def waiting(case: Case, rounds: int) -> float:
    """Bytes per episode that waits for its next answer after `rounds` answers, with all that it has."""
    engine, before = Waiting(case.reply, rounds), held()
    try:
        list(play(case.system, case.tasks, {"assistant": engine}, width=len(case.tasks), open_environment=case.open))
    except Halt:
        return (engine.held - before) / len(case.tasks)
    raise AssertionError("the play ended before it was to halt")


def record(case: Case, rounds: int) -> float:
    """Bytes per episode of what it will have on record then: its calls so far, and the request that waits."""
    before = held()
    kept = [_calls(case, task, rounds) for task in case.tasks]
    return (held() - before) / len(kept)


def _calls(case: Case, task: Task, rounds: int) -> tuple[Any, ...]:
    """Made by playing the system without a driver; neither the generator nor the environment outlives it."""
    episode, environment, calls = case.system(task.posed), case.open(task), []
    request = episode.send(None)
    while True:
        if isinstance(request, Act):
            assert environment is not None
            reply = environment.act(request)
        elif rounds:
            reply, rounds = case.reply, rounds - 1
        else:
            return (*calls, request)
        calls.append(Call(request, reply))
        request = episode.send(reply)


def environments(case: Case, rounds: int) -> float:
    """Bytes per environment in the state in which it is then."""
    before = held()
    kept = [case.open(task) for task in case.tasks]
    acts = Act(tool="ledger", arguments={"name": "anna"})
    for one, _ in itertools.product(kept, range(rounds)):
        if one is not None:
            one.act(acts)
    return (held() - before) / len(kept)


def times(case: Case, width: int, repetitions: int) -> dict[str, Any]:
    """Milliseconds per request. `played` and `bare` are run in turn, and the overhead is their difference, pair by
    pair; `logged` is what a log adds to it, measured once, with all episodes live.
    """
    found: dict[str, list[float]] = {"played": [], "bare": [], "overhead": []}
    for _ in range(repetitions):
        gc.collect()
        whole, rest = played(case, width) * 1e3, bare(case, width) * 1e3
        for name, value in zip(found, (whole, rest, whole - rest), strict=True):
            found[name].append(value)
    if width < len(case.tasks):
        return {name: spread(values) for name, values in found.items()}
    with TemporaryDirectory() as folder:
        found["logged"] = [played(case, width, Path(folder) / "calls.jsonl") * 1e3 - whole]
    return {name: spread(values) for name, values in found.items()}


def memory(case: Case) -> dict[str, Any]:
    """Kilobytes per episode that waits for its first and for its last answer."""
    found: dict[str, Any] = {}
    tracemalloc.start()
    for name, rounds in (("first answer", 0), ("last answer", TURNS - 1)):
        live, kept, outside = (one(case, rounds) / 1024 for one in (waiting, record, environments))
        found[name] = {
            "all": live,
            "record": kept,
            "environment": outside,
            "beyond": live - kept - outside,
        }
    tracemalloc.stop()
    return found


def table(rows: Iterable[Sequence[object]]) -> None:
    for row in rows:
        print("".join(f"{one:<16}" if not number else f"{one:>14}" for number, one in enumerate(row)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=10_000)
    parser.add_argument("--repetitions", type=int, default=5)
    given = parser.parse_args()
    found: dict[str, Any] = {}
    for name, case in cases(given.episodes).items():
        by_width = {str(width): times(case, width, given.repetitions) for width in (256, given.episodes)}
        found[name] = {"requests": case.requests, "ms_per_request": by_width, "kb_per_episode": memory(case)}
    print(f"{given.episodes} episodes, {given.repetitions} repetitions; milliseconds of the processor per request")
    table([("", "width", "played", "bare", "overhead", "lowest", "highest", f"target {TARGET_MS}", "+ a log")])
    for name, one in found.items():
        for width, ms in one["ms_per_request"].items():
            medians = [f"{ms[part]['median']:.4f}" for part in ("played", "bare", "overhead")]
            low, high = ms["overhead"]["low"], ms["overhead"]["high"]
            met = "met" if ms["overhead"]["median"] <= TARGET_MS else "MISSED"
            logged = f"{ms['logged']['median']:.4f}" if "logged" in ms else ""
            table([(name, width, *medians, f"{low:.4f}", f"{high:.4f}", met, logged)])
    print("kilobytes per episode that waits")
    table([("", "waits for", "all", "record", "environment", "beyond", f"target {TARGET_KB:g}")])
    for name, one in found.items():
        for when, kb in one["kb_per_episode"].items():
            met = "met" if kb["beyond"] <= TARGET_KB else "MISSED"
            table([(name, when, *(f"{value:.2f}" for value in kb.values()), met)])
    about = {"episodes": given.episodes, "machine": machine(), "versions": versions(), "command": command()}
    RESULT.write_text(json.dumps({**about, **found}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
