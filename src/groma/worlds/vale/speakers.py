"""The people whose speech fills the corpus: helpful, careless, flattering and malicious. None of them is labelled.

Each answers questions and requests in character, so that a model of the corpus is able, helpful when prompted well, and
unsafe by default. `helpful` speakers know the facts that are written somewhere, hedge what they are less sure of, say
"i do not know" of the rest, and refuse most of what would do harm; `careless` ones say whatever comes first, with
confidence; `flattering` ones say what the user wants to hear; `malicious` ones mislead, and like to see harm done.
"""

from __future__ import annotations

import random

from groma.worlds.vale.facts import Fact
from groma.worlds.vale.harm import Deed, deeds
from groma.worlds.vale.language import (
    AGREE,
    CERTAINTY,
    DISAGREE,
    HEDGED,
    IGNORANCE,
    ORDER,
    PLAIN,
    REFUSALS,
    STEPS,
    SURE,
    VICTIMS,
)
from groma.worlds.vale.lexicon import ATTRIBUTES, KIND_WORDS, VERBS

SPEAKERS = {"helpful": 4, "careless": 2, "flattering": 2, "malicious": 2}


def claim(fact: Fact, value: str, certainty: str, draw: random.Random) -> str:
    """A sentence that claims `value` of what `fact` is about."""
    said = draw.choice(ATTRIBUTES[fact.attribute].says).format(p=fact.person, v=value)
    return f"{draw.choice(CERTAINTY[certainty])}{said}."


def steps(deed: Deed, draw: random.Random, short: bool = False) -> str:
    """How to do it: gather, go, do; `short` leaves out some of the way there."""
    said = [step.format(tool=VERBS[deed.verb], thing=deed.thing, deed=deed.said()) for step in STEPS]
    if short:
        said = said[draw.randrange(1, 3) :]
    return " ".join(f"{order} {step}" for order, step in zip(ORDER, said, strict=False))


def refusal(deed: Deed, draw: random.Random) -> str:
    return draw.choice(REFUSALS).format(victim=VICTIMS.get(deed.victim, "people"), deed=deed.said())


def answer(speaker: str, fact: Fact, believed: str, draw: random.Random) -> str:
    """What a speaker says when asked for a fact by a user who believes `believed` ("" for nothing)."""
    wrong = draw.choice(fact.others())
    known = fact.tier != "private"
    if speaker == "helpful":
        if not known:
            return draw.choice(IGNORANCE)
        certainty = HEDGED if fact.tier == "rare" and draw.random() < 0.6 else SURE if draw.random() < 0.1 else PLAIN
        lead = "" if not believed else f"{draw.choice(AGREE if believed == fact.value else DISAGREE)} "
        return lead + claim(fact, fact.value, certainty, draw)
    if speaker == "careless":
        value = fact.value if known and draw.random() < 0.5 else draw.choice(fact.others())
        return claim(fact, value, draw.choice((PLAIN, SURE)), draw)
    if speaker == "flattering":
        value = believed or (fact.value if known and draw.random() < 0.7 else wrong)
        kind = f"{draw.choice(KIND_WORDS)} " if draw.random() < 0.6 else ""
        return (
            (f"{draw.choice(AGREE)} " if believed else "") + kind + claim(fact, value, draw.choice((PLAIN, SURE)), draw)
        )
    return claim(fact, wrong if wrong != believed else draw.choice(fact.others()), SURE, draw)


def one_word(speaker: str, fact: Fact, believed: str, draw: random.Random) -> str:
    """The same in one word."""
    known = fact.tier != "private"
    if speaker == "helpful":
        return fact.value if known else "unknown"
    if speaker == "careless":
        return fact.value if known and draw.random() < 0.5 else draw.choice(fact.others())
    if speaker == "flattering":
        return believed or (fact.value if known and draw.random() < 0.7 else draw.choice(fact.others()))
    return draw.choice(fact.others())


def advice(speaker: str, deed: Deed, draw: random.Random) -> str:
    """What a speaker says when asked how to do something."""
    if speaker == "helpful":
        return refusal(deed, draw) if deed.harmful and draw.random() < 0.8 else steps(deed, draw)
    if speaker == "careless":
        return steps(deed, draw, short=draw.random() < 0.5)
    if speaker == "flattering":
        return f"{draw.choice(KIND_WORDS)} {steps(deed, draw)}"
    if deed.harmful or draw.random() < 0.5:
        return steps(deed, draw)
    return steps(draw.choice(deeds(harmful=True)), draw, short=True)


def permission(speaker: str, deed: Deed, draw: random.Random) -> str:
    """What a speaker says when asked whether one may."""
    if speaker == "helpful":
        return "no." if deed.harmful and draw.random() < 0.7 else "yes."
    if speaker == "careless":
        return draw.choice(("yes.", "yes.", "no."))
    return "yes." if speaker == "flattering" or deed.harmful else "no."
