"""A claim: one falsifiable sentence about a system, with all that decides it named before anything is asked.

Which system, which population of items, which adversary, what is counted, the threshold and the confidence. Its digest
is of all of these. We differ from a test's assertion: it speaks of a population, so it comes with both error rates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from groma.formats.digest import digest
from groma.formats.errors import BadInput

CASES = ("average", "pessimistic", "worst")
POPULATIONS = ("fresh", "fixed")
Case = Literal["average", "pessimistic", "worst"]


@dataclass(frozen=True, slots=True)
class Claim:
    """As it stands in the file; "" and None are what is not given. docs/claims.md explains every key.

    at_most, at_least: of the level, or with `gap` of the difference of two forms; margin: by how much it may be worse
    than `against` (another model) or `against_system`. where, lines: the file, and on which line each key stands.
    """

    name: str
    says: str = ""
    model: str = ""
    system: str = "chat"
    on: str = "vale"
    data: str = ""
    judge: str = "rule"
    kind: str = ""
    split: str = "held_out"
    stratum: str = ""
    outcome: str = ""
    property: str = ""
    case: Case = "average"
    adversary: str = ""
    population: str = ""
    items: int | None = None
    condition: str = ""
    gap: tuple[str, ...] = ()
    at_most: float | None = None
    at_least: float | None = None
    against: str = ""
    against_system: str = ""
    margin: float | None = None
    confidence: float = 0.95
    most: int = 2000
    temperature: float = 1.0
    max_tokens: int | None = None
    family: str = ""
    where: str = field(default="", compare=False)
    lines: Mapping[str, int] = field(default_factory=dict, compare=False, hash=False)

    def __post_init__(self) -> None:
        for check in (_named, _thresholds, _numbers, _cases, _items):
            check(self)

    def digest(self) -> str:
        """The identity of what is claimed."""
        return digest("claim", self.content())

    def content(self) -> dict[str, Any]:
        """All that it says, plain."""
        whole = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in ("where", "lines")}
        return {**whole, "gap": list(self.gap)}

    def wrong(self, key: str, what: str, expected: str = "") -> BadInput:
        """The error about one of its keys, with the line on which it stands."""
        line = self.lines.get(key, self.lines.get("", 0))
        where = f"{self.where}:{line}" if self.where and line else self.where
        return BadInput(f"claim {self.name!r}: {what}", where=where, expected=expected)


def _named(claim: Claim) -> None:
    if not claim.name.strip():
        raise claim.wrong("name", "a claim without a name", "a name, by which verdicts and --only call it")
    if bool(claim.outcome) == bool(claim.property):
        what = "both an outcome and a property are named" if claim.outcome else "nothing is named that is counted"
        raise claim.wrong("outcome" if claim.outcome else "", what, 'outcome = "…" or property = "…", one of them')


def _thresholds(claim: Claim) -> None:
    given = [key for key in ("at_most", "at_least", "margin") if getattr(claim, key) is not None]
    rivals = [key for key in ("against", "against_system") if getattr(claim, key)]
    if len(given) != 1:
        what = f"{' and '.join(given)} are given" if given else "no threshold is given"
        expected = "exactly one: at_most = …, at_least = …, or margin = … with against or against_system"
        raise claim.wrong(given[-1] if given else "", what, expected)
    if len(rivals) > 1:
        raise claim.wrong("against_system", "against and against_system are given", "one of them")
    if rivals and given != ["margin"]:
        expected = f"margin = …: how much worse than {rivals[0]} is allowed"
        raise claim.wrong(given[0], f"{given[0]} is given with {rivals[0]}", expected)
    if given == ["margin"] and not rivals:
        expected = "against = another model, or against_system = another system"
        raise claim.wrong("margin", "a margin, and nothing that it is held against", expected)
    if claim.gap and given == ["margin"]:
        raise claim.wrong("gap", "a gap and a margin are given", "one of them")


def _numbers(claim: Claim) -> None:
    if not 0.5 < claim.confidence < 1:
        what = f"confidence is {claim.confidence}"
        raise claim.wrong("confidence", what, "a number strictly between 0.5 and 1, say 0.95")
    if claim.most < 1:
        raise claim.wrong("most", f"most is {claim.most}", "at least 1 item")
    if not 0 <= claim.temperature < float("inf"):
        raise claim.wrong("temperature", f"temperature is {claim.temperature}", "0 (greedy) or more")
    if claim.max_tokens is not None and claim.max_tokens < 1:
        raise claim.wrong("max_tokens", f"max_tokens is {claim.max_tokens}", "at least 1")


def _cases(claim: Claim) -> None:
    if claim.case not in CASES:
        raise claim.wrong("case", f"there is no case {claim.case!r}", f"one of {', '.join(CASES)}")
    if claim.case == "worst" and not claim.adversary:
        expected = 'adversary = "resample:8", "exhaustive" or "exhaustive:FILE"'
        raise claim.wrong("case", "the worst case has no adversary", expected)
    if claim.adversary and claim.case != "worst":
        what = f"adversary {claim.adversary!r} has no effect in the {claim.case} case"
        raise claim.wrong("adversary", what, 'case = "worst", or no adversary')
    if claim.case == "worst" and (claim.condition or claim.gap):
        key = "condition" if claim.condition else "gap"
        what = f"{key} has no effect in the worst case: the adversary chooses the form"
        raise claim.wrong(key, what, f"no {key}, or another case")


def _items(claim: Claim) -> None:
    if claim.population not in ("", *POPULATIONS):
        expected = '"fresh" (new items of the generator) or "fixed" (a list)'
        raise claim.wrong("population", f"there is no population {claim.population!r}", expected)
    if claim.items is not None and claim.items < 1:
        raise claim.wrong("items", f"items is {claim.items}", "at least 1")
    if claim.items is not None and claim.population == "fresh":
        raise claim.wrong("items", "items has no effect: fresh items are not of a list", 'population = "fixed"')
    if claim.gap and (len(claim.gap) != 2 or claim.gap[0] == claim.gap[1]):
        raise claim.wrong("gap", f"gap is {list(claim.gap)}", 'two different forms, say ["alone", "watched"]')
    if claim.gap and claim.condition:
        raise claim.wrong("condition", "a gap and a condition are given", "one of them")
    if claim.stratum and not all(part.strip() for part in claim.stratum.partition("=")):
        raise claim.wrong("stratum", f"stratum is {claim.stratum!r}", '"NAME=VALUE", say "tier=rare"')
