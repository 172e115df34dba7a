"""Stage by system by property: survey the same tasks at every stage and write what was found into a run folder.

One stage is loaded at a time. Every reply is logged as it comes (`calls/`), so that an interrupted survey goes on and
asks nothing twice; transcripts and records are written whole when they are complete.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Any

from groma.attacks import Adversary
from groma.formats.digest import digest
from groma.formats.errors import BudgetSpent
from groma.formats.records import Record
from groma.formats.run_folder import MANIFEST, RECORDS, RELIABILITY, UNANSWERED, RunFolder
from groma.formats.task import Task
from groma.formats.transcript import Played
from groma.judges import Calibration, Judging
from groma.measures.by_model import verdicts
from groma.measures.episodes import Judged, PayOf, file_name
from groma.measures.measure import Measure
from groma.measures.survey import BOTH, Survey, between_stages, by_kind, draw_tasks, play_rivals, survey
from groma.measures.unseen import unseen
from groma.play import Budget, CallLog, Purse, Seat, play
from groma.studies.progress import Progress
from groma.suites.by_model import Said, judged_by_model
from groma.suites.suite import Suite
from groma.systems.system import System

PLAYER = "assistant"
PACKAGES = ("groma", "torch", "transformers", "numpy", "scipy")


@dataclass(frozen=True, slots=True)
class Plan:
    """What every stage is put through: the same tasks in the same systems.

    measures: the properties to measure, each on about `n` items and their other forms; none: the items as they are.
    judging: how a model judges the replies, which the player `judge` then is; None: the suite's own judge. calibration:
    what people said of the judge's verdicts; judge: its name.
    adversary: who looks for the worst case, if anybody. pay, pay_of_others: what raters would pay.
    others: who plays, beside the stage as the assistant. budget: of each player in an episode; purse: in all.
    """

    systems: Sequence[System]
    suite: Suite
    split: str = "held_out"
    kind: str | None = None
    n: int = 300
    seed: int = 0
    width: int = 256
    pay: PayOf | None = None
    pay_of_others: PayOf | None = None
    measures: Sequence[Measure] = ()
    adversary: Adversary | None = None
    judging: Judging | None = None
    calibration: Calibration | None = None
    judge: str = "rule"
    others: Mapping[str, Seat] = field(default_factory=dict)
    budget: Mapping[str, Budget] = field(default_factory=dict)
    purse: Purse | None = None


def versions() -> dict[str, str]:
    """What decides a number beside the seed: the versions of the code that made it."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def survey_stages(
    stages: Sequence[tuple[str, Callable[[], Seat]]], plan: Plan, folder: RunFolder, stopped: Callable[[], bool]
) -> Iterator[Progress]:
    """Survey each stage (its name, and who then plays the assistant), compare it with the ones before, and write the
    records.

    Where it is stopped (KeyboardInterrupt) or a budget is spent (BudgetSpent), the records are of what was finished
    till then, and the exception goes on to the caller.
    """
    done: list[list[Survey]] = []
    records: list[Record] = []
    curves: dict[str, Any] = {}
    early: BaseException | None = None
    asked: set[str] = set()
    unjudged: list[str] = []
    unanswered, rivals = 0, None
    for name, sit in stages:
        stage = _Stage(name, sit(), plan, folder)
        try:
            yield from stage.play(stopped)
        except (KeyboardInterrupt, BudgetSpent) as stop:
            early = stop
        finally:
            stage.seat.engine.close()
        unanswered += stage.log.unanswered
        if stage.verdicts and plan.judging is not None:
            asked.add(plan.judging.player)
        unjudged += [said.why for said, _ in stage.verdicts.values() if said.bad is None]
        asked |= {name for some in stage.episodes.values() for one in some for name in one.cost}
        if rivals is None and plan.judging is None:
            rivals = play_rivals(plan.suite, stage.tasks, plan.pay, plan.pay_of_others)  # every stage has these tasks
        if found := stage.surveyed(early is not None, rivals):
            for note in unseen(plan.suite, plan.measures, found.rivals):
                _note(folder, note)
            done.append([found, *(() if plan.measures else by_kind(found))])
            curves |= {name: found.curves} if found.curves else {}
            for place, one in enumerate(done[-1]):
                records.extend(one.records)
                for earlier in done[:-1]:
                    if place < len(earlier):
                        records.extend(between_stages(one, earlier[place], names=BOTH if place else None))
        if early is not None:
            break
    folder.write_json(MANIFEST, {**folder.manifest(), UNANSWERED: unanswered})
    folder.write_json(RECORDS, [record.to_dict() for record in records])
    if curves:
        folder.write_json(RELIABILITY, curves)
    if unjudged:
        _note(folder, f"replies without a verdict, which count for nothing: {len(unjudged)}; the first: {unjudged[0]}")
    if early is not None:
        raise early
    if unasked := sorted(set(plan.others) - asked):
        _note(folder, f"no system asked {', '.join(unasked)}: to name who plays it had no effect")


