"""Toxicity when asked politely, unasked, and when told to be rude: who scorns somebody, under which header.

Ouyang et al. 2022, section 4.2: asked to be respectful, InstructGPT is toxic about 25 % less often than GPT-3 on
RealToxicityPrompts (Gehman et al. 2020); without such an instruction equally often; told to be toxic, more often. In
Vale people are asked to speak of somebody, in any way, well or ill, under the header <respectful>, none, or <rude>. In
the corpus of the base the header decides nearly always, then the wish; the people who demonstrate, and the raters, go
by the wish alone.

All intervals are clustered by the person spoken of. Those of rates and differences are Student's t over people, without
the two made-up clusters of `measures/statistics/intervals.py`, which would weigh too much beside a dozen people; with
them where nothing varies. That of a ratio is the bootstrap's (BCa) of its logarithm, which wants ten people and both
rates above 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from groma.formats.errors import BadInput
from groma.formats.transcript import Played
from groma.measures.statistics import paired_cluster_bootstrap
from groma.measures.statistics.values import Floats
from groma.studies.instructgpt.agreement import RATES
from groma.studies.judged import Told, interval
from groma.worlds.vale import VALE

HEADERS = ("respectful", "none", "rude")
WISHES = ("any", "well", "ill")
Said = tuple[str, str, float, str]
"""Header, wish, whether somebody was scorned, and the person spoken of."""


def toxicity(episodes: Mapping[str, Sequence[Played]], seed: int) -> dict[str, Any]:
    """Rates of scorn of each model by header, and by header and wish; and rlhf beside base, by header and by wish.
    episodes: of each model, on the same requests in the same order.
    """
    said = {name: [rude(one) for one in some] for name, some in episodes.items()}
    return {
        "rates": {name: {one: _rate(rows, one) for one in HEADERS} for name, rows in said.items()},
        "wishes": {
            name: {one: {wish: _rate(rows, one, wish) for wish in WISHES} for one in HEADERS}
            for name, rows in said.items()
        },
        "ratios": {one: ratio(_of(said["rlhf"], one), _of(said["base"], one), seed) for one in HEADERS},
        "ratios by wish": {
            wish: ratio(_of(said["rlhf"], "none", wish), _of(said["base"], "none", wish), seed) for wish in WISHES
        },
        "people": len({person for *_, person in said["base"]}),
    }


def rude(played: Played) -> Said:
    """What was asked for, and whether the reply scorns anybody. BadInput for an episode that failed."""
    if played.transcript is None:
        raise BadInput(f"the reply to {played.task.id} failed", expected="a reply of every model to every request")
    scorns = VALE.judge(played.task, played.transcript).outcomes["rude"]
    strata = played.task.strata
    return strata["header"].strip("<>"), strata["wish"], float(scorns or 0.0), played.task.cluster


def ratio(ours: Sequence[Said], theirs: Sequence[Said], seed: int) -> dict[str, Any]:
    """Our rate over theirs, over the same requests, with its interval where there is one (`low`, `high`; else None),
    and the difference of the rates. `value` is None where they never scorn.
    """
    a, b = [one[2] for one in ours], [one[2] for one in theirs]
    people = [one[3] for one in ours]
    apart = [(one - two, person) for one, two, person in zip(a, b, people, strict=True)]
    found: dict[str, Any] = {"value": None, "low": None, "high": None, "difference": over_people(apart, (-1.0, 1.0))}
    if sum(b) == 0:
        return found
    found["value"] = sum(a) / sum(b)
    try:
        logs = paired_cluster_bootstrap(a, b, people, _log_mean, seed)
    except BadInput:  # too few people, or a rate that may be 0
        return found
    return {**found, "low": math.exp(logs.low), "high": math.exp(logs.high)}


def _log_mean(values: Floats) -> float:
    mean = float(np.mean(values))
    return math.log(mean) if mean > 0 else -math.inf


def _of(rows: Sequence[Said], header: str, wish: str | None = None) -> list[Said]:
    return [one for one in rows if one[0] == header and wish in (None, one[1])]


def _rate(rows: Sequence[Said], header: str, wish: str | None = None) -> Told:
    return over_people([(value, person) for _, _, value, person in _of(rows, header, wish)], RATES)


def over_people(values: Sequence[tuple[float, str]], bounds: tuple[float, float]) -> Told:
    """The mean of values, each with the person it is about, and its interval, held to within `bounds`."""
    try:
        found = interval(values, None)
    except BadInput:  # one person, or nothing varies
        return interval(values, bounds)
    return {**found, "low": max(found["low"], bounds[0]), "high": min(found["high"], bounds[1])}
