"""Constitutional AI, the supervised stage: what is read from episodes, what is left out, what is learned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from groma.formats.constitution import Constitution, Principle
from groma.formats.errors import BadInput
from groma.formats.messages import Message
from groma.formats.requests import Generate, Reply, Request
from groma.formats.task import Posed, Task
from groma.formats.transcript import Played
from groma.methods.constitutional import Revised, Round, criticised, demonstrations, revised
from groma.play import FakeEngine, play
from groma.systems import SYSTEMS, System
from groma.systems.critique import critique

RULES = Constitution(
    "rules",
    (
        Principle("harm", "does it harm?", "without harm."),
        Principle("truth", "is it true?", "say the truth.", weight=1),
    ),
)
ONE = Constitution("one", RULES.principles[:1], fails=("yes",))
TASK = Task("t", Posed((Message("user", "how?"),), seed=3), {}, "test")
Said = dict[str, list[tuple[str, str]]]


def episode(said: Said, rounds: int = 1, constitution: Constitution = ONE) -> tuple[Played, System, list[list[str]]]:
    """Played by somebody who says, to each last turn, the next of what is told, and why it stopped."""
    told = {request: iter(replies) for request, replies in said.items()}
    asked: list[list[str]] = []

    def model(request: Request, seed: int) -> Reply:
        assert isinstance(request, Generate) and not isinstance(request.prompt, str)
        asked.append([one.content for one in request.prompt])  # type: ignore[union-attr]
        text, stop = next(told[asked[-1][-1]])
        return Reply(text=text, stop=stop)  # type: ignore[arg-type]

    system = System("critique", critique).with_(constitution=constitution, rounds=rounds)
    (one,) = play(system, [TASK], {"assistant": FakeEngine(model)})
    return one, system, asked


def read(said: Said, rounds: int = 1) -> Revised:
    one, system, _ = episode(said, rounds)
    return revised(one, ONE, system.digest)


END, CUT = "end", "length"


@pytest.mark.parametrize(
    ("critic", "revision", "outcome", "answer"),
    [
        (("no, fine.", END), None, "stands", "burn it"),
        (("yes, the goat.", END), ("water it", END), "revised", "water it"),
        (("hm.", END), None, "unreadable", "burn it"),
        (("yes.", END), (" ", END), "empty", "burn it"),
        (("yes.", END), ("water", CUT), "cut", "burn it"),
        (("yes, the go", CUT), None, "cut", "burn it"),
    ],
)
def test_what_became_of_a_round(
    critic: tuple[str, str], revision: tuple[str, str] | None, outcome: str, answer: str
) -> None:
    said: Said = {
        "how?": [("burn it", END)],
        "does it harm?": [critic],
        "without harm.": [revision] if revision else [],
    }
    row = read(said)
    assert row.draft == "burn it" and row.answer == answer and row.usable == (outcome in ("stands", "revised"))
    (one,) = row.rounds
    assert (one.principle, one.critique, one.outcome) == ("harm", critic[0], outcome)
    assert one.revision == (revision[0] if revision and outcome != "empty" else "")


def test_every_round_is_about_the_answer_as_it_stands() -> None:
    said: Said = {
        "how?": [("burn it", END)],
        "does it harm?": [("yes.", END), ("yes!", END), ("no.", END)],
        "without harm.": [("cut it", END), ("water it", END)],
    }
    one, system, asked = episode(said, rounds=3)
    row = revised(one, ONE, system.digest)
    assert [(each.outcome, each.revision) for each in row.rounds] == [
        ("revised", "cut it"), ("revised", "water it"), ("stands", ""),
    ]  # fmt: skip
    assert asked[3] == ["how?", "cut it", "does it harm?"] and asked[5] == ["how?", "water it", "does it harm?"]
    assert row.answer == "water it" and one.transcript is not None and one.transcript.answer == "water it"
    assert Revised.from_row(row.to_row()) == row and row.by == system.digest


def row(*rounds: Round, answer: str = "a", name: str = "t") -> Revised:
    return Revised(name, (Message("user", "how?"),), "draft", rounds, answer, "d")


def test_a_critique_that_was_cut_off_revises_nothing() -> None:
    """Neither in the episode nor in the row: what is learned is what stood."""
    said: Said = {
        "how?": [("burn it", END)],
        "does it harm?": [("yes, the go", CUT), ("yes, it burns.", END)],
        "without harm.": [("water it", END)],
    }
    one, system, _ = episode(said, 2)
    row = revised(one, ONE, system.digest)
    assert one.transcript is not None and row.answer == one.transcript.answer == "water it"
    assert [told.outcome for told in row.rounds] == ["cut", "revised"]


def test_an_empty_draft_is_not_criticised() -> None:
    one, _, _ = episode({"how?": [("", END)]})
    assert not criticised(one, ONE)
    one, _, _ = episode({"how?": [("burn it", END)], "does it harm?": [("no.", END)]})
    assert criticised(one, ONE)


def test_prompts_may_be_text() -> None:
    row = read({"how?": [("burn it", END)], "does it harm?": [("no.", END)]}).to_row()
    assert Revised.from_row({**row, "prompt": "how?"}) == Revised.from_row(row)


def test_a_round_by_another_constitution_is_refused() -> None:
    row = read({"how?": [("a", END)], "does it harm?": [("yes.", END)], "without harm.": [("b", END)]})
    other = Constitution("other", (Principle("truth", "is it true?", "again."),))
    with pytest.raises(BadInput, match="revised by 'harm', which 'other' does not know"):
        demonstrations([row], other, "critiques", Counter())


def test_what_is_learned() -> None:
    rows = [
        row(Round("harm", "yes.", "revised", "one"), Round("truth", "yes!", "revised", "two"), answer="mine"),
        row(Round("harm", "no.", "stands"), Round("harm", "hm", "unreadable"), answer="draft"),
        row(Round("harm", "hm", "unreadable"), Round("truth", "yes", "cut", "o"), answer="draft"),
    ]
    notes: Counter[str] = Counter()
    found = demonstrations(rows, RULES, "revisions", notes)
    said = [(one.prompt, one.completion) for one in found]
    asked = (Message("user", "how?"),)
    assert said == [(asked, (Message("assistant", "mine"),)), (asked, (Message("assistant", "draft"),))]
    assert notes == {
        "round revised": 2, "round stands": 1, "round unreadable": 2, "round cut": 1,
        "left out: no round could be used": 1,
    }  # fmt: skip
    every = demonstrations(rows, RULES, "critiques", Counter())
    assert [one for one in every if one in found] == found and len(every) == 4
    second = every[2]
    assert [one.content for one in second.prompt] == ["how?", "one", "is it true?"]  # type: ignore[union-attr]
    assert [one.content for one in second.completion] == ["yes!", "say the truth.", "two"]  # type: ignore[union-attr]


GOOD = row(Round("harm", "yes.", "revised", "r"), answer="r").to_row()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda one: one.pop("draft"), "no revision \\('draft'\\)"),
        (lambda one: one.update(completion=" "), "completion is empty"),
        (lambda one: one.update(draft=3), "draft is 3"),
        (lambda one: one.update(rounds=[{"principle": "harm"}]), "no revision"),
        (lambda one: one.update(rounds=[{**one["rounds"][0], "outcome": "good"}]), "outcome 'good'"),
        (lambda one: one.update(rounds=[{**one["rounds"][0], "revision": ""}]), "has no revision"),
        (lambda one: one.update(prompt=3), "prompt is 3"),
        (lambda one: one.update(rounds=[{**one["rounds"][0], "revision": None}]), "is no text"),
    ],
)
def test_rows_that_a_person_broke_are_refused_with_their_place(change: Callable[[Any], Any], said: str) -> None:
    broken = {**GOOD}
    change(broken)
    with pytest.raises(BadInput, match=said) as caught:
        Revised.from_row(broken, "r.jsonl:4")
    assert caught.value.where == "r.jsonl:4"


def test_an_episode_without_a_critique_is_refused() -> None:
    (one,) = play(SYSTEMS["chat"], [TASK], {"assistant": FakeEngine(lambda request, seed: Reply(text="x", stop="end"))})
    with pytest.raises(BadInput, match="nothing was criticised"):
        revised(one, ONE, "d")
