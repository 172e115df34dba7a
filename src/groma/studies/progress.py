"""Progress: what a study yields while it works. The caller shows it; a study never prints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from groma.methods.state import Step


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `of` parts of `phase` are done; `text` says what there is to say about it."""

    phase: str
    done: int
    of: int
    text: str = ""


def training(phase: str, steps: Iterable[Step], names: Sequence[str]) -> Iterator[Progress]:
    """Training steps as they pass, with those of the metrics `names` that there are."""
    for step in steps:
        text = "  ".join(f"{name} {step.metrics[name]:.3f}" for name in names if name in step.metrics)
        yield Progress(phase, step.number, step.of, text)
