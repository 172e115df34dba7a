"""Stage by system by property: survey the same tasks at every stage and write what was found into a run folder.

One stage is loaded at a time. Every reply is logged as it comes (`calls/`), so that an interrupted survey goes on and
asks nothing twice; transcripts and records are written whole when they are complete.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from groma.formats.digest import digest
from groma.formats.records import Record
from groma.formats.run_folder import RECORDS, RunFolder
from groma.formats.task import Task
from groma.formats.transcript import Played
from groma.measures.episodes import PayOf
from groma.measures.survey import BOTH, Survey, between_stages, by_kind, survey
from groma.models.engine import LocalEngine
from groma.models.model import Model
from groma.play.driver import play
from groma.play.replay import CallLog
from groma.studies.progress import Progress
from groma.suites.suite import Suite
from groma.systems.system import System

PLAYER = "assistant"
PACKAGES = ("groma", "torch", "transformers", "numpy", "scipy")


@dataclass(frozen=True, slots=True)
class Plan:
    """What every stage is put through: the same tasks in the same systems."""

    systems: Sequence[System]
    suite: Suite
    split: str = "held_out"
    kind: str | None = None
    n: int = 300
    seed: int = 0
    width: int = 256
    pay: PayOf | None = None


def versions() -> dict[str, str]:
    """What decides a number beside the seed: the versions of the code that made it."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def survey_stages(
    stages: Sequence[tuple[str, Callable[[], Model]]], plan: Plan, folder: RunFolder, stopped: Callable[[], bool]
) -> Iterator[Progress]:
    """Survey each stage (its name, and how to load it), compare it with the ones before, and write the records."""
    done: list[list[Survey]] = []
    records: list[Record] = []
    for name, load in stages:
        model = load()
        found: list[Survey] = []
        yield from _stage(name, model, plan, folder, stopped, found)
        done.append([found[0], *by_kind(found[0])])
        for place, one in enumerate(done[-1]):
            records.extend(one.records)
            for earlier in done[:-1]:
                records.extend(between_stages(one, earlier[place], names=BOTH if place else None))
    folder.write_json(RECORDS, [record.to_dict() for record in records])


def _stage(
    name: str, model: Model, plan: Plan, folder: RunFolder, stopped: Callable[[], bool], found: list[Survey]
) -> Iterator[Progress]:
    """One stage; its survey is put into `found`. The survey itself runs between two reports of progress of one
    system.
    """
    engine = LocalEngine(model)
    about = {"model": model.digest, "suite": plan.suite.name, "seed": plan.seed}
    log = CallLog(folder.file(f"calls/{name}-{digest(about)}.jsonl"), about)
    tasks = plan.suite.tasks(plan.kind, plan.split, plan.n, plan.seed)
    episodes: dict[str, list[Played]] = {}
    try:
        for system in plan.systems:
            finished = episodes.setdefault(system.name, [])
            players, opened = {PLAYER: engine}, plan.suite.open
            for played in play(
                system, tasks, players, seed=plan.seed, width=plan.width, log=log, open_environment=opened
            ):
                finished.append(played)
                yield Progress(f"survey {name} as {system.name}", len(finished), len(tasks))
                if stopped():
                    raise KeyboardInterrupt
    finally:
        engine.close()
    rows: dict[str, list[dict[str, Any]]] = {}

    def again(system: System, asked: Sequence[Task]) -> list[Played]:
        return episodes[system.name]

    found.append(
        survey(
            again,
            plan.systems,
            plan.suite,
            stage=name,
            model=model.name,
            model_digest=model.digest,
            kind=plan.kind,
            split=plan.split,
            n=plan.n,
            seed=plan.seed,
            pay=plan.pay,
            versions=versions(),
            see=lambda path, row: rows.setdefault(path, []).append(dict(row)),
        )
    )
    for path, lines in rows.items():
        folder.write_text(path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
