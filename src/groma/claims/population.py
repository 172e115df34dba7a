"""What a claim is about: items that are drawn one after the other, each independent of all before.

fresh   new items of a world's generator. It stratifies by index, so item t is one uniformly drawn element of a block of
        its own; the kind is drawn first, uniformly among the claim's.
fixed   a list; item t is one uniformly drawn element of it, with replacement, so that results are independent and their
        mean is that of the list. Where nothing is left to chance the list is gone through once instead (`listed`).
Of both only items to which the outcome applies: those that some rival without a model gets a value for, so that it is
known before anything is asked. Whatever does not apply is drawn again.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from groma.formats.digest import digest
from groma.formats.task import Task
from groma.formats.transcript import Played
from groma.measures.episodes import judged
from groma.measures.measure import Derived
from groma.measures.outcomes import OUTCOMES
from groma.suites.suite import Suite

BLOCK = 60
"""Items of a generator of which one is taken: a multiple of the periods by which generators stratify."""
PROBES = 3
"""Blocks of every kind that are looked at to learn which outcomes apply and which strata there are."""

PATIENCE = 4000
"""Items that are drawn in a row and passed over, before it is said that there are no more."""
BY_MODEL = "judged_bad"
"""The outcome that a model's verdict decides."""

Forms = tuple[Task, ...]
"""An item as it is posed: once, or in both forms of a difference."""


@dataclass(frozen=True, slots=True)
class Population:
    """within: the stratum ("tier=rare") that items have to lie in; "" for any. sides: one or two pools of forms ("" is
    the item as it is), of which one is drawn for each item. derived: makes the outcome of the episodes in both forms;
    it applies wherever the two do that it is made of.
    """

    suite: Suite
    kinds: tuple[str, ...]
    split: str
    seed: int
    outcome: str
    items: tuple[Task, ...] = ()
    sides: tuple[tuple[str, ...], ...] = (("",),)
    derived: Derived | None = None
    within: str = ""
    known: dict[tuple[str, str], bool] = field(default_factory=dict, compare=False, repr=False)

    @property
    def fresh(self) -> bool:
        return not self.items

    def item(self, place: int) -> Forms | None:
        """The item at this place of the endless sequence; None where the outcome does not apply to it."""
        draw = random.Random(f"{self.seed}/{self.suite.name}/{self.split}/{place}")
        if not self.fresh:
            forms = self.forms(draw.choice(self.items), draw)
            return None if forms is None else tuple(_again(form, place) for form in forms)
        kind = draw.choice(self.kinds)
        return self.forms(draw.choice(self.suite.tasks(kind, self.split, BLOCK, draw.getrandbits(62))), draw)

    def forms(self, task: Task, draw: random.Random) -> Forms | None:
        """The item in the claim's forms; None where it lacks one, or the outcome does not apply."""
        found = []
        needed = (self.outcome,) * 2 if self.derived is None else (self.derived.here, self.derived.there)
        for pool, outcome in zip(self.sides, needed, strict=False):
            name = draw.choice(pool)
            form = self.suite.conditions[name](task) if name else task
            if form is None or not self.applies(outcome, form):
                return None
            found.append(form)
        return tuple(found) if not self.within or self.within in strata_of(tuple(found)) else None

    def applies(self, outcome: str, task: Task) -> bool:
        """Whether some rival gets a value for it; a model's verdict, which rivals are spared, applies to all."""
        if outcome == BY_MODEL:
            return True
        key = outcome, task.id
        if key not in self.known:
            self.known[key] = any(
                judged(self.suite, Played(task, name, rival(task))).value(outcome) is not None
                for name, rival in self.suite.rivals.items()
            )
        return self.known[key]

    def outcomes_of(self, tasks: Sequence[Task]) -> list[str]:
        """Every outcome that applies to one of these tasks, in the order of the table."""
        found = set[str]()
        for task in tasks:
            for name, rival in self.suite.rivals.items():
                one = judged(self.suite, Played(task, name, rival(task)))
                outcomes = one.judgement.outcomes if one.judgement is not None else {}
                found |= {outcome for outcome in ("objective", *outcomes) if one.value(outcome) is not None}
        return [name for name in OUTCOMES if name in found]

    def listed(self) -> Iterator[Forms]:
        """Every item of the list once. Several forms of one side are all taken."""
        for task in self.items:
            for number in range(max(map(len, self.sides))):
                one = replace(self, sides=tuple((pool[number % len(pool)],) for pool in self.sides))
                if (forms := one.forms(task, random.Random(0))) is not None:
                    yield forms

    def probe(self, blocks: int = PROBES) -> Iterator[Forms]:
        """Items to learn from what there is: the whole list, or some blocks of every kind; never asked."""
        if not self.fresh:
            yield from self.listed()
            return
        for kind in self.kinds:
            draw = random.Random(f"probe/{self.seed}/{kind}")
            for number in range(blocks):
                for task in self.suite.tasks(kind, self.split, BLOCK, number):
                    if (forms := self.forms(task, draw)) is not None:
                        yield forms

    @property
    def sampled(self) -> Sequence[Task]:
        """The list, or of a generator the first block of every kind: what its digest is of."""
        return self.items or [one for kind in self.kinds for one in self.suite.tasks(kind, self.split, BLOCK, 0)]

    def digest(self) -> str:
        """Of the list, or of what the generator makes: edited data are another population."""
        tasks = self.sampled
        parts = [(task.id, [one.to_dict() for one in task.posed.messages], list(task.posed.choices)) for task in tasks]
        golds = [json.dumps(task.gold, sort_keys=True, default=_plain) for task in tasks]
        return digest(self.suite.name, self.split, list(self.kinds), parts, golds)


def _again(task: Task, place: int) -> Task:
    """An item of a list, drawn at this place: it gets replies of its own, however often it is drawn."""
    of = f"{task.of}#{place}" if task.of else ""
    return replace(task, id=f"{task.id}#{place}", of=of, posed=replace(task.posed, seed=task.posed.seed + place))


def strata_of(forms: Forms) -> tuple[str, ...]:
    """The declared strata that an item lies in, those of its form among them."""
    return tuple(f"{name}={value}" for name, value in forms[0].strata.items())


def declared(population: Population) -> tuple[str, ...]:
    """Every stratum that some items lie in and others do not, in alphabetical order. The whole is not among them."""
    count, found = 0, dict[str, int]()
    for forms in population.probe():
        count += 1
        for name in strata_of(forms):
            found[name] = found.get(name, 0) + 1
    return tuple(sorted(name for name, members in found.items() if members < count))


def _plain(value: object) -> object:
    return sorted(map(str, value)) if isinstance(value, set | frozenset) else str(value)
