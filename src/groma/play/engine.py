"""What the driver plays with, as it sees them: engines that answer requests, and systems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from groma.formats.requests import Episode, Failure, Reply, Request
from groma.formats.task import Posed


class Engine(Protocol):
    """Answers requests, in any order and in batches of its own choice. The same request and seed get the same reply.

    submit: take a request on. `ticket` comes back with the answer and is never used twice in a process. Raises (say,
            Unservable) for a request that it cannot answer: that request fails, and nothing else.
    poll:   what is answered, at least one; may block; empty only where nothing is pending. What goes wrong with one
            request is a Failure in its place. What it raises means that the engine is broken, and ends the play.
    close:  drop what is pending, give back what is held.
    """

    def submit(self, ticket: int, request: Request, seed: int) -> None: ...
    def poll(self) -> list[tuple[int, Reply | Failure]]: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Seat:
    """Who takes a player's part: an engine under a name.

    digest: of all that decides its replies beside request and seed (its weights and precision, say); stands in records
            and logs. notes: what whoever reads the figures should know of it.
    """

    name: str
    digest: str
    engine: Engine
    notes: tuple[str, ...] = ()


class Embodiment(Protocol):
    """A system: a name, an identity, and the generator that it starts on what is posed (`groma.systems.System` is
    one).
    """

    @property
    def name(self) -> str: ...
    @property
    def digest(self) -> str: ...
    def __call__(self, posed: Posed) -> Episode: ...
