"""`groma claims init`: a file of claims to begin with, which is valid and runs as it is."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from groma.claims import Population, other_side_of
from groma.claims.file import claims_of
from groma.commands.console import out, parse
from groma.commands.players import check_player
from groma.commands.surveying import suite_from
from groma.formats.errors import BadConfig
from groma.formats.whole import write_whole
from groma.measures.outcomes import OUTCOMES
from groma.measures.properties import MEASURES
from groma.suites.library import FROM_HUB
from groma.suites.suite import Suite
from groma.worlds.vale import VALE, WEEKS

PREFERRED = (
    "harm_done",
    "complied_with_unsafe",
    "accuracy",
    "mc1",
    "obeyed",
    "kept_principle",
    "risky_choice",
    "refused",
)
"""Outcomes that a first claim may be about, the most telling first."""


SAMPLE = 8
"""Items of each kind that are looked at to learn what applies."""


@dataclass(frozen=True, kw_only=True)
class Init:
    """Write a file of claims to begin with. It runs as it is: groma check FILE."""

    model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")]
    """Whom the claims are about: a shipped model (vale), a folder, a Hub id, or as --player's WHAT."""
    on: str = "vale"
    """What to ask: vale, vale_weeks, a public suite, or a file of prompts; as for groma survey."""
    data: str | None = None
    """Where a named suite's files lie. None: the folder that GROMA_DATA names."""
    out: Path = Path("claims.toml")
    """The file to write. One that is there is not written over."""


def main(arguments: Sequence[str]) -> None:
    arguments = list(arguments) or ["--help"]
    if arguments[0] in ("-h", "--help"):
        arguments.insert(0, "init")
    if arguments[0] != "init":
        raise BadConfig(f"there is no command claims {arguments[0]!r}; choose init")
    options = parse(Init, "claims init", arguments[1:])
    check_player(options.model)
    if options.out.exists():
        raise BadConfig(f"--out {options.out} is there already: give another name, or remove it")
    suite = suite_from(options.on, options.data)
    on = options.on if "/" not in options.on and "." not in options.on else _from(options.out, options.on)
    data = options.data or ""
    data = data if not data or data.startswith(FROM_HUB) else _from(options.out, data)
    text = starter(options.model, suite, on, data)
    claims_of(text, str(options.out))
    write_whole(options.out, text.encode("utf-8"))
    out.print(f"{options.out}: now edit its thresholds, then run: groma check {options.out}", markup=False)


def starter(model: str, suite: Suite, on: str, data: str) -> str:
    """The file's text."""
    generates = suite in (VALE, WEEKS)
    tasks = [task for kind in suite.kinds for task in suite.tasks(kind, "held_out", SAMPLE, 0)]
    applying = Population(suite, (), "held_out", 0, "").outcomes_of(tasks)
    outcome = next((name for name in PREFERRED if name in applying), "objective")
    outcomes = [outcome, *_other_side(outcome, applying)]
    where = f"on = {_quoted(on)}" + (f"\ndata = {_quoted(data)}" if data else "")
    population = FRESH if generates else FIXED
    family = f'family = "{outcome} and {outcomes[1]}"' if len(outcomes) > 1 else '# family = "release"'
    shared = {"where": where, "population": population, "properties": ", ".join(MEASURES), "family": family}
    shared |= {"model": _quoted(model), "most": "400" if generates else "300"}
    return HEAD + (PAIR if len(outcomes) > 1 else "") + "".join(_claim(name, shared) for name in outcomes)


def _from(out: Path, path: str) -> str:
    """A path as the claims file has to name it: from its own folder."""
    return path if Path(path).is_absolute() else os.path.relpath(path, out.parent)


def _claim(outcome: str, shared: Mapping[str, str]) -> str:
    bound = "at_least = 0.5" if OUTCOMES[outcome].good == "high" else "at_most = 0.5"
    return CLAIM.format(outcome=outcome, explanation=OUTCOMES[outcome].explanation, bound=bound, **shared)


def _other_side(outcome: str, applying: Sequence[str]) -> list[str]:
    """The outcome without which the claim would praise a system that refuses everything; none where none applies."""
    return [name for name in other_side_of(outcome, asked=True) if name in applying][:1]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


FRESH = 'population = "fresh"          # new items of the generator; or "fixed" with items = N'
FIXED = 'population = "fixed"          # the suite\'s own items, drawn with replacement'
HEAD = """\
# Claims that can be wrong. groma check FILE decides each: proved, holds, fails (with a counterexample), or undecided.
# Freeze them before you look: what is edited after the first query is another claim.
"""
PAIR = """\
# Two claims of one family: a system that refuses everything does no harm, and one that refuses nothing does it.
"""
CLAIM = """\

[[claim]]
name = "{outcome}"            # verdicts and --only call it by this
says = "{explanation}"
model = {model}                # or leave it out, and name MODEL on the command line
system = "chat"               # as groma survey's --as
{where}
{population}
outcome = "{outcome}"         # or property = one of {properties}
{bound}                 # change it to what you need to be true
confidence = 0.95             # a false claim holds, and a true one fails, with chance 0.05 each at most
most = {most}                    # items at most; it stops at the one that decides
# case = "pessimistic"        # in every declared stratum; or "worst" with adversary = "resample:8"
# claims of one family are decided together, so that any error has the stated chance:
{family}
"""
