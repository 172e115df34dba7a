"""Askers: players of the asynchronous driver, as coroutine functions; and how an engine becomes one.

An engine blocks while it answers, so it is called in a thread, one call at a time, and the event loop goes on. What
is asked meanwhile is handed to it together before it is polled again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from groma.formats.requests import Failure, Reply, Request
from groma.play.engine import Engine
from groma.play.episode import caught
from groma.play.switchboard import TICKETS, polled

Asker = Callable[[Request, int], Awaitable[Reply | Failure]]
"""Answers a request, given its seed. What it raises is a Failure of that request, and of nothing else."""

# From an answer to the next request of its episode the event loop goes round four or five times: the asker returns,
# the driver hears of it, goes on with the episode or begins another, and the next asker starts. An engine that is
# polled before then has a smaller batch than it could have; no answer depends on it.
GATHERING = 8


class BrokenEngine(Exception):
    """An asker that raises this ends the play with `error`, as an engine does that breaks."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(f"{type(error).__name__}: {error}")
        self.error = error


def asker_of(engine: Engine) -> Asker:
    """An engine as an asker. Where it plays several players, hand the same asker to each; the engine stays open.

    Whoever cancels a request waits for the poll that is on its way, since a thread cannot be stopped: a play that was
    closed leaves its engines idle.
    """
    return _EngineAsker(engine)


class _EngineAsker:
    """Requests wait here for their answers, in rounds: submit what is new, then poll once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="asker")
        self._new: list[tuple[int, Request, int]] = []
        self._waiting: dict[int, asyncio.Future[Reply | Failure]] = {}
        self._round: asyncio.Task[None] | None = None

    async def __call__(self, request: Request, seed: int) -> Reply | Failure:
        ticket = next(TICKETS)
        answer = self._waiting[ticket] = asyncio.get_running_loop().create_future()
        self._new.append((ticket, request, seed))
        self._begin()
        try:
            return await answer
        except asyncio.CancelledError:
            self._waiting.pop(ticket, None)
            if self._round is not None:
                await asyncio.wait([self._round])
            raise

    def _begin(self) -> None:
        if self._waiting and self._round is None:
            self._round = asyncio.get_running_loop().create_task(self._serve())

    async def _serve(self) -> None:
        """One round. Its end begins the next, while anyone waits."""
        try:
            for _ in range(GATHERING):
                await asyncio.sleep(0)
            new = [one for one in self._new if one[0] in self._waiting]
            self._new.clear()
            if self._waiting:
                for ticket, answer in await asyncio.get_running_loop().run_in_executor(self._thread, self._call, new):
                    waiting = self._waiting.pop(ticket, None)  # None: of a play that was closed early
                    if waiting is not None and not waiting.done():
                        waiting.set_result(answer)
        except BrokenEngine as broken:
            self._end(broken)
        except BaseException:  # the event loop is being stopped
            self._end(None)
            raise
        finally:
            self._round = None
        self._begin()

    def _call(self, new: Sequence[tuple[int, Request, int]]) -> list[tuple[int, Reply | Failure]]:
        """In the thread: what the engine refuses, at once; else what it answers next."""
        refused: list[tuple[int, Reply | Failure]] = []
        for ticket, request, seed in new:
            try:
                self._engine.submit(ticket, request, seed)
            except Exception as error:
                refused.append((ticket, caught("engine", error)))
        try:
            return refused or polled(self._engine, len(self._waiting))
        except BaseException as error:
            raise BrokenEngine(error) from error

    def _end(self, broken: BrokenEngine | None) -> None:
        """Nobody who waits would be answered any more."""
        waiting, self._waiting = self._waiting, {}
        for answer in waiting.values():
            if answer.done():
                continue
            if broken is None:
                answer.cancel()
            else:
                answer.set_exception(broken)
