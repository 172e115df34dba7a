"""What the pages of studies of all stages share: a curve over the stages, and what stands under tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groma.formats.study import Chart, Point
from groma.studies.items import found_together
from groma.studies.judged import Told
from groma.studies.stages import STAGES

ALIGNED = tuple(name for name in STAGES if name != "base")


def caption(results: Mapping[int, Any]) -> str:
    if len(results) == 1:
        return "95 % intervals over items, clustered by what they are about; differences are paired by item."
    return f"Means of {len(results)} seeds, in which all was trained anew, with 95 % t-intervals over seeds."


def over_stages(results: Mapping[int, Any], title: str, systems: Mapping[str, str], key: str) -> Chart:
    """The level of `key` at every stage, a curve for each of `systems`, by what pages call them."""
    made = []
    for system, shown in systems.items():
        for place, name in enumerate(STAGES):
            if told := found_together(results, "levels", name, system, key):
                made.append(Point(shown, place, told["value"], told["low"], told["high"]))
    return Chart(
        title.capitalize(),
        "stage",
        "share",
        tuple(made),
        tuple(systems.values()),
        caption=caption(results),
        ticks=tuple(STAGES.values()),
    )


def brief(told: Told | None) -> str:
    """A difference of shares in whole points, with its interval."""
    if told is None:
        return "none"
    value, low, high = (f"{100 * told[name]:+.0f}".replace("-", "\u2212") for name in ("value", "low", "high"))
    return f"{value} points [{low}, {high}]"
