"""Failures as data: whose they are, who hears of them, what is closed, and that siblings go on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from groma.formats.errors import BadConfig, BudgetSpent, Unservable
from groma.formats.messages import Message
from groma.formats.requests import Act, Cost, Failed, Failure, Generate, Read, Reply, Request
from groma.formats.task import Posed, Task
from groma.formats.transcript import Played, Transcript
from groma.play import Budget, CallLog, FakeEngine, Purse, play, play_async
from groma.systems import SYSTEMS, System, watched

USER = (Message("user", "hello"),)
TASKS = tuple(Task(f"t/{number}", Posed(USER, seed=number), {}, "test") for number in range(10))


def once(posed: Posed, *, player: str = "assistant") -> Iterator[object]:
    reply = yield Generate(prompt=posed.messages, player=player)
    return Transcript(posed.messages, reply.text)


def recovers(posed: Posed) -> Iterator[object]:
    try:
        reply = yield Generate(prompt=posed.messages)
    except Failed as failed:
        reply = yield Generate(prompt=f"{failed.failure.boundary}: {failed.failure.kind}", player="other")
    return Transcript(posed.messages, reply.text)


ONCE, RECOVERS = System("once", once), System("recovers", recovers)


def echo(request: Request, seed: int) -> str:
    return f"echo {request.prompt}"


def odd_fail(request: Request, seed: int) -> str:
    if seed % 2:
        raise OSError("the wire is cut")
    return "fine"


def played(system: System, tasks=TASKS, engine=None, **options: Any) -> list[Played]:
    return list(play(system, tasks, {"assistant": engine or FakeEngine(echo), "other": FakeEngine(echo)}, **options))


def the_failure(system: System, **options: Any) -> Failure:
    (one,) = played(system, TASKS[:1], **options)
    assert one.transcript is None
    return one.failure


# engines


def test_a_failed_request_ends_its_episode_and_no_other():
    results = played(ONCE, engine=FakeEngine(odd_fail))
    failures = [one.failure for one in results if one.failure]
    assert 0 < len(failures) < 10 and len(results) == 10
    assert set(failures) == {Failure("engine", "OSError", "the wire is cut")}
    assert all(one.transcript.answer == "fine" for one in results if not one.failure)


def test_a_system_may_recover_from_a_failed_request():
    results = played(RECOVERS, engine=FakeEngine(odd_fail))
    assert {one.transcript.answer for one in results} == {"fine", "echo engine: OSError"}


def test_a_failure_reaches_the_innermost_system_through_the_driver():
    def silent(asked, answered):
        return answered
        yield

    def nested(posed):
        return watched(watched(watched(recovers(posed), silent), silent), silent)

    results = played(System("nested", nested), engine=FakeEngine(odd_fail))
    assert {one.transcript.answer for one in results} == {"fine", "echo engine: OSError"}


def test_a_request_that_an_engine_refuses_is_a_failure_that_names_it():
    class TextOnly(FakeEngine):
        def submit(self, ticket: int, request: Request, seed: int) -> None:
            if isinstance(request, Read):
                raise Unservable("a text engine has no activations")
            super().submit(ticket, request, seed)

    def reads(posed):
        yield Read(prompt=posed.messages, layers=(1,))

    failure = the_failure(System("reads", reads), engine=TextOnly(echo))
    assert failure == Failure("engine", "Unservable", "a text engine has no activations")


def test_nobody_plays_names_the_player_and_the_choices():
    failure = the_failure(ONCE.with_(player="judge"))
    assert failure == Failure("engine", "nobody_plays", "nobody plays 'judge'; players: assistant, other")


def test_an_engine_that_breaks_ends_the_play_and_closes_the_episodes():
    closed = []

    def tidy(posed):
        try:
            yield Generate(prompt=posed.messages)
        finally:
            closed.append(posed.seed)

    class Broken(FakeEngine):
        def poll(self):
            raise MemoryError("no memory left")

    with pytest.raises(MemoryError):
        played(System("tidy", tidy), engine=Broken(echo))
    assert sorted(closed) == list(range(10))


def test_an_engine_that_owes_and_says_nothing_is_an_error():
    class Forgetful(FakeEngine):
        def poll(self):
            return []

    with pytest.raises(RuntimeError, match="Forgetful answers nothing and owes 10"):
        played(ONCE, engine=Forgetful(echo))


def test_answers_to_a_play_that_was_closed_early_are_not_taken_for_new_ones():
    engine = FakeEngine(echo, batch=1)
    early = play(ONCE, TASKS, {"assistant": engine})
    next(early)
    early.close()
    later = list(play(ONCE.with_(player="other"), TASKS, {"other": engine}))
    assert all(one.transcript and list(one.cost) == ["other"] for one in later)


# systems


def test_an_exception_of_a_system_is_recorded_with_its_line():
    def breaks(posed):
        yield Generate(prompt=posed.messages)
        raise KeyError("gone")

    failure = the_failure(System("breaks", breaks))
    assert (failure.boundary, failure.kind) == ("system", "KeyError")
    assert failure.message.startswith("'gone' (test_play_failures.py:")


def test_a_task_without_a_form_is_a_failure_of_that_kind():
    failure = the_failure(SYSTEMS["trivial"])
    assert (failure.boundary, failure.kind) == ("system", "no_form")


def test_what_is_no_episode_no_request_and_no_transcript_is_said():
    def returns(posed):
        return Transcript(posed.messages, "")

    def raises(posed):
        raise ValueError("at once")

    def asks_text(posed):
        yield "hello?"

    def asks_nested(posed):
        (answer,) = yield ((Generate(prompt="x"),),)
        raise Failed(answer)

    def asks_for_nothing(posed):
        while True:
            yield ()

    def asks_for_none(posed):
        while True:
            yield

    def ends_empty(posed):
        yield Generate(prompt="x")

    kinds = {
        function: the_failure(System(function.__name__, function)).kind
        for function in (returns, raises, asks_text, asks_nested, asks_for_nothing, asks_for_none, ends_empty)
    }
    assert kinds == {
        returns: "no_episode",
        raises: "ValueError",
        asks_text: "bad_request",
        asks_nested: "bad_request",
        asks_for_nothing: "bad_request",
        asks_for_none: "bad_request",
        ends_empty: "no_transcript",
    }


def test_keyboard_interrupt_passes_through_and_closes_everything():
    closed = []

    def tidy(posed):
        try:
            yield Generate(prompt=posed.messages)
            if posed.seed == 4:
                raise KeyboardInterrupt
            yield Generate(prompt=posed.messages)
        finally:
            closed.append(posed.seed)

    with pytest.raises(KeyboardInterrupt):
        played(System("tidy", tidy))
    assert sorted(closed) == list(range(10))


def test_closing_a_play_closes_its_episodes_even_where_one_fails_to_close():
    closed = []

    def tidy(posed):
        try:
            yield Generate(prompt=posed.messages)
        finally:
            closed.append(posed.seed)
            if posed.seed == 5:
                raise RuntimeError("cannot close")

    results = play(System("tidy", tidy), TASKS, {"assistant": FakeEngine(lambda r, s: "x", batch=1)}, width=6)
    with pytest.raises(RuntimeError, match="cannot close"):
        for _ in results:
            results.close()
    assert sorted(closed) == list(range(len(closed))) and len(closed) >= 6


def test_a_loop_without_an_end_is_a_failure_and_its_siblings_go_on():
    def endless(posed: Posed) -> Iterator[object]:
        while posed.seed == 1 or (yield Generate(prompt=posed.messages)).text != "x":
            yield Generate(prompt=posed.messages)
        return Transcript(posed.messages, "x")

    found = played(System("endless", endless), TASKS[:3], engine=FakeEngine(lambda request, seed: "x"))
    assert [one.failure and one.failure.kind for one in found] == [None, "endless", None]
    assert len(found[1].calls) == 10_000 and found[1].cost["assistant"].calls == 10_000


@pytest.mark.parametrize("asked", [(), None, "hello?"])
def test_a_loop_that_asks_for_no_request_ends_in_either_driver_and_its_siblings_go_on(asked: object):
    def heedless(posed: Posed) -> Iterator[object]:
        while posed.seed == 1:
            try:
                yield asked
            except Failed:
                continue
        return Transcript(posed.messages, (yield Generate(prompt=posed.messages)).text)

    async def awaited(system: System) -> list[Played]:
        async def answer(request: Request, seed: int) -> Reply:
            return Reply(text="x")

        return [one async for one in play_async(system, TASKS[:3], {"assistant": answer})]

    system = System("heedless", heedless)
    for found in (played(system, TASKS[:3]), asyncio.run(awaited(system))):
        assert [one.failure and one.failure.kind for one in found] == [None, "endless", None]


# budgets


def greedy(posed: Posed, *, asks: int = 5) -> Iterator[object]:
    heard = 0
    try:
        for _ in range(asks):
            yield Generate(prompt=posed.messages)
            heard += 1
    except Failed as failed:
        return Transcript(posed.messages, f"{heard} heard, then {failed.failure.boundary}: {failed.failure.message}")
    return Transcript(posed.messages, f"{heard} heard")


@pytest.mark.parametrize(
    ("budget", "answer"),
    [
        (Budget(calls=3), "3 heard, then budget: assistant has used 3 calls of 3 in this episode"),
        (Budget(calls=0), "0 heard, then budget: assistant has used 0 calls of 0 in this episode"),
        (Budget(tokens=25), "3 heard, then budget: assistant has used 30 tokens of 25 in this episode"),
        (Budget(seconds=0.5), "2 heard, then budget: assistant has used 0.5 seconds of 0.5 in this episode"),
        (Budget(calls=5, tokens=50), "5 heard"),
    ],
)
def test_a_budget_ends_what_a_player_may_be_asked_in_each_episode(budget, answer):
    engine = FakeEngine(lambda request, seed: Reply(text="x", cost=Cost(6, 4, 1, 0.25)))
    results = played(System("greedy", greedy), engine=engine, budget={"assistant": budget}, width=3)
    assert {one.transcript.answer for one in results} == {answer}


def test_a_budget_counts_the_branches_of_a_tuple_and_ends_an_episode_that_does_not_recover():
    def branches(posed):
        answers = yield tuple(Generate(prompt=posed.messages) for _ in range(3))
        yield Generate(prompt=" ".join(type(one).__name__ for one in answers))

    (one,) = played(System("branches", branches), TASKS[:1], budget={"assistant": Budget(calls=2)})
    assert one.failure.boundary == "budget" and one.cost["assistant"].calls == 2
    assert [type(answer) for answer in one.calls[0].reply] == [Reply, Reply, Failure]


def test_a_budget_without_a_limit_or_a_player_is_refused():
    with pytest.raises(BadConfig, match="without a limit"):
        Budget()
    with pytest.raises(BadConfig, match="-1 calls"):
        Budget(calls=-1)
    with pytest.raises(BadConfig, match="a budget for judge, whom nobody plays; players: assistant, other"):
        played(ONCE, budget={"judge": Budget(calls=1)})


@pytest.mark.parametrize("width", [1, 4, 1000])
@pytest.mark.parametrize(
    ("limit", "most"), [(Budget(calls=23), 23), (Budget(tokens=230), 23), (Budget(seconds=5.75), 23)]
)
def test_an_empty_purse_ends_the_play_gracefully_and_a_later_one_goes_on_from_the_log(tmp_path, limit, most, width):
    asked = []

    def answer(request, seed):
        asked.append(request)
        return Reply(text="x", cost=Cost(6, 4, 1, 0.25))

    system, tasks = System("greedy", greedy), TASKS
    purse, found = Purse({"assistant": limit}), []
    with pytest.raises(BudgetSpent, match=r"^assistant has used .* in all$"):
        for one in play(
            system, tasks, {"assistant": FakeEngine(answer)}, width=width, log=CallLog(tmp_path / "log"), purse=purse
        ):
            found.append(one)
    # What is on its way is answered; calls are counted when they are made, and so never exceeded.
    assert most <= len(asked) <= (most if limit.calls or width == 1 else most + width)
    assert [one.task.id for one in found] == [f"t/{n}" for n in range(len(found))]  # a prefix: none is favoured
    assert len(found) >= (4 if width < 10 else 0)
    before = len(asked)
    log = CallLog(tmp_path / "log")
    assert log.answered == before
    whole = list(play(system, tasks, {"assistant": FakeEngine(answer)}, width=width, log=log, purse=Purse({})))
    assert len(whole) == 10 and len(asked) == 50 and whole[: len(found)] == found


def test_a_purse_is_shared_by_plays_and_known_by_its_players():
    purse = Purse({"assistant": Budget(calls=7)})
    engine = {"assistant": FakeEngine(lambda request, seed: "x")}
    assert len(list(play(System("greedy", greedy), TASKS[:1], engine, purse=purse))) == 1
    with pytest.raises(BudgetSpent, match="assistant has used 7 calls of 7 in all"):
        list(play(System("greedy", greedy), TASKS[:1], engine, purse=purse))
    with pytest.raises(BadConfig, match="a budget for judge, whom nobody plays"):
        list(play(ONCE, TASKS, engine, purse=Purse({"judge": Budget(calls=1)})))


def test_what_fails_costs_its_call_and_its_time():
    def late(request: Request, seed: int) -> Failure:
        return Failure("engine", "status_500", "busy", seconds=1.0)

    purse, engine = Purse({"assistant": Budget(seconds=2.5)}), {"assistant": FakeEngine(late)}
    results = play(ONCE, TASKS, engine, purse=purse, width=1)
    with pytest.raises(BudgetSpent, match=r"3 seconds of 2\.5"):
        for found in results:
            assert found.cost["assistant"] == Cost(calls=1, seconds=1.0)
    assert purse.spent["assistant"] == Cost(calls=3, seconds=3.0)


def test_what_an_asker_raises_costs_its_time():
    async def late(request: Request, seed: int) -> Reply:
        await asyncio.sleep(0.05)
        raise TimeoutError("nobody there")

    async def awaited() -> list[Played]:
        return [one async for one in play_async(ONCE, TASKS[:1], {"assistant": late}, purse=purse)]

    purse = Purse({"assistant": Budget(seconds=60)})
    (found,) = asyncio.run(awaited())
    assert purse.spent["assistant"].seconds >= 0.05 and found.cost["assistant"].seconds >= 0.05


# environments


class Counter:
    """An environment that counts; it refuses to count down, and breaks at a word."""

    opened: list[Counter]

    def __init__(self) -> None:
        self.count, self.closed = 0, False

    @property
    def state(self) -> Mapping[str, Any]:
        assert not self.closed
        return {"count": self.count}

    def act(self, request: Act) -> Reply:
        if request.tool != "add":
            raise LookupError(f"no tool {request.tool}")
        self.count += request.arguments["n"]
        return Reply(text=str(self.count))

    def close(self) -> None:
        self.closed = True


def counts(posed: Posed, *, tool: str = "add") -> Iterator[object]:
    first = yield Act(tool=tool, arguments={"n": posed.seed})
    _, last = yield (Act(tool="add", arguments={"n": 1}), Act(tool="add", arguments={"n": 1}))
    return Transcript(posed.messages, f"{first.text} {last.text}")


COUNTS = System("counts", counts)


def test_acts_go_to_the_tasks_own_environment_whose_state_is_kept():
    opened = []

    def open_environment(task):
        opened.append(Counter())
        return opened[-1]

    results = played(COUNTS, open_environment=open_environment, width=3)
    assert [one.transcript.answer for one in results] == [f"{n} {n + 2}" for n in range(10)]
    assert [one.transcript.state for one in results] == [{"count": n + 2} for n in range(10)]
    assert all(one.cost["environment"].calls == 3 for one in results)
    assert len(opened) == 10 and all(environment.closed for environment in opened)


def test_what_goes_wrong_in_an_environment_is_its_failure():
    def cannot_open(task):
        raise OSError("no room")

    bad_tool = the_failure(COUNTS.with_(tool="subtract"), open_environment=lambda task: Counter())
    assert (bad_tool.boundary, bad_tool.kind) == ("environment", "LookupError")
    assert the_failure(COUNTS).message == "the task t/0 has no environment to use 'add' in"
    assert the_failure(COUNTS, open_environment=lambda task: None).boundary == "environment"
    assert the_failure(COUNTS, open_environment=cannot_open).kind == "OSError"


def test_environments_are_closed_when_the_play_is():
    opened = []

    def open_environment(task):
        opened.append(Counter())
        return opened[-1]

    results = play(ONCE, TASKS, {"assistant": FakeEngine(echo, batch=1)}, open_environment=open_environment, width=4)
    next(results)
    results.close()
    assert len(opened) >= 4 and all(environment.closed for environment in opened)


def test_an_environment_that_cannot_be_closed_fails_its_episode():
    class Stuck(Counter):
        def close(self) -> None:
            raise OSError("stuck")

    failure = the_failure(ONCE, open_environment=lambda task: Stuck())
    assert (failure.boundary, failure.kind) == ("environment", "OSError")
