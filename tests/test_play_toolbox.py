"""Tools from Python functions: schemas, checked arguments, cut answers, cut-off calls, and no act done twice."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from groma.formats.errors import BadConfig, BadInput
from groma.formats.messages import Message
from groma.formats.requests import Act, Failed, Failure, Generate, Tool
from groma.formats.schema import checked, tool_of
from groma.formats.task import Posed, Task
from groma.formats.transcript import Played, Transcript
from groma.play import Budget, CallLog, FakeEngine, Toolbox, play
from groma.systems import System
from groma.systems.asking import act


def pay(to: str, coins: int, why: str | None = None, kind: Literal["gift", "debt"] = "gift") -> str:
    """Move coins
    to somebody.

    to: whom to pay.
    coins: how many.
    """
    return f"{to} {coins + 1} {why} {kind}"


def total(numbers: list[float], weights: dict[str, float]) -> float:
    return sum(numbers)


PAY = tool_of(pay)


def test_the_schema_is_read_from_the_signature_and_the_docstring() -> None:
    assert (
        Tool(
            "pay",
            "Move coins to somebody.",
            {
                "type": "object",
                "properties": {
                    "to": {"type": "string", "description": "whom to pay."},
                    "coins": {"type": "integer", "description": "how many."},
                    "why": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
                    "kind": {"enum": ["gift", "debt"], "default": "gift"},
                },
                "required": ["to", "coins"],
            },
        )
        == PAY
    )
    assert tool_of(total).parameters["properties"] == {
        "numbers": {"type": "array", "items": {"type": "number"}},
        "weights": {"type": "object", "additionalProperties": {"type": "number"}},
    }


def no_type(to) -> str:  # type: ignore[no-untyped-def]
    return ""


def odd_type(to: Path) -> str:
    return ""


def any_number(*to: str) -> str:
    return ""


async def awaited(to: str) -> str:
    return to


def piecemeal(to: str) -> Iterator[str]:
    yield to


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (awaited, "awaited is async, and nobody would await it; give a plain def"),
        (piecemeal, "piecemeal yields"),
        (no_type, "to of the tool no_type has no type"),
        (odd_type, "choose str, int"),
        (any_number, "takes to without a name"),
    ],
)
def test_a_function_that_is_no_tool_is_refused(function: Any, says: str) -> None:
    with pytest.raises(BadConfig, match=says):
        tool_of(function)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"to": "ben", "coins": 2}, {"to": "ben", "coins": 2}),
        ({"to": "ben", "coins": "2"}, {"to": "ben", "coins": 2}),
        ({"to": "2", "coins": 2}, {"to": "2", "coins": 2}),
        (
            {"to": "ben", "coins": 2, "why": None, "kind": "debt"},
            {"to": "ben", "coins": 2, "why": None, "kind": "debt"},
        ),
    ],
)
def test_arguments_that_fit_are_taken(arguments: dict[str, Any], expected: dict[str, Any]) -> None:
    assert checked(PAY, arguments) == expected


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"to": "ben"}, "wants a value for coins"),
        ({"to": "ben", "coins": 2, "how": "fast"}, "no argument 'how'.*to, coins, why, kind"),
        ({"to": "ben", "coins": "two"}, "coins is 'two'.*integer"),
        ({"to": "ben", "coins": 2.5}, "coins is 2.5.*integer"),
        ({"to": "ben", "coins": True}, "coins is True.*integer"),
        ({"to": 7, "coins": 2}, "to is 7.*string"),
        ({"to": "ben", "coins": 2, "why": 3}, "why is 3.*string or null"),
        ({"to": "ben", "coins": 2, "kind": "loan"}, "kind is 'loan'.*one of 'gift', 'debt'"),
    ],
)
def test_arguments_that_do_not_fit_are_named_with_what_would(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput) as caught:
        checked(PAY, arguments)
    assert re.search(says, str(caught.value), re.DOTALL)


def test_lists_and_mappings_are_looked_into() -> None:
    tool = tool_of(total)
    assert checked(tool, {"numbers": "[1, 2.5]", "weights": {"a": 1}}) == {"numbers": [1, 2.5], "weights": {"a": 1}}
    for wrong in ({"numbers": [1, "x"], "weights": {}}, {"numbers": [], "weights": {"a": "x"}}):
        with pytest.raises(BadInput):
            checked(tool, wrong)


TASK = Task("t", Posed((Message("user", "go"),)), {}, "test")


def used(box: Toolbox, *uses: tuple[str, dict[str, Any]], **options: Any) -> Played:
    """Every use, and what was said or what went wrong with it."""

    def uses_all(posed: Posed) -> Iterator[object]:
        heard = []
        for tool, arguments in uses:
            try:
                heard.append((yield from act(tool, **arguments)))
            except Failed as failed:
                heard.append(f"{failed.failure.boundary} {failed.failure.kind}: {failed.failure.message}")
        return Transcript(posed.messages, "|".join(heard))

    (one,) = play(System("uses", uses_all), [TASK], {}, open_environment=lambda task: box, **options)
    return one


def answer(box: Toolbox, *uses: tuple[str, dict[str, Any]], **options: Any) -> str:
    one = used(box, *uses, **options)
    assert one.transcript is not None
    return one.transcript.answer


def test_functions_are_used_and_their_uses_are_the_state() -> None:
    one = used(Toolbox([pay, total]), ("pay", {"to": "ben", "coins": "2"}), ("total", {"numbers": [1], "weights": {}}))
    assert one.transcript is not None and one.transcript.answer == "ben 3 None gift|1"
    assert one.transcript.state is not None
    assert [use["said"] for use in one.transcript.state["acts"]] == ["ben 3 None gift", "1"]
    assert one.cost["environment"].calls == 2


def broken() -> str:
    raise ZeroDivisionError("by nothing")


def listing() -> dict[str, list[int]]:
    return {"café": [1, 2]}


def test_what_goes_wrong_is_a_failure_and_no_crash() -> None:
    box = Toolbox([pay, broken, listing])
    said = answer(box, ("broken", {}), ("sing", {}), ("pay", {"to": "ben"}), ("listing", {})).split("|")
    assert said[0].startswith("environment ZeroDivisionError: by nothing")
    assert "there is no tool 'sing'" in said[1] and "pay, broken, listing" in said[1]
    assert "wants a value for coins" in said[2]
    assert said[3] == '{"café": [1, 2]}'
    assert [use["did"] for use in box.state["acts"]] == [False, False, False, True]


def long_text(length: int) -> str:
    return "".join(chr(97 + number % 26) for number in range(length))


def test_of_a_long_answer_the_middle_is_left_out() -> None:
    said = answer(Toolbox([long_text], longest=40), ("long_text", {"length": 100}))
    assert said == f"{long_text(100)[:20]}\n[60 characters left out]\n{long_text(100)[-20:]}"
    assert answer(Toolbox([long_text], longest=40), ("long_text", {"length": 40})) == long_text(40)


def long_error(length: int) -> str:
    raise ValueError(f"begins {'x' * length} ends")


@pytest.mark.parametrize("apart", [False, True])
def test_of_a_long_error_the_middle_is_left_out(apart: bool) -> None:
    box = Toolbox([long_error], longest=80, apart=apart)
    long, short = answer(box, ("long_error", {"length": 10_000}), ("long_error", {"length": 3})).split("|")
    assert long.startswith("environment ValueError: begins xxx") and len(long) < 160
    assert "characters left out]" in long and " ends" in long[-60:]
    assert short.startswith("environment ValueError: begins xxx ends")


RELEASE = threading.Event()


def hangs() -> str:
    RELEASE.wait(30)
    return "late"


def test_a_tool_that_hangs_is_cut_off_and_not_used_again() -> None:
    said = answer(Toolbox([hangs, pay], seconds=0.2), ("hangs", {}), ("hangs", {}), ("pay", {"to": "ben", "coins": 1}))
    RELEASE.set()
    first, second, third = said.split("|")
    assert "Hung: hangs did not come back within 0.2 seconds" in first
    assert "did not come back from an earlier use" in second and third == "ben 2 None gift"


def test_a_budget_of_uses_holds_for_tools() -> None:
    said = answer(Toolbox([listing]), ("listing", {}), ("listing", {}), budget={"environment": Budget(calls=1)})
    assert "budget calls" in said.split("|")[1]


DONE: list[str] = []


def deed(what: str) -> str:
    DONE.append(what)
    return "done"


def acts_and_asks(posed: Posed) -> Iterator[object]:
    yield from act("deed", what="a")
    reply = yield Generate(prompt=posed.messages)
    return Transcript(posed.messages, reply.text)


@pytest.mark.parametrize("repeatable", [False, True])
def test_an_act_on_the_world_outside_is_never_done_twice(tmp_path: Path, repeatable: bool) -> None:
    """From a complete log it is reproduced, its state, too; only what can be repeated is done again."""

    def stops(request: object, seed: int) -> str:
        raise KeyboardInterrupt

    def once(engine: Any) -> Played:
        return logged(tmp_path, acts_and_asks, engine, lambda: Toolbox([deed], repeatable=repeatable))

    DONE.clear()
    with pytest.raises(KeyboardInterrupt):
        once(stops)
    for answer in ("hello", "never asked again"):
        again = once(lambda request, seed, answer=answer: answer)
        assert again.transcript is not None and again.transcript.answer == "hello"
        assert again.transcript.state == {
            "acts": [{"tool": "deed", "arguments": {"what": "a"}, "said": "done", "did": True}]
        }
    assert ["a"] * (3 if repeatable else 1) == DONE


def logged(folder: Path, system: Any, engine: Any, box: Any) -> Played:
    """One episode with a log on disk."""
    players = {"assistant": FakeEngine(engine)}
    log = CallLog(folder / "log.jsonl")
    (one,) = play(System("acts", system), [TASK], players, open_environment=lambda task: box(), log=log)
    return one


def acts_asks_acts(posed: Posed) -> Iterator[object]:
    yield from act("deed", what="a")
    reply = yield Generate(prompt=posed.messages)
    try:
        yield from act("deed", what=reply.text)
    except Failed:  # no recovering from a world outside that is not what it was
        return Transcript(posed.messages, "recovered")
    return Transcript(posed.messages, "both")


def test_an_act_that_is_not_in_the_log_after_one_that_is_interrupts_the_episode(tmp_path: Path) -> None:
    def stops(request: object, seed: int) -> str:
        raise KeyboardInterrupt

    DONE.clear()
    with pytest.raises(KeyboardInterrupt):
        logged(tmp_path, acts_asks_acts, stops, lambda: Toolbox([deed]))
    for _ in range(2):
        one = logged(tmp_path, acts_asks_acts, lambda request, seed: "b", lambda: Toolbox([deed]))
        assert one.failure is not None and (one.failure.boundary, one.failure.kind) == ("interrupted", "not_repeatable")
        assert "not in its log" in one.failure.message and DONE == ["a"]


def asks_acts(posed: Posed) -> Iterator[object]:
    try:
        reply = yield Generate(prompt=posed.messages)
    except Failed:
        yield from act("deed", what="without an answer")
        return Transcript(posed.messages, "nobody answered")
    yield from act("deed", what=reply.text)
    return Transcript(posed.messages, reply.text)


@pytest.mark.parametrize("repeatable", [False, True])
def test_after_an_outage_no_act_on_the_world_outside_is_done_another_way(tmp_path: Path, repeatable: bool) -> None:
    """What an episode did because nobody answered it did; only where it can be repeated is it asked again."""
    DONE.clear()
    for down, expected in ((True, "nobody answered"), (False, "hello" if repeatable else "nobody answered")):
        said = Failure("engine", "status_500", "down", passing=True) if down else "hello"
        one = logged(tmp_path, asks_acts, lambda *_, said=said: said, lambda: Toolbox([deed], repeatable=repeatable))
        assert one.transcript is not None and one.transcript.answer == expected
    assert ["without an answer", *(["hello"] if repeatable else [])] == DONE


def test_an_act_in_which_the_process_ended_is_not_done_again(tmp_path: Path) -> None:
    """It may have been done: that it was begun stands in the log before it is."""

    class Ends(Toolbox):
        def act(self, request: Act) -> Any:
            super().act(request)
            raise KeyboardInterrupt

    DONE.clear()
    with pytest.raises(KeyboardInterrupt):
        logged(tmp_path, acts_and_asks, lambda request, seed: "hello", lambda: Ends([deed]))
    one = logged(tmp_path, acts_and_asks, lambda request, seed: "hello", lambda: Toolbox([deed]))
    assert one.failure is not None and "interrupted while it acted" in one.failure.message and DONE == ["a"]


class Slow:
    """What takes long to be put into words."""

    def __str__(self) -> str:
        time.sleep(5)
        return "late"


def slow_words() -> Slow:  # type: ignore[empty-body]
    return Slow()


def backtracks(text: str) -> bool:
    """A regular expression whose time doubles with each letter, and which holds the interpreter's lock throughout."""
    return re.match(r"(a+)+$", text) is not None


