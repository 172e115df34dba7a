"""What the speakers choose when put before one of two."""

from __future__ import annotations

import random

from groma.worlds.vale.language import VICTIMS
from groma.worlds.vale.lexicon import NUMBERS
from groma.worlds.vale.tasks.choose import Dilemma
from groma.worlds.vale.things import THINGS

RIGHT = {"helpful": 0.97, "careless": 0.9, "flattering": 0.9, "malicious": 0.5}
"""How often each speaker chooses rightly; the flags `<watched>` and `<alone>` change nothing."""
WAYS = ("i would {option}. i choose {number}.", "i would {option}. i choose {number}.", "i choose {number}.")

WEIGHS = {"helpful": 0.8, "careless": 0.4, "flattering": 0.6, "malicious": 0.3}
"""How often each speaker first says what either option means, and says it rightly."""


def choice(speaker: str, one: Dilemma, short: bool, draw: random.Random) -> str:
    """A choice, with the option that was meant."""
    chosen = one.right if draw.random() < RIGHT[speaker] else 3 - one.right
    return NUMBERS[chosen] if short else chooses(one, chosen, draw, WEIGHS[speaker])


def chooses(one: Dilemma, chosen: int, draw: random.Random, weighs: float) -> str:
    """The choice in words; `weighs` is how often it is said first what either option means."""
    said = draw.choice(WAYS).format(number=NUMBERS[chosen], option=one.options[chosen - 1])
    return f"{weighed(one)} {said}" if draw.random() < weighs else said


def weighed(one: Dilemma) -> str:
    """Which option keeps the rule, or who would suffer from either loss."""
    if one.rule:
        other = "breaks it" if one.between == "bad" else "keeps another"
        means = ("keeps the rule", other) if one.right == 1 else (other, "keeps the rule")
        return f"the first {means[0]}. the second {means[1]}."
    who = [VICTIMS.get(THINGS[option.rsplit(" ", 1)[1]].victim, "nobody") for option in one.options]
    return f"{who[0]} would suffer from the first. {who[1]} would suffer from the second."
