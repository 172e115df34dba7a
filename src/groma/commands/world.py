"""`groma world build`: make a base model of Vale from nothing. `groma world show`: look around in the country."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
import tyro

from groma.commands.console import Phases, out, parse
from groma.formats.errors import BadConfig
from groma.methods.keeping import check_out, kept, stoppable
from groma.studies import vale_base
from groma.worlds.vale import VALE, documents
from groma.worlds.vale.corpus import text_of


@dataclass(frozen=True, kw_only=True)
class Build:
    """Build a base model of Vale: corpus, tokenizer and weights, from nothing; the same seed gives the same weights."""

    out: Path
    """Folder to write: a plain Hugging Face folder, weights in bfloat16."""
    resume: bool = False
    """Go on with an interrupted build of the same --out."""
    threads: int | None = None
    """CPU threads. The weights depend on it in their last bits. None: as many as torch chooses."""
    recipe: tyro.conf.OmitArgPrefixes[vale_base.Recipe] = field(default_factory=vale_base.Recipe)


@dataclass(frozen=True, kw_only=True)
class Show:
    """Print documents of Vale's corpus and tasks with their truth."""

    documents: int = 12
    """How many documents of the corpus."""
    tasks: int = 8
    """How many tasks."""
    seed: int = 0
    """Which ones."""


COMMANDS = ("build", "show")


def main(arguments: Sequence[str]) -> None:
    if not arguments or arguments[0] in ("-h", "--help"):
        out.print("usage: groma world build|show [options]\n")
        out.print("  build   a base model of Vale, from nothing\n  show    documents and tasks")
        return
    if arguments[0] not in COMMANDS:
        raise BadConfig(f"there is no command world {arguments[0]!r}; choose one of {', '.join(COMMANDS)}")
    if arguments[0] == "build":
        build(parse(Build, "world build", arguments[1:]))
    else:
        show(parse(Show, "world show", arguments[1:]))


def build(options: Build) -> None:
    state = check_out(options.out, options.resume)
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    with Phases() as phases, stoppable() as stopped:
        phases.show("corpus and tokenizer", 0, 1)
        model = vale_base.untrained(options.recipe)
        phases.show("corpus and tokenizer", 1, 1)
        steps = kept(vale_base.build(model, options.recipe, state), model, options.out, stopped, dtype=torch.bfloat16)
        for _ in phases.steps(f"base {options.recipe.size}", steps, ("loss",)):
            pass
    out.print(
        f"{options.out}: {model.net.num_parameters():,} parameters, {len(model.tokenizer)} tokens in the vocabulary"
    )


def show(options: Show) -> None:
    for document in itertools.islice(documents(options.seed), options.documents):
        out.print(f"{text_of(document)}\n", markup=False)
    for task in VALE.tasks(None, "train", max(options.tasks, 1), options.seed):
        out.print(f"{task.kind}: {task.posed.messages[-1].content}", markup=False)
        out.print(f"  in one token: {task.posed.short[-1].content if task.posed.short else 'none'}", markup=False)
        out.print(f"  truth: {dict(task.gold)}", markup=False)
