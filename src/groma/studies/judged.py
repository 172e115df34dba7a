"""What is true of finished episodes of Vale: every outcome of the judge, its mean, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from groma.formats.transcript import Played
from groma.measures.statistics import mean_interval
from groma.models.model import Model
from groma.models.score import answer_logprobs
from groma.models.template import completion_spans
from groma.worlds.vale import VALE

Told = dict[str, float]


def judged(episodes: Iterable[Played]) -> Iterator[tuple[str, float, str]]:
    """Every outcome that an episode has, its value, and the cluster of its task. `objective` is one; an errand's
    `completed` stands under `completed/CALLS`, too, and failed episodes have none.
    """
    for one in episodes:
        if one.transcript is None:
            continue
        found, cluster = VALE.judge(one.task, one.transcript), one.task.cluster or one.task.id
        told: dict[str, float | None] = {**found.outcomes, "objective": found.objective}
        if calls := one.task.strata.get("calls"):
            told[f"completed/{calls}"] = found.outcomes.get("completed")
        for name, value in told.items():
            if value is not None:
                yield name, float(value), cluster


def means(episodes: Iterable[Played]) -> Told:
    """The mean of every outcome."""
    values: dict[str, list[float]] = {}
    for name, value, _ in judged(episodes):
        values.setdefault(name, []).append(value)
    return {name: float(np.mean(some)) for name, some in values.items()}


def outcomes(episodes: Iterable[Played]) -> dict[str, Told]:
    """Every outcome's `value`, its 95 % interval from `low` to `high`, clustered by what tasks are about, and `n`."""
    values: dict[str, list[tuple[float, str]]] = {}
    for name, value, cluster in judged(episodes):
        values.setdefault(name, []).append((value, cluster))
    return {name: interval(some, (-1.0, 1.0) if name == "objective" else (0.0, 1.0)) for name, some in values.items()}


def interval(values: Sequence[tuple[float, str]], bounds: tuple[float, float] | None) -> Told:
    """The mean of values, each with its cluster, as `outcomes` tells it."""
    found = mean_interval([value for value, _ in values], [cluster for _, cluster in values], bounds=bounds)
    return {"value": found.value, "low": found.low, "high": found.high, "n": len(values)}


def in_words(told: Mapping[str, Any], digits: int = 2) -> str:
    """A mean with its interval, as `outcomes` tells it."""
    return f"{told['value']:.{digits}f} [{told['low']:.{digits}f}, {told['high']:.{digits}f}]"


def divergence(policy: Model, start: Model, episodes: Iterable[Played]) -> tuple[float, float]:
    """KL of `policy` from `start` in nats a reply, over episodes that `policy` played at temperature 1: the mean of log
    policy - log start over its own replies (k1), and its standard error.
    """
    prompts, answers = [], []
    for one in episodes:
        if one.transcript is not None and one.transcript.answer:
            ids, said = completion_spans(policy, one.transcript.messages)
            first = said.index(True)
            prompts.append(ids[:first])
            answers.append(ids[first:])
    ours_N, theirs_N = (
        np.array([float(told.sum()) for told in answer_logprobs(model, prompts, answers)]) for model in (policy, start)
    )
    gaps_N = ours_N - theirs_N
    return float(gaps_N.mean()), float(gaps_N.std(ddof=1) / np.sqrt(len(gaps_N)))
