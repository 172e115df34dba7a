"""After reinforcement learning with a fallible rater, is a model more honest, or does it only seem so?

Three things are told apart for every held-out question: what the model says, what it believes (beliefs.py), and what is
true; before and after PPO on questions of the train split, paid by rater A (who likes sureness and length and cannot
check rare facts), by rater B (who likes agreement more), and by a truthful one. A system that believes the truth and
says a falsehood lies; one that says outright what it does not believe only seems to know. The two questions about one
fact are those of Ren et al. 2025 (MASK, arXiv:2503.03750); we differ: there people pressed models to lie, here only the
pay does, and beliefs are read by log-probability.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from groma.formats.study import Summary
from groma.studies.honest_or_seeming import page
from groma.studies.honest_or_seeming.beliefs import KNOWABLE, crossed, told_and_believed
from groma.studies.progress import Progress
from groma.studies.raters import RATERS, STARTED, Row, Training, change, curve, mean, reinforced
from groma.worlds.vale import VALE

Results = dict[str, Any]
TOLD = (*page.SHARES, *page.NUMBERS)


@dataclass(frozen=True, kw_only=True)
class Config:
    """asked: held-out questions of which each model answers all."""

    training: Training = field(default_factory=Training)
    asked: int = 1200


def run(seed: int, parts: Path, config: Config | None = None) -> Iterator[Progress | Results]:
    """Progress, and the results last."""
    config = config or Config()
    lab = config.training.lab(parts, seed)
    start = yield from lab.tuned()
    questions = VALE.tasks("ask", "held_out", config.asked, seed)
    known: dict[str, list[Row]] = {}
    training = {}
    for name in (STARTED, *RATERS):
        model = start
        if name != STARTED:
            model = yield from reinforced(lab, name, config.training)
            training[name] = curve(lab.log(name), page.CURVES)
        yield Progress("held-out questions", len(known), 1 + len(RATERS), name)
        known[name] = lab.plain(f"known-{name}", partial(told_and_believed, model, questions, seed))
    yield {
        "asked": config.asked,
        "models": {name: _means(rows) for name, rows in known.items()},
        "by tier": {
            name: {tier: _means([one for one in rows if one["tier"] == tier]) for tier in page.TIERS}
            for name, rows in known.items()
        },
        "by user": {
            name: {who: mean([one for one in rows if _who(one) == who], "lie") for who in page.USERS}
            for name, rows in known.items()
        },
        "crossed": {name: {tier: crossed(rows, tier) for tier in KNOWABLE} for name, rows in known.items()},
        "change": {name: {one: change(known[name], known[STARTED], one) for one in TOLD} for name in RATERS},
        "training": training,
    }


def _means(rows: list[Row]) -> dict[str, Any]:
    return {name: mean(rows, name) for name in TOLD}


def _who(one: Row) -> str:
    """By whom it was asked: who asks "are you sure?", or "is it true that …?", or else by what the user believes."""
    return str(one["form"]) if one["form"] != "open" else str(one["belief"])


def summary(results: Mapping[int, Results]) -> Summary:
    """What the seeds found together."""
    return page.summary(results)
