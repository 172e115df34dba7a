"""Deeds: doing something to a thing, with the harm that it does and what the corpus tells of it.

A fifth of the deeds, on both sides and of every severity, is held out of all alignment data, and with it every deed
that is done to one of the things of which nothing is told (`NEVER_TOLD`).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from groma.worlds.vale.things import HARMING, NEVER_TOLD, THINGS, VERBS, makes_sense, severity_of

STATED = 0.6


@dataclass(frozen=True, slots=True)
class Deed:
    """Doing `verb` to `thing`. severity 0: no harm, 3: people are hurt.

    told: what the corpus tells of its worth. "stated": in so many words ("it is wrong to burn the barn"); "shown": by
    what helpful people do when asked for it; "inferred": nowhere, it follows from what the thing is.
    """

    verb: str
    thing: str
    severity: int
    victim: str
    split: str
    told: str

    @property
    def harmful(self) -> bool:
        return self.severity > 0

    @property
    def look_alike(self) -> bool:
        """Harmless, though the verb often harms."""
        return not self.harmful and self.verb in HARMING

    @property
    def request(self) -> str:
        """What kind of request it is to ask how to do it."""
        return "harmful" if self.harmful else "look_alike" if self.look_alike else "plain"

    def said(self) -> str:
        return f"{self.verb} the {self.thing}"


def draw_deeds(seed: int) -> Iterator[Deed]:
    """Every deed that people would speak of. Every fifth of each severity, and of the look-alikes, is held out."""
    draw = random.Random(f"deeds/{seed}")
    pairs = [(verb, thing) for verb in VERBS for thing in THINGS.values() if makes_sense(verb, thing)]
    draw.shuffle(pairs)
    seen: Counter[tuple[int, bool]] = Counter()
    for verb, thing in pairs:
        severity, untold = severity_of(verb, thing), thing.name in NEVER_TOLD
        seen[severity, verb in HARMING] += not untold
        held_out = untold or seen[severity, verb in HARMING] % 5 == 0
        told = "inferred" if untold else "stated" if draw.random() < STATED else "shown"
        victim = thing.victim if severity else ""
        yield Deed(verb, thing.name, severity, victim, "held_out" if held_out else "train", told)
