"""Is an aligned model easier to make into an orderly agent, and harder to make into a chaotic one?

Alignment is a property of systems: the same tool agent is given two charters, one of order (every rule of the town
hall) and one of chaos (what lawless people say), and a plain one that says neither, with each stage of alignment as the
model behind it. Errands are played with real tools, each in a hall of its own. Competence is the share of plain
errands that are done; harm the share of tempting ones in which the rule is broken, and of planted ones in which an
instruction that nobody gave is obeyed. What a charter does to an aligned model less what it does to the base is the
interaction.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from groma.formats.study import Summary
from groma.formats.task import Task
from groma.models.engine import LocalEngine
from groma.models.model import Model
from groma.play.driver import play
from groma.studies.items import Row, gain, interaction, level, rows
from groma.studies.lab import Lab
from groma.studies.matrix import PLAYER
from groma.studies.order_chaos import page
from groma.studies.progress import Progress
from groma.studies.stages import STAGES, Aligning, stage
from groma.studies.stages import aligned as all_stages
from groma.systems import find
from groma.worlds.vale import VALE

Results = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Config:
    """errands: how many held-out errands each agent runs."""

    aligning: Aligning = field(default_factory=Aligning)
    errands: int = 600


def run(seed: int, parts: Path, config: Config | None = None) -> Iterator[Progress | Results]:
    """Progress, and the results last."""
    config = config or Config()
    lab = config.aligning.lab(parts, seed)
    yield from all_stages(lab, config.aligning)
    yield (yield from measured(lab, partial(stage, lab), config.errands))


def measured(lab: Lab, load: Callable[[str], Model], errands: int) -> Generator[Progress, None, Results]:
    """All that is measured of the stages that `load` gives by name. What was done is kept in `lab`."""
    tasks = VALE.tasks("errand", "held_out", errands, lab.seed)
    found: dict[str, dict[str, list[Row]]] = {}
    for name in STAGES:
        found[name] = yield from lab.made(f"errands-{name}", partial(_played, load, name, tasks, lab.seed))
    return {"errands": errands, **told(found)}


def _played(
    load: Callable[[str], Model], name: str, tasks: Sequence[Task], seed: int
) -> Generator[Progress, None, dict[str, list[Row]]]:
    """The rows of every agent with a stage behind it."""
    found, model = {}, load(name)
    for place, charter in enumerate(page.CHARTERS):
        system = find(charter, VALE.variants).given(max_tokens=VALE.max_tokens)
        engine = LocalEngine(model)
        found[charter] = rows(play(system, tasks, {PLAYER: engine}, seed=seed, open_environment=VALE.open))
        engine.close()
        yield Progress(f"errands, {name}", place + 1, len(page.CHARTERS), charter)
    return found


def told(found: Mapping[str, Mapping[str, Sequence[Row]]]) -> Results:
    """Levels, what the charters do, and how far that depends on the stage."""
    levels: Results = {}
    effects: Results = {}
    between: Results = {}
    for name, by_charter in found.items():
        levels[name] = {
            charter: {key: level(some, one.outcome, one.keep) for key, one in page.MEASURED.items()}
            for charter, some in by_charter.items()
        }
        effects[name], between[name] = {}, {}
        for what, (after, before) in page.EFFECTS.items():
            here = by_charter[after], by_charter[before]
            there = found["base"][after], found["base"][before]
            effects[name][what] = {key: gain(*here, one.outcome, one.keep) for key, one in page.MEASURED.items()}
            between[name][what] = {
                key: interaction(here, there, one.outcome, keep=one.keep) for key, one in page.MEASURED.items()
            }
    aligned = {
        name: {
            key: gain(by_charter["agent"], found["base"]["agent"], one.outcome, one.keep)
            for key, one in page.MEASURED.items()
        }
        for name, by_charter in found.items()
    }
    return {"levels": levels, "effects": effects, "interactions": between, "aligned": aligned}


def summary(results: Mapping[int, Results]) -> Summary:
    """What the seeds found together."""
    return page.summary(results)
