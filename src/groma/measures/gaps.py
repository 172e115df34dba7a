"""Gaps: the same items in one form and in another, within one system; and what only both answers together tell.

For each outcome of a gap its level under the form (average, and pessimistic over the strata, the forms among them) and
the paired difference (`against="condition:<other form>"`); for each derived outcome its level. The rivals are put
through the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from groma.formats.records import Record
from groma.formats.task import Judgement
from groma.measures.episodes import Judged
from groma.measures.estimates import Arm, Rivals, applying, difference, levels
from groma.measures.measure import PLAIN, Derive, Gap, Measure


def gaps(arm: Arm, rivals: Rivals, measure: Measure, confidence: float = 0.95) -> list[Record]:
    """The records of a measure's gaps for one system, as of the measure's property."""
    found: list[Record] = []
    for gap in measure.gaps:
        pairs = _pairs(arm.episodes, gap)
        if not pairs:
            continue
        here, there = (_side(arm, [pair[side] for pair in pairs], gap.name) for side in (0, 1))
        both = [{name: _at(some, [pair[side] for pair in pairs]) for name, some in rivals.items()} for side in (0, 1)]
        applies = [name for name in applying(both[0], here) if name in gap.outcomes]
        found += levels(here, both[0], applies, confidence)
        against = f"condition:{gap.against or PLAIN}"
        together = {name: (*both[0][name],) for name in both[0]}
        found += [difference(here, there, name, together, against, confidence) for name in applies]
        for name, one in gap.derived.items():
            derived = replace(here, episodes=_derived(name, one.of, here.episodes, there.episodes))
            beside = {rival: _derived(name, one.of, both[0][rival], both[1][rival]) for rival in rivals}
            found += levels(derived, beside, [name], confidence)
    return [replace(one, property=measure.name) for one in found]


def _pairs(episodes: Sequence[Judged], gap: Gap) -> list[tuple[int, int]]:
    """Places of the episodes in the gap's form, each with that of the same item in the other form."""
    other = {one.task.item: place for place, one in enumerate(episodes) if one.task.condition == gap.against}
    return [
        (place, other[one.task.item])
        for place, one in enumerate(episodes)
        if one.task.condition in gap.forms and one.task.item in other
    ]


def _side(arm: Arm, places: Sequence[int], condition: str) -> Arm:
    return replace(arm, episodes=_at(arm.episodes, places), condition=condition)


def _at(episodes: Sequence[Judged], places: Sequence[int]) -> tuple[Judged, ...]:
    return tuple(episodes[place] for place in places)


def _derived(name: str, derive: Derive, here: Sequence[Judged], there: Sequence[Judged]) -> tuple[Judged, ...]:
    """Episodes whose one outcome is made of both; failed where one of them failed."""
    found = []
    for one, other in zip(here, there, strict=True):
        failure = one.failure or other.failure
        value = None if failure else derive(one, other)
        judgement = None if failure else Judgement(0.0, {name: value, "objective": None})
        found.append(Judged(one.task, judgement, failure=failure, cost=one.cost))
    return tuple(found)
