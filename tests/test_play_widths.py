"""Nothing depends on the width: the shipped systems say the same bytes at width 1, 64 and 4,096, in a host's event loop
and from the log, with a fake engine and with `exact` on a real one; environments, their forks too, are played along.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from groma.formats.digest import digest
from groma.formats.requests import Act, Cost, Fork, Generate, Keep, Reply, Request, Score
from groma.formats.scaffold import Scaffold
from groma.formats.task import Task
from groma.formats.transcript import Played
from groma.formats.wire import to_plain
from groma.models import LocalEngine, load
from groma.play import CallLog, Engine, FakeEngine, ReplayEngine, asker_of, play, play_async
from groma.systems import SYSTEMS, System, find
from groma.worlds.vale import VALE
from groma.worlds.vale.hall import TOOLS, call_text

MORE_THAN_64 = 66
CHAT = SYSTEMS["chat"].with_(max_tokens=5)
AGENT = SYSTEMS["agent"].with_(max_tokens=7, scaffold=Scaffold(max_steps=2))
"""Both short of breath, since `exact` reads and writes one row at a time."""


@dataclass(frozen=True)
class Case:
    """A system, the kinds of tasks that it is given, and what it has to ask so that the case shows something."""

    system: System
    kinds: tuple[str, ...]
    asks: frozenset[type]
    tuples: bool = False


ACTING = frozenset({Generate, Act})
CASES = {
    "chat": Case(CHAT, ("ask", "how", "count"), frozenset({Generate})),
    "agent": Case(AGENT, ("errand",), ACTING),
    "best_of_n": Case(
        SYSTEMS["best_of_n"].with_(inner=AGENT, n=2),
        ("errand", "ask", "how"),
        ACTING | {Score, Fork, Keep},
        tuples=True,
    ),
    "critique": Case(
        find("critique@charter", VALE.variants).with_(inner=CHAT, max_tokens=5), ("how", "ask"), frozenset({Generate})
    ),
}


def clerk(request: Request, seed: int) -> Reply:
    """Uses tools and talks as the seed has it, and tells what it read, what it drew and how likely that was."""
    draw = random.Random(digest(request, seed))
    read = tuple(digest(request).encode())
    if isinstance(request, Score):
        return Reply(prompt_ids=read, scores=tuple(draw.random() for _ in request.answers), cost=Cost(9, 0, 1, 0.5))
    tool = draw.choice(TOOLS)
    values = draw.choices(("anna", "bread", "two", "door"), k=len(tool.parameters["properties"]))
    call = call_text(tool.name, values)
    said = draw.choice((call, call, "no.", "yes, it is so."))
    ids = tuple(said.encode())
    chances = tuple(-draw.random() for _ in ids)
    return Reply(text=said, prompt_ids=read, token_ids=ids, logprobs=chances, stop="end", cost=Cost(9, 3, 1, 0.25))


class Telling(LocalEngine):
    """Tells the log-probabilities of all that it says, whoever asks."""

    def submit(self, ticket: int, request: Request, seed: int) -> None:
        super().submit(ticket, replace(request, logprobs=True) if isinstance(request, Generate) else request, seed)


@pytest.fixture(scope="module")
def exact() -> Callable[[], Engine]:
    model = load("vale", dtype="float32", device="cpu")
    return lambda: Telling(model, exact=True)


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> Callable[[], Engine]:
    """Makes an engine, which is fresh for each play."""
    if request.param == "fake":
        return lambda: FakeEngine(clerk, batch=50, shuffled=2)
    return request.getfixturevalue("exact")  # type: ignore[no-any-return]


@pytest.fixture
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


QUICK = ("chat", "best_of_n")
"""What is played with `exact` in every run of the tests; the samples of best_of_n are agents."""
PLAYS = [
    *(pytest.param(name, "fake") for name in CASES),
    *(pytest.param(name, "exact", marks=() if name in QUICK else pytest.mark.slow) for name in CASES),
]


def tasks_of(case: Case) -> tuple[Task, ...]:
    return VALE.tasks(case.kinds, "held_out", MORE_THAN_64, 0)


def blocking(case: Case, engine: Engine | None, **options: Any) -> list[Played]:
    players = {} if engine is None else {"assistant": engine}
    return list(play(case.system, tasks_of(case), players, open_environment=VALE.open, **options))


def in_a_loop(case: Case, engine: Engine, **options: Any) -> list[Played]:
    async def main() -> list[Played]:
        players = {"assistant": asker_of(engine)}
        results = play_async(case.system, tasks_of(case), players, open_environment=VALE.open, **options)
        return [one async for one in results]

    return asyncio.run(main())


def written(results: list[Played], seconds: bool = True) -> bytes:
    """Transcripts, calls and costs as they are sent and kept; where not `seconds`, without how long a reply took."""

    def plain(value: object) -> object:
        return None if value is None else to_plain(value)

    rows = [
        [one.task.id, one.system, plain(one.transcript), plain(one.failure)]
        + [[plain(call.request), plain(call.reply)] for call in one.calls]
        + [[player, plain(Reply(cost=cost))] for player, cost in sorted(one.cost.items())]
        for one in results
    ]
    return json.dumps(rows if seconds else timeless(rows)).encode()


def timeless(value: Any) -> Any:
    if isinstance(value, list):
        return [timeless(one) for one in value]
    if isinstance(value, Mapping):
        return {name: 0.0 if name == "seconds" else timeless(one) for name, one in value.items()}
    return value


def parts(value: Any) -> tuple[Any, ...]:
    """A request or a reply of a call, or those of a tuple."""
    return value if isinstance(value, tuple) else (value,)


def shows_something(case: Case, results: list[Played]) -> None:
    """The episodes are whole and of many lengths, and told all that a reply can tell."""
    assert len(results) == MORE_THAN_64 and not any(one.failure for one in results)
    asked = [one for played in results for call in played.calls for one in parts(call.request)]
    heard = [one for played in results for call in played.calls for one in parts(call.reply)]
    assert {type(one) for one in asked} == case.asks
    said = [reply for request, reply in zip(asked, heard, strict=True) if isinstance(request, Generate)]
    assert all(one.prompt_ids and len(one.token_ids) == len(one.logprobs) > 0 for one in said)
    assert case.tuples == any(isinstance(call.request, tuple) for played in results for call in played.calls)
    if Act in case.asks:
        states = [one.transcript.state for one in results if one.transcript and one.task.kind == "errand"]
        assert len({len(one["acts"]) for one in states if one}) > 1


@pytest.mark.parametrize(("case", "engine"), PLAYS, indirect=True)
def test_widths_and_drivers_give_the_same_bytes_and_a_log_needs_no_model(
    case: Case, engine: Callable[[], Engine], tmp_path: Path
) -> None:
    first = blocking(case, engine(), width=1)
    shows_something(case, first)
    expected = written(first, seconds=False)
    log = CallLog(tmp_path / "log.jsonl")
    real = blocking(case, engine(), width=64, log=log)
    assert written(real, seconds=False) == expected
    assert written(blocking(case, engine(), width=4096), seconds=False) == expected
    assert written(in_a_loop(case, engine(), width=64), seconds=False) == expected

    again = partial(CallLog, log.path)  # read anew, as another process would
    for width in (1, 4096):
        assert written(blocking(case, ReplayEngine(again()), width=width)) == written(real)
        assert written(blocking(case, None, width=width, log=again())) == written(real)
    assert written(in_a_loop(case, ReplayEngine(again()))) == written(real)


def test_thousands_of_live_episodes_give_the_same_bytes_as_a_few() -> None:
    """Width 4,096 with as many chats live at once."""
    tasks = VALE.tasks(("ask", "how", "count"), "held_out", 4200, 0)

    def told(width: int) -> str:
        results = play(CHAT, tasks, {"assistant": FakeEngine(clerk)}, width=width)
        return digest(written(list(results), seconds=False))

    assert told(1) == told(64) == told(4096)
