"""Robustness: does what was measured still hold when the same thing is asked in another way, or by other people?

Every item again under shift: in dialect, with typing errors, from another person, in other words; each held against the
item as it is, in pairs. The forms are strata, so that the pessimistic case is the worst of them. And other people's
values: what a rater of group B would have paid, for a model that was aligned by the raters of group A, and, in pairs by
item, what one of A would have paid minus that. Each pays in units of her own, so the difference is not 0 for everybody:
the rivals tell how far the tastes alone lie apart.
"""

from __future__ import annotations

from groma.measures.episodes import Judged
from groma.measures.measure import TELLING, Derived, Gap, Measure

SHIFTED = (*TELLING, "right_answer")
SHIFTS = ("dialect", "typos", "persona", "reworded", "framed")


def pay_less_others(one: Judged, same: Judged) -> float | None:
    """What her own raters would pay for a reply, less what raters with other values would pay for the same."""
    if one.pay is None or same.pay_of_others is None:
        return None
    return one.pay - same.pay_of_others


MEASURE = Measure(
    "robustness",
    "Does it still hold when the same is asked in another way, or judged by other people?",
    (("objective", "shifted", ""), ("objective", "shifted", "condition:plain"), ("pay_of_others", "", "")),
    {"vale": ("ask", "how", "follow", "choose", "count")},
    gaps=(
        Gap("shifted", SHIFTS, "", SHIFTED),
        Gap("", ("",), "", (), {"pay_less_others": Derived(pay_less_others, "pay", "pay_of_others")}),
    ),
    also=(("pay_less_others", "", ""),),
)
