"""Where studies of Vale's language models work: a folder in which every finished part is kept, and what they share.

A part is a model that was trained, with the log of its training, or anything that is plain. A study that was killed
goes on with the parts that are there, and training goes on from its last saved state.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from groma.formats.examples import Preference, read_examples
from groma.formats.jsonl import write_rows
from groma.formats.run_folder import RunFolder
from groma.formats.task import Task
from groma.formats.transcript import Played
from groma.methods import reward, sft
from groma.methods.checkpoint import save_reward
from groma.methods.comparisons import Chooser, as_row, compare
from groma.methods.keeping import LOG, kept, state_beside
from groma.methods.online_config import Config as Online
from groma.methods.pay import Answer, Named, Source
from groma.methods.state import State, Step
from groma.methods.work import Work
from groma.models.load import load
from groma.models.model import Model
from groma.models.names import cached
from groma.models.reward import RewardModel, load_reward
from groma.studies.judged import judged, means
from groma.studies.pairing import drawn, replied_twice
from groma.studies.progress import Progress, training
from groma.studies.recipes import DEMONSTRATED, REWARD_ON_VALE, SFT_ON_VALE
from groma.studies.rlhf import NORMALISED
from groma.studies.vale_base import Recipe, build, named, untrained
from groma.systems import SYSTEMS
from groma.worlds.vale import VALE, demonstrations

Reinforcing = Callable[[Model, Work, Any, State | None], Iterator[Step]]
"""`train` of a method of reinforcement learning."""
CHAT = SYSTEMS["chat"].with_(max_tokens=VALE.max_tokens)


class Lab:
    """The parts of one seed of a study, in `folder`; whatever learns in it does so by that seed.

    demonstrated: from how many demonstrations "sft" learns, and by `tuning`; smaller ones are for trials.
    """

    def __init__(
        self, folder: Path, seed: int, *, demonstrated: int = DEMONSTRATED, tuning: sft.Config = SFT_ON_VALE
    ) -> None:
        self.folder, self.seed, self.demonstrated, self.tuning = RunFolder(folder), seed, demonstrated, tuning

    def plain(self, name: str, make: Callable[[], Any]) -> Any:
        """What `make` finds, as JSON; what was found before is not found again."""
        file = f"{name}.json"
        if not self.folder.file(file).exists():
            self.folder.write_json(file, make())
        return self.folder.read_json(file)

    def made(self, name: str, make: Callable[[], Generator[Progress, None, Any]]) -> Generator[Progress, None, Any]:
        """The same of what takes long: `make` tells its progress, and returns what it finds."""
        file = f"{name}.json"
        if not self.folder.file(file).exists():
            found = yield from make()
            self.folder.write_json(file, found)
        return self.folder.read_json(file)

    def part(self, name: str) -> RunFolder:
        """A folder of its own for a part that is made in steps."""
        return RunFolder(self.folder.file(name))

    def model(self, name: str) -> Model:
        """A stage: "base" is the one that ships, every other one a part."""
        return load("vale" if name == "base" else self.folder.file(name))

    def trained(
        self, name: str, start: str, steps: Callable[[Model, State | None], Iterator[Step]], *shown: str
    ) -> Generator[Progress, None, Model]:
        """A model trained from the stage `start`. shown: metrics that progress tells."""
        out = self.folder.file(name)
        if not out.is_dir():
            model = self.model(start)
            made = steps(model, state_beside(out))
            yield from training(name, kept(made, model, out, unset_pad=True), shown)
        return load(out)

    def log(self, name: str) -> list[dict[str, Any]]:
        """The metrics of every step of a part that was trained."""
        return list(self.folder.read_log(f"{name}/{LOG}"))

    def own(self, recipe: Recipe) -> Recipe:
        """The recipe with a corpus of its own in every seed of the study."""
        return replace(recipe, seed=recipe.seed + self.seed)

    def based(self, name: str, recipe: Recipe) -> Generator[Progress, None, None]:
        """A base of Vale: from the cache, where `groma world build` has put the one of this recipe, or built here."""
        out, known = self.folder.file(name), named(recipe)
        if out.is_dir():
            return
        if known is not None and cached(known).is_dir():
            half = self.folder.file(f"{name}-copied")
            shutil.rmtree(half, ignore_errors=True)
            shutil.copytree(cached(known), half).rename(out)
            return
        yield Progress(name, 0, 1, "reads its corpus")
        model = untrained(recipe)
        steps = build(model, recipe, state_beside(out))
        yield from training(name, kept(steps, model, out, dtype=torch.bfloat16), ("loss",))

    def tuned(self) -> Generator[Progress, None, Model]:
        """The base after supervised fine-tuning, as in the main job: the part "sft"."""
        shown = demonstrations(self.demonstrated, self.seed, "helpful")
        tuning = replace(self.tuning, seed=self.seed)
        return self.trained("sft", "base", lambda model, state: sft.train(model, shown, tuning, state), "loss")

    def compared(
        self, count: int, choosers: Mapping[str, Chooser]
    ) -> Generator[Progress, None, dict[str, list[Preference]]]:
        """What each of `choosers` prefers of two replies to `count` tasks, the same for all; after "sft"."""
        files = {name: self.folder.file(f"preferred-{name}.jsonl") for name in choosers}
        if not all(file.exists() for file in files.values()):
            pairs = yield from replied_twice(self.model, self.tasks_compared(count), self.seed)
            for name, choose in choosers.items():
                write_rows(files[name], [as_row(one) for one in compare(pairs, choose, Counter())])
        return {name: list(read_examples(file, Preference).examples) for name, file in files.items()}

    def tasks_compared(self, count: int) -> tuple[Task, ...]:
        """The tasks of `compared`."""
        return drawn(count, self.seed + 1)

    def rewarding(
        self,
        name: str,
        examples: Sequence[Preference],
        config: reward.Config = REWARD_ON_VALE,
        begin: Callable[[], RewardModel] | None = None,
        start: str = "sft",
    ) -> Generator[Progress, None, RewardModel]:
        """A reward model that learns from `examples`, set against the replies of `start`. begin: None: from `start`."""
        config = replace(config, seed=self.seed)
        out = self.folder.file(name)
        if not out.is_dir():
            policy = self.model(start)
            made = reward.begin(self.model(start), self.seed) if begin is None else begin()

            def save(path: Path) -> None:
                prompts = [one.prompt for one in examples]
                against = reward.against(made, policy, prompts, NORMALISED, max_tokens=VALE.max_tokens, seed=self.seed)
                save_reward(against, path)

            steps = reward.train(made, examples, config, state_beside(out))
            yield from training(name, kept(steps, made.model, out, save=save), ("loss", "rewards/accuracies"))
        return load_reward(out)

    def reinforced(
        self, name: str, train: Reinforcing, work: Work, config: Online, start: str = "sft"
    ) -> Generator[Progress, None, Model]:
        """A model after reinforcement learning from `start`. Its log says under `truth/OUTCOME` what is true of every
        step's episodes, whoever pays.
        """
        config, watched = replace(config, seed=self.seed), Watched(work.pay[0].source)
        seen = replace(work, pay=[replace(work.pay[0], source=watched), *work.pay[1:]])

        def steps(model: Model, state: State | None) -> Iterator[Step]:
            for step in train(model, seen, config, state):
                yield replace(step, metrics={**step.metrics, **watched.told})

        return self.trained(name, start, steps, "objective/scores", "truth/objective", "objective/kl")


@dataclass
class Watched:
    """A source of pay that also judges what is true of the episodes; that changes no pay. `truth/objective_error` is
    the standard error of their mean objective.
    """

    source: Source
    told: dict[str, float] = field(default_factory=dict)

    def __call__(self, episodes: Sequence[Played]) -> Sequence[Answer | Exception]:
        found = means(episodes)
        objectives = [value for name, value, _ in judged(episodes) if name == "objective"]
        found["objective_error"] = float(np.std(objectives) / np.sqrt(len(objectives)))
        self.told = {f"truth/{name}": value for name, value in found.items()}
        return self.source(episodes)


def working(tasks: Sequence[Task], pay: Source, name: str = "pay") -> Work:
    """What reinforcement learning of Vale's chatbot works on."""
    return Work(CHAT, tasks, [Named(name, pay)])
