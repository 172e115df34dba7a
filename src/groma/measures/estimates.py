"""From judged episodes to records: levels, the pessimistic case, and paired differences. Pure.

level        mean of an outcome over the tasks to which it applies, with the rivals' means as baselines.
pessimistic  the worst stratum mean, the whole set among the strata, with a bound that accounts for choosing it
             (`statistics.strata`). Strata of fewer than `MIN_STRATUM` independent tasks are not looked at: that is
             known before there is any outcome.
difference   mean of the differences between two systems, or two stages, over the tasks that both finished.

To which tasks an outcome applies is told by the rivals' judgements, before any system has played. An outcome is n/a for
a system as soon as one of its tasks has no form that the system takes: a rate over the rest would be about other tasks.
Other failures are left out of the mean and counted in the record. Intervals are not adjusted for how many are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

from groma.formats.errors import BadInput
from groma.formats.records import Estimate, Record
from groma.formats.requests import Cost
from groma.measures.episodes import Judged
from groma.measures.outcomes import OUTCOMES, Outcome, outcome
from groma.measures.statistics import estimate, paired_difference, worst_stratum_bound

MIN_STRATUM = 10
"""The fewest clusters (independent tasks) of a stratum that the pessimistic case looks at."""
WHOLE = "all tasks"


@dataclass(frozen=True)
class Arm:
    """One system of one stage on one suite, played: who it was, and its judged episodes in the order of the tasks; of
    the first ones only, where it is `partial`.
    """

    stage: str
    model: str
    system: str
    digest: str
    suite: str
    split: str
    seed: int
    episodes: tuple[Judged, ...]
    versions: Mapping[str, str] = field(default_factory=dict)
    wall_seconds: float = 0.0
    transcripts: str = ""
    partial: bool = False
    condition: str = ""

    @cached_property
    def cost(self) -> dict[str, Cost]:
        total: dict[str, Cost] = {}
        for episode in self.episodes:
            for player, cost in episode.cost.items():
                total[player] = total.get(player, Cost()) + cost
        return total


def only_plain(arm: Arm) -> Arm:
    """Of an arm the items as they are, without their other forms."""
    return replace(arm, episodes=plain(arm.episodes))


def plain(episodes: Iterable[Judged]) -> tuple[Judged, ...]:
    """The episodes on items as they are."""
    return tuple(one for one in episodes if not one.task.condition)


Rivals = Mapping[str, Sequence[Judged]]
"""What the rivals got on the same tasks, in the same order."""


def applying(rivals: Rivals, *arms: Arm) -> list[str]:
    """The outcomes that apply to at least one task, in the order of the table; BadConfig for one that it lacks."""
    everyone = [one for episodes in (*rivals.values(), *(arm.episodes for arm in arms)) for one in episodes]
    for name in sorted(set[str]().union(*(one.judgement.outcomes for one in everyone if one.judgement is not None))):
        outcome(name)
    known = set[str]().union(*(one.known for one in everyone))
    return [name for name in OUTCOMES if name in known]


def level(arm: Arm, name: str, rivals: Rivals, confidence: float = 0.95) -> Record:
    """The record of one outcome, average case."""
    found = outcome(name)
    places, why_not = _places((arm,), name, rivals)
    failures = sum(arm.episodes[place].failure is not None for place in places)
    record = _record(arm, found, failures, _baseline(rivals, name, places, lambda values, _: sum(values) / len(values)))
    if why_not:
        return replace(record, why_not=why_not)
    values, episodes = _values(arm.episodes, name, places)
    if not values:
        return replace(record, why_not=f"in no episode of {arm.system} there was anything to count")
    clusters, parts = [one.cluster for one in episodes], [one.task.part for one in episodes]
    return _estimated(
        record, lambda: estimate(values, clusters, parts=parts, bounds=found.bounds, confidence=confidence)
    )


def pessimistic(arm: Arm, name: str, rivals: Rivals, confidence: float = 0.95) -> Record | None:
    """The record of the worst stratum; None where neither direction is good or only the whole is large enough."""
    found = outcome(name)
    places, why_not = _places((arm,), name, rivals)
    if not found.good or why_not or found.bounds is None:
        return None
    bounds, worst = found.bounds, min if found.good == "high" else max
    failures = sum(arm.episodes[place].failure is not None for place in places)
    values, episodes = _values(arm.episodes, name, places)
    strata = _strata(episodes)
    if len(strata) < 2:
        return None

    def interval(members: Sequence[int], share: float) -> Estimate:
        return estimate(
            [values[member] for member in members],
            [episodes[member].cluster for member in members],
            parts=[episodes[member].task.part for member in members],
            bounds=bounds,
            confidence=share,
        )

    chosen = worst_stratum_bound(
        {name: partial(interval, members) for name, members in strata.items()}, found.good, confidence
    )

    def worst_mean(values: Sequence[float], episodes: Sequence[Judged]) -> float:
        return worst(sum(values[one] for one in members) / len(members) for members in _strata(episodes).values())

    record = _record(arm, found, failures, _baseline(rivals, name, places, worst_mean))
    return replace(record, case="pessimistic", estimate=chosen, why_not="")


def levels(arm: Arm, rivals: Rivals, names: Sequence[str] | None = None, confidence: float = 0.95) -> list[Record]:
    """Level and pessimistic case of each outcome that applies (of `names` only, where given)."""
    records = []
    for name in applying(rivals, arm):
        if names is None or name in names:
            records.append(level(arm, name, rivals, confidence))
            worst = pessimistic(arm, name, rivals, confidence)
            records += [worst] if worst is not None else []
    return records


def difference(arm: Arm, other: Arm, name: str, rivals: Rivals, against: str, confidence: float = 0.95) -> Record:
    """The record of `arm` minus `other` on the same tasks; `against` says what `other` is ("system:trivial")."""
    if [one.task.item for one in arm.episodes] != [one.task.item for one in other.episodes]:
        raise ValueError(f"{arm.stage}/{arm.system} and {other.stage}/{other.system} played different tasks")
    found = outcome(name)
    places, why_not = _places((arm, other), name, rivals)
    failed = [place for place in places if arm.episodes[place].failure or other.episodes[place].failure]
    record = replace(_record(arm, found, len(failed), {"no difference": 0.0}), against=against)
    if why_not:
        return replace(record, why_not=why_not)
    both = [
        place for place in places if None not in (arm.episodes[place].value(name), other.episodes[place].value(name))
    ]
    if not both:
        return replace(record, why_not="no task was finished by both")
    first, episodes = _values(arm.episodes, name, both)
    second, _ = _values(other.episodes, name, both)
    clusters, parts = [one.cluster for one in episodes], [one.task.part for one in episodes]

    def paired() -> Estimate:
        told = paired_difference(first, second, clusters, parts=parts, bounds=found.bounds, confidence=confidence)
        by_test = "" if told.p_value is None else f"; exact McNemar test: p = {told.p_value:.2g}"
        return replace(told.estimate, kind=told.estimate.kind + by_test)

    return _estimated(record, paired)


def _places(arms: Sequence[Arm], name: str, rivals: Rivals) -> tuple[list[int], str]:
    """Which tasks the outcome applies to, and why it is n/a for one of the arms ("" where it is not)."""
    everyone = [*rivals.values(), *(arm.episodes for arm in arms)]
    places = [place for place in range(len(arms[0].episodes)) if any(name in one[place].known for one in everyone)]
    for arm in arms:
        without = [arm.episodes[place] for place in places if arm.episodes[place].without_form]
        failed = [arm.episodes[place].failure for place in places if arm.episodes[place].failure]
        if without:
            return places, f"{len(without)} of {len(places)} tasks have no form that {arm.system} takes"
        if len(failed) == len(places):
            said = failed[0].message if failed and failed[0] else "there are no tasks"
            return places, f"all {len(places)} episodes of {arm.system} failed: {said}"
    return places, ""


def _values(episodes: Sequence[Judged], name: str, places: Iterable[int]) -> tuple[list[float], list[Judged]]:
    """The values of an outcome at these places, with their episodes, where there is one."""
    values, kept = [], []
    for place in places:
        value = episodes[place].value(name)
        if value is not None:
            values.append(value)
            kept.append(episodes[place])
    return values, kept


def _strata(episodes: Sequence[Judged]) -> dict[str, list[int]]:
    """The whole set, and each declared stratum that is large enough and not the whole set again."""
    found: dict[str, list[int]] = {}
    for place, episode in enumerate(episodes):
        for name, value in episode.task.strata.items():
            found.setdefault(f"{name}={value}", []).append(place)
    clusters = {name: len({episodes[place].cluster for place in members}) for name, members in found.items()}
    large = {
        name: members
        for name, members in found.items()
        if clusters[name] >= MIN_STRATUM and len(members) < len(episodes)
    }
    return {WHOLE: list(range(len(episodes)))} | large


def _baseline(
    rivals: Rivals, name: str, places: Sequence[int], sum_up: Callable[[Sequence[float], Sequence[Judged]], float]
) -> dict[str, float]:
    baseline = {}
    for rival, judged in rivals.items():
        values, episodes = _values(judged, name, places)
        if values:
            baseline[rival] = sum_up(values, episodes)
    return baseline


def _record(arm: Arm, found: Outcome, failures: int, baseline: Mapping[str, float]) -> Record:
    """A record that still lacks its estimate (and is n/a until it has one)."""
    return Record(
        property=found.property,
        outcome=found.name,
        estimate=None,
        model=arm.model,
        stage=arm.stage,
        system=arm.system,
        digest=arm.digest,
        suite=arm.suite,
        split=arm.split,
        condition=arm.condition,
        good=found.good,
        baseline=baseline,
        seed=arm.seed,
        failures=failures,
        why_not="not estimated",
        versions=arm.versions,
        wall_seconds=arm.wall_seconds,
        cost=arm.cost,
        transcripts=arm.transcripts,
    )


def _estimated(record: Record, made: Callable[[], Estimate]) -> Record:
    """The record with its estimate; n/a with the reason where there is no honest interval."""
    try:
        return replace(record, estimate=made(), why_not="")
    except BadInput as trouble:
        return replace(record, why_not=trouble.what)
