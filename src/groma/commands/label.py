"""`groma constitution label`: a judge's soft labels of two replies by a constitution, to learn from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import tyro

from groma.commands.console import Phases, out, parse
from groma.commands.players import check_player, only_speaks, players
from groma.commands.prompted import Logs, Prompted, chat_of, checked, constitution_of, tasks_of
from groma.formats.errors import BadConfig
from groma.formats.jsonl import write_rows
from groma.judges.feedback import By
from groma.judges.model import By as Read
from groma.studies.cai.labels import check_clamp, judging, label_row, labelled, measured, report


@dataclass(frozen=True, kw_only=True)
class LabelPairs(Prompted):
    """Draw two replies of a model to each prompt, let a judge say how likely the first is the better one by a principle
    of a constitution, and write prompt/chosen/rejected/probability rows for align reward and align dpo.
    """

    model: Annotated[str, tyro.conf.Positional]
    """Who replies: a shipped model (vale), a folder, a Hub id, or as groma survey's --player."""
    judge: str | None = None
    """Who judges. None: the model itself."""
    by: By | None = None
    """comparison: both replies at once, in both orders. critique: each reply apart, by what a critic says of it. None:
    comparison, where the constitution has one.
    """
    reasons: bool = False
    """The judge first writes why (chain of thought); its labels are clamped."""
    clamp: tuple[float, float] | None = None
    """The least and the greatest probability. None: 0.4 and 0.6 with --reasons, else none."""
    read: Read = "scores"
    """By the judge's scores, or by its words, for a judge that only speaks (behind a server, a person)."""


def main(arguments: Sequence[str]) -> None:
    options = parse(LabelPairs, "constitution label", arguments)
    suite, told = checked(options), constitution_of(options.constitution)
    check_clamp(options.clamp)
    judge = judging(told, options.by, options.reasons, options.read, options.max_tokens)
    tasks, logs = tasks_of(options, suite), Logs(options, "first", "second", "judge")
    whom = {"assistant": options.model, "judge": options.judge or options.model}
    for what in whom.values():
        check_player(what)
    if options.read == "scores" and only_speaks(whom["judge"]):
        raise BadConfig(f"the judge {whom['judge']} only speaks: choose --read words, or name a model")
    seats, notes, chat = players(whom), Counter[str](), chat_of(options, suite)
    with Phases() as phases:
        labels = labelled(chat, judge, tasks, seats, seed=options.seed, logs=logs.of, clamp=options.clamp, notes=notes)
        known = phases.through(labels)
    write_rows(options.out, [label_row(two, one) for two, one in known])
    logs.forget()
    out.print(f"{options.out}: {len(known)} labels", markup=False)
    for line in (*(f"{why}: {count}" for why, count in sorted(notes.items())), *report(measured(known, suite.judge))):
        out.print(f"  {line}", markup=False)
