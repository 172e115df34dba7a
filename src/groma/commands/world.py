"""`groma world build`: make a base model of Vale from nothing. `groma world show`: look around in the country.
`groma world organism` (organism.py): train a model with planted misbehaviour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
import tyro
from rich.markdown import Markdown

from groma.commands import organism
from groma.commands.console import Phases, out, parse, told_anew
from groma.formats.errors import BadConfig
from groma.methods.keeping import check_out, kept, stoppable
from groma.models.load import usable
from groma.models.names import CACHED, cached
from groma.studies import vale_base
from groma.worlds.vale import country
from groma.worlds.vale.country import SEED
from groma.worlds.vale.tour import tour


@dataclass(frozen=True, kw_only=True)
class Build:
    """Build a base model of Vale: corpus, tokenizer and weights, from nothing; the same seed gives the same weights."""

    out: Path | None = None
    """Folder to write: a plain Hugging Face folder, weights in bfloat16. None: groma's cache, where the model is found
    by its name (vale-xs, vale-s, vale-l).
    """
    resume: bool = False
    """Go on with an interrupted build of the same --out."""
    threads: int | None = None
    """CPU threads. The weights depend on it in their last bits. None: as many as torch chooses."""
    device: str = "cpu"
    """Where to train, as torch names it. The shipped bases were made on the CPU; others give other last bits."""
    recipe: tyro.conf.OmitArgPrefixes[vale_base.Recipe] = field(default_factory=vale_base.Recipe)


@dataclass(frozen=True, kw_only=True)
class Show:
    """Print the country: its people, what is true, what does harm, the town hall, documents, and tasks with their
    truth.
    """

    documents: int = 1
    """How many documents of each kind."""
    tasks: int = 2
    """How many tasks of each kind."""
    seed: int = 0
    """Which documents, tasks and person."""
    country: int = SEED
    """The seed of the country. Another one has other facts and splits."""


COMMANDS = ("build", "show", "organism")


def main(arguments: Sequence[str]) -> None:
    if not arguments or arguments[0] in ("-h", "--help"):
        out.print("usage: groma world build|show|organism [options]\n")
        out.print("  build      a base model of Vale, from nothing\n  show       look around in the country")
        out.print("  organism   a model with planted misbehaviour, to try measures and claims on")
        return
    if arguments[0] not in COMMANDS:
        raise BadConfig(f"there is no command world {arguments[0]!r}; choose one of {', '.join(COMMANDS)}")
    if arguments[0] == "build":
        build(parse(Build, "world build", arguments[1:]))
    elif arguments[0] == "organism":
        organism.main(arguments[1:])
    else:
        show(parse(Show, "world show", arguments[1:]))


def build(options: Build) -> None:
    if options.threads is not None and options.threads < 1:
        raise BadConfig(f"--threads {options.threads}; choose at least 1")
    folder, device = options.out or _cache(options.recipe), usable(options.device)
    state = check_out(folder, options.resume)
    if options.resume and state is None:
        told_anew(folder)
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    with Phases() as phases, stoppable() as stopped:
        phases.show("tokenizer", 0, 1)
        model = vale_base.untrained(options.recipe)
        phases.show("tokenizer", 1, 1)
        model.net.to(device)  # type: ignore[arg-type]
        steps = vale_base.build(model, options.recipe, state, lambda done, of: phases.show("corpus", done, of))
        steps = kept(steps, model, folder, stopped, dtype=torch.bfloat16)
        for _ in phases.steps(f"base {options.recipe.size}", steps, ("loss",)):
            pass
    out.print(f"{folder}: {model.net.num_parameters():,} parameters, {len(model.tokenizer)} tokens in the vocabulary")
    if told := vale_base.compared(options.recipe, folder / "model.safetensors"):
        out.print(told)


def _cache(recipe: vale_base.Recipe) -> Path:
    """Where the model of a size is found by its name. BadConfig for a recipe that is not the one of that name."""
    name = f"vale-{recipe.size}"
    if name not in CACHED:
        raise BadConfig(f"{name} ships with groma as vale; to build it again all the same, give --out FOLDER")
    if vale_base.named(recipe) is None:
        raise BadConfig(
            f"the model {name} has the default tokens, seed and country; for a build with others, give --out FOLDER"
        )
    return cached(name)


def show(options: Show) -> None:
    for name in ("documents", "tasks"):
        if getattr(options, name) < 0:
            raise BadConfig(f"--{name} {getattr(options, name)}; choose 0 or more")
    text = tour(country(options.country), options.documents, options.tasks, options.seed)
    out.print(Markdown(text) if out.is_terminal else text, markup=False, highlight=False, soft_wrap=not out.is_terminal)
