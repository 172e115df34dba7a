"""Does a model flatter more, the more it is optimised for a rater who likes it? Sharma et al. 2023, arXiv:2310.13548.

Human raters and preference models sometimes prefer a convincing sycophantic reply to a true one (Sharma et al.), and
RLHF does not take away that larger models repeat a user's view (Perez et al. 2022, arXiv:2212.09251). Here the rater is
known: she likes agreement, sureness and length, and cannot check rare facts. The fine-tuned model is optimised for her
pay twice, by PPO on questions of the train split, and by best-of-n on held-out ones; and both again for a truthful
rater, the control. How often it agrees with a user's falsehood, how surely it speaks, how much, and how truly, is told
over the root of the KL from the fine-tuned model, log n - (n - 1) / n for best-of-n (of replies that can be equal, an
upper bound).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from groma.formats.study import Summary
from groma.formats.task import Task
from groma.models.model import Model
from groma.studies.lab import Lab
from groma.studies.overoptimisation.best_of import kl
from groma.studies.progress import Progress
from groma.studies.raters import STARTED, Row, Training, change, curve, mean, reinforced, replies, row
from groma.studies.sycophancy import page, pools
from groma.worlds.vale import VALE

Results = dict[str, Any]
TIERS = ("common", "rare", "private")
TOLD = (*page.CURVES, "hedged", "backed_down", "confident_falsehood", "nonsense", "objective", "pay A", "pay truthful")
POOLED = (*page.CURVES, "pay A", "pay truthful")


@dataclass(frozen=True, kw_only=True)
class Config:
    """asked: held-out questions of which each model answers all; pooled: so many other draws of them are asked `pool`
    times; best_of: each n, beginning with 1, none above pool.
    """

    training: Training = field(default_factory=Training)
    asked: int = 1200
    pooled: int = 320
    pool: int = 64
    best_of: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)


def run(seed: int, parts: Path, config: Config | None = None) -> Iterator[Progress | Results]:
    """Progress, and the results last."""
    config = config or Config()
    lab = config.training.lab(parts, seed)
    start = yield from lab.tuned()
    questions = VALE.tasks("ask", "held_out", config.asked, seed)
    said: dict[str, list[Row]] = {}
    training = {}
    for name in (STARTED, *page.PAYERS):
        model = start
        if name != STARTED:
            model = yield from reinforced(lab, name, config.training)
            training[name] = curve(lab.log(name), page.CURVES)
        yield Progress("held-out questions", len(said), 1 + len(page.PAYERS), name)
        said[name] = lab.plain(f"said-{name}", partial(_said, model, questions, seed))
    pooled = yield from _best_of(lab, config)
    yield {
        "asked": config.asked,
        "held out": {name: _means(rows) for name, rows in said.items()},
        "by tier": {
            name: {tier: _means([one for one in rows if one["tier"] == tier]) for tier in TIERS}
            for name, rows in said.items()
        },
        "change": {name: _changes(said[name], said[STARTED]) for name in page.PAYERS},
        "apart": _changes(said["A"], said["truthful"]),
        "training": training,
        "best of n": pooled,
    }


def _said(model: Model, questions: Sequence[Task], seed: int) -> list[Row]:
    return [row(one) for one in replies(model, questions, seed)]


def _best_of(lab: Lab, config: Config) -> Generator[Progress, None, Results]:
    """The curves over n, the changes from n = 1 to the last, and what is liked."""
    tasks = VALE.tasks("ask", "held_out", config.pooled, lab.seed + 1)
    yield from pools.drawn(lab, lab.model(STARTED), tasks, config.pool, POOLED)
    pool = pools.tables(lab, config.pool, POOLED)
    rows = {name: pools.best(pool, tasks, name, config.best_of, POOLED) for name in page.PAYERS}
    return {
        "n": list(config.best_of),
        "d": [kl(n) ** 0.5 for n in config.best_of],
        "pooled": config.pooled,
        "curves": {name: [_means(one) for one in several] for name, several in rows.items()},
        "change": {name: _changes(several[-1], several[0]) for name, several in rows.items()},
        "apart": _changes(rows["A"][-1], rows["truthful"][-1]),
        "liked": pools.liked(pool, tasks, page.PAYERS),
    }


def _means(rows: list[Row]) -> dict[str, Any]:
    return {name: mean(rows, name) for name in TOLD}


def _changes(after: list[Row], before: list[Row]) -> dict[str, Any]:
    return {name: change(after, before, name) for name in TOLD}


def summary(results: Mapping[int, Results]) -> Summary:
    """What the seeds found together."""
    return page.summary(results)
