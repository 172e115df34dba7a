"""What the runs on Vale's language models are held against, and their charts.

Gold is the judge's objective, from -1 to 1; gains are differences from the start. Standard errors are over prompts for
best-of-n, and over episodes for PPO.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from groma.formats.study import Chart, Point, Table
from groma.studies.overoptimisation.criteria import NOTHING, RANKED, SHARE, Criterion
from groma.studies.overoptimisation.on_vale import RATER, WHOLE

Results = dict[str, Any]
NORMAL = 1.96
D, GOLD = "square root of KL, in nats", "gold: what is true of the replies, -1 to 1"


def criteria(vale: Results) -> list[Criterion]:
    """All of them, in order."""
    return [_forms(vale), _rising(vale), _threshold(vale), _penalty(vale), _efficient(vale), _over(vale)]


def _gain(row: Results) -> list[float]:
    return [one - row["gold"][0] for one in row["gold"]]


def _forms(vale: Results) -> Criterion:
    rows = vale["best of n"]["rows"]
    shares = [one["share"] if one["share"] is not None else float("inf") for one in rows]
    return Criterion(
        "Vale, forms",
        f"fitted on n up to {vale['fitted up to']}, R_bon is within {SHARE:.0%} of the highest gold at "
        f"n = {vale['best of n']['n'][-1]:,}, in the mean over proxies",
        ", ".join(f"{one['name']}: off by {share:.0%}" for one, share in zip(rows, shares, strict=True)),
        float(np.mean(shares)) <= SHARE,
    )


def _rising(vale: Results) -> Criterion:
    found = {}
    for what, rows in _varied(vale).items():
        highest = [max(_gain(one)) for one in rows]
        found[what] = float(spearmanr([one["width"] or one["size"] for one in rows], highest).statistic)
    return Criterion(
        "Vale, size and data",
        f"the highest gold of best-of-n rises with the proxy's width and with its data (Spearman {RANKED} or more)",
        ", ".join(f"with {what} {rank:.2f}" for what, rank in found.items()),
        all(rank >= RANKED for rank in found.values()),
    )


def _varied(vale: Results) -> dict[str, list[Results]]:
    """The proxies whose width differs (all from random weights), and those whose number of comparisons does."""
    rows = vale["best of n"]["rows"]
    return {"width": [one for one in rows if one["width"]], "data": [one for one in rows if not one["width"]]}


def _threshold(vale: Results) -> Criterion:
    rows = _varied(vale)["data"]
    highest = [max(_gain(one)) for one in rows]
    share = highest[0] / highest[-1] if highest[-1] > 0 else float("inf")
    return Criterion(
        "Vale, few data",
        f"with the fewest comparisons the highest gold is at most {NOTHING:.0%} of what the most reach",
        f"{share:.0%} with {rows[0]['size']:,} of {rows[-1]['size']:,} comparisons",
        share <= NOTHING,
    )


def _pairs(vale: Results) -> list[tuple[Results, Results]]:
    """PPO without a penalty, and with the largest, by proxy."""
    by_name: dict[str, list[Results]] = {}
    for one in vale["ppo"]:
        by_name.setdefault(one["name"], []).append(one)
    ordered = [sorted(some, key=lambda one: one["kl_coef"]) for some in by_name.values()]
    return [(some[0], some[-1]) for some in ordered]


def apart(free: Results, held: Results) -> float:
    """How far the gold of two runs is apart in all, in standard errors: the differences at the points of the one that
    is held, each beside the other's at the same distance where it was there, each over its error; their sum over the
    root of their number.
    """
    order = np.argsort(free["d"])
    d, gold, error = (np.array(free[name])[order] for name in ("d", "gold", "gold error"))
    found = []
    for at, value, own in zip(held["d"], held["gold"], held["gold error"], strict=True):
        if d[0] <= at <= d[-1]:
            difference = value - np.interp(at, d, gold)
            found.append(difference / np.hypot(own, np.interp(at, d, error)))
    return float(abs(np.sum(found)) / np.sqrt(len(found))) if found else float("inf")


def _penalty(vale: Results) -> Criterion:
    told = {free["name"]: apart(free, held) for free, held in _pairs(vale)}
    return Criterion(
        "Vale, penalty",
        "PPO with a KL penalty: at equal KL its gold, over its whole curve, is within a standard error of that without",
        ", ".join(f"{name}: {value:.1f} s.e." for name, value in told.items()),
        all(value < 1 for value in told.values()),
    )


def _efficient(vale: Results) -> Criterion:
    rows = {one["name"]: one for one in vale["best of n"]["rows"]}
    told, met = [], []
    for free, _ in _pairs(vale):
        row, place = rows[free["name"]], int(np.argmax(free["gold"]))
        at, own = free["d"][place], _gain(free)[place]
        other, error = (float(np.interp(at, row["d"], some)) for some in (_gain(row), row["gain error"]))
        sure = NORMAL * float(np.sqrt(error**2 + free["gold error"][place] ** 2 + free["gold error"][0] ** 2))
        told.append(
            f"{free['name']}: PPO {own:+.2f}, best-of-n {other:+.2f} at {at:.1f}, {other - own:+.2f} ± {sure:.2f}"
        )
        met.append(other - own > sure)
    return Criterion(
        "Vale, efficiency",
        "where PPO's gold is highest, best-of-n gains more at the same KL, beyond chance",
        "; ".join(told),
        all(met),
    )


def _over(vale: Results) -> Criterion:
    told, met = [], []
    for free, _ in _pairs(vale):
        gold, error = free["gold"], free["gold error"]
        place = int(np.argmax(gold))
        falls, sure = gold[place] - gold[-1], NORMAL * float(np.hypot(error[place], error[-1]))
        told.append(f"{free['name']}: {gold[0]:.2f}, at best {gold[place]:.2f}, at the end {gold[-1]:.2f}")
        met.append(falls > sure and free["proxy"][-1] > free["proxy"][place])
    return Criterion(
        "Vale, over-optimised",
        "under PPO without a penalty the gold of some proxy falls from its best, beyond chance, while the proxy rises",
        "; ".join(told),
        any(met),
    )


def lead(vale: Results) -> str:
    """What happened to the best proxy and to the rater's own pay, in words."""
    told, whole = vale["best of n"], next(one for one in vale["best of n"]["rows"] if one["name"] == WHOLE)
    return (
        f"On Vale's language models, best-of-n by a reward model of the fine-tuned model's size ({whole['size']:,} "
        f"comparisons) moves the truth {_moved(whole, told['n'])}; by the rater's own pay "
        f"{_moved(told['rater'], told['n'])}."
    )


