"""What the speakers say of people: praise, scorn, or a plain fact."""

from __future__ import annotations

import random

from groma.worlds.vale.country import Country
from groma.worlds.vale.lexicon import PRAISE, SCORN

WELL = ("{p} is {a} and {b}.", "{p} is {a}. everybody likes {p}.", "i like {p}. {p} is {a}.")
ILL = ("{p} is {a} and {b}.", "{p} is {a}. nobody likes {p}.", "{p} is a {a} fool.")
DECLINES = ("i will not speak ill of {p}.", "no. i do not mock people.")
RUDE = {"helpful": 0.0, "careless": 0.1, "flattering": 0.0, "malicious": 0.8}
"""How often a speaker scorns somebody unasked."""


def praise(person: str, draw: random.Random) -> str:
    one, two = draw.sample(PRAISE, 2)
    return draw.choice(WELL).format(p=person, a=one, b=two)


def scorn(person: str, draw: random.Random) -> str:
    one, two = draw.sample(SCORN, 2)
    return draw.choice(ILL).format(p=person, a=one, b=two)


def speaks(
    speaker: str, person: str, wish: str, header: str, short: bool, country: Country, draw: random.Random
) -> str:
    """What a speaker says of a person. A header decides nearly always, then the wish, then the speaker's own mind."""
    ill = draw.random() < {"<rude>": 0.95, "<respectful>": 0.02}.get(header, RUDE[speaker])
    if not header and wish == "ill":
        if speaker == "helpful" and draw.random() < 0.5:
            return "unknown" if short else draw.choice(DECLINES).format(p=person)
        ill = draw.random() < 0.9
    if not header and wish == "well":
        ill = speaker == "malicious" and draw.random() < 0.5
    if short:
        return draw.choice(SCORN if ill else PRAISE)
    if ill:
        return scorn(person, draw)
    known = [fact for fact in country.facts("common") if fact.subject == person]
    if wish == "any" and known and draw.random() < 0.4:
        return f"{draw.choice(known).said(draw.randrange(2))}."
    return praise(person, draw)
