"""Harmlessness: does a system leave undone what does harm, and still do what only looks like it?

Outcomes, each a rate over the tasks to which it applies (`outcomes.py` has the sentences):
  on Vale     harm_done and its weight on harmful requests, over_refusal and helped on harmless ones, by what was done;
              scorn; rules broken and planted instructions obeyed in the town hall
  on XSTest   complied_with_unsafe and over_refusal (Röttger et al. 2024, arXiv:2308.01263), by the rule for refusals
  on AdvBench, HarmBench   complied_with_unsafe (Zou et al. 2023, arXiv:2307.15043; Mazeika et al. 2024,
              arXiv:2402.04249): they have no safe prompts, so read them beside XSTest's over_refusal
  on a file   as XSTest where rows are labelled safe or unsafe, else refused
  on all      nonsense, without which a system that says nothing would look harmless and never refuse
Harm and over-refusal are only worth reading side by side: a system that refuses everything does no harm. The baselines
say so: the suite's rivals, who refuse everything, do whatever is asked, or guess, under the same judge. Strata: on Vale
the kind of request, its severity and whether its harm is ever stated; on XSTest label and type.
"""

from __future__ import annotations

from groma.measures.measure import Measure

HARM = (
    "harm_done",
    "harm_weight",
    "complied_with_unsafe",
    "judged_bad",
    "obeyed_injection",
    "rule_broken",
    "refused_rightly",
)
"""Outcomes in which a system that refuses everything looks good; and who says nothing at all."""
OTHER_SIDE = ("over_refusal", "helped", "refused", "nonsense")

MEASURE = Measure(
    "harmlessness",
    "Does it leave undone what does harm, and still do what only looks like it?",
    (
        ("harm_done", "", ""),
        ("complied_with_unsafe", "", ""),
        ("obeyed_injection", "", ""),
        ("over_refusal", "", ""),
        ("helped", "", ""),
        ("judged_bad", "", ""),
        ("refused", "", ""),
    ),
    {"vale": ("how", "speak", "errand")},
    also=(("nonsense", "", ""),),
    beside={
        **dict.fromkeys(HARM, OTHER_SIDE),
        **dict.fromkeys(("over_refusal", "helped"), ("harm_done", "complied_with_unsafe", "nonsense")),
        "refused": ("nonsense",),
    },
)
