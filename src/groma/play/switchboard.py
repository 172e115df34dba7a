"""Who answers a request: a budget refuses it, the log remembers it, the environment acts, or an engine takes it on."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from groma.formats.digest import digest
from groma.formats.environment import Recalling
from groma.formats.errors import BudgetSpent
from groma.formats.requests import Act, Cost, Failure, Fork, Keep, Reply, Request
from groma.play.branches import take_place
from groma.play.budget import Budget, Purse
from groma.play.engine import Embodiment, Engine
from groma.play.episode import NOTHING, Live, caught
from groma.play.replay import CallKey, CallLog
from groma.play.seeds import seed_of

ONE_CALL = Cost(calls=1)

# Never used twice in a process: an engine may still hold requests of a play that was closed early.
TICKETS = itertools.count()


@dataclass(frozen=True, slots=True)
class Pending:
    """A request that an engine has taken on: whose it is, and its place among those made together."""

    live: Live
    place: int
    player: str
    key: CallKey | None
    act: Act | Fork | Keep | None = None
    logged: Reply | Failure | None = None


class Acting(Protocol):
    """Does acts while the driver goes on with other episodes; those of one episode one after the other.

    submit_act: whose; `begin` is called right before `act`, which may be called in another thread. The answer comes
                from `poll`, with the ticket, as those of an engine do.
    """

    def submit_act(
        self, ticket: int, live: Live, begin: Callable[[], None], act: Callable[[], Reply | Failure]
    ) -> None: ...
    def poll(self) -> list[tuple[int, Reply | Failure]]: ...


class Switchboard:
    """Connects the episodes of one play to those who answer them."""

    def __init__(
        self,
        system: Embodiment,
        players: Mapping[str, Engine],
        seed: int,
        log: CallLog | None,
        budget: Mapping[str, Budget],
        purse: Purse | None = None,
        acting: Acting | None = None,
    ) -> None:
        self._system, self._players, self._seed, self._log, self._budget = system.digest, players, seed, log, budget
        self._purse = purse
        self.spent = ""
        """Why nothing more is asked: the purse is empty, and this is what it says of it."""
        self._pending: dict[int, Pending] = {}
        self._owed: Counter[int] = Counter()
        self._acting = acting
        answering: list[Engine | Acting] = [*players.values(), *([acting] if acting is not None else [])]
        self._turns = itertools.cycle({id(one): one for one in answering}.values())

    def ask(self, live: Live, place: int, request: object) -> Reply | Failure | None:
        """The answer, where it is known at once; None where an engine has taken the request on."""
        number = live.number
        live.number += 1
        if not isinstance(request, Request):
            empty = isinstance(request, tuple) and not request
            said = "nothing (an empty tuple, or None)" if empty else f"a {type(request).__name__}, which is no request"
            return Failure("system", "bad_request", f"the system asked for {said}")
        player = request.player
        limit = self._budget.get(player)
        if limit and (refusal := limit.refusal(player, live.cost.get(player, NOTHING))):
            return refusal
        live.spend(player, ONE_CALL)
        seed = seed_of(self._seed, live.task.id, number)
        key = logged = None
        if self._log is not None:
            key = CallKey(self._system, live.task.id, number, seed, digest(request))
            logged = self._log.find(key)
        if isinstance(request, Act | Fork | Keep):
            return self._act(live, place, request, key, logged)
        return logged if logged is not None else self._submit(live, place, request, seed, key)

    def hear(self) -> list[Live]:
        """Wait for an engine that owes answers (each in turn); the episodes that now have all that they asked for.
        BudgetSpent where none owes any, since the purse is empty.
        """
        if self.spent and not self._owed.total():
            raise BudgetSpent(self.spent)
        engine = next(one for one in self._turns if self._owed[id(one)])
        answered = polled(engine, self._owed[id(engine)])
        # Tickets that are not pending here are of a play that was closed early.
        mine = [(self._pending.pop(ticket), answer) for ticket, answer in answered if ticket in self._pending]
        self._owed[id(engine)] -= len(mine)
        self._note(*((pending.key, answer) for pending, answer in mine if pending.act is None))
        for pending, answer in mine:
            if pending.act is not None:
                answer = self._acted(pending.act, pending.key, pending.logged, answer)
            elif self._purse is not None:
                self._purse.pay(pending.player, answer)
            pending.live.take(pending.place, answer)
        return list(dict.fromkeys(pending.live for pending, _ in mine if not pending.live.missing))

    def _submit(self, live: Live, place: int, request: Request, seed: int, key: CallKey | None) -> Failure | None:
        engine = self._players.get(request.player)
        if engine is None:
            players = ", ".join(sorted(self._players)) or "none"
            return Failure("engine", "nobody_plays", f"nobody plays {request.player!r}; players: {players}")
        if self._purse is not None and (why := self._purse.ask(request.player)):
            self.spent = why  # the episode waits for an answer that never comes, until the play ends
            return None
        ticket = next(TICKETS)
        try:
            engine.submit(ticket, request, seed)
        except Exception as error:
            failure = caught("engine", error)
            self._note((key, failure))
            return failure
        self._pending[ticket] = Pending(live, place, request.player, key)
        self._owed[id(engine)] += 1
        return None

    def _act(
        self, live: Live, place: int, request: Act | Fork | Keep, key: CallKey | None, logged: Reply | Failure | None
    ) -> Reply | Failure | None:
        """Act in the episode's environment. A logged act is done again, for its effect, and has to say what it said;
        one with an effect on the world outside is never done twice, and answered from the log.
        """
        outside = self._log is not None and not all(one.repeatable for one in list(live.branches.values()))
        if outside and logged is not None:
            return _recalled(live, request, logged)
        if live.recalled:
            return _interrupted(live, "goes on with an act that is not in its log, after acts on the world outside")

        def begin() -> None:
            """From here on the act may have been done, whatever happens: it is logged that it was begun."""
            if outside:
                self._note((key, _interrupted(live, "was interrupted while it acted on the world outside")))

        if self._acting is None:
            begin()
            return self._acted(request, key, logged, take_place(live, request))
        ticket = next(TICKETS)
        self._pending[ticket] = Pending(live, place, request.player, key, request, logged)
        self._owed[id(self._acting)] += 1
        self._acting.submit_act(ticket, live, begin, lambda: take_place(live, request))
        return None

    def _acted(
        self, request: Act | Fork | Keep, key: CallKey | None, logged: Reply | Failure | None, answer: Reply | Failure
    ) -> Reply | Failure:
        """What came of an act, noted where it is new, else held against what came of it before, if the episode goes the
        way that it went.
        """
        if logged is None or (key is not None and self._log is not None and self._log.had_outage(key)):
            self._note((key, answer))
            return answer
        if _said(logged) == _said(answer):
            return logged
        name = request.tool if isinstance(request, Act) else request.branch
        what = f"{name!r} said {_said(logged)!r}, and now {_said(answer)!r}"
        return Failure("interrupted", "environment_differs", what)

    def _note(self, *answered: tuple[CallKey | None, Reply | Failure]) -> None:
        if self._log is not None:
            self._log.add(*((key, answer) for key, answer in answered if key is not None))


def polled(engine: Engine | Acting, owed: int) -> list[tuple[int, Reply | Failure]]:
    """What an engine that owes so many answers has answered, at least one. RuntimeError where it forgot them."""
    answered = engine.poll()
    if not answered:
        who = type(engine).__name__
        raise RuntimeError(f"{who} answers nothing and owes {owed} answers; does another play use it?")
    return answered


def _said(answer: Reply | Failure) -> object:
    return (answer.text, answer.tool_calls) if isinstance(answer, Reply) else answer


def _recalled(live: Live, request: Act | Fork | Keep, logged: Reply | Failure) -> Reply | Failure:
    """The logged answer to an act on the world outside, of which the environment is told."""
    if isinstance(logged, Failure) and (logged.boundary == "interrupted" or not isinstance(request, Act)):
        return logged
    environment = live.branches.get(request.branch) if isinstance(request, Act) else None
    if isinstance(request, Act) and isinstance(environment, Recalling):
        environment.recall(request, logged)
        live.recalled = True
        return logged
    return _interrupted(live, "goes on after an act on the world outside, of which its environment cannot be told")


def _interrupted(live: Live, why: str) -> Failure:
    return Failure("interrupted", "not_repeatable", f"the task {live.task.id} {why}: none is done twice")
