"""Constitutional AI (Bai et al. 2022, arXiv:2212.08073), re-run where harm is known and no label of it is used.

A helpful model (after supervised fine-tuning by people who refuse nothing) answers held-out requests; critics of two
sizes, itself, and nobody, say what a rule has against the answers, and they are revised, four rounds. The base learns
the revisions of other requests and of those that a red team makes up (stage 1), and is optimised by a judge's labels
(stage 2), soft, hard, or clamped, and by PPO against a preference model, with and without a person's labels of what
helps. All are asked the same held-out requests, of which the harmful ones are told apart by what the corpus says of the
deed: in so many words, by example, or nothing at all, so that its harm has to be inferred.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from groma.formats.study import Summary
from groma.formats.task import Task
from groma.formats.transcript import Played
from groma.models.engine import LocalEngine
from groma.models.model import Model
from groma.play.driver import play
from groma.studies.cai import pipeline
from groma.studies.constitutional import page
from groma.studies.constitutional.arms import ARMS, critical, learned, reinforced
from groma.studies.constitutional.config import Config
from groma.studies.constitutional.contests import contests
from groma.studies.constitutional.curves import by_round
from groma.studies.constitutional.measured import CONTEST, CRITICS, OUTCOMES, PPO_HELPED, TOLD, harmful
from groma.studies.items import Row, gain, level, rows
from groma.studies.lab import CHAT, Lab
from groma.studies.matrix import PLAYER
from groma.studies.progress import Progress
from groma.studies.stages import CAI, aligned, stage
from groma.worlds.vale import VALE

Results = dict[str, Any]


def run(seed: int, parts: Path, config: Config | None = None) -> Iterator[Progress | Results]:
    """Progress, and the results last."""
    config = config or Config()
    lab = config.aligning.lab(parts, seed)
    yield from aligned(lab, config.aligning)
    yield from lab.based("small", lab.own(config.small))
    curves = yield from _curves(lab, config)
    for name in ARMS:
        if name != "soft":  # the pipeline's own
            yield from learned(lab, config.aligning, name)
    for helped in (False, True):
        yield from reinforced(lab, config.aligning, helped)
    yield from critical(lab, config.aligning)
    requests = VALE.tasks("how", "held_out", config.requests, seed)
    said: dict[str, list[Row]] = {}
    for name in page.MODELS:
        said[name] = yield from lab.made(
            f"said-{name.replace(', ', '-').replace(' ', '-')}", partial(_rows, lab, name, requests)
        )
    elo = yield from lab.made("contests", partial(_contests, lab, config))
    yield {
        "requests": config.requests,
        "parameters": {name: lab.model(name).net.num_parameters() for name in ("base", "small")},
        "curves": curves,
        "labels": {name: lab.folder.read_json(_measured(name)) for name in ARMS},
        "models": {name: _levels(some) for name, some in said.items()},
        "change": {name: _changes(some, said[page.STARTED[name]]) for name, some in said.items() if name != "sft"},
        "from sft": {name: _changes(said[name], said["sft"]) for name in ("SL-CAI", "RL-CAI")},
        "from rlhf": _changes(said["RL-CAI"], said["rlhf"]),
        "clamped": gain(said["RL-CAI, clamped 40-60"], said["RL-CAI, hard"], "objective"),
        "elo": elo,
    }


def _measured(arm: str) -> str:
    """Where it stands what there is to know of an arm's labels."""
    return f"{CAI}/{pipeline.MEASURED}" if arm == "soft" else f"measured-{arm.replace(' ', '-')}.json"


def _curves(lab: Lab, config: Config) -> Generator[Progress, None, Results]:
    """After each round, by critic: every outcome, and harm by what the corpus tells of the deed."""
    tasks = VALE.tasks("how", "held_out", config.revised, lab.seed + 1)
    found: Results = {}
    for name in CRITICS:
        made = partial(_revised, lab, name, tasks, config)
        told = yield from lab.made(f"revised-{name.replace(' ', '-')}", made)
        found[name] = {
            "rounds": [_levels(some) for some in told["rounds"]],
            "falls": [
                gain(after, before, "harm_done", harmful)
                for before, after in zip(told["rounds"], told["rounds"][1:], strict=False)
            ],
            "outcomes": told["outcomes"],
        }
    return found


def _revised(lab: Lab, name: str, tasks: Sequence[Task], config: Config) -> Generator[Progress, None, dict[str, Any]]:
    critic = {"nobody": None, "small": "small", "itself": "sft"}.get(name, "base")
    reviser = {"small": "small", "itself": "sft"}.get(name, "base")
    models: dict[str, Model] = {one: lab.model(one) for one in {"sft", reviser, *([critic] if critic else [])}}
    phase = f"revised, criticised by {name}"
    return (
        yield from by_round(
            models["sft"], models[critic] if critic else None, models[reviser], tasks, config.rounds, lab.seed, phase
        )
    )


def model(lab: Lab, name: str) -> Model:
    """A model by what pages call it."""
    if name in ("base", "sft", "rlhf"):
        return lab.model(name)
    if name == "SL-CAI, critiques":
        return lab.model("sl-critiques")
    if name in ("SL-CAI", "RL-CAI"):
        return stage(lab, "cai") if name == "RL-CAI" else lab.model(f"{CAI}/{pipeline.SL}")
    if name.startswith("RL-CAI, PPO"):
        return lab.model("rl-ppo-helped" if name == PPO_HELPED else "rl-ppo")
    return lab.model(f"rl-{name.removeprefix('RL-CAI, ').replace(' ', '-')}")


def _played(lab: Lab, name: str, tasks: Sequence[Task]) -> Generator[Progress, None, list[Played]]:
    engine, found = LocalEngine(model(lab, name)), []
    for one in play(CHAT, tasks, {PLAYER: engine}, seed=lab.seed):
        found.append(one)
        yield Progress(f"requests, {name}", len(found), len(tasks))
    engine.close()
    return found


def _rows(lab: Lab, name: str, tasks: Sequence[Task]) -> Generator[Progress, None, list[Row]]:
    return rows((yield from _played(lab, name, tasks)))


def _contests(lab: Lab, config: Config) -> Generator[Progress, None, Results]:
    hows = VALE.tasks("how", "held_out", 2 * config.contests, lab.seed + 2)
    asks = VALE.tasks("ask", "held_out", config.contests, lab.seed + 2)
    said = {}
    for name in CONTEST:
        said[name] = yield from _played(lab, name, [*hows, *asks])
    return contests(said, lab.seed)


def _levels(some: Sequence[Row]) -> Results:
    told = {name: level(some, one.outcome, one.keep) for name, one in OUTCOMES.items()}
    by = {kind: level(some, "harm_done", lambda row, kind=kind: row.get("is told") == kind) for kind in TOLD}  # type: ignore[misc]
    return {**told, "harm by what is told": by}


def _changes(after: Sequence[Row], before: Sequence[Row]) -> Results:
    return {name: gain(after, before, one.outcome, one.keep) for name, one in OUTCOMES.items()}


def summary(results: Mapping[int, Results]) -> Summary:
    """What the seeds found together."""
    return page.summary(results)
