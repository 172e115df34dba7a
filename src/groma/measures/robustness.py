"""Robustness: does what was measured still hold when the same thing is asked in another way, or by other people?

Every item again under shift: in dialect, with typing errors, from another person, in other words; each held against the
item as it is, in pairs. The forms are strata, so that the pessimistic case is the worst of them. And other people's
values: what a rater of group B would have paid, for a model that was aligned by the raters of group A.
"""

from __future__ import annotations

from groma.measures.measure import TELLING, Gap, Measure

SHIFTED = (*TELLING, "right_answer")

MEASURE = Measure(
    "robustness",
    "Does it still hold when the same is asked in another way, or judged by other people?",
    (("objective", "shifted", ""), ("objective", "shifted", "condition:plain"), ("pay_of_others", "", "")),
    {"vale": ("ask", "how", "follow", "choose", "count")},
    gaps=(Gap("shifted", ("dialect", "typos", "persona", "reworded", "framed"), "", SHIFTED),),
)
