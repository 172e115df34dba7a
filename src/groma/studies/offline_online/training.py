"""Six methods by one interface, each step timed, and models kept along the way.

The offline ones learn what the rater preferred of two replies of the fine-tuned model, DPO pair by pair, KTO with the
preferred reply as desirable and the other as undesirable. The online ones are paid by the same rater for their own
replies, without the noise of her comparisons (we differ from Guo et al. 2024, whose online DPO is told a choice: here
the better paid of two replies is the preferred one).

Where she changes her mind, a method goes on from the state of its own run at the half: same reference (the fine-tuned
model), optimiser and schedule, other pay. Nothing else differs from the run in which she does not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from groma.formats.examples import Labelled, Preference
from groma.methods import dpo, grpo, kto, online_dpo, ppo, rloo
from groma.methods.checkpoint import load_state, save_folder, save_state
from groma.methods.pay import ByFunction, Function
from groma.methods.state import State, Step
from groma.models.model import Model
from groma.studies.lab import Lab, Reinforcing, working
from groma.studies.offline_online.config import ONLINE, Config
from groma.studies.pairing import drawn
from groma.studies.progress import Progress
from groma.worlds.vale import VALE, Rater

TRAIN: Mapping[str, Reinforcing] = {
    "online-dpo": online_dpo.train,
    "ppo": ppo.train,
    "rloo": rloo.train,
    "grpo": grpo.train,
}
SHOWN = {method: ("objective/scores", "objective/kl") for method in ONLINE} | {"dpo": ("loss",), "kto": ("loss", "kl")}
"""Metrics that progress tells."""
SECONDS, PROCESSOR = "seconds", "processor_seconds"
Steps = Callable[[Model, State | None], Iterator[Step]]


def compared(lab: Lab, pairs: int) -> Generator[Progress, None, list[Preference]]:
    """What the rater prefers of two replies to `pairs` tasks; pairs of equal replies are dropped."""
    found = yield from lab.compared(pairs, {"rater": Rater(seed=lab.seed).compare})
    return found["rater"]


def learning(method: str, options: Any, lab: Lab, examples: Sequence[Preference], pay: Function = VALE.pay) -> Steps:
    """The method's steps from a model. examples: for the offline ones; pay: of the online ones."""
    if method == "dpo":
        return lambda model, state: dpo.train(model, examples, options, state)
    if method == "kto":
        rows = labelled(examples)
        return lambda model, state: kto.train(model, rows, options, state)
    tasks = drawn(options.max_steps * options.batch_size // options.samples, lab.seed + 2)
    work, train = working(tasks, ByFunction(pay), "rater"), TRAIN[method]
    return lambda model, state: train(model, work, options, state)


def labelled(examples: Sequence[Preference]) -> list[Labelled]:
    """Comparisons without their other half: every preferred reply is desirable, every other one is not."""
    both = (((one.chosen, True), (one.rejected, False)) for one in examples)
    return [
        Labelled(one.prompt, said, label) for one, sides in zip(examples, both, strict=True) for said, label in sides
    ]


def trained(lab: Lab, method: str, config: Config, examples: Sequence[Preference]) -> Generator[Progress, None, Model]:
    """The method from the fine-tuned model, under one rater throughout."""
    steps = learning(method, config.options(method, lab.seed), lab, examples)
    half = config.half(method) if method in config.turned else None

    def marked(model: Model, state: State | None) -> Iterator[Step]:
        for step in timed(steps(model, state)):
            keep(lab, model, method, step, config.steps_at(method))
            if step.number == half:
                save_state(step.state, half_way(lab, method))
            yield step

    return lab.trained(method, "sft", marked, *SHOWN[method])


def turned(
    lab: Lab, method: str, config: Config, pay: Function = VALE.pay_of_others
) -> Generator[Progress, None, Model]:
    """The same from its half on, by the pay of the rater whose mind has changed."""
    steps = learning(method, config.options(method, lab.seed), lab, (), pay)

    def marked(model: Model, state: State | None) -> Iterator[Step]:
        for step in timed(steps(model, state or load_state(half_way(lab, method)))):
            keep(lab, model, f"{method}-turned", step, config.steps_at(method))
            yield step

    return lab.trained(f"{method}-turned", "sft", marked, *SHOWN[method])


def half_way(lab: Lab, method: str) -> Path:
    """Where the state of a method's run at the half lies."""
    return lab.folder.file(f"{method}-half.state")


def stage(config: Config, method: str, step: int, *, turned: bool = False) -> str:
    """The part that holds the model after a step: at the end the method's own, before it one that was kept."""
    name = f"{method}-turned" if turned else method
    return name if step == config.steps_at(method)[-1] else f"{name}-{step}"


def keep(lab: Lab, model: Model, name: str, step: Step, marks: Sequence[int]) -> None:
    """Keep the model as it is after a step, where that is a mark before the end."""
    place = lab.folder.file(f"{name}-{step.number}")
    if step.number in marks[:-1] and not place.exists():
        save_folder(model, place, unset_pad=True)


def timed(steps: Iterator[Step]) -> Iterator[Step]:
    """The same steps, each with the seconds that it took, by the clock and of the processors (all threads together).
    What comes before the first step (the reference's log-probabilities) counts as its.
    """
    while True:
        clock, used = time.perf_counter(), time.process_time()
        step = next(steps, None)
        if step is None:
            return
        took = {SECONDS: time.perf_counter() - clock, PROCESSOR: time.process_time() - used}
        yield replace(step, metrics={**step.metrics, **took})


def spent(lab: Lab, method: str) -> dict[str, float]:
    """Seconds of a method's whole training, from its log."""
    rows = lab.log(method)
    return {name: sum(row[name] for row in rows) for name in (SECONDS, PROCESSOR)}
