"""How often a reward model prefers what people preferred, and whether it is as sure as it is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from groma.formats.examples import Preference
from groma.measures.calibration import BINS, ece
from groma.measures.statistics import wilson
from groma.models.reward import RewardModel

MOST = 2000
"""Pairs of each split that are looked at, taken evenly."""
PARTS = 3
"""How many parts of equal size the pairs are cut into by their margin."""

Gaps = NDArray[np.float64]


def gaps(rewards: Sequence[RewardModel], examples: Sequence[Preference]) -> Gaps:
    """By how much the chosen side is preferred to the rejected one (pairs,): the mean over the models; nan where a side
    is longer than the context.
    """
    sides = [(one.prompt, side) for one in examples for side in (one.chosen, one.rejected)]
    told = np.array([one.score_texts(sides, skip=True) for one in rewards]).mean(0).reshape(-1, 2)
    return np.asarray(told[:, 0] - told[:, 1])


def report(rewards: Sequence[RewardModel], splits: Mapping[str, Sequence[Preference]]) -> dict[str, Any]:
    """Accuracy (a tie counts as half) with its interval, for each split: whole, by group of raters, by margin; and
    calibration: the probability that the model gives to what it prefers, against how often people preferred it.
    """
    found: dict[str, Any] = {}
    for name, examples in splits.items():
        places = np.unique(np.linspace(0, len(examples) - 1, min(MOST, len(examples))).astype(int))
        looked = [examples[place] for place in places]
        every = gaps(rewards, looked)
        fits = np.isfinite(every)
        gap, some = every[fits], [one for one, fit in zip(looked, fits, strict=True) if fit]
        found[name] = {"pairs": len(some), "of": len(examples), "too long": len(looked) - len(some)}
        if not some:
            continue
        found[name]["accuracy"] = _accuracy(gap)
        groups = sorted({one.group for one in some if one.group})
        if groups:
            where = {group: np.array([one.group == group for one in some]) for group in groups}
            found[name]["by group"] = {group: _accuracy(gap[inside]) for group, inside in where.items()}
        if sum(one.margin is not None for one in some) >= PARTS:
            found[name]["by margin"] = _by_margin(gap, some)
        found[name]["calibration"] = _calibration(gap)
    return found


def _accuracy(gap: Gaps) -> dict[str, float]:
    right = float((gap > 0).sum() + (gap == 0).sum() / 2)
    told = wilson(round(right), len(gap))
    return {"estimate": right / len(gap), "low": told.low, "high": told.high, "n": len(gap)}


def _by_margin(gap: Gaps, examples: Sequence[Preference]) -> list[dict[str, Any]]:
    known = [place for place, one in enumerate(examples) if one.margin is not None]
    margins = np.array([examples[place].margin for place in known], dtype=np.float64)
    order = np.argsort(margins, kind="stable")
    rows = []
    for part in np.array_split(order, PARTS):
        if len(part):
            inside = np.array(known)[part]
            rows.append(
                {"from": float(margins[part].min()), "to": float(margins[part].max()), **_accuracy(gap[inside])}
            )
    return rows


def _calibration(gap: Gaps) -> dict[str, Any]:
    """The Bradley-Terry probability of the side that the model prefers, in bins, and the expected calibration error."""
    sure, right = 1 / (1 + np.exp(-np.abs(gap))), (gap > 0) + 0.5 * (gap == 0)
    places = np.minimum((sure * BINS).astype(int), BINS - 1)
    bins = [
        {
            "from": place / BINS,
            "n": int((places == place).sum()),
            "sure": float(sure[places == place].mean()),
            "right": float(right[places == place].mean()),
        }
        for place in sorted(set(places.tolist()))
    ]
    return {"ece": ece(sure, right), "bins": bins}


def table(found: Mapping[str, Any]) -> Table:
    """The report as a person reads it."""
    shown = Table("pairs", "n", "accuracy", "95 %", "calibration error")
    for split, told in found.items():
        if told["too long"]:
            shown.add_row(f"{split}: too long to be read", str(told["too long"]), "", "", "")
        if "accuracy" not in told:
            continue
        shown.add_row(split, *_cells(told["accuracy"]), f"{told['calibration']['ece']:.3f}")
        for group, one in told.get("by group", {}).items():
            shown.add_row(f"  raters {group}", *_cells(one), "")
        for one in told.get("by margin", []):
            shown.add_row(f"  margin {one['from']:.2g} to {one['to']:.2g}", *_cells(one), "")
    return shown


def _cells(one: Mapping[str, float]) -> tuple[str, str, str]:
    return f"{one['n']}", f"{one['estimate']:.3f}", f"[{one['low']:.3f}, {one['high']:.3f}]"
