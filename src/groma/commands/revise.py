"""`groma constitution revise`: drafts, critiques and revisions by a constitution, as data for fine-tuning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from groma.commands.console import Phases, check_sampling, err, out, parse, told_anew
from groma.commands.players import check_player, players
from groma.commands.rules import constitution_of
from groma.commands.surveying import check_seed, suite_from
from groma.formats.columns import Text
from groma.formats.errors import BadConfig
from groma.formats.jsonl import write_rows
from groma.formats.task import Task
from groma.formats.transcript import Played
from groma.methods.constitutional import Revised, demonstrations, revised
from groma.play import CallLog, play
from groma.suites import SUITES
from groma.suites.suite import Suite
from groma.systems import SYSTEMS
from groma.systems.system import System
from groma.worlds.vale import VALE

FAILED = 0.1
"""Share of the prompts whose episode may fail; what is left is written all the same, and the exit code is 1."""


@dataclass(frozen=True, kw_only=True)
class Revise:
    """Let a model answer prompts, a critic say what a constitution has against the answers, and the model revise them;
    write a row a prompt that a person can read and edit: groma align sft learns from it.
    """

    model: Annotated[str, tyro.conf.Positional]
    """Who answers and revises: a shipped model (vale), a folder, a Hub id, or as groma survey's --player."""
    out: Path
    """File to write (.jsonl or .jsonl.gz). What was answered is kept beside it until it is whole."""
    constitution: str = "default"
    """A .toml or .json file, or one that ships: default (for real models), vale."""
    critic: str | None = None
    """Who criticises. None: the model itself."""
    on: str = "vale"
    """Whose prompts: vale, a public suite, or the path of a .jsonl or .csv file."""
    data: str | None = None
    """Where a named suite's files lie."""
    split: str | None = None
    """Which tasks. None: train of vale; public suites have only held_out, which is for testing, and must be asked
    for.
    """
    kind: str | None = None
    """Only this kind of task. None: all; of vale requests (how)."""
    items: int = 400
    """How many prompts."""
    rounds: int = 4
    """Rounds of critique and revision for each answer."""
    critiques: Path | None = None
    """Another file, for (critique, revision) pairs as demonstrations: models learn to criticise, too."""
    temperature: float = 1.0
    """Of all that is said."""
    max_tokens: int | None = None
    """Longest reply. None: what the suite says is enough."""
    seed: int = 0
    """Of prompts, principles and replies."""
    resume: bool = False
    """Go on with what was interrupted: nothing that was answered is asked again."""


def main(arguments: Sequence[str]) -> None:
    options = parse(Revise, "constitution revise", arguments)
    system, suite = _check(options)
    tasks = tasks_of(options, suite)
    log_at = options.out.with_name(f".{options.out.name}.calls.jsonl")
    if options.resume and not log_at.exists():
        told_anew(options.out)
    if log_at.exists() and not options.resume:
        raise BadConfig(f"{log_at} holds the answers of an interrupted run: add --resume to go on, or remove it")
    whom = {"assistant": options.model, "critic": options.critic or options.model}
    seats = players(whom)
    about = {"system": system.digest, "players": {name: seat.digest for name, seat in seats.items()}}
    log = CallLog(log_at, {**about, "seed": options.seed})
    found: list[Played] = []
    with Phases() as phases:
        engines = {name: seat.engine for name, seat in seats.items()}
        for one in play(system, tasks, engines, seed=options.seed, log=log):
            found.append(one)
            phases.show("drafts, critiques, revisions", len(found), len(tasks))
    rows = rows_of(found, system)
    _write(options, rows, system)
    log_at.unlink()
    failed = len(found) - len(rows)
    if failed:
        err.print(f"{failed} of {len(found)} episodes failed", markup=False)
    if failed > FAILED * len(found):
        raise SystemExit(1)


def _check(options: Revise) -> tuple[System, Suite]:
    """The system and the prompts; what cannot be is refused before anything is loaded."""
    check_sampling(options.temperature, options.max_tokens)
    check_seed(options.seed)
    for path in (options.out, options.critiques):
        if path is not None and path.exists():
            raise BadConfig(f"{path} already holds something: name a file that does not exist")
        if path is not None and not path.name.removesuffix(".gz").endswith(".jsonl"):
            raise BadConfig(f"{path}: rows are written as .jsonl or .jsonl.gz")
    for what in (options.model, options.critic):
        if what is not None:
            check_player(what)
    suite = suite_from(options.on, options.data)
    told = constitution_of(options.constitution)
    inner = SYSTEMS["chat"].with_(temperature=options.temperature, max_tokens=options.max_tokens or suite.max_tokens)
    system = SYSTEMS["critique"].with_(
        constitution=told,
        inner=inner,
        rounds=options.rounds,
        critic="critic",
        max_tokens=options.max_tokens or suite.max_tokens,
        temperature=options.temperature,
    )
    if options.rounds < 1 or not any(one.critique for one in told.principles):
        raise BadConfig(f"--rounds {options.rounds} of {told.name}: choose 1 or more, and principles that criticise")
    return system, suite


def tasks_of(options: Revise, suite: Suite) -> tuple[Task, ...]:
    split = options.split or ("train" if suite is VALE else "" if options.on in SUITES else "held_out")
    if not split:
        raise BadConfig(f"{suite.name} is a test set: to revise answers to it all the same, say --split held_out")
    if options.items < 1:
        raise BadConfig(f"--items {options.items}: choose at least 1")
    if options.kind == "errand":
        raise BadConfig("--kind errand: an errand needs tools, which a chat has not; choose another kind")
    return suite.tasks(options.kind or ("how" if suite is VALE else None), split, options.items, options.seed)


def rows_of(found: Sequence[Played], system: System) -> list[Revised]:
    """What became of the episodes that did not fail."""
    told = system.parameters["constitution"]
    return [revised(one, told, system.digest) for one in found if one.transcript is not None]


def _write(options: Revise, rows: Sequence[Revised], system: System) -> None:
    """Write what can be learned from, and say what could not."""
    told, notes = system.parameters["constitution"], Counter[str]()
    every = demonstrations(rows, told, "critiques", notes)
    kept = [one.to_row() for one in rows if one.usable]
    if not kept:
        raise BadConfig(f"of {len(rows)} answers none could be revised ({dict(notes)}): look at what the critic says")
    write_rows(options.out, kept)
    if options.critiques is not None:
        pairs = [one for one in every if any(turn.role == "user" for turn in one.completion)]  # type: ignore[union-attr]
        rows_of_pairs = ({"prompt": _plain(one.prompt), "completion": _plain(one.completion)} for one in pairs)
        write_rows(options.critiques, rows_of_pairs)
    told_notes = ", ".join(f"{why} {count}" for why, count in sorted(notes.items()))
    out.print(f"{options.out}: {len(kept)} revisions; {told_notes}", markup=False)


def _plain(text: Text) -> str | list[dict[str, Any]]:
    """As it stands in a row."""
    return text if isinstance(text, str) else [one.to_dict() for one in text]
