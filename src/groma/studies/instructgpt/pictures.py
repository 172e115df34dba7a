"""The study's charts and tables, of one seed."""

from __future__ import annotations

from groma.formats.study import Chart, Point, Table
from groma.studies.instructgpt.criteria import Results, header_text, share
from groma.studies.instructgpt.players import FIRST, LARGE
from groma.studies.instructgpt.toxicity import HEADERS, WISHES
from groma.studies.judged import Told

LOST = 0.724 - 0.696
"""What the paper's reward models were less right about held-out labellers."""
STAGES = {"base": "base", "sft": "fine-tuned (SFT)", "rlhf": "aligned (SFT, PPO)"}
NAMES = {
    LARGE: "large base",
    **STAGES,
    FIRST: "aligned, first round alone",
    **{f"small-{name}": f"small {shown}" for name, shown in STAGES.items()},
}
JUDGES = {
    "rater": "a rater of A",
    "pay": "A without noise",
    "other rater": "a rater of B",
    "truth": "the truth",
}


def charts(results: Results) -> tuple[Chart, ...]:
    return _preferred(results), _by_gap(results), _scorn(results)


def tables(results: Results) -> tuple[Table, ...]:
    return _contests(results), _kinds(results), _raters(results), _folds(results), _wishes(results)


def _point(series: str, x: float, told: Told) -> Point:
    return Point(series, x, told["value"], told["low"], told["high"])


def _preferred(results: Results) -> Chart:
    sizes, contests = results["sizes"], results["contests"]
    points = [Point(STAGES["base"], sizes["large"], 0.5)]  # as good as itself
    for name, shown in STAGES.items():
        points.append(_point(shown, sizes["small"], contests[f"small-{name}"]["rater"]))
        points.append(_point(shown, sizes["shipped"], contests[name]["rater"]))
    return Chart(
        "Preferred to the large base, by size and stage",
        "parameters",
        "share of held-out tasks",
        tuple(sorted(points, key=lambda one: one.x)),
        tuple(STAGES.values()),
        log_x=True,
        caption=f"A point: how often a rater of group A, with her noise, prefers a model's reply to that of the large "
        f"base, of {sizes['large']:,} parameters, over {results['asked']:,} held-out tasks; 0.5: as good. Bars: 95 %.",
    )


def _by_gap(results: Results) -> Chart:
    shown = {
        "labels": "one rater, of her own pay",
        "pay": "reward model, of the pay",
        "own": "reward model, of choices",
    }
    points = [_point(series, row["gap"], row[name]) for row in results["reward"]["by gap"] for name, series in
              shown.items()]  # fmt: skip
    return Chart(
        "Who is right, by how far apart two replies are",
        "difference of what raters would pay for the two replies, in units of pay",
        "share of fresh pairs",
        tuple(points),
        tuple(shown.values()),
        caption="A point: a fifth of the fresh pairs, those of like difference; pairs paid alike are left out. "
        "Reward models in the mean over folds; choices are those of raters they learned from. Bars: 95 %.",
    )


def _scorn(results: Results) -> Chart:
    rates = results["toxicity"]["rates"]
    points = [
        _point(shown, place, rates[name][header])
        for name, shown in STAGES.items()
        for place, header in enumerate(HEADERS, -1)
    ]
    return Chart(
        "Toxicity, by what is asked for",
        "header: -1 <respectful>, 0 none, 1 <rude>",
        "share of replies that scorn somebody",
        tuple(points),
        tuple(STAGES.values()),
        caption=f"A point: the replies to {rates['base']['none']['n']:,} requests under one header, in equal parts to "
        f"speak well, ill, or in any way. Bars: 95 %, clustered by the {results['toxicity']['people']} people.",
    )


def _contests(results: Results) -> Table:
    rows = [
        (
            NAMES[name],
            *("" if name == LARGE else share(results["contests"][name][judge], 2) for judge in JUDGES),
            share(results["worth"][name]["objective"], 2),
            share(results["worth"][name]["pay"], 2),
        )
        for name in NAMES
    ]
    return Table(
        "Whose reply is preferred to the large base's",
        ("model", *JUDGES.values(), "its objective", "its pay"),
        tuple(rows),
        f"Shares of {results['asked']:,} held-out tasks; where two replies are worth the same, each has won half. The "
        f"models that are not called small or large are of the size that ships, {results['sizes']['shipped']:,} "
        f"parameters. The small base has read {results['sizes']['tokens']['small']:,} tokens, the large one "
        f"{results['sizes']['tokens']['large']:,}. First round: {results['sizes']['first']:,} comparisons; second: "
        f"{results['sizes']['second']:,} more.",
    )


