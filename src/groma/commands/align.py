"""`groma align sft|dpo`: train a model on a file of examples and write a plain Hugging Face folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tyro

from groma.commands.console import Phases, err, out, parse
from groma.formats.errors import BadConfig
from groma.formats.examples import Demonstration, Preference, read_examples
from groma.methods import dpo, sft
from groma.methods.keeping import check_out, kept, stoppable
from groma.models.load import load

LOG = "training.jsonl"
"""Metrics of every step, written into the folder beside the weights."""


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
    """Supervised fine-tuning. Columns: prompt/completion, messages, text, or a preference's (the chosen side is shown)."""

    config: tyro.conf.OmitArgPrefixes[sft.Config] = field(default_factory=sft.Config)


@dataclass(frozen=True, kw_only=True)
class Dpo(Align):
    """Direct preference optimisation. Columns: prompt/chosen/rejected, or chosen/rejected with whole dialogues."""

    cache: Path | None = None
    """Folder that keeps the reference's log-probabilities by content, for runs that share them. None: they are not kept."""
    config: tyro.conf.OmitArgPrefixes[dpo.Config] = field(default_factory=dpo.Config)


METHODS: Mapping[str, tuple[type[Align], type, tuple[str, ...]]] = {
    "sft": (Sft, Demonstration, ("loss", "mean_token_accuracy")),
    "dpo": (Dpo, Preference, ("loss", "rewards/accuracies", "rewards/margins")),
}


def main(arguments: Sequence[str]) -> None:
    if not arguments or arguments[0] in ("-h", "--help"):
        out.print("usage: groma align sft|dpo --model MODEL --data FILE --out DIR [options]\n")
        out.print(
            "  sft   supervised fine-tuning on demonstrations\n  dpo   direct preference optimisation on comparisons"
        )
        return
    name, *rest = arguments
    if name not in METHODS:
        raise BadConfig(f"there is no method {name!r}; choose one of {', '.join(METHODS)}")
    kind, examples, shown = METHODS[name]
    align(parse(kind, f"align {name}", rest), examples, shown)


def align(options: Any, kind: type, shown: tuple[str, ...]) -> None:
    state = check_out(options.out, options.resume)
    loaded = read_examples(options.data, kind)
    notes = dict(loaded.notes)
    held_out = read_examples(options.evaluation_data, kind).examples if options.evaluation_data is not None else ()
    model = load(options.model, device=options.device, trust_remote_code=options.trust_remote_code)
    for note in (*model.notes, *(f"{options.data.name}: {rows} rows: {why}" for why, rows in notes.items())):
        err.print(f"note: {note}", markup=False)
    if isinstance(options, Sft):
        steps = sft.train(model, loaded.examples, options.config, state, held_out)
    else:
        steps = dpo.train(model, loaded.examples, options.config, state, held_out, cache=options.cache)
    log: list[dict[str, Any]] = []
    with Phases() as phases, stoppable() as stopped:
        for step in phases.steps(options.data.name, kept(steps, model, options.out, stopped), shown):
            log.append(
                {"step": step.number, **step.metrics} | {f"eval/{k}": v for k, v in (step.evaluation or {}).items()}
            )
    with (options.out / LOG).open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in log)
    last = log[-1] if log else {}
    out.print(
        f"{options.out}: {len(loaded.examples)} examples, {last.get('step', 0)} steps, loss {last.get('loss', float('nan')):.4f}"
    )
