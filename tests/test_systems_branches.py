"""Episodes side by side, each in its own branch of the environment; many-sided conversations; asking in plain words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from groma.formats.digest import digest
from groma.formats.messages import Message
from groma.formats.requests import Act, Failed, Failure, Fork, Generate, Keep, Reply, Request, Score, Tool
from groma.formats.task import Posed, Task
from groma.formats.transcript import Played, Transcript
from groma.formats.wire import from_plain, to_plain
from groma.play import CallLog, FakeEngine, play
from groma.systems import System
from groma.systems.asking import act, ask, score, together
from groma.systems.side_by_side import keep, side_by_side
from groma.systems.view import view

TASKS = tuple(Task(f"t/{n}", Posed((Message("user", f"question {n}"),), seed=n), {}, "test") for n in range(40))


class Pile:
    """An environment: a pile of stones, with a record of every pile that was made and closed."""

    tools: Sequence[Tool] = ()
    repeatable = True

    def __init__(self, stones: int, made: list[Pile]) -> None:
        self.stones, self.closed, self.made = stones, False, made
        made.append(self)

    @property
    def state(self) -> Mapping[str, Any]:
        return {"stones": self.stones}

    def act(self, request: Act) -> Reply:
        self.stones += request.arguments["n"]
        return Reply(text=str(self.stones))

    def fork(self) -> Pile:
        return Pile(self.stones, self.made)

    def close(self) -> None:
        assert not self.closed
        self.closed = True


def oracle(request: Request, seed: int) -> str | Failure:
    if isinstance(request, Score):
        return Failure("engine", "no_scores", "never")
    return digest(request, seed)[:4]


def outcome(system: Any, tasks: Sequence[Task] = TASKS, **options: Any) -> list[Played]:
    made: list[Pile] = []
    found = list(
        play(
            System(system.__name__, system),
            tasks,
            {"assistant": FakeEngine(oracle)},
            open_environment=lambda task: Pile(10, made),
            **options,
        )
    )
    assert all(pile.closed for pile in made)
    return found


def adds(posed: Posed, amount: int, times: int = 2) -> Iterator[object]:
    said = ""
    for _ in range(times):
        said = yield from act("add", n=amount)
        yield from ask(posed.messages)
    return Transcript(posed.messages, said)


def three_ways(posed: Posed) -> Iterator[object]:
    yield from act("add", n=100)
    ended = yield from side_by_side([adds(posed, amount, times=amount) for amount in (1, 2, 3)], forked=True)
    yield from keep(1)
    after = yield from act("add", n=0)
    return Transcript(posed.messages, " ".join([*(one.answer for one in ended), after]))


def test_each_branch_is_its_own_and_the_one_that_is_kept_takes_effect() -> None:
    for one in outcome(three_ways):
        assert one.transcript is not None
        assert one.transcript.answer == "111 114 119 114" and one.transcript.state == {"stones": 114}


def nested(posed: Posed) -> Iterator[object]:
    def inner(amount: int) -> Iterator[object]:
        yield from act("add", n=amount)
        ended = yield from side_by_side([adds(posed, 1), adds(posed, 2)], forked=True)
        yield from keep(1)
        return Transcript(posed.messages, "/".join(one.answer for one in ended))

    ended = yield from side_by_side([inner(1000), inner(2000)], forked=True)
    yield from keep(0)
    again = yield from side_by_side([adds(posed, 5)], forked=True)
    return Transcript(posed.messages, " ".join(one.answer for one in (*ended, *again)))


def test_branches_branch_again_and_their_names_serve_again() -> None:
    (one,) = outcome(nested, TASKS[:1])
    assert one.transcript is not None and one.transcript.answer == "1012/1014 2012/2014 1024"
    assert one.transcript.state == {"stones": 1014}


def test_side_by_side_is_the_same_at_any_width_and_goes_on_from_a_log(tmp_path: Any) -> None:
    def written(found: Sequence[Played]) -> list[str]:
        return [json.dumps(to_plain(one.transcript)) for one in found]

    expected = written(outcome(three_ways, width=1))
    assert written(outcome(three_ways, width=64)) == expected
    log = tmp_path / "log.jsonl"
    assert written(outcome(three_ways, log=CallLog(log))) == expected
    lines = log.read_text().splitlines()
    log.write_text("\n".join(lines[: len(lines) // 2]) + "\n")
    assert written(outcome(three_ways, log=CallLog(log))) == expected


def test_a_branch_that_fails_is_a_failure_in_its_place() -> None:
    def fails(posed: Posed) -> Iterator[object]:
        yield from score("a", ["b"])

    def recovers(posed: Posed) -> Iterator[object]:
        try:
            yield from score("a", ["b"])
        except Failed as failed:
            return Transcript(posed.messages, failed.failure.kind)

    def both(posed: Posed) -> Iterator[object]:
        ended = yield from side_by_side([fails(posed), recovers(posed), adds(posed, 1)])
        return Transcript(posed.messages, " ".join(getattr(one, "answer", "failed") for one in ended))

    (one,) = outcome(both, TASKS[:1])
    assert one.transcript is not None and one.transcript.answer == "failed no_scores 12"


def test_a_fault_in_one_ends_all_and_closes_them() -> None:
    closed = []

    def breaks(posed: Posed) -> Iterator[object]:
        yield from ask("x")
        raise ZeroDivisionError("a fault")

    def waits(posed: Posed) -> Iterator[object]:
        try:
            while True:
                yield from ask("x")
        finally:
            closed.append(True)

    def both(posed: Posed) -> Iterator[object]:
        yield from side_by_side([waits(posed), breaks(posed)])

    (one,) = outcome(both, TASKS[:1])
    assert one.failure is not None and one.failure.kind == "ZeroDivisionError" and closed == [True]


@pytest.mark.parametrize(
    ("requests", "kind", "says"),
    [
        ([Act(tool="add", arguments={"n": 1}, branch="x")], "no_branch", "no branch 'x'; branches: ''"),
        ([Keep(branch="y")], "no_branch", "no branch 'y'"),
        ([Fork(branch="x"), Keep(branch="x"), Act(tool="add", branch="x")], "no_branch", "no branch 'x'"),
    ],
)
def test_a_branch_that_is_none_is_named_with_the_choices(requests: list[Request], kind: str, says: str) -> None:
    def tries(posed: Posed) -> Iterator[object]:
        for request in requests:
            answered = yield request
            assert answered

    (one,) = outcome(tries, TASKS[:1])
    assert one.failure is not None and one.failure.kind == kind and says in one.failure.message


def test_without_an_environment_there_is_nothing_to_fork() -> None:
    def forks(posed: Posed) -> Iterator[object]:
        yield from side_by_side([adds(posed, 1)], forked=True)

    (one,) = play(System("forks", forks), TASKS[:1], {"assistant": FakeEngine(oracle)})
    assert one.failure is not None and "no environment to branch into '0/'" in one.failure.message


def test_requests_about_branches_are_written_and_read() -> None:
    for request in (Fork(branch="0/", of="a"), Keep(branch="0/"), Act(tool="t", branch="0/")):
        assert from_plain(json.loads(json.dumps(to_plain(request)))) == request


def test_together_gives_all_answers_or_throws_the_first_failure() -> None:
    def asks(posed: Posed) -> Iterator[object]:
        nothing = yield from together([])
        replies = yield from together([Generate(prompt="a"), Generate(prompt="b")])
        try:
            yield from together([Generate(prompt="a"), Score(prompt="a", answers=("b",))])
        except Failed as failed:
            return Transcript(posed.messages, f"{nothing} {len(replies)} {failed.failure.kind}")

    (one,) = outcome(asks, TASKS[:1])
    assert one.transcript is not None and one.transcript.answer == "[] 2 no_scores"


def test_each_player_sees_itself_as_the_assistant() -> None:
    said = (
        Message("system", "be fair."),
        Message("system", "you are for.", player="alice"),
        Message("system", "you are against.", player="bob"),
        Message("user", "may we?"),
        Message("assistant", "yes.", player="alice"),
        Message("assistant", "no.", player="bob"),
        Message("assistant", "why?", player="judge"),
    )
    assert view(said, "alice") == (
        Message("system", "be fair."),
        Message("system", "you are for."),
        Message("user", "user: may we?"),
        Message("assistant", "yes."),
        Message("user", "bob: no.\njudge: why?"),
    )
    assert view(said, "judge")[-2:] == (
        Message("user", "user: may we?\nalice: yes.\nbob: no."),
        Message("assistant", "why?"),
    )
    alone = (Message("user", "hello"), Message("assistant", "hi"))
    assert view(alone, "assistant") == alone
    assert view(alone, "user") == (Message("assistant", "hello"), Message("user", "hi"))
