"""Systems that choose: best-of-n, self-consistency, beam, search, critique; on fakes whose best answer is known."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from groma.formats.constitution import Constitution, Example, Principle
from groma.formats.errors import BadConfig
from groma.formats.messages import Message
from groma.formats.requests import Act, Failure, Generate, Reply, Request, Score, Tool
from groma.formats.task import Posed, Task
from groma.formats.transcript import Played
from groma.play import FakeEngine, play
from groma.systems import System, watched
from groma.systems.agent import agent
from groma.systems.beam import beam
from groma.systems.best_of_n import best_of_n
from groma.systems.critique import critique
from groma.systems.search import search
from groma.systems.self_consistency import compared, self_consistency

LETTERS = "abcd"
TASKS = tuple(Task(f"t/{n}", Posed((Message("user", f"question {n}"),), seed=n), {}, "test") for n in range(30))


def words(request: Request, seed: int) -> Reply | Failure:
    """Writes three words in all, a letter each; scores an answer by its letters, the d the best."""
    if isinstance(request, Score):
        values = tuple(float(sum(LETTERS.find(letter) for letter in answer)) for answer in request.answers)
        return Reply(scores=values)
    assert isinstance(request, Generate)
    draw = random.Random(seed)
    missing = 3 - len(request.prefill.split())
    count = min(missing, request.max_tokens)
    text = " ".join(draw.choice(LETTERS) for _ in range(count))
    begun = f" {text}" if request.prefill and text else text
    return Reply(text=begun, stop="end" if count == missing else "length")


def outcome(system: System, tasks: Sequence[Task] = TASKS, engine: Any = words, **options: Any) -> list[Played]:
    return list(play(system, tasks, {"assistant": FakeEngine(engine), **options.pop("players", {})}, **options))


def answers(system: System, **options: Any) -> list[str]:
    found = outcome(system, **options)
    assert all(one.transcript for one in found), found
    return [one.transcript.answer for one in found if one.transcript]


def worth(answer: str) -> int:
    return sum(LETTERS.find(letter) for letter in answer if letter in LETTERS)


BEST = System("best_of_n", best_of_n)


def test_the_best_of_n_is_the_best_of_what_was_sampled() -> None:
    for one in outcome(BEST.with_(n=5)):
        sampled, scored = one.calls
        texts = [reply.text for reply in sampled.reply]  # type: ignore[union-attr]
        assert len(texts) == 5 and isinstance(scored.request, Score) and scored.request.ended
        assert one.transcript is not None and one.transcript.answer == max(texts, key=worth)


def test_more_samples_are_better_and_one_is_the_system_itself() -> None:
    means = [sum(map(worth, answers(BEST.with_(n=n)))) for n in (1, 4, 32)]
    assert means[0] < means[1] < means[2]
    assert answers(BEST.with_(n=1)) == answers(BEST.parameters["inner"])


def test_of_equally_good_ones_the_first_is_chosen_and_the_empty_one_never() -> None:
    said = itertools.cycle(["", "first", "second"])

    def equal(request: Request, seed: int) -> Reply:
        return Reply(scores=(1.0,) * len(request.answers)) if isinstance(request, Score) else Reply(text=next(said))

    assert set(answers(BEST.with_(n=3), engine=equal)) == {"first"}
    assert set(answers(BEST.with_(n=3), engine=lambda *_: Reply(text=""))) == {""}


@pytest.mark.parametrize(("by", "expected"), [("likelihood", "c"), ("mean", "c"), ("verdict", "b"), ("reward", "a")])
def test_each_score_asks_its_player_in_its_own_way(by: str, expected: str) -> None:
    said = itertools.cycle(["a", "b", "c"])

    def model(request: Request, seed: int) -> Reply:
        assert isinstance(request, Generate)
        return Reply(text=next(said))

    def scorer(request: Request, seed: int) -> Reply:
        assert isinstance(request, Score)
        if by == "verdict":
            *_, answer, asked = request.prompt
            assert asked.content == "is it b?" and request.answers == ("yes", "no")  # type: ignore[union-attr]
            return Reply(scores=(-1.0, -3.0) if answer.content == "b" else (-1.0, -0.5))  # type: ignore[union-attr]
        assert request.ended is (by != "reward")
        return Reply(scores=tuple(-ord(one) if by == "reward" else ord(one) for one in request.answers))

    system = BEST.with_(n=3, by=by, scorer="scorer", question="is it b?")
    (found, *_) = answers(system, engine=model, players={"scorer": FakeEngine(scorer)}, tasks=TASKS[:1])
    assert found == expected


def test_the_mean_does_not_favour_short_answers() -> None:
    said = itertools.cycle(["one", "one two three four"])

    def model(request: Request, seed: int) -> Reply:
        if isinstance(request, Score):
            return Reply(scores=tuple(-2.0 if one == "one" else -4.0 for one in request.answers))
        return Reply(text=next(said))

    assert answers(BEST.with_(n=2), engine=model, tasks=TASKS[:1]) == ["one"]
    assert answers(BEST.with_(n=2, by="mean"), engine=model, tasks=TASKS[:1]) == ["one two three four"]


def test_a_failed_sample_is_left_out_and_only_if_all_fail_does_the_episode() -> None:
    def some(request: Request, seed: int) -> Reply | Failure:
        if isinstance(request, Score):
            return Reply(scores=(0.0,) * len(request.answers))
        return Failure("engine", "broken", "at times") if seed % 2 else Reply(text="whole")

    assert set(answers(BEST.with_(n=12), engine=some)) == {"whole"}
    found = outcome(BEST.with_(n=2), engine=lambda *_: Failure("engine", "broken", "always"))
    assert {one.failure.kind for one in found if one.failure} == {"broken"} and all(one.failure for one in found)


class Pile:
    tools: Sequence[Tool] = (Tool("add", "", {"properties": {"n": {"type": "string"}}}),)

    def __init__(self, stones: int = 0) -> None:
        self.stones = stones

    @property
    def state(self) -> Mapping[str, Any]:
        return {"stones": self.stones}

    def act(self, request: Act) -> Reply:
        self.stones += int(request.arguments["n"])
        return Reply(text=f"{self.stones}")

    def fork(self) -> Pile:
        return Pile(self.stones)

    def close(self) -> None:
        pass


def adder(request: Request, seed: int) -> Reply:
    """Adds a number drawn, then says the sum; likes large ones."""
    if isinstance(request, Score):
        return Reply(scores=tuple(float(one) for one in request.answers))
    assert isinstance(request, Generate)
    last = request.prompt[-1]
    assert isinstance(last, Message)
    added = last.content.rpartition("add answered: ")[2]
    return Reply(text=added if added != last.content else f"use add: {random.Random(seed).randrange(1, 100)}.")


@pytest.mark.parametrize("choose", [best_of_n, self_consistency])
def test_what_the_chosen_episode_did_is_what_was_done(choose: Any) -> None:
    system = System("choose", choose).with_(n=6, inner=System("agent", agent))
    tasks = [Task(one.id, Posed(one.posed.messages, tools=tuple(Pile.tools)), {}, "test") for one in TASKS]
    for one in outcome(system, tasks=tasks, engine=adder, open_environment=lambda task: Pile()):
        assert one.transcript is not None and one.transcript.state == {"stones": int(one.transcript.answer)}
        numbers = [reply.text for reply in one.calls[3].reply]  # type: ignore[union-attr]
        expected = max(numbers, key=int if choose is best_of_n else numbers.count)
        assert one.transcript.answer == expected


def test_a_monitored_best_of_n_agent_is_three_calls() -> None:
    seen: list[str] = []

    def monitored(posed: Posed) -> Iterator[object]:
        def after(asked: Any, answered: Any) -> Iterator[object]:
            for request in asked if isinstance(asked, tuple) else (asked,):
                if isinstance(request, Act):
                    seen.append(request.tool)
            return answered
            yield

        inner = System("agent", agent)
        return watched(best_of_n(posed, inner=inner, n=4), after)

    tasks = [Task("t", Posed(TASKS[0].posed.messages, tools=tuple(Pile.tools)), {}, "test")]
    (one,) = outcome(System("monitored", monitored), tasks, adder, open_environment=lambda task: Pile())
    assert one.transcript is not None and seen == ["add"] * 4


def test_self_consistency_takes_what_most_come_to() -> None:
    said = ("1. the answer is Five.", "it is six.", "7 take 2 is 5. the answer is five", "six", "the answer is six.")

    def model(request: Request, seed: int) -> Reply:
        return Reply(text=said[seed % 5])

    system = System("self_consistency", self_consistency).with_(n=40)
    for one in outcome(system, engine=model):
        (sampled,) = one.calls
        texts = [compared(reply.text, "the answer is") for reply in sampled.reply]  # type: ignore[union-attr]
        assert one.transcript is not None
        assert texts.count(compared(one.transcript.answer, "the answer is")) == max(map(texts.count, texts))
    assert compared("so the answer is: Five.", "the answer is") == ": five"
    assert compared(" Brook. ", "the answer is") == "brook"


def test_a_wide_beam_finds_the_best_answer_and_a_narrow_one_a_good_one() -> None:
    system = System("beam", beam).with_(chunk=1, max_tokens=9, by="likelihood")
    wide = answers(system.with_(width=8, branch=64))
    narrow = answers(system.with_(width=1, branch=2))
    assert set(wide) == {"d d d"}
    assert sum(map(worth, answers(BEST.with_(n=1)))) < sum(map(worth, narrow)) < sum(map(worth, wide))


def test_a_beam_that_runs_out_of_tokens_says_so() -> None:
    (one,) = outcome(System("beam", beam).with_(chunk=1, max_tokens=2, by="likelihood"), TASKS[:1])
    assert one.transcript is not None
    assert len(one.transcript.answer.split()) == 2 and one.transcript.stop == "length"


def test_search_climbs_beyond_as_many_samples() -> None:
    climbed = answers(System("search", search).with_(n=4, rounds=8))
    sampled = answers(BEST.with_(n=32))
    first = answers(System("search", search).with_(n=4, rounds=1))
    assert sum(map(worth, first)) < sum(map(worth, climbed)) and sum(map(worth, climbed)) >= sum(map(worth, sampled))


def test_search_begins_from_the_tasks_own_seed() -> None:
    system = System("search", search).with_(n=3, rounds=3)
    assert answers(system, width=1) == answers(system, width=64)


RULES = Constitution("rules", (Principle("harm", critique="does it harm?", revision="say it without harm."),))


@pytest.mark.parametrize(
    ("critic", "expected", "turns"),
    [("no, it is fine.", "draft", 4), ("yes, it hurts.", "revised", 6)],
)
def test_an_answer_that_is_blamed_is_revised(critic: str, expected: str, turns: int) -> None:
    def model(request: Request, seed: int) -> Reply:
        assert isinstance(request, Generate)
        said = {"does it harm?": critic, "say it without harm.": "revised"}
        return Reply(text=said.get(request.prompt[-1].content, "draft"), stop="end")  # type: ignore[union-attr]

    (one,) = outcome(System("critique", critique).with_(constitution=RULES), TASKS[:1], model)
    assert one.transcript is not None and one.transcript.answer == expected
    assert len(one.transcript.messages) == turns and len(one.calls) == turns / 2
    (one,) = outcome(System("critique", critique).with_(constitution=RULES, rounds=3), TASKS[:1], model)
    assert len(one.calls) == (4 if expected == "draft" else 7)


@pytest.mark.parametrize(
    ("critic", "revision", "expected"),
    [("no, fine.", "new", "draft"), ("hm, the goat.", "new", "draft"), ("yes.", " ", "draft"), ("yes.", "new", "new")],
)
def test_what_is_malformed_changes_nothing(critic: str, revision: str, expected: str) -> None:
    def model(request: Request, seed: int) -> Reply:
        assert isinstance(request, Generate)
        said = {"does it harm?": critic, "say it without harm.": revision}
        return Reply(text=said.get(request.prompt[-1].content, "draft"), stop="end")  # type: ignore[union-attr]

    system = System("critique", critique).with_(constitution=replace(RULES, fails=("yes",)))
    (one,) = outcome(system, TASKS[:1], model)
    assert one.transcript is not None and one.transcript.answer == expected


def test_examples_are_shown_and_stand_in_no_transcript() -> None:
    shown = replace(RULES, examples=(Example("harm", "p", "a", "yes.", "r"),))
    asked: list[list[str]] = []

    def model(request: Request, seed: int) -> Reply:
        assert isinstance(request, Generate)
        asked.append([one.content for one in request.prompt])  # type: ignore[union-attr]
        return Reply(text="yes.", stop="end")

    (task,) = TASKS[:1]
    posed = replace(task.posed, messages=(Message("system", "s"), *task.posed.messages))
    own = [one.content for one in task.posed.messages]
    system = System("critique", critique).with_(constitution=shown)
    (one,) = outcome(system, [replace(task, posed=posed)], model)
    turns = ["p", "a", "does it harm?", "yes.", "say it without harm.", "r"]
    assert asked[0] == ["s", *own] and asked[1] == ["s", *turns, *own, "yes.", "does it harm?"]
    assert asked[2] == [*asked[1], "yes.", "say it without harm."]
    assert one.transcript is not None and [said.content for said in one.transcript.messages[:-1]] == [
        "s", *own, "yes.", "does it harm?", "yes.", "say it without harm.",
    ]  # fmt: skip


def test_the_principle_is_drawn_by_its_weight() -> None:
    heavy = Principle("heavy", critique="heavy?", revision="so.", weight=9)
    light = Principle("light", critique="light?", revision="so.")
    mute = Principle("mute", comparison="A or B?", weight=99)
    system = System("critique", critique).with_(constitution=Constitution("two", (heavy, light, mute)))
    tasks = [Task(f"t/{n}", Posed((Message("user", "q"),), seed=n), {}, "test") for n in range(300)]
    asked = [one.calls[1].request.prompt[-1].content for one in outcome(system, tasks)]  # type: ignore[union-attr]
    assert set(asked) == {"heavy?", "light?"} and 0.85 < asked.count("heavy?") / 300 < 0.95


@pytest.mark.parametrize(
    ("function", "wrong", "says"),
    [
        (best_of_n, {"n": 0}, "n is 0"),
        (self_consistency, {"n": 0}, "n is 0"),
        (beam, {"chunk": 0}, "at least 1 of each"),
        (search, {"rounds": 0}, "at least 1 of each"),
        (critique, {"rounds": 0}, "rounds is 0"),
        (
            critique,
            {"constitution": Constitution("mute", (Principle("x", comparison="A or B?"),))},
            "criticises nothing",
        ),
    ],
)
def test_options_that_make_no_sense_fail_with_the_choices(function: Any, wrong: dict[str, Any], says: str) -> None:
    (one,) = outcome(System(function.__name__, function).with_(**wrong), TASKS[:1])
    assert one.failure is not None and says in one.failure.message


def test_identity_depends_on_what_is_inside() -> None:
    digests = {
        BEST.digest,
        BEST.with_(n=3).digest,
        BEST.with_(inner=System("agent", agent)).digest,
        BEST.with_(inner=BEST.parameters["inner"].with_(temperature=0.5)).digest,
        System("critique", critique).digest,
        System("critique", critique).with_(constitution=RULES).digest,
    }
    assert len(digests) == 6
    with pytest.raises(BadConfig, match="no parameter m"):
        BEST.with_(m=3)
