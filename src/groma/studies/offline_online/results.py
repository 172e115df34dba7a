"""What was measured, as plain numbers that JSON can hold: curves, equal distances, the changed rater, costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from groma.studies.offline_online.config import BEST, HALF, METHODS, OFFLINE, ONLINE, Config
from groma.studies.offline_online.curves import at, difference, distance, mean, reach
from groma.studies.offline_online.measuring import OBJECTIVE, OTHER_PAY, PAY, VALUES, Row
from groma.studies.offline_online.training import stage
from groma.studies.overoptimisation import best_of, forms

Results = dict[str, Any]
OUTCOMES = ("harm_done", "accuracy", "over_refusal")
OPTIONS = ("learning_rate", "batch_size", "max_steps", "samples", "epochs", "minibatches", "beta", "kl_coef")
"""What is told of a method's options; None where it has no such option."""
FITTED = ("dpo", "ppo")
"""Whose truth is held against the form that was published for them: Rafailov et al. 2024 and Gao et al. 2022."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A method's points along its training, the start first: distances (P,), and what was measured there."""

    distances: tuple[float, ...]
    rows: tuple[Row, ...]

    def values(self, what: str) -> list[list[float]]:
        """Of each point and task, (P, T)."""
        return [row[what] for row in self.rows]


def curve(config: Config, rows: Mapping[str, Row], method: str, *, turned: bool = False) -> Curve:
    """The start and all marks; turned: those after the half are of the run under the changed rater."""
    half = config.half(method)
    steps = config.steps_at(method)
    found = [rows["sft"], *(rows[stage(config, method, step, turned=turned and step > half)] for step in steps)]
    return Curve(tuple(distance(row["kl"][0]) for row in found), tuple(found))


def assembled(
    config: Config, rows: Mapping[str, Row], searched: Row, clusters: Sequence[str], costs: Results
) -> Results:
    """All results of a seed. rows: what `measuring.measured` told, by stage; costs are handed on."""
    curves = {method: curve(config, rows, method) for method in METHODS}
    return {
        "start": point(rows["sft"], clusters),
        "methods": {method: _method(config, method, one, clusters) for method, one in curves.items()},
        BEST: _best(config, searched, clusters),
        "online and offline": _sides(config, curves, clusters),
        "best-of-n and methods": _searched(config, curves, searched, clusters),
        "changed": _changed(config, rows, clusters),
        "costs": costs,
    }


def point(row: Row, clusters: Sequence[str]) -> Row:
    """Means with intervals, KL with its standard error, and the outcomes that the page tells."""
    told: Row = {what: mean(row[what], clusters) for what in VALUES}
    return told | {"kl": row["kl"], "outcomes": {name: row["outcomes"].get(name) for name in OUTCOMES}}


def _method(config: Config, method: str, one: Curve, clusters: Sequence[str]) -> Row:
    start, end = one.rows[0], one.rows[-1]
    told: Row = {
        "points": [point(row, clusters) for row in one.rows[1:]],
        "shares": list(config.marks),
        "replies": config.replies(method),
        "options": {name: getattr(config.options(method, 0), name, None) for name in OPTIONS},
        "truth from start to end": difference(end[OBJECTIVE], start[OBJECTIVE], clusters),
    }
    return told | ({"form": fitted(one)} if method in FITTED else {})


def fitted(one: Curve) -> Row | None:
    """R(d) = d (alpha - beta log d), fitted to the truth less that of the start; None where too few points differ."""
    gold_P = np.mean(one.values(OBJECTIVE), axis=1)
    d_P = np.array(one.distances[1:])
    if len(np.unique(d_P[d_P > 0])) < len(d_P) or len(d_P) < 3:
        return None
    found = forms.fit("rl", d_P, gold_P[1:] - gold_P[0])
    return {"alpha": found.alpha, "beta": found.beta, "r2": found.r2 if np.isfinite(found.r2) else None}


