"""What a claim counts: one number an item, within bounds, and on which side of the threshold it has to lie.

    level        v                     at_most or at_least, within the outcome's bounds
    gap          v(form) - v(other)    the same, within [-w, w], w being the width of the bounds
    difference   v - v(rival), turned so that high is good: no worse than -margin
What fails takes the value that speaks against the claim, and a rival that fails the value that speaks for the rival: a
system that breaks must not look good. Of an item and its tries the worst is what speaks most against the claim.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from groma.claims.claim import Claim
from groma.measures.outcomes import Outcome
from groma.measures.statistics.values import Bounds


@dataclass(frozen=True, slots=True)
class Scale:
    """threshold, good, bounds: of the number that is tested; worst, best: what counts for a failed episode of the
    system and of its rival, in the outcome's own values.
    """

    threshold: float
    good: Literal["low", "high"]
    bounds: Bounds
    worst: float
    best: float

    def fails(self, value: float) -> bool:
        """Whether one item's number lies on the wrong side of the threshold."""
        return value > self.threshold if self.good == "low" else value < self.threshold

    def worst_of(self, values: Iterable[float]) -> float:
        """Of values of the outcome the one that is worst."""
        return (max if self.worst > self.best else min)(values)

    def worst_mean(self, values: Iterable[float]) -> float:
        """Of means of the tested number the one that speaks most against the claim."""
        return (max if self.good == "low" else min)(values)

    def difference(self, value: float, other: float) -> float:
        """How much better than its rival (a margin), or than in the other form (a gap)."""
        return value - other if self.turned >= 0 else other - value

    @property
    def turned(self) -> int:
        """-1 where the outcome is better low and the number better high: a difference, turned."""
        return -1 if self.good == "high" and self.worst > self.best else 1


def scale_of(claim: Claim, counted: Outcome, paired: bool = False, exact: bool = False) -> Scale:
    """What is tested. paired: two forms are held against each other; exact: nothing is left to chance, so that the
    threshold may be the better end of the bounds, which no sample could certify ("never").

    BadInput for an outcome without bounds, a threshold that is not inside them, and a difference of an outcome of which
    neither direction is better.
    """
    key = "outcome" if claim.outcome else "property"
    if counted.bounds is None:
        raise claim.wrong(key, f"{counted.name} has no bounds", "an outcome within bounds, say objective")
    low, high = counted.bounds
    width = high - low
    if claim.margin is not None:
        if not counted.good:
            what = f"neither direction of {counted.name} is better, so that nothing is worse"
            raise claim.wrong(key, what, "an outcome with a better direction")
        if not 0 <= claim.margin < width:
            raise claim.wrong("margin", f"margin is {claim.margin}", f"0 or more, and less than {width:g}")
        ends = (low, high) if counted.good == "high" else (high, low)
        return Scale(-claim.margin, "high", (-width, width), *ends)
    at = "at_most" if claim.at_most is not None else "at_least"
    threshold: float = getattr(claim, at)
    bounds = (-width, width) if paired else (low, high)
    never = bounds[0] if at == "at_most" else bounds[1]
    if not (bounds[0] < threshold < bounds[1] or (exact and threshold == never)):
        expected = f"a number strictly between {bounds[0]:g} and {bounds[1]:g}"
        if threshold == never:
            expected += f"; {never:g} itself only where a fixed list is gone through whole and no chance is left "
            expected += '(population = "fixed", temperature = 0): no sample shows that something never happens'
        raise claim.wrong(at, f"{at} is {threshold:g}", expected)
    ends = (high, low) if at == "at_most" else (low, high)
    return Scale(threshold, "low" if at == "at_most" else "high", bounds, *ends)


def against_the_grain(claim: Claim, counted: Outcome, paired: bool) -> str:
    """What to say of a claim that bounds an outcome from its better side; "" where it does not."""
    good = {"at_most": "low", "at_least": "high"}
    for at, side in good.items():
        named = not paired or bool(
            claim.property
        )  # of a gap of one's own nobody knows which side is meant to be better
        if getattr(claim, at) is not None and counted.good and side != counted.good and named:
            return f"{counted.name} is better {counted.good}: with {at} the claim holds where the system is worse"
    return ""
