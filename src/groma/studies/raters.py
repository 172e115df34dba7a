"""Reinforcement learning of Vale's chatbot on questions, paid by one rater or another, and how its replies are said.

The raters: A likes sureness, agreement and length, and cannot check rare facts; B likes agreement more, and dislikes
length; the truthful one pays what is true (worlds/vale/pay.py, rater.py). Each pays by a known function, without noise
and without a reward model between, so that what a policy learns is what that rater likes, and nothing else.

What is known of a reply is a row: the judge's outcomes, and
  outright       whether something is said of the question without a hedge: a claim, or a verdict on what was stated
                 or believed (1 or 0, as all of these: of all replies, also of those that claim nothing)
  sure           whether a value is claimed for sure ("surely", "i am sure that"), which the demonstrations never do
  hedged         whether values are claimed with hedges alone
  ignorant       whether it says "i do not know" and claims nothing
  words          its length
  pay RATER      what each rater would pay for it
Means and differences have 95 % intervals, clustered by the fact that a question is about; differences are paired by
question.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from groma.formats.study import Criterion
from groma.formats.task import Pay, Task
from groma.formats.transcript import Played, Transcript
from groma.methods import ppo, sft
from groma.methods.pay import Answer, ByFunction, Source
from groma.methods.state import State, Step
from groma.methods.work import Work
from groma.models.engine import LocalEngine
from groma.models.model import Model
from groma.play.driver import play
from groma.studies.judged import Told, in_words, interval
from groma.studies.lab import CHAT, Lab, working
from groma.studies.matrix import PLAYER
from groma.studies.progress import Progress
from groma.studies.recipes import DEMONSTRATED, PPO_ON_VALE, SFT_ON_VALE
from groma.worlds.vale import VALE, truthful
from groma.worlds.vale.judge.ask import claims_about, said_of
from groma.worlds.vale.language import HEDGED, SURE
from groma.worlds.vale.reading import read

RATERS: Mapping[str, Callable[[Task, Transcript], Pay]] = {
    "A": VALE.pay,
    "truthful": truthful,
    "B": VALE.pay_of_others,
}
STARTED = "sft"
"""The model from which all others start, as it is named beside the raters."""

Row = dict[str, Any]
MANNERS = ("outright", "sure", "hedged", "ignorant", "words")
"""How something is said, by their names in a row."""
BOUNDS: Mapping[str, tuple[float, float] | None] = {
    "objective": (-1.0, 1.0),
    "words": None,
    **{f"pay {name}": None for name in RATERS},
}
"""Of what is no share: the least and the greatest value that it can have, or None."""
ALIKE = 5
"""Steps whose episodes are taken together for a point of a curve."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """How the models are trained; smaller values are for trials.

    demonstrated, tuning: of the model from which all start. ppo: as in the main job, but for more steps, as it learns
    nothing but questions. asked: how many questions of the train split there are to learn from.
    """

    demonstrated: int = DEMONSTRATED
    tuning: sft.Config = SFT_ON_VALE
    ppo: ppo.Config = field(default_factory=lambda: replace(PPO_ON_VALE, max_steps=70))
    asked: int = 9000

    def lab(self, folder: Path, seed: int) -> Lab:
        return Lab(folder, seed, demonstrated=self.demonstrated, tuning=self.tuning)


@dataclass
class Heard:
    """A source of pay that also tells how the replies of a step were said; that changes no pay."""

    source: Source
    told: dict[str, float] = field(default_factory=dict)

    def __call__(self, episodes: Sequence[Played]) -> Sequence[Answer | Exception]:
        rows = [row(one) for one in episodes]
        self.told = {f"said/{name}": float(np.mean([one[name] for one in rows if name in one])) for name in MANNERS}
        return self.source(episodes)


def reinforced(lab: Lab, rater: str, training: Training) -> Generator[Progress, None, Model]:
    """The fine-tuned model after PPO on questions, paid by `rater`. Beside what is true of every step's episodes
    (`truth/…`) the log says how they were said (`said/…`).
    """
    heard = Heard(ByFunction(RATERS[rater]))
    tasks = VALE.tasks("ask", "train", training.asked, lab.seed + 1)

    def train(model: Model, work: Work, config: ppo.Config, state: State | None) -> Iterator[Step]:
        for step in ppo.train(model, work, config, state):
            yield replace(step, metrics={**step.metrics, **heard.told})

    return lab.reinforced(rater, train, working(tasks, heard, rater), training.ppo, STARTED)


def curve(log: Sequence[Mapping[str, float]], names: Iterable[str], alike: int = ALIKE) -> list[dict[str, float]]:
    """What `names` were along a run, every `alike` steps: means up to `step`, and `d`, the root of the KL from its
    start in nats a reply.

    Where the estimate of the KL is below 0, which it can be near the start, d is 0. What no episode tells is left out.
    """
    found = []
    for place in range(0, len(log), alike):
        some = log[place : place + alike]
        kl = float(np.mean([one["objective/kl"] for one in some]))
        point = {"step": some[-1]["step"], "d": max(kl, 0.0) ** 0.5}
        for name in names:
            keys = (f"said/{name}", f"truth/{name}")
            if values := [one[key] for one in some for key in keys if key in one]:
                point[name] = float(np.mean(values))
        found.append(point)
    return found


def row(one: Played) -> Row:
    """What is known of a question and of the reply to it; of an episode that failed the question alone."""
    told: Row = {"cluster": one.task.cluster, **{name: one.task.strata[name] for name in ("tier", "belief", "form")}}
    if one.transcript is None:
        return told
    found, reading = VALE.judge(one.task, one.transcript), read(one.transcript.answer)
    certain = [claim.certainty for claim in claims_about(one.task.gold, reading)]
    meant = said_of(one.task.gold, reading)
    plainly = any(one != HEDGED for one in certain) or (not certain and bool(meant.so or meant.not_so))
    said = {
        "outright": float(plainly),
        "sure": float(SURE in certain),
        "hedged": float(set(certain) == {HEDGED}),
        "ignorant": float(reading.ignorant and not certain and not plainly),
        "words": float(reading.words),
    }
    pay = {f"pay {name}": payer(one.task, one.transcript).total for name, payer in RATERS.items()}
    return {**told, **found.outcomes, "objective": found.objective, **said, **pay}


def replies(model: Model, tasks: Sequence[Task], seed: int) -> list[Played]:
    """One reply of the model to each task, drawn at temperature 1; where tasks have choices, their scores."""
    engine = LocalEngine(model)
    found = list(play(CHAT, tasks, {PLAYER: engine}, seed=seed))
    engine.close()
    return found


def mean(rows: Iterable[Row], name: str) -> Told | None:
    """The mean over the rows that have it, with its interval; None where none has it."""
    return _interval([(one[name], one["cluster"]) for one in rows if one.get(name) is not None], name)


def change(after: Sequence[Row], before: Sequence[Row], name: str) -> Told | None:
    """The mean of after - before over the questions of which both tell it."""
    if [one["cluster"] for one in after] != [one["cluster"] for one in before]:
        raise ValueError("a change is asked of rows that are not about the same questions")
    both = [(a, b) for a, b in zip(after, before, strict=True) if None not in (a.get(name), b.get(name))]
    return _interval([(a[name] - b[name], a["cluster"]) for a, b in both], name, difference=True)


def _interval(values: Sequence[tuple[float, str]], name: str, *, difference: bool = False) -> Told | None:
    if not values:
        return None
    bounds = BOUNDS.get(name, (0.0, 1.0))
    if bounds is None and len({value for value, _ in values}) == 1:  # no bounds, no spread: nothing to go by
        return {"value": values[0][0], "low": values[0][0], "high": values[0][0], "n": len(values)}
    if bounds is not None and difference:
        bounds = (bounds[0] - bounds[1], bounds[1] - bounds[0])
    return interval(values, bounds)


def share(told: Told | None) -> str:
    """A share in per cent with its interval, in words for a page."""
    return "none" if told is None else f"{told['value']:.1%} [{told['low']:.1%}, {told['high']:.1%}]"


def points(told: Told | None) -> str:
    """A difference of shares in points with its interval."""
    if told is None:
        return "none"
    return f"{100 * told['value']:+.1f} points [{100 * told['low']:+.1f}, {100 * told['high']:+.1f}]"


def number(told: Told | None, digits: int = 2) -> str:
    """Any other mean with its interval."""
    if told is None:
        return "none"
    return in_words(told, digits)


def ranged(results: Mapping[int, Any], pick: Callable[[Any], float], form: str = "{:.1%}") -> str:
    """A number of every seed in words: the one, or the least and the greatest."""
    told = sorted((pick(one), form.format(pick(one))) for one in results.values())
    low, high = told[0][1], told[-1][1]
    return low if low == high else f"{low} to {high}"


def of_one(results: Mapping[int, Any]) -> tuple[str, ...]:
    """A sentence of which seed charts and tables are, where there are several."""
    return (f"Charts and tables are of seed {min(results)}.",) if len(results) > 1 else ()


Judge = Callable[[Any], tuple[str, bool | None]]
"""Of one seed's results: what was found, and whether that is what was required (None: it could not be asked)."""


def criterion(name: str, required: str, judge: Judge, results: Mapping[int, Any]) -> Criterion:
    """One over all seeds: met where every seed of which it could be asked meets it."""
    judged = {seed: judge(one) for seed, one in results.items()}
    told = [found if len(judged) == 1 else f"seed {seed}: {found}" for seed, (found, _) in judged.items()]
    asked = [met for _, met in judged.values() if met is not None]
    return Criterion(name, required, "; ".join(told), all(asked) if asked else None)
