"""The contract of `play` holds for the asynchronous driver: the same tests again, with engines as askers in a loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator, Iterable, Iterator, Mapping
from typing import Any

import pytest

import test_play
import test_play_failures
import test_play_replay
import test_systems_branches
from groma.formats.task import Task
from groma.formats.transcript import Played
from groma.play import Engine, asker_of, play_async

MODULES = (test_play, test_play_failures, test_play_replay, test_systems_branches)


def play(
    system: Any, tasks: Iterable[Task], players: Mapping[str, Engine], **options: Any
) -> Generator[Played, None, None]:
    """`play`, but by the asynchronous driver, in an event loop of its own that goes on while a result is awaited."""
    askers = {id(engine): asker_of(engine) for engine in players.values()}
    by_player = {player: askers[id(engine)] for player, engine in players.items()}
    return stepped(play_async(system, tasks, by_player, **options))


def stepped(results: AsyncGenerator[Played, None]) -> Generator[Played, None, None]:
    async def step() -> Played | None:
        return await anext(results, None)

    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        stepping = None
        try:
            while True:
                stepping = loop.create_task(step())
                one = loop.run_until_complete(stepping)
                if one is None:
                    return
                yield one
        finally:
            if stepping is not None and stepping.done():  # else the runner cancels it, as `asyncio.run` does
                loop.run_until_complete(results.aclose())


@pytest.fixture(autouse=True, scope="module")
def asynchronous() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module in MODULES:
            patch.setattr(module, "play", play)
        yield


def gathered() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for module in MODULES:
        tests = {name: one for name, one in vars(module).items() if name.startswith("test_") and callable(one)}
        assert tests and not set(tests) & set(found)
        found |= tests
    return found


globals().update(gathered())
