"""The asynchronous driver: the transcripts, logs, failures and budgets of `play`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import pytest

from async_players import NAMES, ONCE, Rooms, Slow, blocking, collected, in_a_loop, moody, once, run, written
from groma.formats.errors import BadConfig, BudgetSpent
from groma.formats.requests import Failed, Failure, Generate, Reply, Request
from groma.formats.task import Posed
from groma.formats.transcript import Played, Transcript
from groma.play import (
    Budget,
    CallLog,
    FakeEngine,
    Purse,
    ReplayEngine,
    asker_of,
    play,
    play_async,
)
from groma.systems import System, watched
from test_play import BRANCHING, MONITORED, TALK, TASKS, oracle
from test_systems_branches import nested, three_ways


def stubborn(posed: Posed) -> Iterator[object]:
    """Branches, then a talk that tries again where it fails, and gives up at the third time."""

    def again(asked, answered):
        try:
            return (yield Generate(prompt=answered.text, player="bob"))
        except Failed as failed:
            return Reply(text=failed.failure.message)

    def inner():
        said, failures = "", 0
        while len(said) < 60:
            try:
                reply = yield Generate(prompt=said or posed.messages, player="alice")
                said += reply.text
            except Failed:
                failures += 1
                if failures == 3:
                    raise
        return Transcript(posed.messages, said)

    yield tuple(Generate(prompt=posed.messages, max_tokens=n) for n in (1, 2, 3))
    return (yield from watched(watched(inner(), again), again))


SYSTEMS = [
    TALK,
    BRANCHING,
    MONITORED,
    System("stubborn", stubborn),
    *(System(f.__name__, f) for f in (three_ways, nested)),
]


# the same as `play`


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_transcripts_calls_and_costs_are_the_same_bytes_as_with_play(system):
    tasks, rooms = TASKS[:60], Rooms()
    expected = written(blocking(system, tasks, width=1, open_environment=rooms))
    for width in (64, 4096):
        assert written(blocking(system, tasks, width=width, open_environment=rooms)) == expected
    for width in (1, 7, 64, 4096):
        assert written(in_a_loop(system, tasks, width=width, open_environment=rooms)) == expected
    assert rooms.all_closed() and b"moody" in expected


def test_seeds_differ_with_the_seed_of_the_play():
    expected = written(blocking(TALK, TASKS[:20], seed=4))
    assert written(in_a_loop(TALK, TASKS[:20], seed=4)) == expected != written(in_a_loop(TALK, TASKS[:20]))


def test_engines_as_askers_give_the_same_bytes():
    expected = written(blocking(BRANCHING))
    for batch, width in ((1, 5), (7, 64), (None, 4096)):
        engine = FakeEngine(moody, batch=batch, shuffled=batch)
        assert written(in_a_loop(BRANCHING, asker=asker_of(engine), width=width)) == expected


class Counted:
    """A system that knows how many of its episodes were open at a time, at most."""

    name, digest = "counted", "0"

    def __init__(self) -> None:
        self.open = self.peak = 0

    def __call__(self, posed: Posed) -> Iterator[object]:
        self.open += 1
        self.peak = max(self.peak, self.open)
        reply = yield Generate(prompt=posed.messages)
        reply = yield Generate(prompt=reply.text)
        self.open -= 1
        return Transcript(posed.messages, reply.text)


@pytest.mark.parametrize("width", [1, 7, 1000])
def test_results_come_in_order_and_width_is_reached_and_not_exceeded(width):
    counted, slow = Counted(), Slow(oracle)
    results = in_a_loop(counted, asker=slow, width=width)
    assert [one.task for one in results] == list(TASKS)
    assert slow.peak <= counted.peak == min(width, len(TASKS))


def test_requests_of_a_tuple_are_asked_at_once():
    async def main() -> list[Played]:
        together = asyncio.Barrier(3)

        async def asker(request: Request, seed: int) -> Reply:
            if isinstance(request, Generate) and request.player == "alice":
                await asyncio.wait_for(together.wait(), 10)
            return oracle(request, seed)

        return await collected(BRANCHING, TASKS[:2], asker, width=1)

    assert written(run(main())) == written(blocking(BRANCHING, TASKS[:2], engine=FakeEngine(oracle)))


def test_width_and_budgets_are_checked_when_it_is_called():
    with pytest.raises(BadConfig, match="width is 0"):
        play_async(TALK, TASKS, {}, width=0)
    with pytest.raises(BadConfig, match="a budget for carol, whom nobody plays; players: alice"):
        play_async(TALK, TASKS, {"alice": Slow()}, budget={"carol": Budget(calls=1)})


# logs


def broken_off(system: Any, asker: Slow, **options: Any) -> None:
    """Play until the asker has answered all that it will, and cancel the play then."""

    async def main() -> None:
        playing = asyncio.create_task(collected(system, TASKS[:40], asker, **options))
        while asker.answered < asker.most:
            await asyncio.sleep(0)
        playing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await playing

    run(main())


@pytest.mark.parametrize("system", [System("stubborn", stubborn), System("nested", nested)], ids=lambda one: one.name)
def test_a_log_of_one_driver_goes_on_in_the_other_and_nothing_is_asked_again(tmp_path, system):
    tasks, rooms = TASKS[:40], Rooms()
    whole = Slow()
    expected = written(in_a_loop(system, tasks, whole, open_environment=rooms))
    path = tmp_path / "log.jsonl"

    first = Slow(most=30)
    broken_off(system, first, log=CallLog(path), open_environment=rooms, width=9)
    second: list[tuple[Request, int]] = []

    def counting(request: Request, seed: int) -> Reply | Failure:
        second.append((request, seed))
        return moody(request, seed)

    results = play(
        system,
        tasks,
        dict.fromkeys(NAMES, FakeEngine(counting, batch=1)),
        log=CallLog(path),
        open_environment=rooms,
        width=9,
    )
    early = [next(results) for _ in range(10)]
    results.close()
    third = Slow()
    assert written(in_a_loop(system, tasks, third, log=CallLog(path), open_environment=rooms)) == expected
    assert first.answered == 30 and second and third.asked
    assert first.answered + len(second) + len(third.asked) == len(whole.asked)
    assert written(early) == written(blocking(system, tasks[:10], open_environment=rooms))
    fourth = Slow(most=0)
    assert written(in_a_loop(system, tasks, fourth, log=CallLog(path), open_environment=rooms)) == expected
    assert fourth.asked == [] and rooms.all_closed()


def test_a_log_is_played_with_no_model(tmp_path):
    log, system, tasks = CallLog(tmp_path / "log.jsonl"), System("stubborn", stubborn), TASKS[:60]
    expected = written(in_a_loop(system, tasks, log=log))
    assert written(blocking(system, tasks, engine=ReplayEngine(log))) == expected
    assert written(in_a_loop(system, tasks, asker_of(ReplayEngine(log)))) == expected
    assert written(list(play(system, tasks, {}, log=log))) == expected


def test_what_was_answered_and_not_yet_heard_is_logged_at_the_end(tmp_path):
    async def main() -> None:
        path = tmp_path / "log.jsonl"
        slow = Slow(oracle)
        async with aclosing(
            play_async(TALK, TASKS, {"alice": slow, "bob": slow}, log=CallLog(path), width=50)
        ) as results:
            await anext(results)
            while slow.now:  # the driver stands still, and its requests go on
                await asyncio.sleep(0.001)
        assert CallLog(path).answered == slow.answered == len(slow.asked) > 50

    run(main())


def test_other_tasks_of_the_host_get_turns_while_a_log_is_played(tmp_path):
    log = CallLog(tmp_path / "log.jsonl")
    in_a_loop(TALK, log=log)
    turns = 0

    async def main() -> None:
        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        beside = asyncio.create_task(other())
        await collected(TALK, TASKS, Slow(), log=log, width=10)
        beside.cancel()
        await asyncio.wait([beside])

    run(main())
    assert turns >= len(TASKS) // 10


# failures


async def raises(request: Request, seed: int) -> Reply:
    raise OSError("the wire is cut")


async def says_text(request: Request, seed: int) -> Any:
    return "text"


def no_coroutine(request: Request, seed: int) -> Any:
    return Reply(text="x")


async def leaks(request: Request, seed: int) -> Any:
    """What a client does whose own connection was cancelled."""
    inner = asyncio.ensure_future(asyncio.sleep(9))
    asyncio.get_running_loop().call_soon(inner.cancel)
    return await inner


async def refuses(request: Request, seed: int) -> Any:
    raise Failed(Failure("engine", "refused", "no"))


@pytest.mark.parametrize(
    ("bad", "kind", "says"),
    [
        (raises, "OSError", r"the wire is cut \(test_play_async.py:\d+\)"),
        (says_text, "bad_answer", "'assistant' answered with a str, not with a Reply or a Failure"),
        (no_coroutine, "TypeError", "await"),
        (leaks, "cancelled", "what 'assistant' waited for was cancelled"),
        (refuses, "refused", "no"),
    ],
)
def test_what_goes_wrong_in_an_asker_fails_its_request_and_no_other(bad, kind, says):
    def asker(request: Request, seed: int) -> Any:
        return bad(request, seed) if seed % 3 == 0 else Slow(oracle)(request, seed)

    def recovers(posed: Posed) -> Iterator[object]:
        try:
            return (yield from once(posed))
        except Failed as failed:
            return Transcript(posed.messages, failed.failure.kind)

    results = in_a_loop(ONCE, asker=asker)
    failures = [one.failure for one in results if one.failure]
    assert 50 < len(failures) < 150 and len(results) == len(TASKS)
    for failure in failures:
        assert (failure.boundary, failure.kind) == ("engine", kind)
        assert re.search(says, failure.message)
    recovered = in_a_loop(System("recovers", recovers), asker=asker)
    assert sum(one.transcript.answer == kind for one in recovered) == len(failures)


def test_a_player_whom_nobody_plays_is_a_failure():
    async def main() -> Played:
        return await anext(play_async(ONCE, TASKS[:1], {"alice": Slow()}))

    assert run(main()).failure == Failure("engine", "nobody_plays", "nobody plays 'assistant'; players: alice")


@pytest.mark.parametrize("budget", [Budget(calls=4), Budget(tokens=12), Budget(seconds=1.2)], ids=str)
def test_budgets_are_those_of_play(budget):
    system, tasks, limits = System("stubborn", stubborn), TASKS[:60], {"assistant": Budget(calls=2), "alice": budget}
    expected = written(blocking(system, tasks, budget=limits))
    assert written(in_a_loop(system, tasks, budget=limits, width=30)) == expected
    assert b"in this episode" in expected != written(blocking(system, tasks))


def test_a_purse_ends_the_play_after_what_is_finished():
    async def main() -> tuple[int, Slow]:
        slow, found, rooms = Slow(oracle), [], Rooms()
        purse = Purse({"assistant": Budget(calls=25)})
        results = play_async(ONCE, TASKS, {"assistant": slow}, purse=purse, width=10, open_environment=rooms)
        with pytest.raises(BudgetSpent, match="assistant has used 25 calls of 25 in all"):
            async for one in results:
                found.append(one)
        assert rooms.all_closed() and purse.spent["assistant"].calls == 25
        return len(found), slow

    found, slow = run(main())
    assert found == len(slow.asked) == 25
