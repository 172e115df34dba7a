"""Options and first steps of commands that let models answer prompts by a constitution, and keep what was answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groma.commands.console import check_sampling, told_anew
from groma.commands.surveying import check_seed, suite_from
from groma.formats.constitution import Constitution, find_constitution
from groma.formats.errors import BadConfig
from groma.formats.task import Task
from groma.play import CallLog
from groma.studies.cai.data import seeded
from groma.suites import SUITES
from groma.suites.suite import Suite
from groma.systems import SYSTEMS
from groma.systems.system import System
from groma.worlds.vale import VALE
from groma.worlds.vale.charters import CHARTER, HARMLESS

WORLDS = {"vale": CHARTER, "vale-harm": HARMLESS}
"""Constitutions that are written in a world's own words."""


@dataclass(frozen=True, kw_only=True)
class Prompts:
    """By which constitution, and whose prompts."""

    constitution: str = "default"
    """A .toml or .json file, or one that ships: default (for real models), vale, vale-harm."""
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
    temperature: float = 1.0
    """Of all that is said."""
    max_tokens: int | None = None
    """Longest reply. None: what the suite says is enough."""
    seed: int = 0
    """Of prompts, principles and replies."""
    resume: bool = False
    """Go on with what was interrupted: nothing that was answered is asked again."""


@dataclass(frozen=True, kw_only=True)
class Prompted(Prompts):
    """The same for commands that write a file."""

    out: Path
    """File to write (.jsonl or .jsonl.gz). What was answered is kept beside it until it is whole."""


def checked(options: Prompted, *files: Path | None) -> Suite:
    """Whose prompts. What cannot be is refused before anything is loaded. files: that are written beside `out`."""
    for path in (options.out, *files):
        if path is not None and path.exists():
            raise BadConfig(f"{path} already holds something: name a file that does not exist")
        if path is not None and not path.name.removesuffix(".gz").endswith(".jsonl"):
            raise BadConfig(f"{path}: rows are written as .jsonl or .jsonl.gz")
    return suite_of(options)


def suite_of(options: Prompts) -> Suite:
    """Whose prompts. BadConfig for options that cannot be."""
    check_sampling(options.temperature, options.max_tokens)
    check_seed(options.seed)
    if options.items < 1:
        raise BadConfig(f"--items {options.items}: choose at least 1")
    if options.kind == "errand":
        raise BadConfig("--kind errand: an errand needs tools, which a chat has not; choose another kind")
    return suite_from(options.on, options.data)


def tasks_of(options: Prompts, suite: Suite) -> tuple[Task, ...]:
    """The prompts."""
    split = options.split or ("train" if suite is VALE else "" if options.on in SUITES else "held_out")
    if not split:
        raise BadConfig(f"{suite.name} is a test set: to use its prompts all the same, say --split held_out")
    found = suite.tasks(options.kind or ("how" if suite is VALE else None), split, options.items, options.seed)
    return seeded(found, options.seed)


def chat_of(options: Prompts, suite: Suite) -> System:
    """Who answers."""
    return SYSTEMS["chat"].with_(temperature=options.temperature, max_tokens=options.max_tokens or suite.max_tokens)


def constitution_of(name: str) -> Constitution:
    """A world's constitution, one that ships, or a file."""
    return WORLDS[name] if name in WORLDS else find_constitution(name)


class Logs:
    """Files beside `out` in which what was answered is kept until `out` is whole. BadConfig for those of an interrupted
    run, unless it is gone on with.
    """

    def __init__(self, options: Prompted, *parts: str) -> None:
        self.at = {part: options.out.with_name(f".{options.out.name}.{part}.jsonl") for part in parts}
        there = [path for path in self.at.values() if path.exists()]
        if options.resume and not there:
            told_anew(options.out)
        if there and not options.resume:
            raise BadConfig(f"{there[0]} holds the answers of an interrupted run: add --resume to go on, or remove it")

    def of(self, part: str, about: Mapping[str, Any]) -> CallLog:
        """The log of a part. BadInput where it is about something else."""
        return CallLog(self.at[part], about)

    def forget(self) -> None:
        for path in self.at.values():
            path.unlink(missing_ok=True)
