"""One item of a claim, tried: every form and every try of the adversary played, judged, and made into one number."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from groma.attacks import Adversary
from groma.claims.claim import Claim
from groma.claims.population import Forms, Population
from groma.claims.scale import Scale
from groma.formats.requests import Failure
from groma.formats.task import Task
from groma.formats.transcript import Played
from groma.judges import Judging
from groma.measures.by_model import verdicts
from groma.measures.episodes import Judged, Play, episode_row, judged, play_in_order
from groma.suites.by_model import Said, judged_by_model
from groma.suites.suite import Suite
from groma.systems.system import System

NO_VERDICT = "no_verdict"
"""The kind of failure of an episode whose reply nobody could judge: the judge broke, or said none of the options."""


@dataclass(frozen=True, slots=True)
class Embodied:
    """A system and who plays in it. play: has its replies; digest: of the model; others: of who plays beside it, and
    of who judges, by the player's name.
    """

    system: System
    play: Play
    model: str
    digest: str
    others: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bound:
    """A claim with all that it names found. exact: nothing is left to chance, so that the list is gone through once.

    judging: how a model judges the replies, where one does; judge: who judges, by content; errs: the name of a
    judge that may be wrong, "" for an exact one. counted: the outcome;
    strata: those that are looked at beside the whole; notes: what a reader has to know; beside: where that is found
    which is to be read with it.
    """

    claim: Claim
    counted: str
    scale: Scale
    population: Population
    ours: Embodied
    rival: Embodied | None = None
    adversary: Adversary | None = None
    judging: Judging | None = None
    judge: str = "rule"
    errs: str = ""
    exact: bool = False
    strata: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    beside: tuple[Population, ...] = ()


@dataclass(frozen=True, slots=True)
class Episode:
    """What was played and how it was judged."""

    played: Played
    judged: Judged


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an item. number: None where the outcome did not apply after all; witness: the episode that decided
    it; other: in a difference the value that it is held against; unjudged: whether a reply has no verdict;
    ours: the system's own episodes.
    """

    forms: Forms
    number: float | None
    witness: Episode
    other: float | None = None
    failure: str = ""
    rival_failure: str = ""
    unjudged: bool = False
    without_form: bool = False
    rows: tuple[Mapping[str, Any], ...] = field(default=(), compare=False)
    ours: tuple[Episode, ...] = field(default=(), compare=False)


def results(bound: Bound, items: Sequence[Forms]) -> list[Result]:
    """The items' results, in their order."""
    ours = _episodes(bound, bound.ours, items)
    theirs = _episodes(bound, bound.rival, items) if bound.rival is not None else [None] * len(items)
    return [_result(bound, *three) for three in zip(items, ours, theirs, strict=True)]


def tries_of(bound: Bound, forms: Forms) -> tuple[Task, ...]:
    return bound.adversary.tries(forms[0]) if bound.adversary is not None else ()


def episodes(bound: Bound, who: Embodied, system: System, tasks: Sequence[Task]) -> list[Episode]:
    """The tasks, played and judged."""
    found = list(play_in_order(who.play, system, tasks))
    suite = bound.population.suite
    if bound.judging is None:
        return [Episode(played, judged(suite, played)) for played in found]
    said = dict(verdicts(bound.judging, who.play, found))
    suite = judged_by_model(suite, said)
    return [Episode(played, _judged(suite, played, said)) for played in found]


def _judged(suite: Suite, played: Played, said: Mapping[tuple[str, str], Said]) -> Judged:
    """An episode as the model judged it. Without a verdict nobody knows whether the reply was bad: it counts as an
    episode that broke, never as one to which the outcome does not apply.
    """
    one = judged(suite, played)
    if played.transcript is None:
        return one
    verdict, _ = said[played.task.id, played.transcript.answer]
    if verdict.bad is not None:
        return one
    return replace(one, judgement=None, failure=Failure("judge", NO_VERDICT, verdict.why))


def _episodes(bound: Bound, who: Embodied, items: Sequence[Forms]) -> list[list[Episode]]:
    """Of each item the episodes of its forms, then those of the tries."""
    tries = [tries_of(bound, forms) for forms in items]
    attacked = bound.adversary.against(who.system) if bound.adversary is not None else who.system
    as_they_are = [task for forms in items for task in forms]
    if attacked.digest == who.system.digest:  # one play for both, so that its batches are large
        tasks = [task for forms, more in zip(items, tries, strict=True) for task in (*forms, *more)]
        rest = iter(episodes(bound, who, who.system, tasks))
        return [[next(rest) for _ in (*forms, *more)] for forms, more in zip(items, tries, strict=True)]
    plain = iter(episodes(bound, who, who.system, as_they_are))
    hard = iter(episodes(bound, who, attacked, [task for more in tries for task in more]))
    return [[next(plain) for _ in forms] + [next(hard) for _ in more] for forms, more in zip(items, tries, strict=True)]


def _result(bound: Bound, forms: Forms, ours: list[Episode], theirs: list[Episode] | None) -> Result:
    everyone = (*ours, *(theirs or ()))
    rows = tuple(row_of(one) for one in everyone)
    unjudged = any(_unjudged(one) for one in everyone)
    failure, rival_failure = _failure(ours), _failure(theirs or ())
    if any(one.judged.without_form for one in everyone):
        return Result(forms, None, ours[0], failure=failure, without_form=True, rows=rows)
    derived = bound.population.derived
    if derived is not None:
        number = bound.scale.worst if failure else derived.of(ours[0].judged, ours[1].judged)
        return Result(forms, number, ours[0], failure=failure, unjudged=unjudged, rows=rows, ours=tuple(ours))
    value, witness = _level(bound, ours, bound.scale.worst)
    other = None
    if theirs is not None:
        other, _ = _level(bound, theirs, bound.scale.best)
    elif len(forms) == 2:
        value, witness = _level(bound, ours[:1], bound.scale.worst)
        other, _ = _level(bound, ours[1:], bound.scale.best)
    if value is None or (other is None and (theirs is not None or len(forms) == 2)):
        return Result(forms, None, witness, failure=failure, rows=rows)
    number = value if other is None else bound.scale.difference(value, other)
    return Result(forms, number, witness, other, failure, rival_failure, unjudged, rows=rows, ours=tuple(ours))


def _failure(some: Sequence[Episode]) -> str:
    """By what the first of them that broke did; "" where none did."""
    failed = next((one.judged.failure for one in some if one.judged.failure and not one.judged.without_form), None)
    return f"{failed.kind}: {failed.message}" if failed else ""


def _unjudged(one: Episode) -> bool:
    return one.judged.failure is not None and one.judged.failure.kind == NO_VERDICT


def row_of(one: Episode) -> dict[str, Any]:
    """The row of the transcripts; what the judge failed at stands where other failures do."""
    row = {"system": one.played.system, **episode_row(one.played, one.judged.judgement, None)}
    if one.judged.failure is not None and _unjudged(one):
        row["failure"] = {key: getattr(one.judged.failure, key) for key in ("boundary", "kind", "message")}
    return row


def _level(bound: Bound, some: Sequence[Episode], failed: float) -> tuple[float | None, Episode]:
    """The worst value among an item's episodes, and where it was seen."""
    values = [(failed if one.judged.failure else one.judged.value(bound.counted), one) for one in some]
    known = [(value, one) for value, one in values if value is not None]
    if not known:
        return None, some[0]
    value = bound.scale.worst_of(value for value, _ in known)
    return value, next(one for found, one in known if found == value)


Show = Callable[[str, int, int, str], None]
"""Is shown how far a claim is: its name, the items read, the most, and what stands beside."""