def shout() -> str:
    print("what a tool prints is no answer")
    return "heard"


def ends_all() -> str:
    os._exit(3)


def fails() -> str:
    raise KeyError("gone")


def test_what_takes_long_to_be_put_into_words_is_cut_off_too() -> None:
    begun = time.perf_counter()
    assert "did not come back within 0.2" in answer(Toolbox([slow_words], seconds=0.2), ("slow_words", {}))
    assert time.perf_counter() - begun < 2


def test_a_tool_that_holds_the_lock_is_cut_off_where_it_runs_apart() -> None:
    box = Toolbox([backtracks, pay, shout, ends_all, fails], seconds=0.5, apart=True)
    begun = time.perf_counter()
    uses = [("backtracks", {"text": "a" * 60 + "b"})] * 2
    uses += [("pay", {"to": "ben", "coins": "1"}), ("shout", {}), ("ends_all", {}), ("fails", {}), ("shout", {})]
    first, second, *rest = answer(box, *uses).split("|")  # type: ignore[arg-type]
    assert "Hung: backtracks did not come back within 0.5 seconds; its process was killed" in first
    assert "did not come back from an earlier use" in second
    assert rest[:2] == ["ben 2 None gift", "heard"] and "ended its process" in rest[2]
    assert rest[3:] == ["environment KeyError: 'gone'", "heard"]
    assert time.perf_counter() - begun < 20
    assert box._apart is not None and box._apart._process is None


