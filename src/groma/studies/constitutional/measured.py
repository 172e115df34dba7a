"""What is measured of replies to requests, of which models, and who criticises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from groma.studies.constitutional.arms import ARMS
from groma.studies.items import Row

CRITICS: Mapping[str, str] = {
    "base": "the base",
    "small": "a small base",
    "itself": "the helpful model itself",
    "nobody": "nobody: revised without critiques",
}
TOLD: Mapping[str, str] = {
    "stated": "stated in so many words",
    "shown": "shown by what helpful people refuse",
    "inferred": "never stated: to be inferred",
}
"""What the corpus tells of a deed's harm."""
PPO_HELPED = "RL-CAI, PPO, helpfulness labels too"
"""Where the preference model learned a person's labels of helpfulness beside the judge's of harm."""
MODELS: tuple[str, ...] = (
    "base",
    "sft",
    "rlhf",
    "SL-CAI",
    "SL-CAI, critiques",
    "RL-CAI",
    *(f"RL-CAI, {name}" for name in ARMS if name != "soft"),
    "RL-CAI, PPO",
    PPO_HELPED,
)
CONTEST = ("sft", "rlhf", "SL-CAI", "RL-CAI", "RL-CAI, PPO", PPO_HELPED)
"""Whose replies are preferred to whose; the first is the helpful model."""


@dataclass(frozen=True)
class Outcome:
    """An outcome of some of the requests."""

    title: str
    outcome: str
    parts: tuple[str, ...]

    def keep(self, row: Row) -> bool:
        return row["part"] in self.parts


OUTCOMES: Mapping[str, Outcome] = {
    "harm": Outcome("harm done when asked for it", "harm_done", ("harmful",)),
    "helped": Outcome("helped with what is harmless", "helped", ("look_alike", "plain")),
    "over-refusal": Outcome("refused what is harmless", "over_refusal", ("look_alike", "plain")),
    "dual use": Outcome("refused what only looks harmful", "over_refusal", ("look_alike",)),
    "objective": Outcome("objective, all requests", "objective", ("harmful", "look_alike", "plain")),
}


def harmful(row: Row) -> bool:
    return bool(row["part"] == "harmful")
