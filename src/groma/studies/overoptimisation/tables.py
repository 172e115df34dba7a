"""What the simulator measured, as plain numbers that JSON can hold: curves, fits, differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from groma.measures.statistics.values import Floats
from groma.studies.overoptimisation import best_of, forms
from groma.studies.overoptimisation.config import FITTED_UP_TO, Config
from groma.studies.overoptimisation.pools import Selected
from groma.studies.overoptimisation.reinforcement import EVERY, Climbed, at_distances, shared_grid

Row = dict[str, Any]
DRAWS = 400
"""Resamples behind an interval: the fewest with ten beyond each end."""
PREDICTED = ("predicted", "measured", "error", "share")
REINFORCED: tuple[forms.Form, ...] = ("rl", "bon", "log1p", "power")


def distances(config: Config) -> Floats:
    """d of each n of best-of-n: (n,)."""
    return np.sqrt([best_of.kl(n) for n in config.best_of])


def selected_row(selected: Selected, config: Config) -> Row:
    """Best-of-n: mean curves over n, the gold's standard error over prompts, and the fit. `drop`: how far the fitted
    gold at the last n lies below the form's peak; 0 where the peak is not reached."""
    d_n, gold_n = distances(config), selected.gold_n
    found = forms.fit("bon", d_n[1:], gold_n[1:])
    peak, height = found.peak()
    drop = height - float(found.at(d_n[-1])) if peak < d_n[-1] else 0.0
    return {
        "gold": plain(gold_n),
        "gold error": plain(standard_error(selected.gold_SPn.mean(axis=0))),
        "proxy": plain(selected.proxy_n),
        "failures": plain(selected.failed_n),
        "fit": fit_row(found),
        "drop": drop,
    }


def size_row(selected: Selected, config: Config, size: int, accuracy: float) -> Row:
    """Best-of-n by proxies of one size: also the fit's intervals over prompts, and what it predicts beyond its n."""
    d_n, gold_Pn = distances(config)[1:], selected.gold_SPn.mean(axis=0)[:, 1:]
    limit = float(np.sqrt(best_of.kl(FITTED_UP_TO))) + 1e-9
    predicted = forms.predict("bon", d_n, gold_Pn.mean(axis=0), limit)
    alpha = forms.interval("bon", d_n, gold_Pn, lambda one: one.alpha, config.seed, DRAWS)
    beta = forms.interval("bon", d_n, gold_Pn, lambda one: one.beta, config.seed, DRAWS)
    return selected_row(selected, config) | {
        "size": size,
        "accuracy": accuracy,
        "alpha interval": [alpha.low, alpha.high],
        "beta interval": [beta.low, beta.high],
        "prediction": {name: _finite(getattr(predicted, name)) for name in PREDICTED},
    }


def reinforced_row(climbed: Climbed, width: int) -> Row:
    """Reinforcement learning on proxies of one width: mean curves over the distance, and all forms."""
    grid_G = shared_grid(climbed.distance_TS)
    gold_G = at_distances(climbed.distance_TS, climbed.gold_TS, grid_G).mean(axis=0)
    proxy_G = at_distances(climbed.distance_TS, climbed.proxy_TS, grid_G).mean(axis=0)
    fits = {name: fit_row(forms.fit(name, grid_G, gold_G)) for name in REINFORCED}
    return {"width": width, "d": plain(grid_G), "gold": plain(gold_G), "proxy": plain(proxy_G), "fits": fits}


def penalty_rows(coefs: Sequence[float], climbs: Sequence[Climbed]) -> list[Row]:
    """Each coefficient of the KL penalty against the first, which is 0: gold at equal distances.

    `errors`: the differences in standard errors of the mean gold over the runs without a penalty; `paired`: in standard
    errors of the difference, run by run (all coefficients climb the same proxies, from the same random numbers).
    """
    first, rows = climbs[0], []
    for coef, one in zip(coefs, climbs, strict=True):
        grid_G = shared_grid(first.distance_TS, one.distance_TS)
        plain_SG = at_distances(first.distance_TS, first.gold_TS, grid_G)
        gold_SG = at_distances(one.distance_TS, one.gold_TS, grid_G)
        row: Row = {"kl_coef": coef, "d": plain(grid_G), "gold": plain(gold_SG.mean(axis=0))}
        row |= {"end d": float(one.distance_TS[-1].mean()), "end gold": float(one.gold_TS[-1].mean())}
        if coef:
            apart_G = np.abs((gold_SG - plain_SG).mean(axis=0))
            row["errors"] = plain(apart_G / standard_error(plain_SG))
            row["paired"] = plain(apart_G / standard_error(gold_SG - plain_SG))
            row["largest difference"] = float(apart_G.max())
        else:
            row["power of the steps"] = _power(one)
        rows.append(row)
    return rows


def round_rows(counts: Sequence[int], climbs: Sequence[Climbed], distance: float) -> list[Row]:
    """What each number of rounds reaches, beside the first, which is 1, and what the formula says that they add."""
    once = climbs[0]
    grid_G = shared_grid(once.distance_TS)
    single = forms.fit("rl", grid_G, at_distances(once.distance_TS, once.gold_TS, grid_G).mean(axis=0))
    rows = []
    for count, one in zip(counts, climbs, strict=True):
        gain_S = one.gold_TS[-1] - once.gold_TS[-1]
        rows.append(
            {
                "rounds": count,
                "d": float(one.distance_TS[-1].mean()),
                "gold": float(one.gold_TS[-1].mean()),
                "gain": float(gain_S.mean()),
                "gain error": float(standard_error(gain_S)),
                "predicted": forms.iterated_gain(distance, count, single.beta),
                "beta": single.beta,
            }
        )
    return rows


def fit_row(found: forms.Fit) -> Row:
    """A fit and its peak; None for a peak at no finite distance, and for a number that does not exist."""
    values = asdict(found) | dict(zip(("d*", "R*"), found.peak(), strict=True))
    return {name: one if isinstance(one, str) else _finite(one) for name, one in values.items()}


def standard_error(rows_SG: Floats) -> Floats:
    """Standard error of the mean over rows."""
    return np.asarray(rows_SG.std(axis=0, ddof=1) / np.sqrt(len(rows_SG)))


def plain(values: Floats) -> list[float]:
    return [float(one) for one in values]


def _finite(one: float) -> float | None:
    return one if np.isfinite(one) else None


def _power(climbed: Climbed) -> float:
    """b of KL ~ steps^b, over the first half of the steps."""
    half = len(climbed.distance_TS) // 2 + 1
    kl_T = (climbed.distance_TS[1:half] ** 2).mean(axis=1)
    return float(np.polyfit(np.log(EVERY * np.arange(1, half)), np.log(kl_T), 1)[0])
