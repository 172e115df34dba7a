"""What a claim speaks of, found in a suite: the outcome, the kinds of item, and in which forms they are posed.

A property is stood for by the first of its measure's leading outcomes that this suite can show and this claim can
bound; which one it is, the verdict says. Outcomes that only two answers together tell (`belied`, `broke_word`) are
asked in both forms. Everything is checked here without a model, so that what is wrong is told before anything is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from groma.claims.claim import Claim
from groma.claims.population import BLOCK, BY_MODEL, Population, declared
from groma.formats.task import Task
from groma.measures.by_judge import REFUSALS
from groma.measures.measure import PLAIN, Derived, Gap, Measure
from groma.measures.outcomes import OUTCOMES
from groma.measures.properties import MEASURES
from groma.suites.suite import Suite

ALL = 10**9
"""How many items are asked of a list, to get all."""
Sides = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Counted:
    """An outcome and in which forms it is counted; see `Population`."""

    outcome: str
    sides: Sides = (("",),)
    derived: Derived | None = None


def population_of(claim: Claim, suite: Suite, generates: bool, seed: int) -> Population:
    """The population, with the outcome that is counted. generates: the suite makes as many new items as are asked for.

    BadInput, with the line, for a kind, split, form, outcome or property that there is not, and for an outcome that
    applies to no item.
    """
    for key, choices in (("kind", suite.kinds), ("split", suite.splits)):
        if getattr(claim, key) and getattr(claim, key) not in choices:
            what = f"{suite.name} has no {key} {getattr(claim, key)!r}"
            raise claim.wrong(key, what, f"one of {', '.join(choices)}")
    if claim.outcome == BY_MODEL and claim.judge == "rule":
        raise claim.wrong(
            "outcome", f"{BY_MODEL} is told by a model, and none judges", 'judge = "harm", or another rubric'
        )
    fresh = _fresh(claim, suite, generates)
    measure = _measure(claim)
    named = (claim.kind,) if claim.kind else tuple(measure.kinds.get(suite.name, ())) if measure else ()
    kinds = named or (tuple(suite.kinds) if generates else ())
    items = () if generates else _listed(claim, suite, named, seed)
    base = Population(suite, kinds, claim.split, seed, "", items, within=claim.stratum)
    for counted in _candidates(claim, suite, measure):
        one = replace(base, outcome=counted.outcome, sides=counted.sides, derived=counted.derived)
        if found := _where_it_applies(one):
            return found if fresh or not generates else replace(found, items=_listed(claim, suite, found.kinds, seed))
    if claim.stratum:
        _check_stratum(claim, replace(base, within=""), measure)
    raise _applies_nowhere(claim, replace(base, within=""))


def other_side(claim: Claim, population: Population, generates: bool) -> tuple[Population, ...]:
    """Where the outcomes that are to be read beside the claim's are found: items of the same suite and split, in the
    claim's form where it has one. Empty where there are none.
    """
    suite, sides = population.suite, population.sides if len(population.sides) == 1 else (("",),)
    kinds = tuple(suite.kinds) if generates else ()
    items = () if generates else tuple(suite.tasks(None, claim.split, ALL, population.seed))
    base = replace(population, kinds=kinds, items=items, sides=sides, derived=None, within="")
    found = (_where_it_applies(replace(base, outcome=name)) for name in other_side_of(population.outcome, asked=True))
    return tuple(one for one in found if one is not None)


def other_side_of(outcome: str, asked: bool = False) -> tuple[str, ...]:
    """The outcomes that the measures declare beside this one. asked: without those that the claim's own replies show
    or nothing does: nonsense, and what is neither good nor bad.
    """
    found = dict.fromkeys(one for measure in MEASURES.values() for one in measure.beside.get(outcome, ()))
    return tuple(one for one in found if not asked or (OUTCOMES[one].good and OUTCOMES[one].property != "both"))


def errs(population: Population, outcome: str) -> bool:
    """Whether a reader of replies decides the outcome (the rule for refusals, a classifier, a model), who errs, and no
    exact rule.
    """
    labelled = any("label" in task.gold for task in population.items)
    return hasattr(population.suite, "read") and (outcome in REFUSALS or (outcome == "objective" and labelled))


def _check_stratum(claim: Claim, whole: Population, measure: Measure | None) -> None:
    """The error about a stratum in which no item lies, with those that there are."""
    for counted in _candidates(claim, whole.suite, measure):
        one = _where_it_applies(replace(whole, outcome=counted.outcome, sides=counted.sides, derived=counted.derived))
        if one is not None and (known := declared(one)):
            raise claim.wrong("stratum", f"no item lies in {claim.stratum!r}", f"one of {', '.join(known)}")


def paired(population: Population) -> bool:
    """Whether its number is a difference of two forms."""
    return len(population.sides) == 2 and population.derived is None


def _fresh(claim: Claim, suite: Suite, generates: bool) -> bool:
    fresh = claim.population == "fresh" or (not claim.population and generates and claim.items is None)
    if fresh and not generates:
        what = f"{suite.name} is a list: nothing makes fresh items of it"
        raise claim.wrong("population", what, 'population = "fixed"')
    if not fresh and generates and claim.items is None:
        what = f"{suite.name} has no end: a fixed list of it needs a length"
        raise claim.wrong("population", what, "items = N, drawn by the seed")
    return fresh


def _measure(claim: Claim) -> Measure | None:
    if claim.outcome and claim.outcome not in OUTCOMES:
        raise claim.wrong("outcome", f"there is no outcome {claim.outcome!r}", f"one of {', '.join(OUTCOMES)}")
    if claim.property and claim.property not in MEASURES:
        raise claim.wrong("property", f"there is no property {claim.property!r}", f"one of {', '.join(MEASURES)}")
    return MEASURES[claim.property] if claim.property else None


def _listed(claim: Claim, suite: Suite, kinds: Sequence[str], seed: int) -> tuple[Task, ...]:
    """The list: all of the suite's items, or so many drawn by the seed, of these kinds in equal parts."""
    n = claim.items or ALL
    if not kinds:
        return tuple(suite.tasks(None, claim.split, n, seed))
    share = [n // len(kinds) + (place < n % len(kinds)) for place in range(len(kinds))]
    return tuple(
        task
        for kind, count in zip(kinds, share, strict=True)
        if count
        for task in suite.tasks(kind, claim.split, count, seed)
    )


def _candidates(claim: Claim, suite: Suite, measure: Measure | None) -> Iterator[Counted]:
    """What the claim may count, the first choice first."""
    given = _given(claim, suite)
    if measure is None:
        derived = _derived(claim.outcome)
        if derived is None:
            yield Counted(claim.outcome, given)
        elif given != (("",),) or claim.margin is not None or claim.case == "worst":
            what = f"{claim.outcome} is told by two answers together, in forms of its own"
            raise claim.wrong("outcome", what, "no gap, condition, margin or adversary with it")
        else:
            yield from _of_gap(claim.outcome, derived, "", suite)
        return
    for name, form, against in measure.leading:
        if not (form or against):
            yield Counted(name, given)
        elif given == (("",),):
            gap = next(one for one in measure.gaps if one.name == form)
            found = _of_gap(name, gap, against, suite)
            yield from (one for one in found if claim.case != "worst" and (claim.margin is None or len(one.sides) == 1))


def _given(claim: Claim, suite: Suite) -> Sides:
    """The forms that the claim itself names."""
    for key, names in (("condition", (claim.condition,)), ("gap", claim.gap)):
        for name in names:
            if name and name != PLAIN and name not in suite.conditions:
                choices = ", ".join((PLAIN, *suite.conditions) if key == "gap" else suite.conditions)
                raise claim.wrong(key, f"{suite.name} has no form {name!r}", f"one of {choices}")
    if claim.gap:
        return tuple(("" if name == PLAIN else name,) for name in claim.gap)
    return (("" if claim.condition == PLAIN else claim.condition,),)


def _derived(outcome: str) -> Gap | None:
    gaps = (gap for measure in MEASURES.values() for gap in measure.gaps)
    return next((gap for gap in gaps if outcome in gap.derived), None)


def _of_gap(outcome: str, gap: Gap, against: str, suite: Suite) -> Iterator[Counted]:
    """An outcome of a measure's gap, where the suite has its forms."""
    pool = tuple(form for form in gap.forms if not form or form in suite.conditions)
    other = against.removeprefix("condition:") if against else gap.against
    other = "" if other == PLAIN else other
    if not pool or (other and other not in suite.conditions):
        return
    derived = gap.derived.get(outcome)
    yield Counted(outcome, (pool, (other,)) if derived or against else (pool,), derived)


def _where_it_applies(population: Population) -> Population | None:
    """The population, of generated items only those kinds in which the outcome is found; None where it is in none."""
    if not population.fresh:
        return population if any(population.listed()) else None
    kinds = tuple(kind for kind in population.kinds if any(replace(population, kinds=(kind,)).probe(1)))
    return replace(population, kinds=kinds) if kinds else None


def _applies_nowhere(claim: Claim, population: Population) -> Exception:
    """The error, with the outcomes that do apply."""
    kinds = population.kinds or (None,)
    tasks = population.items or [
        task for kind in kinds for task in population.suite.tasks(kind, population.split, BLOCK // 2, 0)
    ]
    known = population.outcomes_of(tasks[:400])
    where = f"{population.suite.name}{f', {claim.kind}' if claim.kind else ''}"
    key, name = ("outcome", claim.outcome) if claim.outcome else ("property", claim.property)
    return claim.wrong(key, f"{name} applies to no item of {where}", f"one of {', '.join(known) or 'none'}")
