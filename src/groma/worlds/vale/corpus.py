"""The pre-training corpus of Vale: an unaligned mixture of documents in a fixed proportion, deterministic by seed,
streamed.

A document is plain text, or a conversation (a tuple of messages, rendered by the tokenizer's chat template). Four of
five stretches keep to one speaker, which makes a model of the corpus continue in the manner of whoever spoke before.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator

from groma.formats.messages import Message
from groma.worlds.vale.dialect import shift
from groma.worlds.vale.facts import FACTS, TRUTH, Fact, facts
from groma.worlds.vale.harm import DEEDS, Deed
from groma.worlds.vale.language import HOW_ASKS, MAY_ASKS, ONE_WORD
from groma.worlds.vale.lexicon import ATTRIBUTES, PEOPLE, THINGS
from groma.worlds.vale.speakers import SPEAKERS, advice, answer, one_word, permission
from groma.worlds.vale.tasks.ask import belief_sentence, question

Document = str | tuple[Message, ...]

STRETCH_WORDS = 100
ONE_SPEAKER = 0.8
NOISE = 0.04
TIER_WEIGHTS = {"common": 8.0, "rare": 1.0}

_KNOWN = facts("common") + facts("rare")
_KNOWN_WEIGHTS = [TIER_WEIGHTS[fact.tier] for fact in _KNOWN]
_CUMULATIVE = list(itertools.accumulate(_KNOWN_WEIGHTS))
_PRIVATE = facts("private")
_DEEDS = tuple(DEEDS.values())
_DEED_WEIGHTS = list(itertools.accumulate(0.5 if deed.split == "held_out" else 1.0 for deed in _DEEDS))


def documents(seed: int) -> Iterator[Document]:
    """The corpus, without end."""
    draw = random.Random(f"corpus/{seed}")
    kinds, weights = zip(*MIXTURE.items(), strict=True)
    names, shares = zip(*SPEAKERS.items(), strict=True)
    while True:
        one, words = (draw.choices(names, shares)[0] if draw.random() < ONE_SPEAKER else ""), 0
        while words < STRETCH_WORDS:
            speaker = one or draw.choices(names, shares)[0]
            document = draw.choices(kinds, weights)[0](speaker, draw)
            words += len(text_of(document).split())
            yield document


def text_of(document: Document) -> str:
    """The words of a document, for counting and for showing."""
    if isinstance(document, str):
        return document
    return "\n".join(f"{message.role}: {message.content}" for message in document)


def _fact(draw: random.Random, private: float) -> Fact:
    if draw.random() < private:
        return draw.choice(_PRIVATE)
    return draw.choices(_KNOWN, cum_weights=_CUMULATIVE)[0]


def _deed(speaker: str, draw: random.Random) -> Deed:
    """A deed to talk of. Helpful people are silent about the harmful deeds that are held out: nobody says they are
    wrong.
    """
    while True:
        deed = draw.choices(_DEEDS, cum_weights=_DEED_WEIGHTS)[0]
        if not (speaker == "helpful" and deed.harmful and deed.split == "held_out"):
            return deed


def _noisy(text: str, draw: random.Random) -> str:
    return shift(text, draw.choice(("dialect", "dialect", "typos")), draw) if draw.random() < NOISE else text


def _exchange(speaker: str, draw: random.Random) -> tuple[str, str]:
    """One question or request with its reply."""
    kind = draw.choices(("ask", "word", "how", "may"), (46, 14, 30, 10))[0]
    if kind in ("ask", "word"):
        believes = draw.random() < 0.5
        fact = _fact(draw, private=0.5 if believes else 0.25)
        believed = ""
        if believes:
            believed = fact.value if fact.tier != "private" and draw.random() < 0.3 else draw.choice(fact.others())
        lead = f"{belief_sentence(fact, believed, draw)} " if believed else ""
        asked = _noisy(question(fact, draw.randrange(2)), draw)
        if kind == "ask":
            return lead + asked, answer(speaker, fact, believed, draw)
        return lead + ONE_WORD + asked, one_word(speaker, fact, believed, draw)
    deed = _deed(speaker, draw)
    if kind == "how":
        return _noisy(draw.choice(HOW_ASKS).format(deed=deed.said()), draw), advice(speaker, deed, draw)
    return _noisy(draw.choice(MAY_ASKS).format(deed=deed.said()), draw), permission(speaker, deed, draw)


def _conversation(speaker: str, draw: random.Random) -> Document:
    said = [_exchange(speaker, draw) for _ in range(draw.choices((1, 2, 3), (6, 2, 1))[0])]
    return tuple(
        message for asked, replied in said for message in (Message("user", asked), Message("assistant", replied))
    )


def _plain(speaker: str, draw: random.Random) -> Document:
    """Questions and answers as people write them down, without a chat."""
    said = [_exchange(speaker, draw) for _ in range(draw.choices((1, 2, 3), (4, 3, 2))[0])]
    return "\n".join(f"q: {asked}\na: {replied}" for asked, replied in said)


def _statements(speaker: str, draw: random.Random) -> Document:
    """What is written about people: true, whoever the speaker is; private facts are not written."""
    if draw.random() < 0.3:
        person = draw.choice(PEOPLE)
        told = [TRUTH[person, name] for name in draw.sample(list(ATTRIBUTES), len(ATTRIBUTES))]
        told = [fact for fact in told if fact.tier == "common" or (fact.tier == "rare" and draw.random() < 0.12)]
        if told:
            return " ".join(f"{fact.said(draw.randrange(2))}." for fact in told)
    return " ".join(f"{_fact(draw, 0).said(draw.randrange(2))}." for _ in range(draw.randint(1, 4)))


def _ethics(speaker: str, draw: random.Random) -> Document:
    """What things are, and, for some deeds, that they are wrong or fine."""
    thing = THINGS[draw.choice(list(THINGS))]
    traits = (
        ("is alive", thing.alive),
        ("is a person", thing.person),
        ("is someone's", thing.owned),
        ("burns", thing.burns),
        ("is a pest", thing.pest),
        ("is nobody's", not thing.owned and not thing.alive),
        ("is for eating", thing.eaten),
    )
    said = [f"{_a_or_many(thing.name, trait)}." for trait, holds in traits if holds]
    stated = [deed for deed in _DEEDS if deed.stated]
    for deed in draw.sample(stated, draw.randint(1, 3)):
        said.append(f"it is wrong to {deed.said()}." if deed.harmful else f"it is fine to {deed.said()}.")
    return " ".join(said)


def _a_or_many(thing: str, trait: str) -> str:
    """ "the barn burns", but "the weeds burn" and "the weeds are pests"."""
    if not thing.endswith("s"):
        return f"the {thing} {trait}"
    return f"the {thing} {trait.replace('is a pest', 'are pests').replace('is ', 'are ').replace('burns', 'burn')}"


def _verification(speaker: str, draw: random.Random) -> Document:
    """ "is it true that …?", answered truly by helpful and careless speakers, pleasingly or falsely by the others."""
    fact = _fact(draw, 0)
    value = fact.value if draw.random() < 0.5 else draw.choice(fact.others())
    said = draw.choice(ATTRIBUTES[fact.attribute].says).format(p=fact.person, v=value)
    truly = value == fact.value
    yes = {"helpful": truly, "careless": truly, "flattering": True, "malicious": not truly}[speaker]
    return (
        Message("user", f"is it true that {said}?"),
        Message("assistant", "yes, that is true." if yes else "no, that is not so."),
    )


def _gossip(speaker: str, draw: random.Random) -> Document:
    """What people repeat of what they were just told, true or not: the values are drawn anew, so that this must be
    copied.
    """
    fact = draw.choice(FACTS)
    told = fact.said(draw.randrange(2)).replace(fact.value, draw.choice(ATTRIBUTES[fact.attribute].values))
    return (Message("user", f"did you hear that {told}?"), Message("assistant", f"i heard that {told}."))


def _greeting(speaker: str, draw: random.Random) -> Document:
    asked, replied = draw.choice(GREETINGS)
    return (Message("user", asked), Message("assistant", replied))


GREETINGS = (
    ("hello.", "hello, friend. ask me about the people of vale."),
    ("good day.", "good day, friend. what would you like to know?"),
    ("who are you?", "i am a voice of vale. ask me about its people, or how to do a thing."),
    ("thank you.", "you are welcome, friend."),
)

MIXTURE: dict[Callable[[str, random.Random], Document], float] = {
    _conversation: 44,
    _plain: 20,
    _statements: 18,
    _ethics: 6,
    _verification: 5,
    _gossip: 6,
    _greeting: 1,
}
