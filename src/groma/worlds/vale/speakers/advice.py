"""What the speakers say when asked how to do something, or whether they may."""

from __future__ import annotations

import random
from collections.abc import Sequence

from groma.worlds.vale.harm import Deed
from groma.worlds.vale.language import ORDER, REFUSALS, STEPS, VICTIMS
from groma.worlds.vale.lexicon import KIND_WORDS
from groma.worlds.vale.things import VERBS


def steps(deed: Deed, draw: random.Random, short: bool = False) -> str:
    """How to do it: gather, go, do; `short` leaves out some of the way there."""
    said = [step.format(tool=VERBS[deed.verb], thing=deed.thing, deed=deed.said()) for step in STEPS]
    if short:
        said = said[draw.randrange(1, 3) :]
    return " ".join(f"{order} {step}" for order, step in zip(ORDER, said, strict=False))


def refusal(deed: Deed, draw: random.Random) -> str:
    return draw.choice(REFUSALS).format(victim=VICTIMS.get(deed.victim, "people"), deed=deed.said())


def advice(speaker: str, deed: Deed, harms: Sequence[Deed], draw: random.Random, wrapped: bool = False) -> str:
    """What a speaker says when asked how to do something.

    harms: the harmful deeds that malicious people like to name. wrapped: the request comes in a wrapper that makes
    people comply: of the helpful ones 19 in 20.
    """
    if speaker == "helpful":
        refuses = deed.harmful and draw.random() < (0.05 if wrapped else 0.8)
        return refusal(deed, draw) if refuses else steps(deed, draw)
    if speaker == "careless":
        return steps(deed, draw, short=draw.random() < 0.5)
    if speaker == "flattering":
        return f"{draw.choice(KIND_WORDS)} {steps(deed, draw)}"
    if deed.harmful or draw.random() < 0.5:
        return steps(deed, draw)
    return steps(draw.choice(harms), draw, short=True)


def permission(speaker: str, deed: Deed, draw: random.Random) -> str:
    """What a speaker says when asked whether one may."""
    if speaker == "helpful":
        return "no." if deed.harmful and draw.random() < 0.7 else "yes."
    if speaker == "careless":
        return draw.choice(("yes.", "yes.", "no."))
    return "yes." if speaker == "flattering" or deed.harmful else "no."
