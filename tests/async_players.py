"""Askers that take their time, and both drivers side by side: what the tests of the asynchronous driver share."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Coroutine, Iterator
from typing import Any

from groma.formats.requests import Failure, Generate, Reply, Request
from groma.formats.task import Posed, Task
from groma.formats.transcript import Played, Transcript
from groma.formats.wire import to_plain
from groma.play import Asker, FakeEngine, play, play_async
from groma.systems import System
from test_play import TASKS, oracle
from test_systems_branches import Pile

NAMES = ("alice", "bob", "assistant")


def moody(request: Request, seed: int) -> Reply | Failure:
    return Failure("engine", "moody", f"not with {seed}") if seed % 5 == 0 else oracle(request, seed)


def once(posed: Posed) -> Iterator[object]:
    reply = yield Generate(prompt=posed.messages)
    return Transcript(posed.messages, reply.text)


ONCE = System("once", once)


class Slow:
    """An asker: answers as `function` does, after a delay that has nothing to do with the request."""

    def __init__(self, function: Any = moody, *, most: int = 10**9) -> None:
        self.function, self.most, self.draw = function, most, random.Random(3)
        self.asked: list[tuple[Request, int]] = []
        self.answered = self.now = self.peak = self.ended = 0

    async def __call__(self, request: Request, seed: int) -> Any:
        self.asked.append((request, seed))
        self.now += 1
        self.peak = max(self.peak, self.now)
        try:
            if self.draw.random() < 0.02:
                await asyncio.sleep(self.draw.random() / 500)
            for _ in range(self.draw.randrange(9)):
                await asyncio.sleep(0)
            if self.answered >= self.most:
                await asyncio.Event().wait()
            self.answered += 1
            return self.function(request, seed)
        finally:
            self.now -= 1
            self.ended += 1


def written(results: list[Played]) -> bytes:
    def plain(value: object) -> object:
        return None if value is None else to_plain(value)

    rows = [
        [one.task.id, one.system, plain(one.transcript), plain(one.failure), repr(sorted(one.cost.items()))]
        + [[plain(call.request), plain(call.reply)] for call in one.calls]
        for one in results
    ]
    return json.dumps(rows).encode()


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """`asyncio.run`, after which no task is left, nor a word of one that nobody heard."""
    said: list[object] = []

    async def whole() -> Any:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: said.append(context))
        async with asyncio.timeout(60):
            found = await main
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return found

    found = asyncio.run(whole())
    assert said == []
    return found


async def collected(system: Any, tasks: Any, asker: Asker, **options: Any) -> list[Played]:
    return [one async for one in play_async(system, tasks, dict.fromkeys(NAMES, asker), **options)]


def in_a_loop(system: Any, tasks: Any = TASKS, asker: Asker | None = None, **options: Any) -> list[Played]:
    return run(collected(system, tasks, asker or Slow(), **options))


def blocking(system: Any, tasks: Any = TASKS, **options: Any) -> list[Played]:
    engine = options.pop("engine", None) or FakeEngine(moody, batch=7, shuffled=1)
    return list(play(system, tasks, dict.fromkeys(NAMES, engine), **options))


class Rooms:
    """Opens environments, and knows all of them, their forks too."""

    def __init__(self) -> None:
        self.made: list[Pile] = []

    def __call__(self, task: Task) -> Pile:
        return Pile(10, self.made)

    def all_closed(self) -> bool:
        return bool(self.made) and all(pile.closed for pile in self.made)
