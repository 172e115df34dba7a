"""Where acts have effects: what the driver opens for a task, plays in, forks for parallel branches, and closes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from groma.formats.requests import Act, Reply, Tool


class Environment(Protocol):
    """Where acts have effects.

    tools: what can be done in it.
    state: what a judge may look at when the episode has ended, as plain values.
    act:   do it, and say what came of it; raises what fails.
    fork:  an independent copy, for parallel branches; raises where there can be none.
    repeatable: whether acts that stand in a log may be done again, since they have no effect beyond this process.
    """

    @property
    def repeatable(self) -> bool: ...
    @property
    def tools(self) -> Sequence[Tool]: ...
    @property
    def state(self) -> Mapping[str, Any]: ...
    def act(self, request: Act) -> Reply: ...
    def fork(self) -> Environment: ...
    def close(self) -> None: ...