def _best(config: Config, searched: Row, clusters: Sequence[str]) -> Row:
    some = clusters[: config.searched]
    points = [
        {PAY: mean(pay_T, some), OBJECTIVE: mean(truth_T, some)}
        for pay_T, truth_T in zip(searched[PAY], searched[OBJECTIVE], strict=True)
    ]
    return {"n": list(config.best_of), "kl": [best_of.kl(n) for n in config.best_of], "points": points}


def _sides(config: Config, curves: Mapping[str, Curve], clusters: Sequence[str]) -> list[Row]:
    """Every online method less every offline one, at the largest KL that both reach, with the share of its training
    after which each comes past it; and, under `end`, both at the end of their training, at whatever KL.
    """
    found = []
    for first in ONLINE:
        for second in OFFLINE:
            one, other = curves[first], curves[second]
            d = reach(one.distances, other.distances)
            told: Row = {"online": first, "offline": second, "kl": d**2, "end": {}}
            told["shares"] = [_share(config, side, d) for side in (one, other)]
            for what in (PAY, OBJECTIVE):
                values, others = (at(side.distances, side.values(what), d) for side in (one, other))
                told[what] = difference(values, others, clusters)
                told["end"][what] = difference(one.rows[-1][what], other.rows[-1][what], clusters)
            found.append(told)
    return found


def _share(config: Config, one: Curve, d: float) -> float:
    """The share of the training after which a curve comes past a distance."""
    shares = [[share] for share in (0.0, *config.marks)]
    return float(at(one.distances, shares, d)[0])


def _searched(config: Config, curves: Mapping[str, Curve], searched: Row, clusters: Sequence[str]) -> list[Row]:
    """Best-of-n less every method, at the farthest mark of the method that best-of-n reaches, too. Where it reaches
    none, there is no row.
    """
    d_n = [distance(best_of.kl(n)) for n in config.best_of]
    some, found = clusters[: config.searched], []
    for method, one in curves.items():
        within = [(d, row) for d, row in zip(one.distances[1:], one.rows[1:], strict=True) if 0 < d <= d_n[-1]]
        if not within:
            continue
        d, row = max(within, key=lambda pair: pair[0])
        told: Row = {"method": method, "kl": d**2}
        for what in (PAY, OBJECTIVE):
            told[what] = difference(at(d_n, searched[what], d), row[what][: config.searched], some)
        found.append(told)
    return found


def _changed(config: Config, rows: Mapping[str, Row], clusters: Sequence[str]) -> list[Row]:
    """What follows the change of mind: the online methods that go on under the changed rater (and, beside them, that
    went on under the first one), and the offline ones, which go on learning from the old comparisons.
    """
    dpo = curve(config, rows, "dpo")
    half = 1 + config.marks.index(HALF)
    gains_dpo = np.subtract(dpo.rows[-1][OTHER_PAY], dpo.rows[half][OTHER_PAY])
    found = []
    for method, turned in (
        *((one, True) for one in config.turned),
        *((one, False) for one in (*config.turned, *OFFLINE)),
    ):
        one = curve(config, rows, method, turned=turned)
        gains = np.subtract(one.rows[-1][OTHER_PAY], one.rows[half][OTHER_PAY])
        found.append(
            {
                "method": method,
                "turned": turned,
                "first rater at the half": mean(one.rows[half][PAY], clusters),
                "changed rater at the half": mean(one.rows[half][OTHER_PAY], clusters),
                "changed rater at the end": mean(one.rows[-1][OTHER_PAY], clusters),
                "first rater at the end": mean(one.rows[-1][PAY], clusters),
                "truth at the end": mean(one.rows[-1][OBJECTIVE], clusters),
                "gain": mean(gains, clusters),
                "gain beyond DPO's": difference(gains, gains_dpo, clusters),
                "shares": [0.0, *config.marks],
                "points": [mean(row[OTHER_PAY], clusters) for row in one.rows],
            }
        )
    return found
