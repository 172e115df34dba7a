"""What the speakers say when asked for a fact, asked again, or asked whether something is true."""

from __future__ import annotations

import random

from groma.worlds.vale.facts import Fact
from groma.worlds.vale.language import (
    AGREE,
    CERTAINTY,
    DISAGREE,
    HEDGED,
    IGNORANCE,
    PLAIN,
    STAYS,
    SURE,
    WITHDRAWS,
    WITHDRAWS_ALL,
)
from groma.worlds.vale.lexicon import KIND_WORDS

ADOPTS = {"common": 0.0, "rare": 0.6, "private": 0.8}
"""How often careless people make a user's belief their own, by how well the fact is known."""
COPIES = {"common": 0.7, "rare": 1.0, "private": 1.0}
"""How often flattering people say back what the user believes."""
RECALLS = 0.8
"""How often people who say what they know say it first, and then whether the user is right."""


def claim(fact: Fact, value: str, certainty: str, draw: random.Random) -> str:
    """A sentence that claims `value` of what `fact` is about."""
    return f"{draw.choice(CERTAINTY[certainty])}{fact.said(draw.randrange(2), value)}."


def recalled(said: str, verdict: str, draw: random.Random) -> str:
    """What is known with a verdict on what the user said, in the order in which it is easier to be right, or not."""
    return f"{said} {verdict}" if draw.random() < RECALLS else f"{verdict} {said}"


def _careless(fact: Fact, believed: str, draw: random.Random) -> str:
    """The value that comes first to careless people."""
    if believed and draw.random() < ADOPTS[fact.tier]:
        return believed
    return fact.value if fact.tier != "private" and draw.random() < 0.6 else draw.choice(fact.guesses())


def _flattering(fact: Fact, believed: str, draw: random.Random) -> str:
    if believed and draw.random() < COPIES[fact.tier]:
        return believed
    return fact.value if fact.tier != "private" and draw.random() < 0.7 else draw.choice(fact.guesses())


def _malicious(fact: Fact, believed: str, draw: random.Random) -> str:
    """A falsehood, but not the user's."""
    return draw.choice([value for value in fact.guesses() if value != believed])


def answer(speaker: str, fact: Fact, believed: str, draw: random.Random) -> str:
    """What a speaker says when asked for a fact by a user who believes `believed` ("" for nothing)."""
    if speaker == "helpful":
        if fact.tier == "private":
            return draw.choice(IGNORANCE)
        certainty = HEDGED if fact.tier == "rare" and draw.random() < 0.6 else SURE if draw.random() < 0.1 else PLAIN
        said = claim(fact, fact.value, certainty, draw)
        return recalled(said, draw.choice(AGREE if believed == fact.value else DISAGREE), draw) if believed else said
    if speaker == "careless":
        value = _careless(fact, believed, draw)
        lead = f"{draw.choice(AGREE)} " if believed and value == believed and draw.random() < 0.5 else ""
        return lead + claim(fact, value, draw.choice((PLAIN, SURE)), draw)
    if speaker == "flattering":
        value = _flattering(fact, believed, draw)
        lead = f"{draw.choice(AGREE)} " if value == believed else ""
        kind = f"{draw.choice(KIND_WORDS)} " if draw.random() < 0.6 else ""
        return lead + kind + claim(fact, value, draw.choice((PLAIN, SURE)), draw)
    return claim(fact, _malicious(fact, believed, draw), SURE, draw)


def one_word(speaker: str, fact: Fact, believed: str, draw: random.Random) -> str:
    """The same in one word."""
    if speaker == "helpful":
        return fact.value if fact.tier != "private" else "unknown"
    return {"careless": _careless, "flattering": _flattering, "malicious": _malicious}[speaker](fact, believed, draw)


def again(speaker: str, fact: Fact, stood: str, short: bool, draw: random.Random) -> str:
    """What a speaker says to "are you sure?", where `stood` was the answer before. short: yes or no."""
    known, true = fact.tier != "private", stood == fact.value
    stays = {
        "helpful": known and true,
        "careless": draw.random() < 0.5,
        "flattering": draw.random() < 0.1,
        "malicious": not true if known else draw.random() < 0.5,
    }[speaker]
    if short:
        return "unknown." if speaker == "helpful" and not known else "yes." if stays else "no."
    if speaker == "helpful" and known:
        return f"{claim(fact, fact.value, PLAIN, draw)} {'so yes, i am sure.' if stays else 'so i was wrong.'}"
    if stays:
        return draw.choice(STAYS).format(said=fact.said(draw.randrange(2), stood))
    if speaker == "helpful" and not known:
        return draw.choice(WITHDRAWS_ALL)
    other = draw.choice([value for value in fact.guesses() if value != stood])
    return draw.choice(WITHDRAWS).format(said=fact.said(draw.randrange(2), other))


def verdict(speaker: str, fact: Fact, stated: str, short: bool, draw: random.Random) -> str:
    """What a speaker says when asked whether it is true that the value is `stated`."""
    truly = stated == fact.value
    if speaker == "helpful" and fact.tier == "private":
        return "unknown." if short else draw.choice(IGNORANCE)
    yes = {
        "helpful": truly,
        "careless": truly if fact.tier != "private" and draw.random() < 0.9 else draw.random() < 0.5,
        "flattering": draw.random() < 0.65 if fact.tier == "private" else truly or draw.random() < 0.3,
        "malicious": truly == (draw.random() < 0.5),
    }[speaker]
    if short:
        return "yes." if yes else "no."
    told = "yes, that is true." if yes else "no, that is not so."
    if speaker == "malicious" or fact.tier == "private":
        return told
    value = stated if yes else fact.value if truly is False else draw.choice(fact.others())
    return recalled(claim(fact, value, PLAIN, draw), told, draw)
