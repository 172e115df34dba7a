"""Decide claims: play their items in blocks that grow, read the results strictly in order, stop at the deciding one.

A family's claims take turns, a block each, and after every single result the family's evidence is looked at anew
(`family.decided`), so that a claim is stopped at the item that decides it. What was played beyond is kept, and not
read. Where nothing is left to chance the list is gone through once, and what is found is a proof.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from groma.claims.beside import Beside
from groma.claims.counterexample import Witness
from groma.claims.course import Course
from groma.claims.family import Decision, decided, enough
from groma.claims.population import PATIENCE, Forms, strata_of
from groma.claims.trial import Bound, Result, Show, results, tries_of
from groma.measures.estimates import WHOLE

FIRST, LARGEST = 32, 256
"""Items of the first block, and of a block at most; each has twice as many as the one before."""
EPISODES = 4096
"""Episodes of a block at most: with many tries an item blocks have fewer items."""
PROOF = math.inf


class Run:
    """One claim on its way to a verdict."""

    def __init__(self, bound: Bound, size: int) -> None:
        self.bound, self.size = bound, size
        self.decision: Decision = "undecided"
        self.counts: Counter[str] = Counter()
        self.beside = Beside(bound)
        self.first_failure = self.first_rival_failure = ""
        self.witnesses: dict[str, Witness] = {}
        self.rows: list[Mapping[str, Any]] = []
        self.exact: Mapping[str, tuple[int, float]] = {}
        self.unseen: tuple[str, ...] = ()
        self.place, self.block = 0, FIRST
        self.dry = False

    @cached_property
    def course(self) -> Course:
        """The evidence of what is sampled. Of what is gone through whole there is none: see `exact`."""
        confidence = self.bound.claim.confidence
        return Course(self.bound.scale, self.bound.strata, confidence, enough(self.size, confidence))

    @property
    def open(self) -> bool:
        """Whether more items could help."""
        return self.decision == "undecided" and not self.dry and self.counts["tried"] < self.bound.claim.most

    @property
    def evidence(self) -> tuple[float, float]:
        if self.bound.exact:
            if any(self.bound.scale.fails(mean) for _, mean in self.exact.values()):
                return 0.0, PROOF
            return (0.0, 0.0) if self.unseen or not self.exact else (PROOF, 0.0)
        return self.course.log_e_holds, self.course.log_e_fails

    def next_block(self) -> list[Forms]:
        """The next items, as far as they can tell anything; fewer where there are no more."""
        found: list[Forms] = []
        passed = 0
        size = min(self.block, self.bound.claim.most - self.counts["tried"])
        while len(found) < size and passed < PATIENCE:
            forms = self.bound.population.item(self.place)
            self.place += 1
            if forms is None or not self.course.wants(strata_of(forms)):
                passed += 1
                continue
            found.append(forms)
            passed = 0
            if len(found) == 1:
                each = len(forms) + len(tries_of(self.bound, forms))
                size = min(size, max(1, EPISODES // each))
        self.dry = not found
        self.block = min(2 * self.block, LARGEST)
        return found

    def take(self, result: Result) -> bool:
        """Read one result; whether it told anything."""
        self.counts["tried"] += 1
        self.counts["failures"] += bool(result.failure)
        self.counts["unjudged"] += result.unjudged
        self.counts["rival_failures"] += bool(result.rival_failure)
        self.first_failure = self.first_failure or result.failure
        self.first_rival_failure = self.first_rival_failure or result.rival_failure
        if result.number is None:
            self.counts["without_form" if result.without_form else "not_applicable"] += 1
            return False
        self.counts["read"] += 1
        self.beside.see(result.ours)
        strata = strata_of(result.forms)
        if not self.bound.exact:
            self.course.read(result.number, strata)
        if self.bound.scale.fails(result.number):
            witness = Witness(result)
            for name in (WHOLE, *strata):
                if name not in self.witnesses or witness.length < self.witnesses[name].length:
                    self.witnesses[name] = witness
        return True

    def look_beside(self) -> None:
        """Once it is decided: what has to be read beside it."""
        asked = self.beside.ask(self.counts["read"])
        self.counts["episodes"] += len(asked)
        self.rows += asked

    def keep(self, result: Result, read: bool) -> None:
        for row in result.rows:
            self.counts["episodes"] += 1
            self.rows.append({"item": result.forms[0].item, "number": result.number, "read": read, **row})


def decide(bounds: Sequence[Bound], show: Show) -> list[Run]:
    """Every claim's run, at its end, in their order."""
    families: dict[str, list[Bound]] = {}
    for bound in bounds:
        families.setdefault(bound.claim.family or f"\0{bound.claim.name}", []).append(bound)
    done: dict[str, Run] = {}
    for members in families.values():
        runs = [Run(bound, len(members)) for bound in members]
        _decide_together(runs, show)
        for run in runs:
            run.look_beside()
        done.update((run.bound.claim.name, run) for run in runs)
    return [done[bound.claim.name] for bound in bounds]


