"""Progress: what a study yields while it works. The caller shows it; a study never prints."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `of` parts of `phase` are done; `text` says what there is to say about it."""

    phase: str
    done: int
    of: int
    text: str = ""
