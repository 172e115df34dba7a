"""How much of everything the study takes."""

from __future__ import annotations

from dataclasses import dataclass, field

from groma.studies.stages import Aligning
from groma.studies.vale_base import Recipe


@dataclass(frozen=True, kw_only=True)
class Config:
    """requests: held-out ones, half of them harmful, on which everything is measured; revised: of them that are revised
    round by round, by every critic. small: the base that is the small critic. contests: held-out questions, beside the
    requests, over which models are preferred to each other.
    """

    aligning: Aligning = field(default_factory=Aligning)
    requests: int = 640
    revised: int = 640
    rounds: int = 4
    small: Recipe = field(default_factory=lambda: Recipe(size="xs", tokens=2_000_000))
    contests: int = 200
