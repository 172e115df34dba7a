"""Who plays in the claims of a file: each loaded once, with the logs of what was asked of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from groma.claims import Embodied
from groma.commands.players import player
from groma.formats.digest import digest
from groma.formats.run_folder import RunFolder
from groma.formats.task import Task
from groma.formats.transcript import Played
from groma.play import CallLog, Seat, play
from groma.studies.matrix import PLAYER
from groma.suites.suite import Suite
from groma.systems import System

WIDTH = 256
"""Episodes that are played at a time."""


@dataclass
class Players:
    """Who plays, loaded once each; and the logs of what was asked of them, one for each cast and suite."""

    others: Mapping[str, str]
    folder: RunFolder
    seed: int
    stopped: Callable[[], bool]
    trust_remote_code: bool = False
    seats: dict[str, Seat] = field(default_factory=dict)
    logs: dict[str, CallLog] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)

    def load(self, models: Sequence[str]) -> None:
        """Everybody, each once. BadConfig or BadInput where somebody cannot be loaded."""
        for what in dict.fromkeys((*models, *self.others.values())):
            if what not in self.seats:
                self.seats[what] = player(what, self.trust_remote_code)

    def embodied(self, system: System, model: str, suite: Suite) -> Embodied:
        seat = self.seats[model]
        others = {name: self.seats[what] for name, what in self.others.items()}
        digests = {name: one.digest for name, one in others.items()}
        cast = digest(seat.digest, digests) if others else seat.digest
        engines = {PLAYER: seat.engine, **{name: one.engine for name, one in others.items()}}
        width = 1 if "person" in (model, *self.others.values()) else WIDTH

        def played(asked: System, tasks: Sequence[Task]) -> Iterator[Played]:
            going = play(
                asked,
                tasks,
                engines,
                seed=self.seed,
                width=width,
                log=self._log(cast, suite),
                open_environment=suite.open,
            )
            for one in going:
                self.asked.update(one.cost)
                yield replace(one, calls=())  # they stand in the log
                if self.stopped():
                    raise KeyboardInterrupt

        return Embodied(system, played, seat.name, seat.digest, digests)

    def _log(self, cast: str, suite: Suite) -> CallLog:
        about: dict[str, Any] = {"model": cast, "suite": suite.name, "seed": self.seed}
        name = f"calls/{digest(about)}.jsonl"
        if name not in self.logs:
            self.logs[name] = CallLog(self.folder.file(name), about)
        return self.logs[name]

    def notes(self) -> list[str]:
        """What the reader of the figures should know of who played."""
        idle = sorted(set(self.others) - self.asked)
        told = [f"no system asked {name}: to name who plays it had no effect" for name in idle]
        return list(dict.fromkeys([*(note for seat in self.seats.values() for note in seat.notes), *told]))

    def close(self) -> None:
        for seat in self.seats.values():
            seat.engine.close()
