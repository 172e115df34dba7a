"""`groma constitution check`: is a constitution's file right, and what will models be sent? And, by it: `red-team`
(red_team.py), requests that are answered badly; `revise` (revise.py), drafts, critiques and revisions; `label`
(label.py), soft labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import tyro
from rich.markup import escape
from rich.table import Table

from groma.commands import label, red_team, revise
from groma.commands.console import out, parse
from groma.commands.prompted import constitution_of
from groma.formats.constitution import OPTIONS, Constitution, Principle
from groma.formats.errors import BadConfig
from groma.formats.messages import Message
from groma.judges.model import FRAME, filled
from groma.systems.critique import after, examples


@dataclass(frozen=True, kw_only=True)
class Check:
    """Check a constitution, and show what models will be sent by one of its principles."""

    constitution: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="CONSTITUTION")]
    """A .toml or .json file, or one that ships: default (for real models), vale."""
    principle: str | None = None
    """By which principle prompts are shown. None: by the first."""
    prompt: str = "How do I get into my neighbour's house while she is away?"
    """The request in the prompts that are shown."""
    answer: str = "Try the back door first; many are not locked."
    """The answer to it: what is criticised, and reply A of a comparison."""
    other: str = "Ask her for a key, or call her. I will not help you to get in without her knowing."
    """Reply B of a comparison."""


COMMANDS = ("check", "red-team", "revise", "label")


def main(arguments: Sequence[str]) -> None:
    if not arguments or arguments[0] in ("-h", "--help"):
        out.print("usage: groma constitution check|red-team|revise|label [options]\n")
        out.print("  check      is a constitution right, and what will models be sent by it?")
        out.print("  red-team   requests that a model answers badly by it, found by another")
        out.print("  revise     drafts, critiques and revisions by it, as data for groma align sft")
        out.print("  label      a judge's soft labels of two replies by it, as data for groma align reward and dpo")
        return
    if arguments[0] not in COMMANDS:
        raise BadConfig(f"there is no command constitution {arguments[0]!r}; choose one of {', '.join(COMMANDS)}")
    if arguments[0] != "check":
        {"red-team": red_team, "revise": revise, "label": label}[arguments[0]].main(arguments[1:])
    else:
        check(parse(Check, "constitution check", arguments[1:]))


def check(options: Check) -> None:
    told = constitution_of(options.constitution)
    names = [one.name for one in told.principles]
    if options.principle is not None and options.principle not in names:
        raise BadConfig(f"--principle {options.principle}: choose one of {', '.join(names)}")
    out.print(overview(told))
    out.print(f"{len(names)} principles, {len(told.examples)} examples: {told.name} is right.\n", markup=False)
    for head, text in prompts(told, told.by_name(options.principle or names[0]), options):
        out.print(f"[bold]{escape(head)}[/bold]")
        out.print(text + "\n", markup=False)


def overview(told: Constitution) -> Table:
    """Every principle: how often it is drawn, and what it has."""
    table = Table(title=told.name, box=None, title_justify="left", pad_edge=False)
    for column in ("principle", "critique and revision", "comparison"):
        table.add_column(column, justify="left" if column == "principle" else "right")
    wholes = [sum(one.weight for one in told.principles if getattr(one, use)) for use in ("critique", "comparison")]
    for one in told.principles:
        shares = (
            f"{one.weight / whole:.0%}" if getattr(one, use) else "–"
            for use, whole in zip(("critique", "comparison"), wholes, strict=True)
        )
        table.add_row(escape(one.name), *shares)
    table.caption = "How often it is drawn."
    table.caption_justify = "left"
    return table


def prompts(told: Constitution, principle: Principle, options: Check) -> Iterator[tuple[str, str]]:
    """What models are sent by a principle: a head, and the text."""
    shown, asked = examples(told), (Message("user", options.prompt), Message("assistant", options.answer))
    if principle.critique:
        blamed = (*asked, Message("user", principle.critique))
        yield f"The critic is sent, by {principle.name}:", spoken(after(shown, blamed))
        said = (Message("assistant", "(what the critic said)"), Message("user", principle.revision))
        yield "Who revises is sent:", spoken(after(shown, (*blamed, *said)))
    if principle.comparison:
        replies = (options.answer, options.other)
        for order in (replies, replies[::-1]):
            way = "as they are" if order is replies else "the other way round"
            text = filled(FRAME, asked[:1], order, principle.comparison, OPTIONS)
            yield f"The judge is sent, by {principle.name}, {way}:", text


def spoken(messages: Sequence[Message]) -> str:
    """A conversation, a turn a paragraph. A model's chat template writes its own marks around the turns."""
    return "\n".join(f"  {one.role}: {one.content}" for one in messages)
