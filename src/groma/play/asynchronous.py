"""The asynchronous driver: plays a system in a host's event loop, where players are coroutine functions.

It is the same driver (play/driver.py) with another way of waiting, so that episodes, seeds, budgets, branches and logs
are the same, and either goes on from what the other logged. Requests are tasks of the event loop, as many at a time as
the episodes that are kept going ask for; systems and the log are run between them. Acts in environments run in threads,
those of one episode one after the other, so that a tool that takes long keeps nobody waiting but its own episode.
Functions of tools are then called from several threads at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import replace

from groma.formats.requests import Failure, Reply, Request
from groma.formats.task import Task
from groma.formats.transcript import Played
from groma.play.asker import Asker, BrokenEngine
from groma.play.budget import Budget, Purse
from groma.play.driver import connect, turns
from groma.play.engine import Embodiment
from groma.play.episode import Live, OpenEnvironment, caught
from groma.play.replay import CallLog
from groma.play.switchboard import Switchboard


def play_async(
    system: Embodiment,
    tasks: Iterable[Task],
    players: Mapping[str, Asker],
    *,
    seed: int = 0,
    width: int = 256,
    log: CallLog | None = None,
    open_environment: OpenEnvironment | None = None,
    budget: Mapping[str, Budget] | None = None,
    purse: Purse | None = None,
) -> AsyncGenerator[Played, None]:
    """Play `system` on each of `tasks`, as `play` does, which says what the options mean.

    players: who answers for whom, as coroutine functions: (request, seed) -> reply. What one raises, and an answer that
             is neither Reply nor Failure, is a Failure of that request. `asker_of` makes one of an engine.

    Whatever ends it (the last task, `aclose`, a cancelled task, KeyboardInterrupt, an engine that breaks), every
    request on its way is cancelled and waited for, an act that was begun is waited for and logged, and every episode
    and environment is closed. Where the loop over it may be left early, stand it in `contextlib.aclosing`: Python
    closes an abandoned one only later.
    """
    askers = _Askers(players)
    switchboard = connect(system, dict.fromkeys(players, askers), seed, width, log, budget, purse, askers)
    return _play(turns(system, enumerate(tasks), width, open_environment, switchboard), askers, switchboard)


async def _play(
    going: Generator[Played | bool, None, None], askers: _Askers, switchboard: Switchboard
) -> AsyncGenerator[Played, None]:
    try:
        for one in going:
            if isinstance(one, Played):
                yield one
            elif one:
                await askers.news()
            else:  # much may be answered from the log: the host's other tasks get their turns, too
                await asyncio.sleep(0)
    finally:
        try:
            askers.close()
            await askers.ended()
        finally:
            with closing(going):
                if askers.answered:  # and not heard yet: it is logged, since it has been paid for
                    switchboard.hear()


class _Askers:
    """All players of a play as one engine, which answers each request in a task, and whose `poll` never blocks; and
    its environments, whose acts are done in threads.
    """

    def __init__(self, players: Mapping[str, Asker]) -> None:
        self._players = players
        self._running: dict[asyncio.Task[Reply | Failure], int] = {}
        self._acts: set[asyncio.Task[Reply | Failure]] = set()
        self._last: dict[Live, asyncio.Task[Reply | Failure]] = {}
        self._closed = False
        self._broken: BaseException | None = None
        self._news = asyncio.Event()
        self.answered: list[tuple[int, Reply | Failure]] = []

    def submit(self, ticket: int, request: Request, seed: int) -> None:
        task = asyncio.get_running_loop().create_task(self._ask(request, seed))
        self._running[task] = ticket
        task.add_done_callback(self._end)

    def submit_act(
        self, ticket: int, live: Live, begin: Callable[[], None], act: Callable[[], Reply | Failure]
    ) -> None:
        doing = asyncio.get_running_loop().create_task(self._do(self._last.get(live), begin, act))
        self._running[doing], self._last[live] = ticket, doing
        self._acts.add(doing)
        doing.add_done_callback(self._acts.discard)
        doing.add_done_callback(lambda done: self._last.pop(live) if self._last.get(live) is done else None)
        doing.add_done_callback(self._end)

    async def news(self) -> None:
        """Wait until something is answered, or nothing is asked."""
        if self._running:
            await self._news.wait()

    def poll(self) -> list[tuple[int, Reply | Failure]]:
        if not self.answered and self._broken is not None:
            raise self._broken
        answered, self.answered = self.answered, []
        if self._broken is None:
            self._news.clear()
        return answered

    def close(self) -> None:
        """Cancel what is on its way, and hear no more of it; what is answered by now stays, and acts that were begun
        are done.
        """
        self._closed = True
        for task in self._running:
            if task not in self._acts and task.cancel():
                task.remove_done_callback(self._end)

    async def ended(self) -> None:
        """Wait for all that was cancelled, even where this is cancelled again."""
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _do(
        self,
        before: asyncio.Task[Reply | Failure] | None,
        begin: Callable[[], None],
        act: Callable[[], Reply | Failure],
    ) -> Reply | Failure:
        """An act, after the one `before` it. Once begun it cannot be cancelled: what was done has to be logged."""
        if before is not None:
            await asyncio.wait([before])
        if self._closed:
            raise asyncio.CancelledError
        begin()
        doing = asyncio.get_running_loop().run_in_executor(None, act)
        while not doing.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([doing])
        return doing.result()

    def _end(self, task: asyncio.Task[Reply | Failure]) -> None:
        ticket = self._running.pop(task)
        self._news.set()
        if task.cancelled():
            self._broken = self._broken or asyncio.CancelledError()
        elif error := task.exception():
            self._broken = self._broken or (error.error if isinstance(error, BrokenEngine) else error)
        else:
            self.answered.append((ticket, task.result()))

    async def _ask(self, request: Request, seed: int) -> Reply | Failure:
        player, began = request.player, time.perf_counter()
        try:
            answer: object = await self._players[player](request, seed)
        except BrokenEngine:
            raise
        except Exception as error:
            return replace(caught("engine", error), seconds=time.perf_counter() - began)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise  # whoever cancelled this task wants it to end
            return Failure("engine", "cancelled", f"what {player!r} waited for was cancelled")
        if isinstance(answer, Reply | Failure):
            return answer
        what = f"{player!r} answered with a {type(answer).__name__}, not with a Reply or a Failure"
        return Failure("engine", "bad_answer", what)
