"""The ends of asynchronous plays: nothing of them is left behind. And engines as askers, in their threads."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import pytest

from async_players import ONCE, Rooms, Slow, blocking, collected, in_a_loop, run, written
from groma.formats.requests import Cost, Failure, Generate, Reply, Request
from groma.formats.task import Posed
from groma.formats.transcript import Played, Transcript
from groma.play import FakeEngine, asker_of, play_async
from groma.systems import System
from test_play import BRANCHING, TALK, TASKS, oracle

# ends


class Tidy:
    """A system that knows which of its episodes are open."""

    name, digest = "tidy", "0"

    def __init__(self, fault: BaseException | None = None) -> None:
        self.open: set[int] = set()
        self.begun, self.fault = 0, fault

    def __call__(self, posed: Posed) -> Iterator[object]:
        self.open.add(posed.seed)
        self.begun += 1
        try:
            yield (Generate(prompt=posed.messages), Generate(prompt=posed.messages))
            if posed.seed == 20 and self.fault:
                raise self.fault
            reply = yield Generate(prompt=posed.messages)
            return Transcript(posed.messages, reply.text)
        finally:
            self.open.discard(posed.seed)


async def nothing_left(system: Tidy, slow: Slow, rooms: Rooms) -> None:
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert system.begun > 10 and not system.open
    assert slow.now == 0 and rooms.all_closed()
    asked = len(slow.asked)
    await asyncio.sleep(0.01)
    assert len(slow.asked) == asked


@pytest.mark.parametrize(
    "how", ["aclose", "cancel while it waits", "cancel in the loop's body", "an error in the body"]
)
def test_whatever_ends_a_play_closes_everything(how):
    system, slow, rooms = Tidy(), Slow(oracle), Rooms()

    async def consume() -> None:
        players = {"assistant": slow}
        async with aclosing(play_async(system, TASKS, players, width=16, open_environment=rooms)) as results:
            async for one in results:
                if one.task is TASKS[5]:
                    assert slow.now and system.open
                    if how == "aclose":
                        return
                    if how == "an error in the body":
                        raise ZeroDivisionError
                    slow.most = 0  # from now on no request comes back
                    if how == "cancel in the loop's body":
                        await asyncio.Event().wait()

    async def main() -> None:
        consuming = asyncio.create_task(consume())
        await asyncio.wait([consuming], timeout=0.3)
        if how.startswith("cancel"):
            assert slow.now and system.open
            consuming.cancel()
            await asyncio.wait([consuming])
            assert consuming.cancelled()
        elif how == "aclose":
            await consuming
        else:
            assert isinstance(consuming.exception(), ZeroDivisionError)
        await nothing_left(system, slow, rooms)

    run(main())


@pytest.mark.parametrize("fault", [KeyboardInterrupt()], ids=repr)
def test_an_interrupt_passes_through_and_closes_everything(fault):
    system, slow, rooms = Tidy(fault), Slow(oracle), Rooms()

    async def main() -> None:
        with pytest.raises(type(fault)):
            await collected(system, TASKS, slow, width=16, open_environment=rooms)
        await nothing_left(system, slow, rooms)

    run(main())


def test_an_interrupt_in_an_asker_ends_the_host_and_closes_everything():
    system, slow, rooms = Tidy(), Slow(oracle), Rooms()

    async def interrupted(request: Request, seed: int) -> Any:
        if len(slow.asked) > 40:
            raise KeyboardInterrupt
        return await slow(request, seed)

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(collected(system, TASKS, interrupted, width=16, open_environment=rooms))
    assert system.begun and not system.open and slow.now == 0 and rooms.all_closed()


def test_who_is_cancelled_while_requests_tidy_up_still_waits_for_them():
    tidied = []

    async def lingers(request: Request, seed: int) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            try:
                await asyncio.sleep(0.05)
            finally:
                tidied.append(seed)

    async def main() -> None:
        rooms = Rooms()
        playing = asyncio.create_task(collected(ONCE, TASKS, lingers, width=5, open_environment=rooms))
        for _ in range(3):
            await asyncio.sleep(0.01)
            playing.cancel()
        await asyncio.wait([playing])
        assert playing.cancelled() and len(tidied) == 5 and rooms.all_closed()

    run(main())


def test_an_episode_that_cannot_be_closed_leaves_no_other_open():
    closed = []

    def tidy(posed: Posed) -> Iterator[object]:
        try:
            yield Generate(prompt=posed.messages)
        finally:
            closed.append(posed.seed)
            if posed.seed == 5:
                raise RuntimeError("cannot close")

    async def asker(request: Request, seed: int) -> Reply:
        if request.prompt != TASKS[0].posed.messages:
            await asyncio.Event().wait()
        return oracle(request, seed)

    async def main() -> None:
        results = play_async(System("tidy", tidy), TASKS, {"assistant": asker}, width=6)
        await anext(results)
        with pytest.raises(RuntimeError, match="cannot close"):
            await results.aclose()

    run(main())
    assert sorted(closed) == list(range(6))


def test_a_play_that_was_never_begun_opens_nothing():
    async def main() -> None:
        system, rooms = Tidy(), Rooms()
        results = play_async(system, TASKS, {"assistant": Slow()}, open_environment=rooms)
        await results.aclose()
        assert system.begun == 0 and rooms.made == []

    run(main())


# engines as askers


class Machine(FakeEngine):
    """An engine that notes how many requests are pending at each poll, and that no two of its calls overlap."""

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__(oracle, batch=1, shuffled=2)
        self.batches: list[int] = []
        self.busy, self.seconds = threading.Lock(), seconds

    def submit(self, ticket: int, request: Request, seed: int) -> None:
        assert self.busy.acquire(blocking=False)
        super().submit(ticket, request, seed)
        self.busy.release()

    def poll(self) -> list[tuple[int, Reply | Failure]]:
        assert self.busy.acquire(blocking=False)
        time.sleep(self.seconds)
        self.batches.append(len(self._pending))
        answered = super().poll()
        self.busy.release()
        return answered


def test_an_engine_has_all_that_is_pending_at_every_poll():
    machine = Machine()
    in_a_loop(TALK, asker=asker_of(machine), width=16)
    full = machine.batches[: -machine.batches[::-1].index(16)]
    assert len(full) > 300 and set(full) == {16}


def test_the_event_loop_goes_on_while_an_engine_works():
    async def main() -> int:
        turns = 0
        playing = asyncio.create_task(collected(ONCE, TASKS[:3], asker_of(Machine(0.1))))
        while not playing.done():
            turns += 1
            await asyncio.sleep(0.001)
        return turns

    assert run(main()) > 30


def test_a_cancelled_play_leaves_its_engine_idle_and_another_may_use_it():
    machine = Machine(0.05)
    asker = asker_of(machine)

    async def main() -> list[Played]:
        for _ in range(3):
            playing = asyncio.create_task(collected(ONCE, TASKS, asker, width=9))
            await asyncio.sleep(0.07)
            playing.cancel()
            await asyncio.wait([playing])
            assert not machine.busy.locked() and asyncio.all_tasks() == {asyncio.current_task()}
        machine.seconds = 0
        return await collected(ONCE, TASKS[:50], asker)

    expected = written(blocking(ONCE, TASKS[:50], engine=FakeEngine(oracle)))
    assert written(run(main())) == expected
    assert written(in_a_loop(ONCE, TASKS[:50], asker)) == expected


def test_plays_side_by_side_share_an_engine_that_is_asked_only_between_its_polls():
    tasks, systems = TASKS[:12], (TALK, BRANCHING, ONCE)

    async def main() -> list[list[Played]]:
        asker = asker_of(Machine(0.004))

        async def later(seconds: float, system: System) -> list[Played]:
            await asyncio.sleep(seconds)  # so that it asks for the first time while the engine works for the others
            return await collected(system, tasks, asker, width=4)

        return await asyncio.gather(*(later(place * 0.013, system) for place, system in enumerate(systems)))

    for found, system in zip(run(main()), systems, strict=True):
        assert written(found) == written(blocking(system, tasks, engine=FakeEngine(oracle)))


def test_what_one_asker_cost_is_counted():
    async def asker(request: Request, seed: int) -> Reply:
        return Reply(text="x", cost=Cost(5, 4, 9, 0.5))

    (one,) = in_a_loop(ONCE, TASKS[:1], asker)
    assert one.cost == {"assistant": Cost(5, 4, 1, 0.5)}
