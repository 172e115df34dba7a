"""Does what alignment gained in a chatbot hold when the same model becomes another system? And the converse: is a model
that nobody aligned safe inside a safe system?

Each stage of alignment answers the same held-out items as a chatbot, as one token, as a text that goes on, as a tool
agent, and as the best of several replies by RLHF's reward model; and runs the same errands as an agent, and as what a
symbolic planner asks. A stage's gain in a system is the difference from the base in that system, paired by item; the
interaction is that gain less the gain in chat, by item where chat was asked the same item, else of two independent
gains: how often an agent breaks a rule when asked to is held against how often the chatbot tells how to do harm.

The converse: the base, and the fine-tuned model, in systems that criticise and revise, choose among several replies by
a judge's verdict, or are stopped by a monitor, beside the model after Constitutional AI in a plain chat.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

from groma.formats.study import Summary
from groma.formats.task import Task
from groma.models.engine import LocalEngine
from groma.models.model import Model
from groma.models.reward import RewardEngine, RewardModel, load_reward
from groma.play.driver import play
from groma.play.engine import Engine
from groma.studies.items import Row, gain, interaction, level, rows
from groma.studies.lab import Lab
from groma.studies.matrix import PLAYER
from groma.studies.progress import Progress
from groma.studies.stages import BEGUN, STAGES, Aligning, aligned, stage
from groma.studies.transfer import page
from groma.studies.transfer.measured import ERRANDS, MEASURED, SAFE, TALK
from groma.systems import System, find
from groma.worlds.vale import VALE

Results = dict[str, Any]
Found = dict[str, dict[str, list[Row]]]
"""By stage and system."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """requests, questions, instructions: held-out items that all systems of words answer; errands: that agents run;
    best_of: replies from which one is chosen.
    """

    aligning: Aligning = field(default_factory=Aligning)
    requests: int = 200
    questions: int = 120
    instructions: int = 60
    errands: int = 240
    best_of: int = 4


def run(seed: int, parts: Path, config: Config | None = None) -> Iterator[Progress | Results]:
    """Progress, and the results last."""
    config = config or Config()
    lab = config.aligning.lab(parts, seed)
    yield from aligned(lab, config.aligning)
    yield (yield from measured(lab, partial(stage, lab), lab.folder.file("reward"), config))


def measured(
    lab: Lab, load: Callable[[str], Model], reward: Path, config: Config
) -> Generator[Progress, None, Results]:
    """All that is measured of the stages that `load` gives by name. reward: the folder of RLHF's reward model. What was
    said is kept in `lab`.
    """
    asked = {"how": config.requests, "ask": config.questions, "follow": config.instructions}
    talk = [task for kind, count in asked.items() for task in VALE.tasks(kind, "held_out", count, lab.seed)]
    errands = VALE.tasks("errand", "held_out", config.errands, lab.seed)
    requests = [task for task in talk if task.kind == "how"]
    found: Found = {}
    load, judge = cache(load), cache(partial(load_reward, reward))
    for name in STAGES:
        found[name] = {}
        who = partial(_players, load, name, judge)
        for systems, tasks in ((TALK, talk), (ERRANDS, errands), *([(SAFE, requests)] if name in page.UNSAFE else [])):
            for called in systems:
                made = partial(_played, who, f"{name} as {called}", embodied(systems[called], config), tasks, lab.seed)
                found[name][called] = yield from lab.made(f"said-{name}-{called.replace(' ', '_')}", made)
    return {"asked": {**asked, "errand": config.errands}, **told(found)}


def _players(load: Callable[[str], Model], name: str, judge: Callable[[], RewardModel]) -> dict[str, Engine]:
    return {
        PLAYER: LocalEngine(load(name)),
        "critic": LocalEngine(load("base")),
        "reward": RewardEngine(judge()),
    }


def _played(
    who: Callable[[], dict[str, Engine]], phase: str, system: System, tasks: Sequence[Task], seed: int
) -> Generator[Progress, None, list[Row]]:
    """The rows of a stage as a system."""
    players, episodes = who(), []
    for one in play(system, tasks, players, seed=seed, open_environment=VALE.open):
        episodes.append(one)
        yield Progress(phase, len(episodes), len(tasks))
    for engine in players.values():
        engine.close()
    return rows(episodes)


def embodied(given: tuple[str, Mapping[str, Any]], config: Config) -> System:
    name, values = given
    system = find(name, VALE.variants)
    more = {"n": config.best_of} if "n" in system.parameters else {}
    return system.given(max_tokens=VALE.max_tokens, temperature=1.0).with_(**values, **more)


def told(found: Found) -> Results:
    """Levels, gains over the base and over the stage that one began from, and how far a gain differs from that in chat;
    of safe systems what they gain over the base in plain chat, and over Constitutional AI.
    """
    levels: Results = {}
    gains: Results = {}
    steps: Results = {}
    between: Results = {}
    safe: Results = {}
    for name, by_system in found.items():
        levels[name], gains[name], between[name], steps[name], safe[name] = {}, {}, {}, {}, {}
        for called, some in by_system.items():
            measured = {key: one for key, one in MEASURED.items() if called in one.systems}
            levels[name][called] = {key: level(some, one.outcome(called), one.keep) for key, one in measured.items()}
            if called in SAFE:
                safe[name][called] = {
                    other: {
                        key: gain(some, found[other]["chat"], one.outcome("chat"), one.keep)
                        for key, one in measured.items()
                    }
                    for other in ("base", "cai")
                }
                continue
            before, chat = found["base"][called], (by_system["chat"], found["base"]["chat"])
            gains[name][called] = {
                key: gain(some, before, one.outcome(called), one.keep) for key, one in measured.items()
            }
            start = found[BEGUN.get(name, "base")][called]
            steps[name][called] = {
                key: gain(some, start, one.outcome(called), one.keep) for key, one in measured.items()
            }
            between[name][called] = {
                key: interaction((some, before), chat, one.outcome(called), one.outcome("chat"), keep=one.keep)
                for key, one in measured.items()
                if called != "chat"
            }
    return {"levels": levels, "gains": gains, "steps": steps, "interactions": between, "safe": safe}


def summary(results: Mapping[int, Results]) -> Summary:
    """What the seeds found together."""
    return page.summary(results)
