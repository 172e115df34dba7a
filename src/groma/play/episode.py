"""One episode on its way: the system's generator, what it asks and is answered, what it costs, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from groma.formats.environment import Environment
from groma.formats.errors import GromaError
from groma.formats.requests import Answered, Asked, Cost, Episode, Failed, Failure, Reply, Request
from groma.formats.task import Task
from groma.formats.transcript import Call, Played, Transcript
from groma.play.engine import Embodiment

NOTHING = Cost()
MOST = 10_000
"""Requests that one episode may make: a loop without an end is a failed episode, not a survey that hangs."""
OpenEnvironment = Callable[[Task], Environment | None]


@dataclass(slots=True, eq=False)
class Live:
    """An episode, from `begin` over any number of `step`s to `end`.

    number:  how many requests it has made so far, which is the number of its next one.
    asked:   what it waits for; `answers` has a place for each of its requests, of which `missing` are still empty.
    outcome: None until it has ended.
    branches: its environment, by branch; "" is the one whose state is judged. Empty where the task has none.
    recalled: whether an act on the world outside was answered from a log, and not done.
    """

    index: int
    task: Task
    number: int = 0
    asked: Asked | None = None
    answers: list[Reply | Failure | None] = field(default_factory=list)
    missing: int = 0
    outcome: Transcript | Failure | None = None
    calls: list[Call] = field(default_factory=list)
    cost: dict[str, Cost] = field(default_factory=dict)
    branches: dict[str, Environment] = field(default_factory=dict)
    recalled: bool = False
    episode: Episode | None = None

    @property
    def requests(self) -> tuple[Request, ...]:
        """What it waits for, one or many. An empty tuple is one that is no request: it is refused, and counts."""
        if self.asked is None:
            return ()
        return self.asked if isinstance(self.asked, tuple) and self.asked else (self.asked,)  # type: ignore[return-value]

    def begin(self, system: Embodiment, open_environment: OpenEnvironment | None) -> None:
        """Open the environment and start the system on what is posed; `gold` stays here."""
        try:
            opened = open_environment(self.task) if open_environment else None
            self.branches = {} if opened is None else {"": opened}
        except Exception as error:
            self.outcome = caught("environment", error)
            return
        try:
            episode: object = system(self.task.posed)
        except Exception as error:
            self.outcome = caught("system", error)
            return
        if isinstance(episode, Generator):
            self.episode = episode
        else:
            what = f"{system.name} returned a {type(episode).__name__}, not a generator: a system yields its requests"
            self.outcome = Failure("system", "no_episode", what)

    def take(self, place: int, answer: Reply | Failure) -> None:
        """The answer to one request of those it waits for."""
        self.answers[place] = answer
        self.missing -= 1

    def spend(self, player: str, cost: Cost) -> None:
        self.cost[player] = self.cost.get(player, NOTHING) + cost

    def step(self) -> None:
        """Hand all answers to the system, and let it go on to its next request, or to its end."""
        assert self.episode is not None
        answer = self._gather()
        if self.outcome is not None:
            return
        try:
            asked = self.episode.throw(Failed(answer)) if isinstance(answer, Failure) else self.episode.send(answer)
        except StopIteration as end:
            self.outcome = end.value if isinstance(end.value, Transcript) else _no_transcript(end.value)
        except (Exception, SystemExit) as error:
            self.outcome = caught("system", error)
        else:
            self.asked = () if asked is None else asked
            self.missing = len(self.requests)
            self.answers = [None] * self.missing
            if self.number + self.missing > MOST:
                what = f"it has asked {self.number} times, and goes on: an episode ends within {MOST} requests"
                self.outcome, self.asked, self.missing = Failure("system", "endless", what), None, 0

    def _gather(self) -> Answered | Failure | None:
        """All answers as the system gets them, noted with what they cost; None where nothing was asked yet."""
        if self.asked is None:
            return None
        answers = tuple(one for one in self.answers if one is not None)
        for request, answer in zip(self.requests, answers, strict=True):
            if isinstance(answer, Reply):
                self.spend(request.player, replace(answer.cost, calls=0))
            else:
                if answer.seconds:  # what failed kept somebody busy, too
                    self.spend(request.player, Cost(seconds=answer.seconds))
                if answer.boundary == "interrupted":
                    self.outcome = answer
        whole = answers if isinstance(self.asked, tuple) and self.asked else answers[0]
        self.calls.append(Call(self.asked, whole))
        self.asked = None
        return whole

    def end(self, system: str) -> Played:
        """Close everything, and say what became of it."""
        assert self.outcome is not None
        outcome = self.outcome
        try:
            state = self.branches[""].state if self.branches else None
            self.close()
        except Exception as error:
            outcome = outcome if isinstance(outcome, Failure) else caught("environment", error)
        if isinstance(outcome, Failure):
            return Played(self.task, system, None, outcome, tuple(self.calls), self.cost)
        if state is not None:
            outcome = replace(outcome, state=state)
        return Played(self.task, system, outcome, None, tuple(self.calls), self.cost)

    def close(self) -> None:
        """Close the generator, then every branch of the environment, whichever fails."""
        with ExitStack() as stack:
            for environment in self.branches.values():
                stack.callback(environment.close)
            if self.episode is not None:
                stack.callback(self.episode.close)


def caught(boundary: str, error: BaseException) -> Failure:
    """An exception as data: the failure that it carries, or its name and text, and the line that raised it."""
    if isinstance(error, Failed):
        return error.failure
    if isinstance(error, GromaError):  # its text is for the user, and says all
        return Failure(boundary, type(error).__name__, str(error))
    trace, where = error.__traceback__, ""
    while trace is not None:
        where = f" ({Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})"
        trace = trace.tb_next
    return Failure(boundary, type(error).__name__, f"{error}{where}")


def _no_transcript(value: object) -> Failure:
    return Failure("system", "no_transcript", f"the episode ended with a {type(value).__name__}, not with a Transcript")
