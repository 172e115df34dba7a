"""Every model on the same held-out tasks: what both raters would pay, what is true, and KL from the start.

All points of all methods come from one set of tasks and one estimator of KL, so that they can be held against each
other task by task; the logs of training tell of other tasks in every step, and not of KL in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from groma.formats.errors import BadInput
from groma.formats.task import Task
from groma.formats.transcript import Played, Transcript
from groma.models.engine import LocalEngine
from groma.models.model import Model
from groma.play.driver import play
from groma.studies.judged import divergence, outcomes
from groma.studies.lab import CHAT, Lab
from groma.studies.matrix import PLAYER
from groma.studies.overoptimisation import best_of
from groma.studies.pairing import drawn
from groma.studies.progress import Progress
from groma.worlds.vale import VALE

Row = dict[str, Any]
PAY, OTHER_PAY, OBJECTIVE, WORDS = "pay", "pay of others", "objective", "words"
VALUES: dict[str, Callable[[Task, Transcript], float]] = {
    PAY: lambda task, transcript: VALE.pay(task, transcript).total,
    OTHER_PAY: lambda task, transcript: VALE.pay_of_others(task, transcript).total,
    OBJECTIVE: lambda task, transcript: VALE.judge(task, transcript).objective,
    WORDS: lambda task, transcript: float(len(transcript.answer.split())),
}
"""What is told of every reply."""


def held_out(count: int, seed: int) -> tuple[Task, ...]:
    """So many held-out tasks in the shares of `pairing.drawn`, shuffled, so that the first of them are like all."""
    tasks = drawn(count, seed, "held_out")
    return tuple(tasks[place] for place in np.random.default_rng(seed).permutation(len(tasks)))


def clusters(tasks: Sequence[Task]) -> list[str]:
    """What each task is about: tasks about the same thing are not independent."""
    return [task.cluster or task.id for task in tasks]


def measured(lab: Lab, name: str, tasks: Sequence[Task], start: Model) -> Generator[Progress, None, Row]:
    """A stage on the tasks: each of VALUES by task, every outcome of the judge, and `kl`, its mean and standard error
    in nats a reply from the start. Kept as a part.
    """
    file = f"measured-{name}.json"
    if not lab.folder.file(file).exists():
        model, episodes = lab.model(name), list[Played]()
        for one in _played(model, tasks, lab.seed):
            episodes.append(one)
            yield Progress(f"measure {name}", len(episodes), len(tasks))
        found: Row = {what: [value(one.task, _said(one)) for one in episodes] for what, value in VALUES.items()}
        found |= {"outcomes": outcomes(episodes), "kl": list(divergence(model, start, episodes))}
        lab.folder.write_json(file, found)
    told: Row = lab.folder.read_json(file)
    return told


def searched(lab: Lab, tasks: Sequence[Task], ns: Sequence[int]) -> Generator[Progress, None, Row]:
    """Best-of-n of "sft", the rater as the chooser: for each n and task the expected pay and objective of the reply
    that pays most, (n, tasks), from one pool of the largest n replies to each task. Kept as a part.
    """
    file = "best-of-n.json"
    if not lab.folder.file(file).exists():
        pool, values = ns[-1], ([], [])  # type: int, tuple[list[float], list[float]]
        again = [replace(task, id=f"{task.id}#{number}") for task in tasks for number in range(pool)]
        for one in _played(lab.model("sft"), again, lab.seed):
            for some, what in zip(values, (PAY, OBJECTIVE), strict=True):
                some.append(VALUES[what](one.task, _said(one)))
            yield Progress("best-of-n", len(values[0]), len(again))
        pay_TN, objective_TN = (np.reshape(some, (len(tasks), pool)) for some in values)
        lab.folder.write_json(file, best(pay_TN, objective_TN, ns))
    told: Row = lab.folder.read_json(file)
    return told


def best(pay_TN: np.ndarray, objective_TN: np.ndarray, ns: Sequence[int]) -> Row:
    """Expected pay and objective (n, tasks) of the best paid of n, from pools (tasks, N)."""
    both = zip(pay_TN, objective_TN, strict=True)
    found_T2n = np.array([best_of.expected(np.stack(pair), pair[0], ns) for pair in both])
    return {PAY: found_T2n[:, 0].T.tolist(), OBJECTIVE: found_T2n[:, 1].T.tolist()}


def _played(model: Model, tasks: Sequence[Task], seed: int) -> Iterator[Played]:
    engine = LocalEngine(model)
    yield from play(CHAT, tasks, {PLAYER: engine}, seed=seed)
    engine.close()


def _said(one: Played) -> Transcript:
    if one.transcript is None:
        raise BadInput(f"the held-out task {one.task.id} was not finished ({one.failure})", expected="a reply to each")
    return one.transcript
