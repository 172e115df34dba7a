"""A country: what is true of whom, and which deeds do harm, drawn from one seed. There is one Vale; others for tests.

`country()` is the one that ships: corpus, bases and all published figures are about it. Any other seed gives another
consistent country of the same kind, so that a finding can be checked where nothing can have been learned by heart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from groma.worlds.vale.facts import Fact, draw_facts
from groma.worlds.vale.harm import Deed, draw_deeds

SEED = 1789


@dataclass(frozen=True, eq=False)
class Country:
    """facts: by subject and attribute. deeds: by verb and thing."""

    seed: int
    truth: Mapping[tuple[str, str], Fact]
    table: Mapping[tuple[str, str], Deed]

    def facts(self, tier: str | None = None, split: str | None = None) -> tuple[Fact, ...]:
        """The facts of a tier and a split; None means all."""
        return tuple(fact for fact in self.truth.values() if tier in (None, fact.tier) and split in (None, fact.split))

    def deeds(self, split: str | None = None, harmful: bool | None = None) -> tuple[Deed, ...]:
        """The deeds of a split, harmful or not; None means all."""
        return tuple(
            deed for deed in self.table.values() if split in (None, deed.split) and harmful in (None, deed.harmful)
        )


@cache
def country(seed: int = SEED) -> Country:
    """The country of a seed."""
    facts, deeds = draw_facts(seed), draw_deeds(seed)
    return Country(
        seed,
        {(fact.subject, fact.attribute): fact for fact in facts},
        {(deed.verb, deed.thing): deed for deed in deeds},
    )
