"""Budgets: how much a player may be asked, in one episode or in all that is played.

In one episode, what a player may spend does not depend on what other episodes used up: a request beyond it is refused,
and the system may go on without. Over all of it, the end is a graceful stop: no reply depends on the batch that it came
in, and so none may be refused for what others used up; the play ends instead, with the episodes finished till then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from groma.formats.errors import BadConfig
from groma.formats.requests import Cost, Failure, Reply


@dataclass(frozen=True, slots=True)
class Budget:
    """At most so many requests, and no further one after so many tokens, read and written, or so many seconds of those
    who answer (None: no limit).
    """

    calls: int | None = None
    tokens: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        given = [limit for one in fields(self) if (limit := getattr(self, one.name)) is not None]
        if not given:
            raise BadConfig("a budget without a limit; give calls, tokens, seconds or some of them")
        if not min(given) >= 0:
            raise BadConfig(f"a budget of {self}; give 0 or more")

    def __str__(self) -> str:
        limits = ((one.name, getattr(self, one.name)) for one in fields(self))
        return ", ".join(f"{limit:g} {name}" for name, limit in limits if limit is not None)

    def used_up(self, spent: Cost) -> tuple[str, str] | None:
        """Which limit `spent` has reached, and what is to be said of it; None where none is."""
        tokens = spent.prompt_tokens + spent.completion_tokens
        for kind, used, limit in (
            ("calls", spent.calls, self.calls),
            ("tokens", tokens, self.tokens),
            ("seconds", spent.seconds, self.seconds),
        ):
            if limit is not None and used >= limit:
                return kind, f"{used:.6g} {kind} of {limit:g}"
        return None

    def refusal(self, player: str, spent: Cost) -> Failure | None:
        """Why `player`, who has spent so much in an episode, may not be asked again in it; None where it may."""
        found = self.used_up(spent)
        return found and Failure("budget", found[0], f"{player} has used {found[1]} in this episode")


class Purse:
    """What the players have spent in all, in however many plays it is handed to, and what they may.

    Only what is asked anew counts: an answer that stands in a log was paid for when it was logged. Requests that are on
    their way when the last token or second is used up are still answered.
    """

    def __init__(self, limits: Mapping[str, Budget]) -> None:
        self.limits = dict(limits)
        self.spent: dict[str, Cost] = {}

    def ask(self, player: str) -> str:
        """Why `player` may not be asked another time; "" where it may, and then the request counts."""
        spent, limit = self.spent.get(player, Cost()), self.limits.get(player)
        found = limit.used_up(spent) if limit is not None else None
        if found:
            return f"{player} has used {found[1]} in all"
        self.spent[player] = spent + Cost(calls=1)
        return ""

    def pay(self, player: str, answer: Reply | Failure) -> None:
        """What an answer took, beside its call: of one that failed the time."""
        took = replace(answer.cost, calls=0) if isinstance(answer, Reply) else Cost(seconds=answer.seconds)
        self.spent[player] += took
