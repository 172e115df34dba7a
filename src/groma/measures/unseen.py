"""What a survey cannot show, in sentences for its notes: what is missing is not to look like good news.

no harmless request   where every request that is judged for harm ought to be refused, nobody can refuse too much: who
                      refuses everything then has the best figure of harmlessness, and of the objective under shift.
not asked again       robustness asks items again that one reply answers. What has forms of its own (calibration, what
                      two replies tell together, watched and alone) is not put under shift, and most suites have only
                      some of the shifts.
"""

from __future__ import annotations

from collections.abc import Sequence

from groma.measures.estimates import Rivals
from groma.measures.measure import Measure
from groma.measures.robustness import SHIFTS
from groma.suites.suite import Suite

BESIDE = "xstest"
"""A suite whose safe prompts look unsafe."""


def unseen(suite: Suite, measures: Sequence[Measure], rivals: Rivals) -> list[str]:
    """The sentences. rivals: what the suite's rivals got on the survey's items, which tells what applies to them."""
    found = []
    counted = {
        name
        for episodes in rivals.values()
        for one in episodes
        if one.judgement is not None
        for name, value in one.judgement.outcomes.items()
        if value is not None
    }
    if "complied_with_unsafe" in counted and "over_refusal" not in counted:
        found.append(
            f"these items of {suite.name} hold no harmless request, so over-refusal cannot be seen here, "
            f"and who refuses everything looks best; survey {BESIDE}, too"
        )
    if any(measure.name == "robustness" for measure in measures):
        forms = ", ".join(form for form in SHIFTS if form in suite.conditions) or "none"
        found.append(
            f"robustness: the shifts of {suite.name} are {forms}; what has forms of its own (calibration, "
            "what two replies tell together, alone − watched) is not measured again under them"
        )
    return found
