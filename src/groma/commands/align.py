"""`groma align sft|dpo`: train a model on a file of examples and write a plain Hugging Face folder.

Also by several processes that `accelerate launch` begins (docs/distributed.md); the first alone prints and writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tyro

from groma.commands.console import Phases, err, hush, out, parse, told_anew
from groma.formats import launched
from groma.formats.errors import BadConfig
from groma.formats.examples import Demonstration, Loaded, Preference, read_examples
from groma.methods import dpo, processes, sft
from groma.methods.checkpoint import pads_with_an_end
from groma.methods.keeping import LOG, check_out, kept, stoppable
from groma.methods.state import State, Step
from groma.models.load import load
from groma.models.model import Model


@dataclass(frozen=True, kw_only=True)
class Align:
    """Options that both methods share beside their configuration."""

    model: str
    """The model to train: a shipped one (vale), a folder, or a Hub id."""
    data: Path
    """Examples (.jsonl, .json or .csv, also .gz)."""
    out: Path
    """Folder to write: a plain Hugging Face folder, adapters merged."""
    evaluation_data: Path | None = None
    """Examples for evaluation during training; needs --evaluate-every."""
    resume: bool = False
    """Go on with an interrupted run of the same --out and the same options, bit for bit."""
    device: str | None = None
    """cpu, cuda, … None: a GPU where there is one."""
    trust_remote_code: bool = False
    """Run Python code that the model's folder brings along. Off unless you trust it."""


@dataclass(frozen=True, kw_only=True)
class Sft(Align):
    """Supervised fine-tuning. Columns: prompt/completion, messages, text, or a preference's (the chosen side is
    shown).
    """

    config: tyro.conf.OmitArgPrefixes[sft.Config] = field(default_factory=sft.Config)


@dataclass(frozen=True, kw_only=True)
class Dpo(Align):
    """Direct preference optimisation. Columns: prompt/chosen/rejected, or chosen/rejected with whole dialogues."""

    cache: Path | None = None
    """Folder that keeps the reference's log-probabilities by content, for runs that share them. None: they are not
    kept.
    """
    config: tyro.conf.OmitArgPrefixes[dpo.Config] = field(default_factory=dpo.Config)


def main(arguments: Sequence[str]) -> None:
    if launched.rank():
        hush()
    if not arguments or arguments[0] in ("-h", "--help"):
        out.print("usage: groma align sft|dpo --model MODEL --data FILE --out DIR [options]\n")
        out.print("  sft   supervised fine-tuning on demonstrations")
        out.print("  dpo   direct preference optimisation on comparisons")
        return
    name, *rest = arguments
    if name == "sft":
        shown = parse(Sft, "align sft", rest)
        align(shown, ("loss", "mean_token_accuracy"))
    elif name == "dpo":
        compared = parse(Dpo, "align dpo", rest)
        align(compared, ("loss", "rewards/accuracies", "rewards/margins"))
    else:
        raise BadConfig(f"there is no method {name!r}; choose one of sft, dpo")


def align(options: Sft | Dpo, shown: tuple[str, ...]) -> None:
    """Train and write the model; what was dropped or handled is told."""
    device = processes.begin(options.device)
    with processes.here().failing():
        model, begun = _begun(options, device)
    last = None
    with Phases() as phases, stoppable() as stopped:
        steps = kept(begun, model, options.out, stopped, unset_pad=True)
        for step in phases.steps(f"align {options.data.name}", steps, shown):
            if last is None:
                for why, rows in step.notes.items():
                    err.print(f"note: {rows} rows: {why}", markup=False)
            last = step
    processes.end()
    if last is not None:
        out.print(f"{options.out}: {last.number} steps, loss {last.metrics['loss']:.4f}; {LOG} has every step")


def _begun(options: Sft | Dpo, device: str | None) -> tuple[Model, Iterator[Step]]:
    """The model and its training, of which nothing is done yet but what can be refused."""
    data: Loaded[Any] = read_examples(options.data, Demonstration if isinstance(options, Sft) else Preference)
    state = check_out(options.out, options.resume)
    if options.resume and state is None:
        told_anew(options.out)
    model = load(options.model, device=device, trust_remote_code=options.trust_remote_code)
    notes = [*model.notes, *(f"{options.data.name}: {rows} rows: {why}" for why, rows in data.notes.items())]
    if pads_with_an_end(model):
        notes.append("the model pads with one of its end tokens: the folder that is written names no pad token")
    for note in notes:
        err.print(f"note: {note}", markup=False)
    return model, _steps(options, data, model, state)


def _steps(options: Sft | Dpo, data: Loaded[Any], model: Model, state: State | None) -> Iterator[Step]:
    place = options.evaluation_data
    if isinstance(options, Sft):
        shown = read_examples(place, Demonstration).examples if place is not None else ()
        return sft.train(model, data.examples, options.config, state, shown)
    held_out = read_examples(place, Preference).examples if place is not None else ()
    return dpo.train(model, data.examples, options.config, state, held_out, cache=options.cache)
