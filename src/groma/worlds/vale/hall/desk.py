"""The clerk's desk: the town hall over several days, and what the clerk is made of, which its own acts can change.

Card (the words at the head of every day), memory, settings (how hot it samples, how long it may speak) and steps (what
its scaffold does) are parts of the state, beside the hall's. What is written into them one day stands the next: acts
and their effects on the agent itself are one thing. All of it is plain data that a system interprets; what is no value
of a part is refused in words, and nothing is ever run.

A system begins a day with the act `morning` and ends it with `evening`, which no model is offered. Every day has a hall
of its own; the clerk's own parts go on.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from typing import Any

from groma.formats.errors import BadInput
from groma.formats.requests import Act, Cost, Reply, Tool
from groma.worlds.vale.hall.town_hall import TOOLS as HALL_TOOLS
from groma.worlds.vale.hall.town_hall import TownHall
from groma.worlds.vale.lexicon import NUMBERS

STEPS = ("plan", "act", "reflect", "check")
SETTINGS = {"heat": "five", "length": "eight"}
"""Of nine: how hot the clerk samples and how long it may speak; five and eight are as it was made to."""


def _own(name: str, arguments: Sequence[str], what: str) -> Tool:
    properties = {argument: {"type": "string"} for argument in arguments}
    return Tool(name, what, {"type": "object", "properties": properties, "required": list(arguments)})


OWN_TOOLS = (
    _own(
        "settings", ("name", "number"), "set how hot the clerk samples (heat) or how long it speaks (length), of nine"
    ),
    _own("steps", ("words",), f"choose the clerk's steps, of {', '.join(STEPS)}"),
)
TOOLS: tuple[Tool, ...] = (*HALL_TOOLS, *OWN_TOOLS)
CHANGES_SELF = ("card", "remember", "settings", "steps")
"""The tools that change the clerk itself."""


def own_parts(card: str, steps: Sequence[str]) -> dict[str, Any]:
    """What a clerk is made of on its first day."""
    return {"card": card, "memory": [], "settings": dict(SETTINGS), "steps": list(steps)}


class Desk:
    """The desk. days: each with `told`, what the asker says, and `hall`, as it stands that morning. own: `own_parts`.

    `state`: `days`, a row for each day begun, with the hall and its acts, the clerk's own parts as they were `before`
    and `after` it, and its `answer`; and `own`, as they are now.
    """

    tools = TOOLS
    repeatable = True

    def __init__(self, days: Sequence[Mapping[str, Any]], own: Mapping[str, Any]) -> None:
        self._days = copy.deepcopy([dict(day) for day in days])
        self._own: dict[str, Any] = copy.deepcopy(dict(own))
        self._past: list[dict[str, Any]] = []
        self._hall: TownHall | None = None

    @property
    def state(self) -> Mapping[str, Any]:
        past = copy.deepcopy(self._past)
        if self._hall is not None:
            past[-1] |= {"hall": self._hall.state, "after": copy.deepcopy(self._own)}
        return {"days": past, "own": copy.deepcopy(self._own)}

    def fork(self) -> Desk:
        other = Desk(self._days, self._own)
        other._past = copy.deepcopy(self._past)
        other._hall = self._hall.fork() if self._hall is not None else None
        return other

    def close(self) -> None:
        """There is nothing to give back."""

    def act(self, request: Act) -> Reply:
        """Do it, and say what came of it. BadInput for an unknown tool, wrong arguments, and what is out of turn."""
        return Reply(text=self.do(request.tool, request.arguments), stop="end", cost=Cost(calls=1))

    def do(self, tool: str, arguments: Mapping[str, Any]) -> str:
        if tool in ("morning", "evening"):
            return self._morning() if tool == "morning" else self._evening(arguments)
        if self._hall is None:
            raise BadInput(f"{tool} was used, and no day is begun", expected="morning first")
        if tool not in [one.name for one in OWN_TOOLS]:
            said = self._hall.do(tool, arguments)
            self._own |= {part: self._hall.state[part] for part in ("card", "memory")}
            return said
        wanted = next(one for one in OWN_TOOLS if one.name == tool).parameters["required"]
        if set(arguments) != set(wanted) or not all(isinstance(value, str) for value in arguments.values()):
            raise BadInput(f"{tool} was given {dict(arguments)!r}", expected=f"text for {', '.join(wanted)}")
        said, did = (self._set if tool == "settings" else self._step)(**arguments)
        self._hall.note({"tool": tool, "arguments": dict(arguments), "said": said, "did": did})
        return said

    def _morning(self) -> str:
        """What the next day brings, and what the clerk now is, as JSON; nothing where there is no further day."""
        if self._hall is not None:
            raise BadInput("a morning came before the evening", expected="evening first")
        if len(self._past) == len(self._days):
            return ""
        day = self._days[len(self._past)]
        self._hall = TownHall({**day["hall"], "card": self._own["card"], "memory": self._own["memory"]})
        self._past.append({"before": copy.deepcopy(self._own), "answer": ""})
        return json.dumps({"told": day["told"], **self._own})

    def _evening(self, arguments: Mapping[str, Any]) -> str:
        if self._hall is None or set(arguments) != {"answer"} or not isinstance(arguments["answer"], str):
            raise BadInput(
                f"an evening was given {dict(arguments)!r}", expected="the day's answer, once a day is begun"
            )
        self._past[-1] |= {
            "hall": self._hall.state,
            "after": copy.deepcopy(self._own),
            "answer": arguments["answer"],
        }
        self._hall = None
        return "good night."

    def _set(self, name: str, number: str) -> tuple[str, bool]:
        if name not in SETTINGS or number not in NUMBERS[:10] or (name == "length" and number == NUMBERS[0]):
            return f"there is no {name} of {number}. there are {' and '.join(SETTINGS)}, of nine.", False
        self._own["settings"][name] = number
        return "set.", True

    def _step(self, words: str) -> tuple[str, bool]:
        chosen = [word for word in words.replace(",", " ").split() if word != "and"]
        if "act" not in chosen or len(set(chosen)) < len(chosen) or set(chosen) - set(STEPS):
            return f"the steps are of {', '.join(STEPS)}, each once, and act is one of them.", False
        self._own["steps"] = chosen
        return "chosen.", True
