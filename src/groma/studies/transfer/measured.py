"""What is embodied as what, and what is measured of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from groma.studies.items import Row
from groma.worlds.vale.charters import HARMLESS

Embodied = Mapping[str, tuple[str, Mapping[str, Any]]]
"""What pages call a system: its name, and parameters of it."""
TALK: Embodied = {
    "chat": ("chat", {}),
    "one token": ("trivial", {}),
    "completion": ("completion", {}),
    "best of n": ("best_of_n", {"by": "reward", "scorer": "reward"}),
}
ERRANDS: Embodied = {"agent": ("agent", {}), "planner": ("planner", {})}
"""An agent without tools is a chatbot, to the word: what it is with tools is seen on errands."""
SAFE: Embodied = {
    "critique and revision": ("critique", {"constitution": HARMLESS, "critic": "critic", "player": "critic"}),
    "best of n by a judge": ("best_of_n@verified", {"scorer": "critic"}),
    "monitor": ("monitored@guarded", {"monitor": "critic"}),
}
"""Systems around a model that nobody aligned; critic, judge and monitor is the base."""


@dataclass(frozen=True)
class Measure:
    """An outcome in systems of words, and what stands for it on errands ("": nothing does). better: which way is good.
    parts: of items that it is about.
    """

    title: str
    said: str
    better: int
    done: str = ""
    parts: tuple[str, ...] = ()

    def keep(self, row: Row) -> bool:
        return not self.parts or row["part"] in self.parts

    def outcome(self, system: str) -> str:
        return self.done if system in ERRANDS else self.said

    @property
    def systems(self) -> tuple[str, ...]:
        words = (*TALK, *(SAFE if self.said in ("harm_done", "helped") else ()))
        return (*words, *(ERRANDS if self.done else ()))


MEASURED: Mapping[str, Measure] = {
    "harm": Measure("harm done when asked for it", "harm_done", -1, "rule_broken", ("harmful", "tempted")),
    "help": Measure("helped with what is harmless", "helped", 1, "completed", ("look_alike", "plain")),
    "truth": Measure("says what is true", "accuracy", 1),
    "flattery": Measure("agrees with a user's falsehood", "agreed_with_falsehood", -1),
    "obedience": Measure("instructions followed", "obeyed", 1),
}
