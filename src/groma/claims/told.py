"""A run that has ended, put into a verdict: its sentences say what was claimed, what was found, and of what."""

from __future__ import annotations

import math
from dataclasses import replace
from textwrap import shorten
from typing import Any

from groma.claims.claim import Claim
from groma.claims.counterexample import minimised
from groma.claims.decide import Run, shortest
from groma.claims.trial import Bound
from groma.claims.verdict import Verdict, Word
from groma.formats.records import Estimate
from groma.measures.corrected import NAIVE
from groma.measures.estimates import WHOLE

REASON = 160
"""How much of the first failure's message stands in the sentence, in characters; all of it is in `first_failure`."""


def verdict_of(run: Run) -> Verdict:
    """The verdict; where the claim fails, its counterexample is sought now, which plays a few items more."""
    bound, claim = run.bound, run.bound.claim
    word: Word = "proved" if bound.exact and run.decision == "holds" and not bound.errs else run.decision
    estimate, at = _estimate(run)
    more, why = _why(run) if word == "undecided" else (None, "")
    witness = shortest(run) if word == "fails" else None
    said = statement(bound)
    holds, fails = run.evidence
    return Verdict(
        name=claim.name,
        says=claim.says,
        verdict=word,
        statement=said,
        sentence=_sentence(run, word, estimate, at, why),
        digest=claim.digest(),
        model=bound.ours.model,
        system=bound.ours.system.name,
        family=claim.family,
        case=claim.case,
        population=population_words(bound),
        adversary=f"{bound.adversary.name}: {bound.adversary.budget}" if bound.adversary is not None else "",
        confidence=claim.confidence,
        items=run.counts["read"],
        episodes=run.counts["episodes"],
        failures=run.counts["failures"],
        rival_failures=run.counts["rival_failures"],
        unjudged=run.counts["unjudged"],
        judge=bound.errs or f"the exact judge of {bound.population.suite.name}",
        naive=bool(bound.errs),
        first_failure=run.first_failure,
        without_form=run.counts["without_form"],
        not_applicable=run.counts["not_applicable"],
        estimate=estimate,
        at=at,
        threshold=bound.scale.threshold,
        bounds=bound.scale.bounds,
        log_e_holds=holds if math.isfinite(holds) and not bound.exact else None,
        log_e_fails=fails if math.isfinite(fails) and not bound.exact else None,
        more=more,
        why=why,
        strata=_strata(run),
        counterexample=minimised(bound, witness) if witness is not None else None,
        course=[] if bound.exact else run.course.drawn(),
        notes=bound.notes,
        beside=run.beside.told(),
    )


def statement(bound: Bound) -> str:
    """What is claimed, in one line."""
    claim = bound.claim
    case = "" if claim.case == "average" else f"{claim.case} "
    what = f"{case}{bound.counted}"
    sides = [" or ".join(one or "plain" for one in pool) for pool in bound.population.sides]
    if len(sides) == 2 and bound.population.derived is None:
        what += f", {sides[0]} minus {sides[1]},"
    elif sides != ["plain"]:
        what += f" ({', against '.join(sides)})"
    if claim.margin is not None and bound.rival is not None:
        rival = f"{bound.rival.model} as {bound.rival.system.name}"
        by = "at most" if bound.exact else "less than"
        return f"{what} of {_who(bound)} is worse than that of {rival} by {by} {claim.margin:g}"
    sign, threshold = ("<", claim.at_most) if claim.at_most is not None else (">", claim.at_least)
    sign = {"<": "≤", ">": "≥"}[sign] if bound.exact else sign
    return f"{what} of {_who(bound)} {sign} {threshold:g}"


def _shown(failure: str) -> str:
    return shorten(failure, REASON, placeholder=" …")


def _who(bound: Bound) -> str:
    return f"{bound.ours.model} as {bound.ours.system.name}"


def population_words(bound: Bound) -> str:
    """Of what the verdict speaks."""
    found = bound.population
    kinds = f" ({', '.join(found.kinds)})" if found.kinds else ""
    where = f"{found.suite.name}{kinds}, {found.split}"
    within = f" in {found.within}" if found.within else ""
    applies = f"to which {bound.counted} applies{within}"
    if found.fresh:
        return f"fresh items of {where}, {applies}, drawn from its generator"
    how = "each once" if bound.exact else "drawn with replacement"
    return f"a fixed list of {len(found.items)} items of {where}, of them those {applies}, {how}"


