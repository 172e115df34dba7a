"""Options that all of `groma align` share beside the method's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


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