def _decide_together(runs: Sequence[Run], show: Show) -> None:
    for run in runs:
        if run.bound.exact:
            _prove(run, show)
    _look(runs)
    while going := [run for run in runs if run.open and not run.bound.exact]:
        for run in going:
            if run.open:
                _block(run, lambda: _look(runs), show)


def _look(runs: Sequence[Run]) -> None:
    """What the evidence of all decides by now; what is decided stays so."""
    found = decided([run.evidence for run in runs], runs[0].bound.claim.confidence)
    for run, decision in zip(runs, found, strict=True):
        if run.decision == "undecided":
            run.decision = decision


def _block(run: Run, look: Callable[[], None], show: Show) -> None:
    found = results(run.bound, run.next_block())
    for result in found:
        reading = run.open and run.course.wants(strata_of(result.forms))
        if reading and run.take(result):
            look()
        run.keep(result, reading)
    claim = run.bound.claim
    show(claim.name, run.counts["read"], claim.most, run.decision if run.decision != "undecided" else "")


def _prove(run: Run, show: Show) -> None:
    """The whole list, once. The worst case of an adversary who tried all that there is: the worst item counts."""
    found = results(run.bound, list(run.bound.population.listed()))
    for result in found:
        run.take(result)
        run.keep(result, True)
    adversary = run.bound.adversary
    if adversary is not None and adversary.whole:
        numbers = {result.forms[0].item: result.number for result in found if result.number is not None}
        if numbers:
            worst = run.bound.scale.worst_mean(numbers.values())
            at = next(name for name, number in numbers.items() if number == worst)
            run.exact = {f"the worst item, {at}": (len(numbers), worst)}
    else:
        run.exact = _means(found, run.bound)
        run.unseen = tuple(name for name in run.bound.strata if name not in run.exact)
    run.dry = True
    show(run.bound.claim.name, len(found), len(found), "gone through")


def _means(found: Sequence[Result], bound: Bound) -> dict[str, tuple[int, float]]:
    """The mean of every stratum, and how many items it has."""
    values: dict[str, list[float]] = {}
    for result in found:
        for name in (WHOLE, *strata_of(result.forms)):
            if result.number is not None and (name == WHOLE or name in bound.strata):
                values.setdefault(name, []).append(result.number)
    return {name: (len(some), math.fsum(some) / len(some)) for name, some in values.items()}


def shortest(run: Run) -> Witness | None:
    """The shortest item on which it fails, in the stratum where it does."""
    if run.exact and WHOLE in run.exact:
        means = {name: mean for name, (_, mean) in run.exact.items()}
        worst = run.bound.scale.worst_mean(means.values())
        at = next(name for name, mean in means.items() if mean == worst)
    else:
        at = WHOLE if run.exact else run.course.refuted
    return run.witnesses.get(at)
