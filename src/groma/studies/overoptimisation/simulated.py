"""The simulator of reward over-optimisation: what Gao et al. 2022 can be held against without a language model.

A world whose gold is known (`world`), proxies of it learned from comparisons (`proxies`), best-of-n from pools of
65,536 samples to n = 60,000 (`pools`), reinforcement learning with an exact KL (`reinforcement`), and gold with an
independent error in one dimension (`independent`). What is exact: the gold, the KL of policies, best-of-n given its
pool, and all of one dimension. What is sampled: worlds, comparisons, pools, rollouts. It is a simulator: what holds
here holds where its assumptions do (normal features, a harm that grows with the distance from the usual manner), and
says nothing of how large alpha and beta are for language models, of which the paper gives no numbers either.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import asdict
from typing import Any

import torch

from groma.studies.overoptimisation import best_of, independent, world
from groma.studies.overoptimisation.config import Config
from groma.studies.overoptimisation.policies import initial
from groma.studies.overoptimisation.pools import Scorer, Selected, ensemble_scorer, measured_kl, parted, select, ways
from groma.studies.overoptimisation.proxies import Data, Proxies, train
from groma.studies.overoptimisation.reinforcement import Climbed, climb, rounds
from groma.studies.overoptimisation.tables import (
    Row,
    distances,
    penalty_rows,
    plain,
    reinforced_row,
    round_rows,
    selected_row,
    size_row,
)
from groma.studies.overoptimisation.world import World
from groma.studies.progress import Progress

Results = dict[str, Any]
"""Numbers, texts, lists and dicts alone: what JSON can hold."""
SHARED, OWN = "comparisons in common", "comparisons of their own"
ERROR_VARIANCES, SAMPLES = (0.5, 1.0, 2.0), 2**20
"""Of the independent error, in variances of gold, and the samples from which the slope is measured."""
NS, NATS, CAPS = (1, 10, 100, 1e3, 1e4, 1e6, 1e9, 1e12), (0.1, 1.0, 4.0), (1e1, 1e2, 1e3, 1e4, 1e6)
"""Where the two tails of an error are compared: best-of-n, budgets of KL, and the greatest proxies that there are."""


def run(config: Config) -> Iterator[Progress | Results]:
    """Progress, and the results last."""
    built = world.build(config)
    results: Results = {"config": asdict(config), "world": world.described(built), "independent": alone(config)}
    sized = yield from _sized(built)
    results["kl"] = measured_kl(built, sized[config.widths[-1]])
    results["best of n"] = yield from _best_of(built, sized)
    results["reinforcement"] = yield from _reinforcement(built, sized)
    results["penalty"] = yield from _penalty(built)
    results["rounds"] = yield from _rounds(built)
    yield results


def alone(config: Config) -> Results:
    """Gold and an independent error in one dimension: the slope of regression, and light and heavy tails."""
    slopes, tails = [], {}
    for variance in ERROR_VARIANCES:
        identity = best_of.regressional_slope(1.0, variance)
        sampled = independent.sampled_slope(1.0, variance, SAMPLES, config.seed)
        slopes.append({"error variance": variance, "identity": identity, "sampled": sampled})
    for tail in ("light", "heavy"):
        cells = independent.cells(tail)
        tails[tail] = {
            "best of n": [cells.best_of(n)[0] for n in NS],
            "within": [[cells.within(nats, cap)[0] for cap in CAPS] for nats in NATS],
        }
    return {"slopes": slopes, "n": list(NS), "nats": list(NATS), "caps": list(CAPS), "tails": tails}


def _sized(built: World) -> Generator[Progress, None, dict[int, Proxies]]:
    config, found = built.config, {}
    for number, width in enumerate(config.widths, 1):
        found[width] = train(built, width, Data(pairs=config.pairs, sets=config.repeats), "widths")
        yield Progress("proxies by width", number, len(config.widths))
    return found


def _best_of(built: World, sized: Mapping[int, Proxies]) -> Generator[Progress, None, Results]:
    """Best-of-n by proxies of each width, of each number of comparisons, and by ensembles of noisy ones."""
    config, fed = built.config, {}
    for number, pairs in enumerate(config.sizes, 1):
        fed[pairs] = train(built, config.width, Data(pairs=pairs, sets=config.repeats), "sizes")
        yield Progress("proxies by data", number, len(config.sizes))
    members = config.members
    combined = ways(config)
    groups = {SHARED: (config.ensembles, members), OWN: (config.ensembles * members, 1)}
    scorers: dict[str, Scorer] = {f"width {width}": proxies.scores for width, proxies in sized.items()}
    scorers |= {f"pairs {pairs}": proxies.scores for pairs, proxies in fed.items()}
    for number, (name, (sets, each)) in enumerate(groups.items(), 1):
        data = Data(pairs=config.noisy_pairs, sets=sets, members=each, noise=config.noise)
        crowd = train(built, config.width, data, name)
        scorers[name] = ensemble_scorer(crowd, members, combined)
        yield Progress("noisy proxies", number, len(groups))
    selected: dict[str, Selected] = {}
    for done, so_far in select(built, scorers):
        selected = so_far
        yield Progress("best of n", done, config.prompts)

    def row(name: str, proxies: Proxies, size: int) -> Row:
        return size_row(selected[name], config, size, float(proxies.accuracy_S.mean()))

    def crowd_rows(name: str) -> Row:
        parts = parted(selected[name], config.ensembles, combined)
        return {objective: selected_row(part, config) for objective, part in parts.items()}

    return {
        "n": list(config.best_of),
        "d": plain(distances(config)),
        "widths": [row(f"width {width}", proxies, width) for width, proxies in sized.items()],
        "sizes": [row(f"pairs {pairs}", proxies, pairs) for pairs, proxies in fed.items()],
        "ensembles": {name: crowd_rows(name) for name in groups},
    }


def _reinforcement(built: World, sized: Mapping[int, Proxies]) -> Generator[Progress, None, list[Row]]:
    rows = []
    for number, (width, proxies) in enumerate(sized.items(), 1):
        rows.append(reinforced_row(_climbed(built, proxies, 0.0, f"width {width}"), width))
        yield Progress("reinforcement", number, len(sized))
    return rows


def _penalty(built: World) -> Generator[Progress, None, list[Row]]:
    config, climbs = built.config, []
    proxies = train(built, config.width, Data(pairs=config.pairs, sets=config.runs), "penalty")
    for number, coef in enumerate(config.kl_coefs, 1):
        climbs.append(_climbed(built, proxies, coef, "penalty"))
        yield Progress("KL penalty", number, len(config.kl_coefs))
    return penalty_rows(config.kl_coefs, climbs)


def _rounds(built: World) -> Generator[Progress, None, list[Row]]:
    config, climbs = built.config, []
    for number, count in enumerate(config.rounds, 1):
        climbs.append(rounds(built, count))
        yield Progress("rounds", number, len(config.rounds))
    return round_rows(config.rounds, climbs, config.rounds_distance)


def _climbed(built: World, proxies: Proxies, kl_coef: float, name: str) -> Climbed:
    config, count = built.config, len(proxies.mean_S)
    start = initial(count, config.prompt_features, config.response_features)
    return climb(start, proxies, built, torch.full((count,), kl_coef), name, config.distance)
