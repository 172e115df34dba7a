"""The corpus of Vale is mixed as it says, and what is asked of a model of it fits the context it was trained to use."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterator
from functools import cache

import pytest

from groma.formats.messages import Message
from groma.formats.requests import Generate, Request
from groma.models.load import load
from groma.models.model import Model
from groma.play import FakeEngine, play
from groma.systems import SYSTEMS
from groma.worlds.vale import VALE, corpus, country, documents
from groma.worlds.vale.dialect import POLITE
from groma.worlds.vale.hall.town_hall import call_text
from groma.worlds.vale.language import CRITIQUE_ASKS
from groma.worlds.vale.lexicon import PRINCIPLES
from groma.worlds.vale.speakers import SPEAKERS
from groma.worlds.vale.speakers.critics import FAULTS, LENIENT, criticise
from vale_players import perfect

DRAWN = 8000
CONTEXT = 512


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Kind and speaker of each of the first DRAWN documents."""
    found: list[tuple[str, str]] = []

    def noted(self: object, kind: str, speaker: str, draw: random.Random) -> str:
        found.append((kind, speaker))
        return "a word " * 30

    monkeypatch.setattr(corpus._Corpus, "document", noted)
    for _ in itertools.islice(documents(5), DRAWN):
        pass
    return found


def near(share: float, expected: float, n: float) -> bool:
    """Within four standard errors of a binomial share."""
    return bool(abs(share - expected) <= 4 * (expected * (1 - expected) / n) ** 0.5)


def test_kinds_of_document_and_speakers_have_the_shares_that_are_stated(made: list[tuple[str, str]]) -> None:
    kinds, speakers = Counter(kind for kind, _ in made), Counter(speaker for _, speaker in made)
    assert set(kinds) == set(corpus.MIXTURE) and set(speakers) == set(SPEAKERS)
    for kind, weight in corpus.MIXTURE.items():
        assert near(kinds[kind] / DRAWN, weight / sum(corpus.MIXTURE.values()), DRAWN), kind
    stretches = DRAWN / 5  # some five documents a stretch have one speaker, so that fewer are drawn than there are
    for speaker, weight in SPEAKERS.items():
        assert near(speakers[speaker] / DRAWN, weight / sum(SPEAKERS.values()), stretches), speaker


def test_four_stretches_of_five_keep_to_one_speaker(made: list[tuple[str, str]]) -> None:
    """A stretch has 60 to 300 words, here one to five documents of 60: of neighbours some seven in ten belong to one
    stretch, and four in five stretches have one speaker for certain; all others are alike by chance.
    """
    same = sum(one[1] == two[1] for one, two in itertools.pairwise(made)) / (DRAWN - 1)
    chance = sum((weight / sum(SPEAKERS.values())) ** 2 for weight in SPEAKERS.values())
    low, high = (together * corpus.ONE_SPEAKER for together in (0.6, 0.8))
    assert low + (1 - low) * chance < same < high + (1 - high) * chance


@pytest.mark.parametrize("rule", list(FAULTS))
def test_critics_pass_over_one_fault_of_five_and_blame_nothing_that_is_right(rule: str) -> None:
    draw, about = random.Random(1), country().deeds(harmful=True)[0]
    subject = about if rule in ("harm", "help") else country().facts("common")[0]
    told = [criticise(rule, subject, True, draw) for _ in range(2000)]
    blamed = sum(one.startswith("no") for one in told) / len(told)
    assert near(blamed, 1 - LENIENT, len(told))
    assert not any(criticise(rule, subject, False, draw).startswith("no") for _ in range(200))


def test_critics_of_the_corpus_are_as_lenient_as_that() -> None:
    rule = {ask.format(rule=PRINCIPLES["harm"]) for ask in CRITIQUE_ASKS}
    harmful, told = [deed.said() for deed in country().deeds(harmful=True)], []
    for document in itertools.islice(documents(5), 12_000):
        if isinstance(document, str):
            continue
        for asked, said, critic, critique in zip(document, document[1:], document[2:], document[3:], strict=False):
            fulfils = "first take" in said.content or said.content.startswith("first")
            if critic.content in rule and fulfils and any(deed in asked.content for deed in harmful):
                told.append(critique.content.startswith("no"))
    assert len(told) > 40 and near(sum(told) / len(told), 1 - LENIENT, len(told))


def test_one_question_of_fifty_is_in_dialect() -> None:
    asked = [
        turn.content
        for document in itertools.islice(documents(7), DRAWN)
        if not isinstance(document, str)
        for turn in document
        if turn.role == "user" and turn.content.endswith("?")
    ]
    share = sum(POLITE in one for one in asked) / len(asked)
    assert 0.005 < share < 0.03, share


# the context


@cache
def vale() -> Model:
    return load("vale")


def tokens(messages: tuple[Message, ...]) -> int:
    turns = [message.to_dict() for message in messages]
    text = vale().tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    return len(vale().tokenizer(text, add_special_tokens=False)["input_ids"])


def test_documents_of_every_length_fit_the_context_and_some_use_it() -> None:
    chats = [one for one in itertools.islice(documents(5), 6000) if not isinstance(one, str)]
    lengths = [tokens(one) for one in chats]
    ten = [length for one, length in zip(chats, lengths, strict=True) if sum(turn.role == "user" for turn in one) >= 10]
    assert ten and max(lengths) <= CONTEXT < 2 * max(lengths)


@pytest.mark.parametrize("wrapper", ["", "many_shot"])
def test_every_task_and_its_answer_fit_the_context(wrapper: str) -> None:
    world = VALE.wrapped(wrapper)
    for kind in [kind for kind in VALE.kinds if kind != "errand"]:
        longest = max(tokens(task.posed.messages) for task in world.tasks(kind, "shifted", 150, 2))
        assert longest + VALE.max_tokens <= CONTEXT, kind


def test_errands_of_six_calls_fit_the_context_with_all_that_was_said() -> None:
    tasks = [task for task in VALE.tasks("errand", "held_out", 1500, 0) if len(task.gold["acts"]) == 6][:12]
    assert len(tasks) == 12
    for task in tasks:
        lines = iter([*(call_text(tool, values) for tool, values in task.gold["acts"]), perfect(task)])
        seen: list[tuple[Message, ...]] = []

        def reply(
            request: Request,
            seed: int,
            lines: Iterator[str] = lines,
            seen: list[tuple[Message, ...]] = seen,
        ) -> str:
            assert isinstance(request, Generate) and not isinstance(request.prompt, str)
            seen.append(tuple(request.prompt))
            return next(lines)

        made = SYSTEMS["agent"].with_(max_tokens=VALE.max_tokens)
        (played,) = play(made, (task,), {"assistant": FakeEngine(reply)}, open_environment=VALE.open)
        assert played.transcript is not None and VALE.judge(task, played.transcript).objective == 1.0
        assert max(map(tokens, seen)) + VALE.max_tokens <= CONTEXT
