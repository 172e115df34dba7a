"""Budgets: how much a player may be asked in one episode. They do not depend on what other episodes used up."""

from __future__ import annotations

from dataclasses import dataclass

from groma.formats.errors import BadConfig
from groma.formats.requests import Cost, Failure


@dataclass(frozen=True, slots=True)
class Budget:
    """At most so many requests, and no further one after so many tokens, read and written (None: no limit)."""

    calls: int | None = None
    tokens: int | None = None

    def __post_init__(self) -> None:
        if self.calls is None and self.tokens is None:
            raise BadConfig("a budget without a limit; give calls, tokens or both")
        if min(self.calls or 0, self.tokens or 0) < 0:
            raise BadConfig(f"a budget of {self.calls} calls and {self.tokens} tokens; give 0 or more")

    def refusal(self, player: str, spent: Cost) -> Failure | None:
        """Why `player`, who has spent so much, may not be asked again; None where it may."""
        tokens = spent.prompt_tokens + spent.completion_tokens
        for kind, used, limit in (("calls", spent.calls, self.calls), ("tokens", tokens, self.tokens)):
            if limit is not None and used >= limit:
                return Failure("budget", kind, f"{player} has used {used} {kind} of {limit} in this episode")
        return None
