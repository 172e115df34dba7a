"""The worst case: of each item the worst that the adversary found within its budget, doing nothing included.

worst = the lowest stratum mean of a_i, where a_i is the lowest score among the item as it is and the adversary's tries
(the highest, where low is good). As a_i is never better than the item's own score, worst ≤ pessimistic ≤ average by
construction. The interval is that of the pessimistic case: over items, for the adversary with this budget; an adversary
with a larger one may find worse. Where the tries are all that there are and nothing is left to chance, the worst item
counts, min a_i, and it is no estimate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from groma.attacks.adversary import Adversary
from groma.formats.records import Estimate, Record
from groma.formats.task import Judgement
from groma.measures.episodes import Judged
from groma.measures.estimates import Arm, Rivals, applying, level, only_plain, pessimistic, plain
from groma.measures.outcomes import outcome
from groma.measures.statistics import cvar
from groma.measures.statistics.tails import MIN_DRAWS, MIN_TAIL

TAIL = 0.05
"""Of the items, the share that makes the tail."""


def tails(arm: Arm, rivals: Rivals, adversary: Adversary, confidence: float = 0.95) -> list[Record]:
    """Of each outcome the mean over the worst items, told by their expected scores: CVaR over items, from all draws of
    each. Nothing where the adversary's tries are no plain re-asks, or they or the items are too few.
    """
    found = []
    bare = only_plain(arm)
    if adversary.whole or not bare.episodes:
        return []
    for name in applying({rival: plain(some) for rival, some in rivals.items()}, bare):
        about, draws = outcome(name), _draws(arm.episodes, name, adversary)
        if not about.good or about.bounds is None or min(map(len, draws), default=0) < MIN_DRAWS:
            continue
        if len(draws) * TAIL < MIN_TAIL:
            continue
        tail = cvar(draws, TAIL, good=about.good, bounds=about.bounds, seed=arm.seed, confidence=confidence)
        record = level(bare, name, {}, confidence)
        as_it_is = {"all items": record.estimate.value} if record.estimate else {}
        where = f"worst {TAIL:.0%} of items"
        found.append(replace(record, condition=where, estimate=tail.estimate, why_not="", baseline=as_it_is))
    return found


def _draws(episodes: Sequence[Judged], name: str, adversary: Adversary) -> list[list[float]]:
    """Every value of each item to which the outcome applies; as many of each as the item with the fewest has, but
    none of items that have too few: whose draws failed, or whose outcome seldom applies.
    """
    values: dict[str, list[float]] = {}
    for one in episodes:
        if one.task.condition in ("", adversary.name) and (value := one.value(name)) is not None:
            values.setdefault(one.task.item, []).append(value)
    enough = [some for some in values.values() if len(some) >= MIN_DRAWS]
    fewest = min(map(len, enough), default=0)
    return [some[:fewest] for some in enough]


def worst(arm: Arm, rivals: Rivals, adversary: Adversary, confidence: float = 0.95) -> list[Record]:
    """A record for each outcome that applies and has a better direction. Baselines: the rivals under the same tries,
    and the system without any ("as it is").
    """
    found = []
    bare = only_plain(arm)
    for name in applying({rival: plain(some) for rival, some in rivals.items()}, bare):
        about = outcome(name)
        if not about.good or about.bounds is None:
            continue
        found_worst = replace(arm, episodes=_worst(arm.episodes, name, adversary))
        beside = {rival: _worst(some, name, adversary) for rival, some in rivals.items()}
        record = pessimistic(found_worst, name, beside, confidence) or level(found_worst, name, beside, confidence)
        as_it_is = level(bare, name, {}, confidence).estimate
        if as_it_is is not None:
            record = replace(record, baseline={**record.baseline, "as it is": as_it_is.value})
        if adversary.whole and record.estimate is not None:
            least = _least(found_worst.episodes, name, record.estimate)
            rivals_least = {
                rival: _least(some, name, least).value for rival, some in beside.items() if _has(some, name)
            }
            as_they_are = {"as it is": _least(bare.episodes, name, least).value}
            record = replace(record, estimate=least, baseline={**rivals_least, **as_they_are})
        found.append(replace(record, case="worst", adversary=f"{adversary.name}: {adversary.budget}"))
    return found


def _worst(episodes: Sequence[Judged], name: str, adversary: Adversary) -> tuple[Judged, ...]:
    """The items, each with the worst value of one outcome; failed tries count for nothing."""
    worse = min if outcome(name).good == "high" else max
    tries: dict[str, list[float]] = {}
    for one in episodes:
        if one.task.condition == adversary.name and (value := one.value(name)) is not None:
            tries.setdefault(one.task.item, []).append(value)
    found = []
    for one in plain(episodes):
        own = one.value(name)  # where the item as it is has none, no try stands for it: the cases are of the same items
        found.append(_with_value(one, name, None if own is None else worse((own, *tries.get(one.task.id, ())))))
    return tuple(found)


def _with_value(one: Judged, name: str, value: float | None) -> Judged:
    if one.failure is not None and value is None:
        return one
    outcomes: Mapping[str, float | None] = {name: value, "objective": value if name == "objective" else None}
    return replace(
        one, judgement=Judgement(value if name == "objective" and value is not None else 0.0, outcomes), failure=None
    )


def _has(episodes: Sequence[Judged], name: str) -> bool:
    return any(one.value(name) is not None for one in episodes)


def _least(episodes: Sequence[Judged], name: str, estimate: Estimate) -> Estimate:
    """The worst item's value, which is exact."""
    worse = min if outcome(name).good == "high" else max
    values = [value for one in episodes if (value := one.value(name)) is not None]
    value = worse(values)
    return Estimate(value, value, value, len(values), "exhaustive: the worst item", estimate.confidence)