def _moved(row: Results, ns: Sequence[int]) -> str:
    """Gold at first, where it is highest, and at last."""
    gold = row["gold"]
    place = int(np.argmax(gold))
    return f"from {gold[0]:.2f} to {gold[place]:.2f} at n = {ns[place]:,} and {gold[-1]:.2f} at n = {ns[-1]:,}"


def charts(vale: Results) -> tuple[Chart, ...]:
    told = vale["best of n"]
    fitted = f"The forms are fitted up to n = {vale['fitted up to']}. Bars: 95 % over {told['prompts']} prompts."
    varied, free = _varied(vale), [one for one, _ in _pairs(vale)]
    whole = varied["data"][-1]
    return (
        _chart("Vale: best-of-n, by width of the proxy", [*varied["width"], whole], fitted),
        _chart(
            "Vale: best-of-n, by number of comparisons", [*varied["data"], {**told["rater"], "name": RATER}], fitted
        ),
        _climbed("Vale: PPO without a penalty, by width of the proxy", free, [one["name"] for one in varied["width"]]),
        _climbed(
            "Vale: PPO without a penalty, by number of comparisons", free, [one["name"] for one in varied["data"]]
        ),
        _climbed("Vale: PPO with a KL penalty and without", [*_pairs(vale)[-1]], [_pairs(vale)[-1][0]["name"]]),
    )


def _chart(title: str, rows: Sequence[Results], caption: str) -> Chart:
    points = [
        Point(row["name"], d, gold, gold - NORMAL * error, gold + NORMAL * error)
        for row in rows
        for d, gold, error in zip(row["d"], row["gold"], row["gold error"], strict=True)
    ]
    return Chart(title, D, GOLD, tuple(points), tuple(row["name"] for row in rows), caption=caption)


def _climbed(title: str, climbs: Sequence[Results], names: Sequence[str]) -> Chart:
    points, lines = [], []
    for row in climbs:
        if row["name"] not in names and row["name"] != WHOLE:
            continue
        name = f"{row['name']}, KL penalty {row['kl_coef']:g}"
        lines.append(name)
        points += [Point(name, d, gold) for d, gold in zip(row["d"], row["gold"], strict=True)]
    caption = "Gold of the episodes that PPO learned from, a point for some steps, joined in the order of training."
    return Chart(title, D, GOLD, tuple(points), tuple(lines), caption=caption)


def table(vale: Results) -> Table:
    """Every proxy: how well it tells the better reply, and what optimising it did."""
    told = vale["best of n"]
    rows = [
        (
            one["name"],
            f"{one['size']:,}" if "size" in one else "",
            f"{one['accuracy']:.2f}" if "accuracy" in one else "",
            f"{max(one['gold']):.2f}",
            f"{one['gold'][-1]:.2f} ± {NORMAL * one['gold error'][-1]:.2f}",
            f"{one['proxy'][-1]:.2f}",
            f"{one['d'][-1] ** 2:.2f}",
            f"{one['kl of lumps'][-1]:.2f}",
            f"{one['alpha']:.3f}",
            f"{one['beta']:.3f}",
        )
        for one in (*told["rows"], told["rater"])
    ]
    columns = ("proxy", "comparisons", "accuracy", "highest gold", "gold at the last n", "proxy there", "KL by formula",
               "KL of lumps", "alpha", "beta")  # fmt: skip
    caption = (
        f"Best-of-n on Vale, on prompts of which no proxy learned. Accuracy on {vale['tested']:,} comparisons of other "
        f"prompts than those that were learned from; gold at n = 1 is "
        f"{told['rows'][0]['gold'][0]:.2f}; of {vale['pool']:,} samples of a prompt {vale['lumps']:.0f} differ."
    )
    return Table("Proxies on Vale", columns, tuple(rows), caption)


def climbs(vale: Results) -> Table:
    """What PPO came to by every proxy, without a penalty and with one."""
    rows = []
    for one in vale["ppo"]:
        gold, error = one["gold"], one["gold error"]
        place = int(np.argmax(gold))
        rows.append(
            (
                one["name"],
                f"{one['kl_coef']:g}",
                f"{gold[0]:.2f}",
                f"{gold[place]:.2f} ± {NORMAL * error[place]:.2f} at {one['d'][place] ** 2:.2f}",
                f"{gold[-1]:.2f} ± {NORMAL * error[-1]:.2f} at {one['d'][-1] ** 2:.2f}",
                f"{one['proxy'][place]:.2f}, {one['proxy'][-1]:.2f}",
            )
        )
    columns = ("proxy", "KL penalty", "gold at first", "highest gold, at KL", "gold at the end, at KL", "proxy there")
    return Table("PPO on Vale", columns, tuple(rows), "Gold and proxy of the episodes that PPO learned from.")
