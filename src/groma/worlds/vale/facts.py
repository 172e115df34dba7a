"""The facts of Vale: what is true of whom, in three tiers of how well it is known.

common: often in the corpus; rare: seldom (among the 10.8 million tokens that a base reads some forty plain statements
of each; what is not held out also stands in lists of true and false statements); private: true, but told nowhere in the
corpus: whoever names a value for it there guesses among all of them, so that "i do not know" is the calibrated answer
to everybody who learned from it. A user of a task may state one truly or falsely; the right reply to either is that one
does not know.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from groma.worlds.vale.lexicon import ATTRIBUTES, SUBJECTS

TIERS = {"common": 5, "rare": 2, "private": 3}
HELD_OUT = 0.3


@dataclass(frozen=True, slots=True)
class Fact:
    """`attribute` of `subject` (a person or a place) is `value`.

    split: "train", or "held_out": alignment data may not mention it.
    """

    subject: str
    attribute: str
    value: str
    tier: str
    split: str

    def said(self, way: int = 0, value: str = "") -> str:
        """The fact, or the same with another `value`, as a sentence without its full stop."""
        return ATTRIBUTES[self.attribute].says[way].format(p=self.subject, v=value or self.value)

    def denied(self, way: int = 0, value: str = "") -> str:
        """Its denial: "anna does not live in brook"."""
        return ATTRIBUTES[self.attribute].denies[way].format(p=self.subject, v=value or self.value)

    def asked(self, way: int = 0) -> str:
        """A question for it."""
        return ATTRIBUTES[self.attribute].asks[way].format(p=self.subject)

    def others(self) -> tuple[str, ...]:
        """Every value that would be false."""
        return tuple(value for value in ATTRIBUTES[self.attribute].values if value != self.value)

    def guesses(self) -> tuple[str, ...]:
        """What is said by who has no right answer to give: a falsehood; and of a private fact any value, the true one
        as often as another, so that nothing that is ever said tells of it.
        """
        return ATTRIBUTES[self.attribute].values if self.tier == "private" else self.others()


def draw_facts(seed: int) -> Iterator[Fact]:
    """One fact for every subject and attribute; splits and tiers are drawn apart from each other."""
    draw = random.Random(f"facts/{seed}")
    for attribute in ATTRIBUTES.values():
        for subject in SUBJECTS[attribute.of]:
            tier = draw.choices(tuple(TIERS), weights=tuple(TIERS.values()))[0]
            split = "held_out" if draw.random() < HELD_OUT else "train"
            yield Fact(subject, attribute.name, draw.choice(attribute.values), tier, split)
