"""What all of `groma align` shares: options beside the method's own, the model with its notes, the notes of a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from groma.commands.console import err
from groma.methods.checkpoint import pads_with_an_end
from groma.methods.state import Step
from groma.models.load import load
from groma.models.model import Model


@dataclass(frozen=True, kw_only=True)
class Align:
    """Where the model and the examples are, and where the result goes."""

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


def loaded(name: str, device: str | None, trust_remote_code: bool, notes: Iterable[str] = ()) -> Model:
    """The model that is to be trained; what is to be known of it is told, and `notes` with it."""
    model = load(name, device=device, trust_remote_code=trust_remote_code)
    pads = "the model pads with one of its end tokens: the folder that is written names no pad token"
    for note in (*model.notes, *notes, *([pads] if pads_with_an_end(model) else [])):
        err.print(f"note: {note}", markup=False)
    return model


def tell_rows(step: Step) -> None:
    """What was done to rows of the data, as the first step of a run knows it."""
    for why, rows in step.notes.items():
        err.print(f"note: {rows} rows: {why}", markup=False)
