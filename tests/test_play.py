"""The driver: the same transcripts whatever the batch, results in order, costs, tuples, and its own speed."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groma.formats.digest import digest
from groma.formats.errors import BadConfig
from groma.formats.messages import Message
from groma.formats.requests import Cost, Failed, Failure, Generate, Reply, Request, Score
from groma.formats.task import Posed, Task
from groma.formats.transcript import Played, Transcript
from groma.formats.wire import to_plain
from groma.play import FakeEngine, play, seed_of
from groma.systems import SYSTEMS, System, watched


def task(number: int, **posed: object) -> Task:
    said = (Message("user", f"question {number}"),)
    return Task(f"t/{number}", Posed(said, seed=number, **posed), {"answer": f"secret {number}"}, "test")


TASKS = tuple(task(number) for number in range(300))


def oracle(request: Request, seed: int) -> Reply:
    """Everything that a reply may depend on, and nothing else."""
    text = digest(request, seed)
    return Reply(text=text, logprobs=(seed / 2**63,), stop="end", cost=Cost(3, 2, 1, 0.5))


def talk(posed: Posed, *, most: int = 5) -> Iterator[object]:
    """A talk of one to `most` turns with two players; how long it gets depends on what is said."""
    said = posed.messages
    for turn in range(most):
        reply = yield Generate(prompt=said, player=("alice", "bob")[turn % 2], max_tokens=9)
        said = (*said, Message("assistant", reply.text))
        if reply.text[0] in "0123":
            break
    return Transcript(said, reply.text)


def branching(posed: Posed) -> Iterator[object]:
    """Three branches at once, then one that depends on all of them."""
    prompt = posed.messages
    branches = yield tuple(Generate(prompt=prompt, player="alice", max_tokens=n) for n in (1, 2, 3))
    texts = [one.text if isinstance(one, Reply) else one.kind for one in branches]
    last = yield Generate(prompt="+".join(texts), player="bob")
    return Transcript(prompt, f"{'+'.join(texts)}={last.text}")


def monitored(posed: Posed) -> Iterator[object]:
    def after(asked, answered):
        flag = yield Score(prompt=answered.text, answers=("good", "bad"), player="bob")
        return Reply(text=f"{answered.text} {flag.text}")

    return watched(talk(posed), after)


TALK, BRANCHING, MONITORED = System("talk", talk), System("branching", branching), System("monitored", monitored)


def played(system: System, tasks=TASKS, *, engine=None, **options) -> list[Played]:
    one = engine or FakeEngine(oracle)
    return list(play(system, tasks, {"alice": one, "bob": one, "assistant": one}, **options))


def written(results: list[Played]) -> bytes:
    return json.dumps([[one.task.id, to_plain(one.transcript)] for one in results]).encode()


# the same whatever the batch


@pytest.mark.parametrize("system", [TALK, BRANCHING, MONITORED], ids=lambda system: system.name)
def test_transcripts_are_the_same_bytes_at_any_width_and_order_of_answers(system):
    expected = written(played(system, width=1))
    for width in (64, 4096):
        assert written(played(system, width=width)) == expected
        assert written(played(system, width=width, engine=FakeEngine(oracle, batch=7, shuffled=width))) == expected
    apart = {"alice": FakeEngine(oracle, batch=3), "bob": FakeEngine(oracle, shuffled=1), "assistant": None}
    assert written(list(play(system, TASKS, apart, width=50))) == expected


@settings(max_examples=40)
@given(
    numbers=st.lists(st.integers(0, 40), unique=True, max_size=25),
    width=st.integers(1, 30),
    batch=st.integers(1, 9),
    shuffled=st.integers(0, 99),
)
def test_a_transcript_does_not_depend_on_its_siblings(numbers, width, batch, shuffled):
    alone = {number: written(played(TALK, [TASKS[number]])) for number in numbers}
    engine = FakeEngine(oracle, batch=batch, shuffled=shuffled)
    for number, one in zip(numbers, played(TALK, [TASKS[n] for n in numbers], width=width, engine=engine), strict=True):
        assert written([one]) == alone[number]


def test_seeds_come_from_the_play_the_task_and_the_call():
    seen: dict[str, list[int]] = {}

    def note(request: Request, seed: int) -> str:
        seen.setdefault(request.prompt[0].content, []).append(seed)
        return "x"

    shuffled = random.Random(0).sample(TASKS, len(TASKS))
    played(TALK, shuffled, engine=FakeEngine(note, shuffled=3), seed=5)
    for number in range(300):
        assert seen[f"question {number}"] == [seed_of(5, f"t/{number}", call) for call in range(5)]
    assert len({seed for seeds in seen.values() for seed in seeds}) == 1500
    assert all(0 <= seed < 2**63 for seeds in seen.values() for seed in seeds)


def test_seeds_are_the_same_on_every_machine_and_differ_by_every_part():
    assert seed_of(0, "t/0", 0) == 5087106776143246223
    assert len({seed_of(0, "1", 0), seed_of(0, 1, 0), seed_of(0, "1", 1), seed_of(1, "1", 0)}) == 4


def test_another_seed_gives_other_draws():
    assert written(played(TALK, seed=1)) != written(played(TALK, seed=2))
    assert written(played(TALK, seed=1)) == written(played(TALK, seed=1))


# order, width, refilling


@pytest.mark.parametrize("width", [1, 7, 1000])
def test_results_come_in_the_order_of_the_tasks(width):
    results = played(TALK, engine=FakeEngine(oracle, batch=1, shuffled=0), width=width)
    assert [one.task for one in results] == list(TASKS)


class Watch:
    """An engine that notes how many requests were pending at each poll, and answers the latest one first."""

    def __init__(self) -> None:
        self.pending: list[tuple[int, Request, int]] = []
        self.widths: list[int] = []

    def submit(self, ticket: int, request: Request, seed: int) -> None:
        self.pending.append((ticket, request, seed))

    def poll(self) -> list[tuple[int, Reply | Failure]]:
        self.widths.append(len(self.pending))
        ticket, request, seed = self.pending.pop()
        return [(ticket, oracle(request, seed))]

    def close(self) -> None:
        self.pending.clear()


def test_width_episodes_are_kept_going_while_there_are_tasks():
    engine, full = Watch(), []

    def tasks() -> Iterator[Task]:
        yield from TASKS
        full.append(len(engine.widths))

    played(TALK, tasks(), engine=engine, width=16)
    assert full[0] > 300 and set(engine.widths[: full[0]]) == {16}
    assert engine.widths[full[0] :] == sorted(engine.widths[full[0] :], reverse=True)


def test_tasks_are_read_as_they_are_needed_and_may_have_no_end():
    read = []

    def endless() -> Iterator[Task]:
        number = 0
        while True:
            read.append(number)
            yield task(number)
            number += 1

    for name in ("chat", "trivial"):  # of which `trivial` ends at once, having no form
        read.clear()
        results = play(SYSTEMS[name], endless(), {"assistant": FakeEngine(oracle)}, width=4)
        assert [next(results).task.id for _ in range(9)] == [f"t/{number}" for number in range(9)]
        assert len(read) <= 9 + 4
        results.close()


def test_no_tasks_no_results():
    assert played(TALK, []) == []


def test_width_and_budgets_are_checked_when_play_is_called():
    with pytest.raises(BadConfig, match="width is 0"):
        play(TALK, TASKS, {}, width=0)


# what a system sees


def test_a_system_is_given_what_is_posed_and_nothing_else():
    given, frames = [], []

    def looks(posed, *, player="assistant"):
        given.append(posed)
        yield Generate(prompt=posed.messages)
        return Transcript(posed.messages, "")

    system = System("looks", looks, {})
    results = play(system, TASKS[:20], {"assistant": FakeEngine(lambda r, s: frames.append(r) or "x")})
    list(results)
    assert all(posed is one.posed for posed, one in zip(given, TASKS, strict=False)) and len(given) == 20
    assert not any("secret" in repr(one) for one in (*given, *frames))


def test_a_waiting_episode_holds_no_task():
    episodes = []

    def waits(posed):
        reply = yield Generate(prompt=posed.messages)
        return Transcript(posed.messages, reply.text)

    class Keeps:
        name, digest = "keeps", "0"

        def __call__(self, posed):
            episodes.append(waits(posed))
            return episodes[-1]

    def looks(request, seed):
        held = [value for episode in episodes if episode.gi_frame for value in episode.gi_frame.f_locals.values()]
        assert held and not any(isinstance(value, Task) for value in held)
        return "x"

    assert all(one.transcript for one in play(Keeps(), TASKS[:9], {"assistant": FakeEngine(looks)}))


# costs, calls, tuples


def test_cost_is_counted_for_each_player():
    for one in played(TALK, TASKS[:50]):
        alice = (len(one.calls) + 1) // 2
        bob = len(one.calls) // 2
        expected = {"alice": Cost(3 * alice, 2 * alice, alice, 0.5 * alice)}
        if bob:
            expected["bob"] = Cost(3 * bob, 2 * bob, bob, 0.5 * bob)
        assert one.cost == expected
    branches = played(BRANCHING, TASKS[:1])[0].cost
    assert branches["alice"].calls == 3 and branches["bob"].calls == 1


def test_every_call_is_kept_with_its_answer():
    for one in played(TALK, TASKS[:20]):
        said = [call.reply.text for call in one.calls]
        assert [message.content for message in one.transcript.messages[1:]] == said
        assert one.system == "talk" and one.failure is None


def test_a_tuple_of_requests_gets_a_tuple_with_failures_in_their_places():
    def second_fails(request: Request, seed: int) -> Reply | Failure | str:
        if isinstance(request, Generate) and request.max_tokens == 2:
            return Failure("engine", "overloaded", "later")
        return "last" if isinstance(request.prompt, str) else f"said {request.max_tokens}"

    (one,) = played(BRANCHING, TASKS[:1], engine=FakeEngine(second_fails, batch=1, shuffled=2))
    assert one.transcript.answer == "said 1+overloaded+said 3=last"
    assert isinstance(one.calls[0].request, tuple) and isinstance(one.calls[0].reply[1], Failure)


def test_an_empty_tuple_is_no_request():
    def asks_nothing(posed):
        try:
            yield ()
        except Failed as failed:
            return Transcript(posed.messages, failed.failure.message)

    (one,) = played(System("nothing", asks_nothing), TASKS[:1])
    assert one.transcript.answer == "the system asked for nothing (an empty tuple, or None)"


# speed


def test_ten_thousand_episodes_cost_little_more_than_their_engine():
    """About 0.03 ms a request on one core of 2023; the bound is loose, for machines that are busy."""
    tasks = [task(number) for number in range(10_000)]
    engine = FakeEngine(lambda request, seed: "x y")
    start = time.process_time()
    calls = sum(len(one.calls) for one in play(TALK.with_(most=1), tasks, {"alice": engine}))
    taken = time.process_time() - start
    assert calls == 10_000
    assert taken / calls < 1e-3, f"{taken / calls * 1e6:.0f} µs a request"