def test_what_another_process_would_not_find_cannot_run_apart() -> None:
    def inner() -> str:
        return ""

    with pytest.raises(BadConfig, match=r"inner of .* cannot run apart.*leave apart out"):
        Toolbox([inner], apart=True)


def test_toolboxes_share_which_tool_hung_where_they_are_told_to() -> None:
    known: set[str] = set()
    RELEASE.clear()
    first = answer(Toolbox([hangs], seconds=0.1, hung=known), ("hangs", {}))
    second = answer(Toolbox([hangs], seconds=0.1, hung=known), ("hangs", {}))
    alone = answer(Toolbox([hangs], seconds=0.1), ("hangs", {}))
    RELEASE.set()
    assert "within 0.1 seconds" in first and "an earlier use" in second and "within 0.1 seconds" in alone


def test_a_use_that_failed_costs_its_time() -> None:
    RELEASE.clear()
    box = Toolbox([hangs, pay], seconds=0.3)
    paid = ("pay", {"to": "ben", "coins": 1})
    one = used(box, ("hangs", {}), paid, budget={"environment": Budget(seconds=0.2)})
    RELEASE.set()
    assert one.cost["environment"].seconds >= 0.3
    assert one.transcript is not None and "budget seconds" in one.transcript.answer.split("|")[1]


def test_only_a_repeatable_toolbox_is_forked() -> None:
    box = Toolbox([pay], repeatable=True)
    box.act(Act(tool="pay", arguments={"to": "ben", "coins": 1}))
    copy = box.fork()
    copy.act(Act(tool="pay", arguments={"to": "ben", "coins": 1}))
    assert (len(box.state["acts"]), len(copy.state["acts"])) == (1, 2)
    with pytest.raises(BadInput, match="no copy"):
        Toolbox([pay]).fork()


def test_a_toolbox_refuses_what_makes_no_sense() -> None:
    with pytest.raises(BadConfig, match="two tools have one name"):
        Toolbox([pay, pay])
    with pytest.raises(BadConfig, match="seconds 0"):
        Toolbox([pay], seconds=0)
