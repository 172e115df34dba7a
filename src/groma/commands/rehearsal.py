"""A rehearsal before anything is asked or paid for: does a system ask somebody for what he cannot do?

What a system asks is found out by playing it with invented replies, and nobody there: a request that whoever plays
would not answer is refused, as it would be later. A system that does without, and one that fails on some kinds of tasks
alone, is not refused: that is data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from groma.commands.players import unservable
from groma.formats.errors import BadConfig
from groma.formats.messages import ToolCall
from groma.formats.requests import Failed, Failure, Fork, Generate, Keep, Reply, Request, Tool
from groma.formats.task import Posed, Task
from groma.systems import SYSTEMS, System
from groma.systems.calls import written
from groma.systems.invented import Answer, invented
from groma.systems.planner import SEARCH

Why = Callable[[Request], str]
"""Why whoever would answer a request cannot; "" where he can."""
Refused = tuple[Request, str]
MOST = 200
"""Turns of an episode that are rehearsed."""
ONCE = "the tools act on the world outside, of which there is no copy to try things in"


def check_cast(systems: Sequence[System], tasks: Sequence[Task], cast: Mapping[str, str]) -> None:
    """Refuse a system whose every episode would fail, since a player cannot answer what it asks; cast: who plays, as
    the user wrote it. BadConfig names the system, the player, and systems that go.
    """

    def why(request: Request) -> str:
        return unservable(cast[request.player], request) if request.player in cast else ""

    def ends(system: System) -> list[Refused | bool]:
        return [rehearsed(system, posed, why, invented(posed.tools)) for posed in _shapes(tasks)]

    for system in systems:
        found = ends(system)
        refused = [one for one in found if isinstance(one, tuple)]
        if refused and True not in found:
            request, said = refused[0]
            going = ", ".join(name for name, one in SYSTEMS.items() if True in ends(one)) or "none"
            raise BadConfig(
                f"{system.name}: each of its episodes would fail, since {request.player} is {cast[request.player]}: "
                f"{said}\n  let a model here be {request.player}, or choose a system that goes: {going}"
            )


def check_copies(systems: Sequence[System], tasks: Sequence[Task]) -> None:
    """Refuse a system that tries things in copies of a world of which there are none."""

    def why(request: Request) -> str:
        return ONCE if isinstance(request, Fork | Keep) else ""

    for system in systems:
        for posed in _shapes(tasks):
            # The search is offered by planning_agent, beside the tools.
            ways = (invented(posed.tools), _calling((SEARCH, *posed.tools)))
            ends = [rehearsed(system, posed, why, said) for said in ways]
            if any(isinstance(one, tuple) for one in ends):
                mend = "say --repeatable if they have no effects beyond their answers, or choose agent"
                raise BadConfig(f"{system.name}: {ONCE}; {mend}")


def rehearsed(system: System, posed: Posed, why: Why, said: Answer) -> Refused | bool:
    """The refused request by which an episode ends, and why it is refused; else whether it ends with a transcript."""
    refused: list[tuple[Failure, Refused]] = []

    def answer(request: Request, seed: int) -> Reply | Failure:
        if reason := why(request):
            failure = Failure("engine", "Unservable", reason)
            refused.append((failure, (request, reason)))
            return failure
        reply = said(request, seed)
        return Reply(text=reply, stop="end") if isinstance(reply, str) else reply

    try:
        episode = system(posed)
        asked = next(episode)
        for turn in range(MOST):
            if isinstance(asked, tuple):
                asked = episode.send(tuple(answer(one, turn + place) for place, one in enumerate(asked)))
            elif isinstance(heard := answer(asked, turn), Failure):
                asked = episode.throw(Failed(heard))
            else:
                asked = episode.send(heard)
        episode.close()
    except StopIteration:
        return True
    except Failed as failed:
        return next((one for failure, one in refused if failure is failed.failure), False)
    except Exception:  # a fault of the system, which is data when it is played
        return False
    return False


def _calling(tools: Sequence[Tool]) -> Answer:
    """Always calls a tool, in words: one after the other."""
    calls = [written(ToolCall(one.name, dict.fromkeys(one.parameters.get("properties", {}), "1"))) for one in tools]
    scored = invented()
    return lambda request, seed: calls[seed % len(calls)] if isinstance(request, Generate) else scored(request, seed)


def _shapes(tasks: Sequence[Task]) -> list[Posed]:
    """One task of each kind of which systems may ask in a way of its own."""
    return list({(bool(one.posed.choices), bool(one.posed.tools)): one.posed for one in reversed(tasks)}.values())