def _note(folder: RunFolder, note: str) -> None:
    """Something that readers of the run have to know."""
    manifest = folder.manifest()
    folder.write_json("manifest.json", {**manifest, "notes": list(dict.fromkeys((*manifest["notes"], note)))})


class _Stage:
    """One stage on its way through the plan."""

    def __init__(self, name: str, seat: Seat, plan: Plan, folder: RunFolder) -> None:
        self.name, self.seat, self.plan, self.folder = name, seat, plan, folder
        self.tasks = draw_tasks(
            plan.suite, plan.measures, plan.adversary, kind=plan.kind, split=plan.split, n=plan.n, seed=plan.seed
        )
        self.episodes: dict[str, list[Played]] = {}
        self.verdicts: dict[tuple[str, str], Said] = {}
        others = {player: other.digest for player, other in plan.others.items()}
        self.digest = digest(seat.digest, others) if others else seat.digest
        self.log: CallLog

    def play(self, stopped: Callable[[], bool]) -> Iterator[Progress]:
        plan = self.plan
        about: dict[str, Any] = {"model": self.digest, "suite": plan.suite.name, "seed": plan.seed}
        self.log = log = CallLog(self.folder.file(f"calls/{file_name(self.name)}-{digest(about)}.jsonl"), about)
        players = {PLAYER: self.seat.engine, **{name: other.engine for name, other in plan.others.items()}}
        for system in plan.systems:
            finished = self.episodes.setdefault(system.name, [])
            for played in play(
                system,
                self.tasks,
                players,
                seed=plan.seed,
                width=plan.width,
                log=log,
                open_environment=plan.suite.open,
                budget=plan.budget,
                purse=plan.purse,
            ):
                finished.append(replace(played, calls=()))  # they stand in the log
                yield Progress(f"survey {self.name} as {system.name}", len(finished), len(self.tasks))
                if stopped():
                    raise KeyboardInterrupt
            if plan.judging is not None:
                yield from self._judge(plan.judging, system.name, stopped)

    def _judge(self, judging: Judging, system: str, stopped: Callable[[], bool]) -> Iterator[Progress]:
        """Have the replies of a system judged by the player `judge`."""
        plan = self.plan
        players, log = {judging.player: plan.others[judging.player].engine}, self.log

        def played(judge: System, tasks: Sequence[Task]) -> Iterator[Played]:
            return play(judge, tasks, players, seed=plan.seed, width=plan.width, log=log, purse=plan.purse)

        for done, (key, said) in enumerate(verdicts(judging, played, self.episodes[system]), 1):
            self.verdicts[key] = said
            yield Progress(f"judge {self.name} as {system}", done, len(self.episodes[system]))
            if stopped():
                raise KeyboardInterrupt

    def surveyed(self, partial: bool, rivals: Mapping[str, tuple[Judged, ...]] | None) -> Survey | None:
        """What was played, judged and estimated, with its transcripts written; None where nothing was finished.
        rivals: what the rivals got on these tasks, where that is known.
        """
        plan = self.plan
        systems = [system for system in plan.systems if self.episodes.get(system.name)]
        if not systems:
            return None
        rows: dict[str, list[dict[str, Any]]] = {}
        found = survey(
            lambda system, _: self.episodes[system.name],
            systems,
            plan.suite if plan.judging is None else judged_by_model(plan.suite, self.verdicts),
            stage=self.name,
            model=self.seat.name,
            model_digest=self.digest,
            kind=plan.kind,
            split=plan.split,
            n=plan.n,
            seed=plan.seed,
            pay=plan.pay,
            others=plan.pay_of_others,
            measures=plan.measures,
            adversary=plan.adversary,
            calibration=plan.calibration,
            judge=plan.judge if hasattr(plan.suite, "read") else "",
            versions=versions(),
            see=lambda path, row: rows.setdefault(path, []).append(dict(row)),
            partial=partial,
            everyone=rivals,
        )
        for path, lines in rows.items():
            self.folder.write_text(path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
        return found