def _kinds(results: Results) -> Table:
    small, own = results["contests"]["small-rlhf"], results["own base"]
    agree, right = results["agreement"]["kinds"], results["reward"]["kinds"]
    rows = [
        (
            kind,
            share(small["rater by kind"][kind], 2),
            share(small["truth by kind"][kind], 2),
            share(own["rater by kind"][kind], 2),
            share(own["truth by kind"][kind], 2),
            share(agree[kind], 2) if kind in agree else "",
            share(right[kind]["pay"], 2) if kind in right else "",
        )
        for kind in small["rater by kind"]
    ]
    columns = ("kind", "small aligned, by a rater", "by the truth", "shipped size, aligned, by a rater",
               "by the truth", "two of A agree", "reward model, of the pay")  # fmt: skip
    caption = "Preferred to the large base's reply, as above; of the shipped size, to its own base's."
    return Table("By kind of task", columns, tuple(rows), caption)


def _raters(results: Results) -> Table:
    told = results["agreement"]
    rows = [
        (
            f"two of group {group}",
            share(told[group]["agree"]),
            share(told[group]["tame"]),
            share(told[group]["right"]),
            f"{told[group]['arithmetic']:.3f}",
            f"{told[group]['expected']:.3f}",
        )
        for group in ("A", "B")
    ]
    rows.append(("one of each", share(told["across"]), "", "", "", ""))
    return Table(
        "Raters over the same pairs",
        (
            "raters",
            "agree",
            "without harmful requests",
            "follow their own pay",
            "p² + (1 - p)²",
            "expected from their noise",
        ),
        tuple(rows),
        f"{told['pairs']:,} pairs of different replies. p: how often they follow their own pay, where it tells two "
        "replies apart. Their errors fall on pairs that are paid nearly alike, those of the arithmetic on all evenly. "
        "The paper: 72.6 ± 1.5 %, held-out labellers 77.3 ± 1.3 %.",
    )


def _folds(results: Results) -> Table:
    told = results["reward"]
    names, drop = ("own", "held out", "others", "pay"), told["drop"]["value"]
    rows = [
        (f"without rater {place}", *(f"{row[name]:.3f}" for name in names)) for place, row in enumerate(told["folds"])
    ]
    rows.append(("all", *(share(told[name]) for name in names)))
    return Table(
        "Reward models, fold by fold",
        ("fold", "choices of its own raters", "of the rater held out", "of two raters of group B", "pay of A"),
        tuple(rows),
        f"Right about so many of {told['pairs']:,} fresh pairs, no prompt of which was learned from; of the pay "
        f"{told['pay']['n']:,} that it tells apart. The paper: 72.4 ± 0.4 % and, held out, 69.6 ± 0.9 %"
        + (
            f": so much would be lost on labellers of whom {LOST / drop:.0%} had group B's taste."
            if drop > LOST
            else "."
        ),
    )


def _wishes(results: Results) -> Table:
    told = results["toxicity"]
    rows = []
    for header in HEADERS:
        rates = (share(told["rates"][name][header], 2) for name in STAGES)
        rows.append((header_text(header), "all", *rates, _ratio(told["ratios"][header])))
        for wish in WISHES:
            rates = (share(told["wishes"][name][header][wish], 2) for name in STAGES)
            ratio = _ratio(told["ratios by wish"][wish]) if header == "none" else ""
            rows.append((header_text(header), wish, *rates, ratio))
    return Table(
        "Share of replies that scorn somebody",
        ("header", "asked to speak", *STAGES.values(), "aligned over base"),
        tuple(rows),
        f"{told['people']} people are spoken of, by whom the intervals are clustered.",
    )


def _ratio(found: Results) -> str:
    if found["value"] is None:
        return "none: the base scorns nobody"
    return f"{found['value']:.2f}" if found["low"] is None else share(found, 2)
