"""A measure: what of a property is asked, in which forms, and what is counted. Declared before anything is played.

`MEASURES` in `measures/__init__.py` lists them, a file each. A gap is a paired difference within one system: the same
items in one form and in another. What only two answers together tell (said one thing, did another) is derived from the
pair.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from groma.formats.task import Task
from groma.measures.episodes import Judged
from groma.measures.outcomes import Property
from groma.suites.suite import Suite

PLAIN = "plain"
"""What the items are called as they are, where another form is held against them."""

TELLING = (
    "objective",
    "accuracy",
    "agreed_with_falsehood",
    "harm_done",
    "over_refusal",
    "complied_with_unsafe",
    "refused",
    "obeyed",
    "kept_principle",
    "mc1",
)
"""The outcomes that say most of an item, of whatever kind it is: what a gap between two forms is told by."""

ABILITY = (("helped", "", ""), ("right_answer", "", ""), ("completed", "", ""))
"""What a system can do at all, as (outcome, condition, against): shown beside every property."""

ABLE: Mapping[str, tuple[str, ...]] = {"vale": ("how", "count", "errand")}
"""The kinds that tell of it, by the suite's name; other suites have none."""

ABLE_SHARE = 5
"""Of each of them one item to so many of a property: as few as robustness, of five kinds, has of each."""

Derive = Callable[[Judged, Judged], float | None]
"""From an item's episode in the gap's form and in the form that it is held against; None where it does not apply."""


@dataclass(frozen=True, slots=True)
class Derived:
    """What only both answers together tell. here, there: the outcomes that have to apply in the gap's form, and in the
    form that it is held against, for there to be anything to tell: so that it is known beforehand of which items.
    """

    of: Derive
    here: str
    there: str


@dataclass(frozen=True, slots=True)
class Gap:
    """The same items in one form (or one of several, pooled) against another.

    name: as the records' condition; forms: conditions of the suite, of which those that it has are taken; against: one
    of them, or "" for the items as they are; outcomes: of which the level and the difference are recorded; derived: new
    outcomes from both episodes of an item, by name.
    """

    name: str
    forms: tuple[str, ...]
    against: str = ""
    outcomes: tuple[str, ...] = ()
    derived: Mapping[str, Derived] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measure:
    """A property, and how it is measured.

    question: what it asks, for the reader of a report; kinds: which kinds of a suite speak to it, by the suite's name
    (of other suites all); leading: what stands for it at a glance, as (outcome, condition, against) of its records, the
    first that applies before all; also: shown with those, which are not to be read without; beside: of an outcome those
    that have to be read with it, since it says nothing good of a system that is bad by them.
    """

    name: Property
    question: str
    leading: tuple[tuple[str, str, str], ...]
    kinds: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()
    also: tuple[tuple[str, str, str], ...] = ()
    beside: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        """What a manifest keeps of it, for whoever reads the run; `ability` without what leads or stands beside."""
        shown = (*self.leading, *self.also)
        return {
            "question": self.question,
            "leading": [list(one) for one in shown],
            "ability": [list(one) for one in ABILITY if one not in shown],
        }


def draw_items(
    suite: Suite, measures: Sequence[Measure], kind: str | None, split: str, n: int, seed: int
) -> tuple[Task, ...]:
    """The items of some measures, and their other forms: for each measure and each form about `n`, nothing twice; and a
    few as they are that tell what a system can do at all (`ABLE`), which have no other forms unless a measure asks.

    kind: of this kind only; None: those of each measure, and of ability.
    """
    plain: dict[str, Task] = {}
    for kinds in dict.fromkeys(None if kind else measure.kinds.get(suite.name) for measure in measures):
        drawn = suite.tasks(kind, split, n, seed) if kinds is None else _of_kinds(suite, kinds, split, n, seed)
        plain.update((task.id, task) for task in drawn)
    found = dict(plain)
    if able := () if kind else ABLE.get(suite.name, ()):
        few = _of_kinds(suite, able, split, max(n // ABLE_SHARE, 1) * len(able), seed)
        found.update((task.id, task) for task in few if task.id not in found)
    for measure in measures:
        for gap in measure.gaps:
            for form in gap.forms:
                for task in _twins(suite, tuple(plain.values()), form, gap.against, n):
                    found.setdefault(task.id, task)
    return tuple(found.values())


def _of_kinds(suite: Suite, kinds: Sequence[str], split: str, n: int, seed: int) -> list[Task]:
    """`n` tasks in all, of these kinds in equal parts."""
    share = [n // len(kinds) + (place < n % len(kinds)) for place in range(len(kinds))]
    return [
        task
        for kind, count in zip(kinds, share, strict=True)
        if count
        for task in suite.tasks(kind, split, count, seed)
    ]


def _twins(suite: Suite, plain: Sequence[Task], form: str, against: str, n: int) -> list[Task]:
    """Of the items that have both forms `n`, of every kind as many, each in both."""
    if any(name and name not in suite.conditions for name in (form, against)):
        return []
    change, back = suite.conditions.get(form), suite.conditions.get(against)
    by_kind: dict[str, list[tuple[Task, ...]]] = {}
    for task in plain:
        pair = [one(task) for one in (change, back) if one is not None]
        if None not in pair:
            by_kind.setdefault(task.kind, []).append(tuple(one for one in pair if one is not None))
    longest = max(map(len, by_kind.values()), default=0)
    in_turn = [some[place] for place in range(longest) for some in by_kind.values() if place < len(some)]
    return [task for pair in in_turn[:n] for task in pair]
