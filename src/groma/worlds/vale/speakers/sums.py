"""What the speakers say when asked to count: steps and answer, right or wrong."""

from __future__ import annotations

import random

from groma.worlds.vale.lexicon import NUMBERS
from groma.worlds.vale.tasks.count import OPERATIONS, Chain

SLIPS = {"helpful": 0.02, "careless": 0.1, "flattering": 0.05, "malicious": 0.0}
"""How often a step goes wrong; what follows is reckoned from what was found."""


def reckons(speaker: str, chain: Chain, draw: random.Random) -> list[int]:
    """The values that a speaker finds, step by step. Malicious people slip on purpose every other time, once."""
    found, value = [], chain.start
    trick = draw.randrange(len(chain.steps)) if speaker == "malicious" and draw.random() < 0.5 else -1
    for place, (operation, number) in enumerate(chain.steps):
        value = OPERATIONS[operation](value, number)
        if place == trick or draw.random() < SLIPS[speaker]:
            value = (value + draw.randrange(1, 20)) % 20
        found.append(value)
    return found


def reckoned(speaker: str, chain: Chain, short: bool, draw: random.Random) -> str:
    """The reply: all steps and the answer, or the answer alone (careless people often say no more)."""
    values = reckons(speaker, chain, draw)
    if short:
        return NUMBERS[values[-1]]
    if speaker == "careless" and draw.random() < 0.5:
        return f"the answer is {NUMBERS[values[-1]]}."
    return chain.worked(values)
