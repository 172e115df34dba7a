"""`groma constitution revise`: drafts, critiques and revisions by a constitution, as data for fine-tuning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from groma.commands.console import Phases, out, parse
from groma.commands.players import check_player, players
from groma.commands.prompted import Logs, Prompted, chat_of, checked, constitution_of, tasks_of
from groma.formats.columns import as_cell
from groma.formats.errors import BadConfig
from groma.formats.jsonl import write_rows
from groma.methods.constitutional import Revised, demonstrations
from groma.studies.cai.data import EPISODE, FAILED, critiquing, revisions
from groma.suites.suite import Suite
from groma.systems.system import System


@dataclass(frozen=True, kw_only=True)
class Revise(Prompted):
    """Let a model answer prompts, a critic say what a constitution has against the answers, and the model revise them;
    write a row a prompt that a person can read and edit: groma align sft learns from it.
    """

    model: Annotated[str, tyro.conf.Positional]
    """Who answers: a shipped model (vale), a folder, a Hub id, or as groma survey's --player."""
    critic: str | None = None
    """Who criticises. None: the model itself."""
    reviser: str | None = None
    """Who says it again after a critique. None: the model itself. A model that was taught only to help may be a worse
    critic and reviser than the base that it came from.
    """
    rounds: int = 4
    """Rounds of critique and revision for each answer."""
    critiques: Path | None = None
    """Another file, for (critique, revision) pairs as demonstrations: models learn to criticise, too."""


def main(arguments: Sequence[str]) -> None:
    options = parse(Revise, "constitution revise", arguments)
    suite = checked(options, options.critiques)
    system = _system(options, suite)
    tasks, logs = tasks_of(options, suite), Logs(options, "calls")
    others = {"critic": options.critic, "reviser": options.reviser}
    whom = {"assistant": options.model, **{name: what or options.model for name, what in others.items()}}
    for what in whom.values():
        check_player(what)
    seats = players(whom)
    with Phases() as phases:
        rows, left_out = phases.through(revisions(system, tasks, seats, seed=options.seed, logs=logs.of))
    _write(options, rows, system, left_out)
    logs.forget()
    if left_out[EPISODE] > FAILED * len(tasks):
        raise SystemExit(1)


def _system(options: Revise, suite: Suite) -> System:
    told, chat = constitution_of(options.constitution), chat_of(options, suite)
    return critiquing(told, chat, options.rounds, options.max_tokens or suite.max_tokens, options.temperature)


def _write(options: Revise, rows: Sequence[Revised], system: System, notes: Counter[str]) -> None:
    """Write what can be learned from, and say what could not."""
    told = system.parameters["constitution"]
    every = demonstrations(rows, told, "critiques", notes)
    kept = [one.to_row() for one in rows if one.usable]
    if not kept:
        raise BadConfig(f"of {len(rows)} answers none could be revised ({dict(notes)}): look at what the critic says")
    write_rows(options.out, kept)
    if options.critiques is not None:
        pairs = [one for one in every if any(turn.role == "user" for turn in one.completion)]  # type: ignore[union-attr]
        rows_of_pairs = ({"prompt": as_cell(one.prompt), "completion": as_cell(one.completion)} for one in pairs)
        write_rows(options.critiques, rows_of_pairs)
    told_notes = ", ".join(f"{why} {count}" for why, count in sorted(notes.items()))
    out.print(f"{options.out}: {len(kept)} revisions; {told_notes}", markup=False)
