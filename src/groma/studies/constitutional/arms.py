"""What becomes of the model after stage 1 by one way or another of making labels, and of learning from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from groma.formats.examples import Preference, read_examples
from groma.formats.jsonl import read_rows, write_rows
from groma.methods import dpo, ppo, sft
from groma.methods.comparisons import as_row, compare
from groma.methods.constitutional import Revised, demonstrations
from groma.methods.pay import ByReward
from groma.methods.state import State, Step
from groma.models.engine import seat
from groma.models.model import Model
from groma.play import CallLog
from groma.studies.cai import data, labels, pipeline
from groma.studies.cai.on_vale import on_vale
from groma.studies.lab import Lab, working
from groma.studies.pairing import replied_twice
from groma.studies.progress import Progress
from groma.studies.stages import CAI, RATER, Aligning
from groma.worlds.vale import VALE, Rater
from groma.worlds.vale.charters import HARMLESS


@dataclass(frozen=True)
class Arm:
    """sure: labels as far from a half as they can be: what the critic says, without how sure it is."""

    title: str
    sure: bool
    clamp: tuple[float, float] | None = None


ARMS: Mapping[str, Arm] = {
    "soft": Arm("as sure as the critic is", False),
    "hard": Arm("what the critic says, unclamped", True),
    "clamped 20-80": Arm("what the critic says, clamped to 20-80 %", True, (0.2, 0.8)),
    "clamped 40-60": Arm("what the critic says, clamped to 40-60 %", True, (0.4, 0.6)),
}
"""Labels after chain of thought are over-confident, which is why the paper clamps them; Vale's base does not reason in
words, and what stands for such labels is what its critic says, as a fact.
"""
HELPFUL = 0.5
"""Labels of helpfulness for each of harm. With as many of both more harm was done than after stage 1 (seed 0)."""


def learned(lab: Lab, how: Aligning, name: str) -> Generator[Progress, None, Model]:
    """The model after stage 1, after DPO on the labels of an arm: as many steps in each."""
    slug = name.replace(" ", "-")
    file = lab.folder.file(f"labels-{slug}.jsonl")
    if not file.exists():
        write_rows(file, (yield from _labelled(lab, how, ARMS[name], slug)))
    compared = read_examples(file, Preference).examples
    config = replace(how.cai.dpo, seed=lab.seed)

    def steps(model: Model, state: State | None) -> Iterator[Step]:
        return dpo.train(model, compared, config, state)

    return (yield from lab.trained(f"rl-{slug}", f"{CAI}/{pipeline.SL}", steps, "loss", "rewards/accuracies"))


def _labelled(lab: Lab, how: Aligning, arm: Arm, slug: str) -> Generator[Progress, None, list[dict[str, Any]]]:
    """The rows: of the pairs that the pipeline drew, and logged, with labels of the arm's own."""
    given, folder = on_vale(lab.model, HARMLESS, lab.seed, principled=how.principled, harmless=1), lab.part(CAI)
    seats = {"assistant": seat(lab.model(f"{CAI}/{pipeline.SL}")), "judge": seat(lab.model("base"))}
    found = data.red_tasks(folder.file(pipeline.REQUESTS), lab.seed) if how.cai.red_team else ()
    tasks = (*given.tasks, *found)

    def logs(part: str, about: Mapping[str, Any]) -> CallLog:
        return CallLog(folder.file(f"calls/{part}{f'-{slug}' if part == 'judge' else ''}.jsonl"), about)

    judge = labels.judging(HARMLESS, how.cai.by, False, "words" if arm.sure else "scores", given.max_tokens)
    known = yield from labels.labelled(
        given.chat, judge, tasks, seats, seed=lab.seed, logs=logs, clamp=arm.clamp, notes=Counter()
    )
    lab.folder.write_json(f"measured-{slug}.json", labels.measured(known, VALE.judge))
    return [labels.label_row(two, one) for two, one in known]


def reinforced(lab: Lab, how: Aligning, helped: bool) -> Generator[Progress, None, Model]:
    """The model after stage 1, after PPO against a preference model that learned the pipeline's labels. helped: and, as
    the paper's did, what a person prefers on harmless requests.
    """
    folder, start, config = lab.part(CAI), f"{CAI}/{pipeline.SL}", how.cai.reward
    compared = list(read_examples(folder.file(pipeline.LABELS), Preference).examples)
    if helped:
        known, much = (yield from _helpful(lab, how)), int(HELPFUL * len(compared))
        compared += known[:much]
        config = replace(config, max_steps=config.max_steps and int((1 + HELPFUL) * config.max_steps))
    names = ("preference-model-helped", "rl-ppo-helped") if helped else ("preference-model", "rl-ppo")
    judge = yield from lab.rewarding(names[0], compared, config, start=start)
    tasks = on_vale(lab.model, HARMLESS, lab.seed, principled=how.principled, harmless=1).tasks
    work = working(tasks, ByReward([judge]), "preference model")
    return (yield from lab.reinforced(names[1], ppo.train, work, how.cai.ppo, start))


def _helpful(lab: Lab, how: Aligning) -> Generator[Progress, None, list[Preference]]:
    """What a rater prefers of two replies of the model after stage 1 to requests in which there is no harm."""
    file = lab.folder.file("preferred-helpful.jsonl")
    if not file.exists():
        asked = VALE.tasks("how", "train", 4 * how.principled, lab.seed + 4)
        tame = [task for task in asked if task.part != "harmful"]
        two = yield from replied_twice(lambda _: lab.model(f"{CAI}/{pipeline.SL}"), tame, lab.seed)
        write_rows(file, [as_row(one) for one in compare(two, Rater(RATER, seed=lab.seed).compare, Counter())])
    return list(read_examples(file, Preference).examples)


def critical(lab: Lab, how: Aligning) -> Generator[Progress, None, Model]:
    """Stage 1 once more, where critiques and revisions on the way are learned, too: for as many steps."""
    given, file = on_vale(lab.model, HARMLESS, lab.seed, harmless=how.harmless), lab.part(CAI).file(pipeline.REVISIONS)
    rows = [Revised.from_row(row, f"{file}:{number}") for number, row in read_rows(file)]
    shown = (*demonstrations(rows, HARMLESS, "critiques", Counter()), *given.demonstrations)
    config = replace(how.cai.sft, seed=lab.seed)

    def steps(model: Model, state: State | None) -> Iterator[Step]:
        return sft.train(model, shown, config, state)

    return (yield from lab.trained("sl-critiques", "base", steps, "loss"))
