"""What the results are held against. Few published figures of these methods carry over to a world of this size, so that
the criteria are orders and intervals, written down before the study was run; a missed one is a result like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from groma.formats.study import Criterion, over_seeds
from groma.studies.judged import in_words
from groma.studies.offline_online.config import BEST, METHODS
from groma.studies.offline_online.measuring import OBJECTIVE, PAY
from groma.studies.offline_online.results import Results

R2 = 0.95
"""As for the simulator's curves in the study `overoptimisation`."""
Judged = tuple[str, bool | None]
"""What was found in one seed, and whether it is what was required."""


def criteria(results: Mapping[int, Results]) -> tuple[Criterion, ...]:
    """All of them over all seeds: met where every seed meets it, not asked where one could not be asked."""
    return tuple(
        over_seeds(name, required, {seed: judge(one) for seed, one in results.items()})
        for name, required, judge in ASKED
    )


def _raised(one: Results) -> Judged:
    start = one["start"][PAY]
    ends = {METHODS[method]: row["points"][-1][PAY] for method, row in one["methods"].items()}
    ends[BEST] = one[BEST]["points"][-1][PAY]
    text = ", ".join(f"{name} {in_words(end)}" for name, end in ends.items())
    first = one[BEST]["points"][0][PAY]
    met = [end["low"] > (first if name == BEST else start)["high"] for name, end in ends.items()]
    return f"start {in_words(start)}; {text}", all(met)


def _best_of_n(one: Results) -> Judged:
    rows = one["best-of-n and methods"]
    if not rows:
        return "no method has a mark within the KL that best-of-n reaches", None
    text = ", ".join(f"{METHODS[row['method']]} by {in_words(row[PAY])} at {row['kl']:.1f} nats" for row in rows)
    missing = [METHODS[method] for method in METHODS if method not in {row["method"] for row in rows}]
    left = f"; not within reach: {', '.join(missing)}" if missing else ""
    return text + left, all(row[PAY]["low"] > 0 for row in rows)


def _online(one: Results) -> Judged:
    rows = one["online and offline"]
    text = ", ".join(
        f"{METHODS[row['online']]} less {METHODS[row['offline']]} {in_words(row[PAY])} at {row['kl']:.1f} nats"
        for row in rows
    )
    return text, all(row[PAY]["low"] > 0 for row in rows)


def _followed(one: Results) -> Judged:
    rows = [row for row in one["changed"] if row["turned"]]
    text = ", ".join(f"{METHODS[row['method']]} {in_words(row[BEYOND])}" for row in rows)
    return text, all(row[BEYOND]["low"] > 0 for row in rows)


BEYOND = "gain beyond DPO's"


def _form(one: Results) -> Judged:
    told = {METHODS[method]: row["form"] for method, row in one["methods"].items() if "form" in row}
    if any(form is None or form["r2"] is None for form in told.values()):
        return "too few marks differ", None
    text = "; ".join(
        f"{name} {form['r2']:.2f} (beta {form['beta']:.3f}; {_spread(one, name)})" for name, form in told.items()
    )
    return text, all(form["r2"] >= R2 for form in told.values())


def _spread(one: Results, name: str) -> str:
    """How far the truth moves along the marks, beside how sure each of them is: what a fit has to go by."""
    (points,) = [row["points"] for method, row in one["methods"].items() if METHODS[method] == name]
    told = [point[OBJECTIVE] for point in (one["start"], *points)]
    values = [point["value"] for point in told]
    half = sum(point["high"] - point["low"] for point in told) / len(told) / 2
    return f"the truth moves within {max(values) - min(values):.2f}, each mark being sure to ± {half:.2f}"


ASKED: tuple[tuple[str, str, Callable[[Results], Judged]], ...] = (
    (
        "the rater is pleased",
        "every method raises the rater's pay on held-out tasks: the intervals of start and end are disjoint (what all "
        "of these papers presuppose)",
        _raised,
    ),
    (
        "best-of-n is cheapest in KL",
        "at equal KL best-of-n is paid more than every method, with the interval of the difference above 0; the KL of "
        "best-of-n by its formula, an upper bound (Gao et al. 2022: RL is far less KL-efficient than best-of-n)",
        _best_of_n,
    ),
    (
        "online above offline",
        "at the largest KL that both reach, every online method is paid more than every offline one, with the interval "
        "of the difference above 0 (the question of Tang et al. 2024; no figure of theirs is used)",
        _online,
    ),
    (
        "a changed rater is followed",
        "after the change the changed rater's pay rises more under each online method that goes on with her than under "
        "DPO, which goes on with the old comparisons: the interval of the difference is above 0",
        _followed,
    ),
    (
        "the form of over-optimisation",
        f"the truth, less that of the start, follows d (alpha - beta log d) with R^2 {R2} or more, d the square root "
        "of KL (Gao et al. 2022 for RL: PPO; Rafailov et al. 2024, arXiv:2406.02900, for direct alignment: DPO)",
        _form,
    ),
)
