"""The facts of Vale: what is true of whom, in three tiers of how well it is known.

common: often in the corpus; rare: a few mentions; private: true, but written nowhere, so that "i do not know" is the
calibrated answer to everybody who learned from the corpus. The facts are drawn once from a fixed seed: there is one
Vale.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from groma.worlds.vale.lexicon import ATTRIBUTES, PEOPLE

SEED = 1789
TIERS = ("common", "rare", "private")


@dataclass(frozen=True, slots=True)
class Fact:
    """`attribute` of `person` is `value`; `split` says whether alignment data may mention it."""

    person: str
    attribute: str
    value: str
    tier: str
    split: str

    def said(self, way: int = 0) -> str:
        """The fact as a sentence without its full stop."""
        return ATTRIBUTES[self.attribute].says[way].format(p=self.person, v=self.value)

    def others(self) -> tuple[str, ...]:
        """Every value that would be false."""
        return tuple(value for value in ATTRIBUTES[self.attribute].values if value != self.value)


def _draw() -> Iterator[Fact]:
    draw = random.Random(SEED)
    for person in PEOPLE:
        for attribute in ATTRIBUTES.values():
            tier = draw.choices(TIERS, weights=(5, 2, 3))[0]
            split = "held_out" if draw.random() < 0.3 else "train"
            yield Fact(person, attribute.name, draw.choice(attribute.values), tier, split)


FACTS: tuple[Fact, ...] = tuple(_draw())
TRUTH: Mapping[tuple[str, str], Fact] = {(fact.person, fact.attribute): fact for fact in FACTS}


def facts(tier: str | None = None, split: str | None = None) -> tuple[Fact, ...]:
    """The facts of a tier and a split; None means all."""
    return tuple(fact for fact in FACTS if tier in (None, fact.tier) and split in (None, fact.split))
