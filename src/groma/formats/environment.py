"""Where acts have effects: what the driver opens for a task, plays in, and closes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from groma.formats.requests import Act, Reply


class Environment(Protocol):
    """Where acts have effects. `act` raises what fails; `state` is what a judge may look at when the episode has
    ended.
    """

    @property
    def state(self) -> Mapping[str, Any]: ...
    def act(self, request: Act) -> Reply: ...
    def close(self) -> None: ...
