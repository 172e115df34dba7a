"""The study as `groma study overoptimisation` runs it: the simulator, then Vale's language models, and the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from groma.formats.study import Chart, Point, Summary, over_seeds
from groma.studies.lab import Lab
from groma.studies.overoptimisation import best_of, criteria, on_vale, simulated, vale_criteria
from groma.studies.overoptimisation.config import FITTED_UP_TO, Config
from groma.studies.progress import Progress

Results = dict[str, Any]
SIMULATED = "simulator.json"
SHOWN = 4
"""Curves of a chart, spread over the widths or the sizes."""


def run(seed: int, parts: Path) -> Iterator[Progress | Results]:
    """Progress, and the results last: those of the simulator, and under "vale" those of language models."""
    found = Lab(parts, seed).folder
    if not found.file(SIMULATED).exists():
        for one in simulated.run(Config(seed=seed)):
            if isinstance(one, Progress):
                yield one
            else:
                found.write_json(SIMULATED, one)
    vale = yield from on_vale.run(on_vale.Config(), seed, parts)
    yield {**found.read_json(SIMULATED), "vale": vale}


def summary(results: Mapping[int, Results]) -> Summary:
    """What the seeds found together; a criterion is met where every seed meets it."""
    first = results[min(results)]
    judged = {seed: [*criteria.criteria(one), *vale_criteria.criteria(one["vale"])] for seed, one in results.items()}
    rows = [
        over_seeds(
            some[0].letter,
            some[0].required,
            {seed: (one.found, one.met) for seed, one in zip(judged, some, strict=True)},
        )
        for some in zip(*judged.values(), strict=True)
    ]
    met, many = sum(bool(one.met) for one in rows), len(results)
    findings = (
        _lead(first["best of n"]),
        f"Of the {len(rows)} things asked of the papers' findings, by thresholds of ours, {met} are met in "
        + ("the one seed." if many == 1 else f"every one of {many} seeds."),
        vale_criteria.lead(first["vale"]),
        "What has a single letter is a simulator whose truth is known exactly, where no language model plays a part; "
        "what is named Vale are language models.",
    )
    return Summary(
        "What happens to the truth when a proxy of it is optimised",
        "Gao, Schulman and Hilton 2022 (arXiv:2210.10760); ensembles: Coste et al. 2023 (arXiv:2310.02743), "
        "whose UWO has lambda .5; tails: after Kwa et al. 2024, not at hand here",
        "A proxy is learned from comparisons of the gold, and then optimised ever harder. Does the gold follow?",
        findings,
        tuple(rows),
        (
            _best_of(first, "widths", "Best-of-n, by width of the proxy", "hidden units"),
            _best_of(first, "sizes", "Best-of-n, by number of comparisons", "comparisons"),
            _reinforced(first),
            _ensembles(first),
            *vale_criteria.charts(first["vale"]),
        ),
        (vale_criteria.table(first["vale"]), vale_criteria.climbs(first["vale"])),
    )


def _lead(told: Results) -> str:
    """Where the truth falls most, as the proxy is optimised."""
    falls = {row["size"]: max(row["gold"]) - row["gold"][-1] for row in told["widths"]}
    row = max(told["widths"], key=lambda one: falls[one["size"]])
    place, last = row["gold"].index(max(row["gold"])), told["n"][-1]
    if place == len(row["gold"]) - 1:
        return f"Optimised by best-of-n up to n = {last:,.0f}, the truth falls for no width of the proxy."
    rises = "goes on rising" if row["proxy"][-1] > row["proxy"][place] else "rises no more"
    return (
        f"Optimised by best-of-n against a proxy of {row['size']} hidden units, the truth is highest at "
        f"n = {told['n'][place]:,.0f} ({row['gold'][place]:.2f}) and falls to {row['gold'][-1]:.2f} "
        f"at n = {last:,.0f}, while the proxy {rises}."
    )


def _spread(rows: Sequence[Any]) -> list[Any]:
    """At most SHOWN of the rows, the first and the last among them."""
    last = len(rows) - 1
    return [rows[place] for place in sorted({round(last * step / (SHOWN - 1)) for step in range(SHOWN)})]


def _best_of(results: Results, key: str, title: str, of: str) -> Chart:
    told = results["best of n"]
    points, lines = [], []
    for row in _spread(told[key]):
        name = f"{row['size']:,} {of}"
        lines.append(name)
        for d, gold, error in zip(told["d"], row["gold"], row["gold error"], strict=True):
            points.append(Point(name, d, gold, gold - 1.96 * error, gold + 1.96 * error))
    fitted = best_of.kl(FITTED_UP_TO) ** 0.5
    caption = (
        f"Gold of the sample with the highest proxy; bars: 95 % over prompts. The forms are fitted up to {fitted:.2f}."
    )
    return _chart(title, points, lines, caption)


def _reinforced(results: Results) -> Chart:
    points, lines = [], []
    for row in _spread(results["reinforcement"]):
        name = f"{row['width']:,} hidden units"
        lines.append(name)
        points += [Point(name, d, gold) for d, gold in zip(row["d"], row["gold"], strict=True)]
    caption = "Gold along the policy gradient, with the KL told exactly."
    return _chart("Reinforcement learning, by width of the proxy", points, lines, caption)


def _ensembles(results: Results) -> Chart:
    told = results["best of n"]
    points, lines = [], []
    for objective, row in told["ensembles"][simulated.SHARED].items():
        lines.append(objective)
        points += [Point(objective, d, gold) for d, gold in zip(told["d"], row["gold"], strict=True)]
    share = results["config"]["noise"]
    caption = f"Best-of-n by proxies of which {share:.0%} of the labels are flipped: one alone, and ensembles of them."
    return _chart("Ensembles under noisy labels", points, lines, caption)


def _chart(title: str, points: Sequence[Point], lines: Sequence[str], caption: str) -> Chart:
    return Chart(title, "square root of KL, in nats", "gold", tuple(points), tuple(lines), caption=caption)
