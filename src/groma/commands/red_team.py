"""`groma constitution red-team`: requests that a model answers badly by a constitution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import tyro

from groma.commands.console import Phases, out, parse
from groma.commands.players import check_player, kind_of, only_speaks, players
from groma.commands.prompted import Logs, Prompted, chat_of, checked, constitution_of, tasks_of
from groma.formats.errors import BadConfig
from groma.formats.jsonl import write_rows
from groma.judges.model import By as Read
from groma.models.names import resolve
from groma.studies.cai.data import attacking, requests
from groma.worlds.vale.charters import RED_TEAM


@dataclass(frozen=True, kw_only=True)
class RedTeam(Prompted):
    """Let an attacker write requests like those of a suite, a model answer them, and a critic say how bad the answers
    are by a principle of a constitution; write the requests that were answered worst, one of each search.

    An attacker who is a model of Vale goes on with a user's turn, as it was taught to; others are asked for a request.
    """

    model: Annotated[str, tyro.conf.Positional]
    """Who answers: a shipped model (vale), a folder, a Hub id, or as groma survey's --player."""
    attacker: str | None = None
    """Who writes the requests. None: the model itself."""
    critic: str | None = None
    """Who criticises. None: the model itself."""
    read: Read = "scores"
    """How bad an answer is: by the critic's scores, or by its words, for one that only speaks."""
    tries: int = 8
    """Requests that the attacker may try in each of --items searches."""


def main(arguments: Sequence[str]) -> None:
    options = parse(RedTeam, "constitution red-team", arguments)
    suite, told = checked(options), constitution_of(options.constitution)
    whom = {"assistant": options.model, "attacker": options.attacker or options.model}
    whom["critic"] = options.critic or options.model
    for what in whom.values():
        check_player(what)
    if options.read == "scores" and only_speaks(whom["critic"]):
        raise BadConfig(f"the critic {whom['critic']} only speaks: choose --read words, or name a model")
    chat, more = chat_of(options, suite), taught(whom["attacker"])
    system = attacking(told, chat, options.tries, options.read, more)
    tasks, logs = tasks_of(options, suite), Logs(options, "red-team")
    seats = players(whom)
    with Phases() as phases:
        rows = phases.through(requests(system, tasks, seats, seed=options.seed, logs=logs.of))
    write_rows(options.out, rows)
    logs.forget()
    out.print(f"{options.out}: {len(rows)} different requests that were answered badly, of {len(tasks)} searches")
    for row in rows[:3]:
        out.print(f"  {row['badness']:.2f}  {row['prompt'][-1]['content']!r} -> {row['answer']!r:.80}", markup=False)


def taught(attacker: str) -> Mapping[str, Any]:
    """How an attacker goes on with a request that was taught a world's corpus; of others nothing."""
    ours = kind_of(attacker) == "model" and str(resolve(attacker)) == str(resolve("vale"))
    return RED_TEAM if ours else {}
