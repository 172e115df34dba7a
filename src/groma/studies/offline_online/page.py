"""The page: sentences from the results of all seeds, charts and tables from those of the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from groma.formats.study import Chart, Point, Summary
from groma.studies.offline_online.config import BEST, METHODS, OFFLINE, ONLINE
from groma.studies.offline_online.criteria import criteria
from groma.studies.offline_online.curves import distance
from groma.studies.offline_online.measuring import OBJECTIVE, PAY, Row
from groma.studies.offline_online.results import Results
from groma.studies.offline_online.tables import tables

D = "square root of KL from the start (nats a reply)"


def summary(results: Mapping[int, Results]) -> Summary:
    """All seeds on one page."""
    seed = min(results)
    first = results[seed]
    of = f" Seed {seed} of {len(results)}." if len(results) > 1 else ""
    judged = criteria(results)
    return Summary(
        "Offline and online methods under one rater",
        "DPO (Rafailov et al. 2023, arXiv:2305.18290), online DPO (Guo et al. 2024, arXiv:2402.04792), PPO (Schulman "
        "et al. 2017), RLOO (Ahmadian et al. 2024, arXiv:2402.14740), GRPO (Shao et al. 2024, arXiv:2402.03300), KTO "
        "(Ethayarajh et al. 2024, arXiv:2402.01306), best-of-n (Stiennon et al. 2020); asked of them: Gao et al. 2022, "
        "Rafailov et al. 2024 (arXiv:2406.02900), Tang et al. 2024 (arXiv:2405.08448)",
        "One fallible rater, one fine-tuned model: how far does each method please her for how much KL, what becomes "
        "of the truth, and who follows when she changes her mind?",
        tuple(_findings(list(results.values()))),
        judged,
        (_against_kl(first, OBJECTIVE, of), _against_kl(first, PAY, of), _changing(first, of)),
        tables(first, of),
    )


def _findings(all_of: Sequence[Results]) -> list[str]:
    start = _mean(one["start"][OBJECTIVE]["value"] for one in all_of)
    pays, truths, kls = (
        {method: _mean(_end(one, method, what) for one in all_of) for method in METHODS}
        for what in (PAY, OBJECTIVE, "kl")
    )
    begun = _mean(one["start"][PAY]["value"] for one in all_of)
    online, offline = ([pays[method] for method in some] for some in (ONLINE, OFFLINE))
    low, high = (pick(METHODS, key=lambda method: truths[method]) for pick in (min, max))
    replies = {row["replies"] for row in all_of[0]["methods"].values()}
    drawn = f"{min(replies):,}" if len(replies) == 1 else f"{min(replies):,} to {max(replies):,}"
    lead = (
        f"With {drawn} replies each, the online methods end at a pay of {_range(online)} by the rater "
        f"({_range([kls[method] for method in ONLINE])} nats of KL), the offline ones at {_range(offline)} "
        f"({_range([kls[method] for method in OFFLINE])} nats), from {begun:.2f} at the start; the truth, {start:.2f} "
        f"at the start, ends between {truths[low]:.2f} ({METHODS[low]}) and {truths[high]:.2f} ({METHODS[high]})."
    )
    return [lead, _of_best(all_of), _of_sides(all_of), _of_change(all_of), *_caveats(all_of[0])]


def _of_best(all_of: Sequence[Results]) -> str:
    n, points = all_of[0][BEST]["n"], [one[BEST]["points"] for one in all_of]
    pay, truth = ([_mean(some[at][what]["value"] for some in points) for at in (0, -1)] for what in (PAY, OBJECTIVE))
    return (
        f"Best-of-{n[-1]}, chosen by the rater herself, goes from {pay[0]:.2f} to {pay[1]:.2f} in pay and from "
        f"{truth[0]:.2f} to {truth[1]:.2f} in truth, at {all_of[0][BEST]['kl'][-1]:.2f} nats at most."
    )


def _of_sides(all_of: Sequence[Results]) -> str:
    rows = [row for one in all_of for row in one["online and offline"]]
    ends = [row["end"] for row in rows]
    online, offline = ([row["shares"][side] for row in rows] for side in (0, 1))
    return (
        f"Of {len(rows)} pairs of an online and an offline method, the online one is paid more at the end in "
        f"{_above(ends, PAY)} and less in {_below(ends, PAY)}, and the truth is higher in {_above(ends, OBJECTIVE)} "
        f"and lower in {_below(ends, OBJECTIVE)}; at equal KL it is paid more in {_above(rows, PAY)} and less in "
        f"{_below(rows, PAY)}, with the truth higher in {_above(rows, OBJECTIVE)} and lower in "
        f"{_below(rows, OBJECTIVE)} (the others do not differ beyond their intervals). The online methods come past "
        f"that KL after {min(online):.0%} to {max(online):.0%} of their training, the offline ones after "
        f"{min(offline):.0%} to {max(offline):.0%} of theirs: a method that was held to that KL might do better there."
    )


def _above(rows: Sequence[Row], what: str) -> int:
    return sum(row[what]["low"] > 0 for row in rows)


def _below(rows: Sequence[Row], what: str) -> int:
    return sum(row[what]["high"] < 0 for row in rows)


def _of_change(all_of: Sequence[Results]) -> str:
    """What the changed rater would pay at the half and at the end."""
    told = []
    for place, row in enumerate(all_of[0]["changed"]):
        if row["turned"] or row["method"] in OFFLINE:
            half, end = (
                _mean(one["changed"][place][what]["value"] for one in all_of)
                for what in ("changed rater at the half", "changed rater at the end")
            )
            told.append(f"{METHODS[row['method']]} {half:.2f} to {end:.2f}")
    return (
        "When at the half of the budget the rater becomes one of the other group, her pay goes from there to the end: "
        f"{', '.join(told)}. The offline methods go on learning from the old comparisons."
    )


def _caveats(first: Results) -> list[str]:
    costs = first["costs"]
    return [
        "What is not alike: the online methods are told the rater's exact pay for every reply, the offline ones only "
        f"her noisy choice, and of {costs['pairs']:,} pairs {costs['comparisons']:,} were left to choose from, the "
        "others being equal replies; to harmful requests the second reply of a pair is the base model's, as in the "
        "main job, so that refusals are among what is compared. Step sizes were chosen on training tasks of seed 0.",
        "The rater is no learned reward model: what is over-optimised here is her own taste, which is not the truth.",
    ]


def _against_kl(first: Results, what: str, of: str) -> Chart:
    """A curve for each method, interval at its end; best-of-n as points. The start is where all begin."""
    title, axis = ("Truth against KL", "objective") if what == OBJECTIVE else ("The rater's pay against KL", "pay")
    best = first[BEST]
    points = [
        Point(BEST, distance(kl), point[what]["value"]) for kl, point in zip(best["kl"], best["points"], strict=True)
    ]
    for method, row in first["methods"].items():
        points.append(Point(METHODS[method], 0.0, first["start"][what]["value"]))
        for point in row["points"]:
            d, told = distance(point["kl"][0]), point[what]
            ends = (told["low"], told["high"]) if point is row["points"][-1] else (None, None)
            points.append(Point(METHODS[method], d, told["value"], *ends))
    shares = ", ".join(f"{share:.0%}" for share in row["shares"])
    caption = (
        f"Lines: a method from the start through {shares} of its training, on {first['start'][what]['n']} held-out "
        "tasks, joined in that order, in which KL may fall again; bars: 95 % at its end. Points: "
        f"best-of-n from the start, n = {best['n'][0]} to {best['n'][-1]}, on {best['points'][0][what]['n']} of the "
        f"tasks, KL by its formula, an upper bound.{of}"
    )
    return Chart(title, D, axis, tuple(points), tuple(METHODS[method] for method in first["methods"]), caption=caption)


def _changing(first: Results, of: str) -> Chart:
    points, lines = [], []
    for row in first["changed"]:
        if row["turned"] or row["method"] in OFFLINE:
            name = METHODS[row["method"]] + (", paid by her" if row["turned"] else ", old comparisons")
            lines.append(name)
            for share, told in zip(row["shares"], row["points"], strict=True):
                points.append(Point(name, share, told["value"]))
    caption = (
        "What the changed rater would pay for the replies of every mark; intervals stand in the table. Until the half "
        f"nobody is paid by her.{of}"
    )
    return Chart(
        "The rater changes her mind at the half", "share of the training", "the changed rater's pay", tuple(points),
        tuple(lines), caption=caption,
    )  # fmt: skip


def _end(one: Results, method: str, what: str) -> float:
    point = one["methods"][method]["points"][-1]
    return float(point["kl"][0] if what == "kl" else point[what]["value"])


def _mean(values: object) -> float:
    return float(np.mean(list(values)))  # type: ignore[call-overload]


def _range(values: Sequence[float]) -> str:
    low, high = (f"{one:.2f}" for one in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"