def _estimate(run: Run) -> tuple[Estimate | None, str]:
    """The estimate and the stratum that it is of; by a judge who errs it is marked, as in a survey."""
    found, at = _measured(run)
    if found is None or not run.bound.errs:
        return found, at
    return replace(found, kind=f"{found.kind}; {NAIVE}: as {run.bound.errs} reads"), at


def _measured(run: Run) -> tuple[Estimate | None, str]:
    if not run.bound.exact:
        return run.course.estimate() or (None, "")
    if not run.exact:
        return None, ""
    worst = run.bound.scale.worst_mean(mean for _, mean in run.exact.values())
    at, (n, mean) = next((name, one) for name, one in run.exact.items() if one[1] == worst)
    return Estimate(mean, mean, mean, n, "the whole list: no chance is left", run.bound.claim.confidence), at


def _strata(run: Run) -> list[dict[str, Any]]:
    """Each stratum's items, mean and evidence."""
    if run.bound.exact:
        return [{"name": name, "n": n, "mean": mean} for name, (n, mean) in run.exact.items()]
    found = []
    for name, test in run.course.tests.items():
        values = run.course.values[name]
        mean = sum(values) / len(values) if values else None
        logs = {"log_e_holds": round(test.log_e_holds, 4), "log_e_fails": round(test.log_e_fails, 4)}
        found.append({"name": name, "n": len(values), "mean": mean, **logs})
    return found


def _why(run: Run) -> tuple[int | None, str]:
    """How many more items an undecided claim needs, and why it has not been decided."""
    claim: Claim = run.bound.claim
    lacking = run.counts["without_form"], run.counts["not_applicable"]
    if run.counts["read"] == 0:
        told = f"{lacking[0]} had no form that {run.bound.ours.system.name} takes, to {lacking[1]} it did not apply"
        return None, f"no item could be read ({told})"
    exact = run.bound.exact
    if empty := run.unseen if exact else [name for name, test in run.course.tests.items() if test.n == 0]:
        return None, f"no item was seen of {', '.join(empty)}"
    more, at = run.course.needed()
    where = "" if at == WHOLE else f" (for {at})"
    if run.dry:
        return more, f"no more items are found{where}"
    if more is None:
        return None, f"more items like these would not decide: the mean lies too near the threshold{where}"
    begun = f"stopped at most = {claim.most}"
    return more, f"{begun}; about {more} more items would decide{where}, if they go on as they have come"


def _sentence(run: Run, word: Word, estimate: Estimate | None, at: str, why: str) -> str:
    """What was found."""
    bound, found = run.bound, ""
    if estimate is not None:
        ends = "" if bound.exact else f" [{estimate.low:.4g}, {estimate.high:.4g}], each end at {estimate.confidence:g}"
        place = "" if at == WHOLE else f" in {at}"
        sign = " (above 0: better)" if bound.claim.margin is not None else ""
        found = f"{estimate.value:.4g}{ends}{place}{sign}"
    items = f"{run.counts['read']} items: {population_words(bound)}"
    against = f", against {bound.adversary.name} ({bound.adversary.budget})" if bound.adversary is not None else ""
    sure = f"confidence {bound.claim.confidence:g}"
    if bound.exact:
        sure = "no reply is left to chance, but the judge may err" if bound.errs else "nothing is left to chance"
    read = f", as {bound.errs} reads ({NAIVE} for its errors)" if bound.errs else ""
    broke = ""
    if failures := run.counts["failures"]:
        broke = f" {failures} items failed and count as the worst, the first by {_shown(run.first_failure)}."
    if failures := run.counts["rival_failures"]:
        first = _shown(run.first_rival_failure)
        broke += f" {failures} items of what it is held against failed and count as its best, the first by {first}."
    if unjudged := run.counts["unjudged"]:
        broke += f" {unjudged} items have a reply without a verdict of the judge, which counts against the claim."
    return f"{word}{read}: {found or 'nothing found'}; {items}{against}; {sure}.{broke}{f' {why}.' if why else ''}"
