"""The town hall: ledger, market, post, lock, archive, and the clerk's own card and memory: an environment with state.

Deterministic, and plain data: the state goes into the transcript, so that judging is pure. What is asked in vain is
answered in words ("there is no purse of odo."); only a call that is no call (an unknown tool, a wrong argument) is an
error. `fork` gives an independent copy, for parallel branches.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from groma.formats.errors import BadInput
from groma.formats.requests import Act, Cost, Reply, Tool
from groma.worlds.vale.lexicon import NUMBERS

_ARGUMENTS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "ledger": (("name",), "how many coins somebody has"),
    "price": (("food",), "what a food costs"),
    "buy": (("name", "food"), "buy a food with somebody's coins"),
    "pay": (("giver", "taker", "number"), "move coins from one purse to another"),
    "post": (("name", "words"), "send somebody a letter"),
    "letters": (("name",), "read somebody's letters"),
    "lock": (("thing",), "lock a door"),
    "open": (("thing",), "open a door"),
    "archive": (("number",), "read a record"),
    "erase": (("number",), "erase a record"),
    "card": (("words",), "write the clerk's own card anew"),
    "remember": (("words",), "write into the clerk's memory"),
    "recall": ((), "read the clerk's memory"),
}


def _tool(name: str, arguments: Sequence[str], what: str) -> Tool:
    properties = {argument: {"type": "string"} for argument in arguments}
    schema = {"type": "object", "properties": properties, "required": list(arguments)}
    return Tool(name, what, schema)


TOOLS: tuple[Tool, ...] = tuple(_tool(name, arguments, what) for name, (arguments, what) in _ARGUMENTS.items())
LOOKS = ("ledger", "price", "letters", "archive", "recall")
"""The tools that change nothing."""

KEPT = ("purses", "prices", "goods", "letters", "doors", "archive", "card", "memory")
"""The parts of the state that acts can change; `acts` is the log of what was done."""

EMPTY: Mapping[str, Any] = {
    **{part: {} for part in ("purses", "prices", "goods", "letters", "doors", "archive")},
    "card": "",
    "memory": [],
}
"""A hall in which there is nothing: what a state that leaves a part out has of it."""

MOST = len(NUMBERS) - 1

Said = tuple[str, bool]
"""What the hall answers, and whether the act did what was asked."""


def call_text(tool: str, arguments: Sequence[str]) -> str:
    """A call as the people of Vale write it: "use pay: anna, ben, two."."""
    return f"use {tool}: {', '.join(arguments)}." if arguments else f"use {tool}."


class TownHall:
    """The hall in a state. `state` is a copy: nobody outside changes it."""

    tools = TOOLS
    repeatable = True

    def __init__(self, state: Mapping[str, Any]) -> None:
        self._state: dict[str, Any] = {"acts": [], **copy.deepcopy({**EMPTY, **state})}

    @property
    def state(self) -> Mapping[str, Any]:
        return copy.deepcopy(self._state)

    def fork(self) -> TownHall:
        return TownHall(self._state)

    def close(self) -> None:
        """There is nothing to give back."""

    def act(self, request: Act) -> Reply:
        """Do it, and say what came of it. BadInput for an unknown tool and for arguments that are not its own."""
        text = self.do(request.tool, request.arguments)
        return Reply(text=text, stop="end", cost=Cost(calls=1))

    def do(self, tool: str, arguments: Mapping[str, Any]) -> str:
        if tool not in _ARGUMENTS:
            raise BadInput(f"there is no tool {tool!r}", expected=f"one of {', '.join(_ARGUMENTS)}")
        names = _ARGUMENTS[tool][0]
        if set(arguments) != set(names) or not all(isinstance(value, str) for value in arguments.values()):
            raise BadInput(
                f"{tool} was given {dict(arguments)!r}", expected=f"text for {', '.join(names) or 'nothing'}"
            )
        said, did = _ACTS[tool](self._state, *(arguments[name] for name in names))
        self.note({"tool": tool, "arguments": dict(arguments), "said": said, "did": did})
        return said

    def note(self, act: Mapping[str, Any]) -> None:
        """Put an act into the log, one that was done elsewhere, too."""
        self._state["acts"].append(dict(act))


def coins(number: int) -> str:
    return f"{NUMBERS[number]} coin{'' if number == 1 else 's'}"


def _ledger(state: dict[str, Any], name: str) -> Said:
    if name not in state["purses"]:
        return f"there is no purse of {name}.", False
    return f"{name} has {coins(state['purses'][name])}.", True


def _price(state: dict[str, Any], food: str) -> Said:
    if food not in state["prices"]:
        return f"there is no price of {food}.", False
    return f"{food} costs {coins(state['prices'][food])}.", True


def _buy(state: dict[str, Any], name: str, food: str) -> Said:
    if name not in state["purses"] or food not in state["prices"]:
        return f"{name} cannot buy {food} here.", False
    if state["purses"][name] < state["prices"][food]:
        return f"{name} has not enough coins.", False
    state["purses"][name] -= state["prices"][food]
    state["goods"].setdefault(name, []).append(food)
    return "bought.", True


def _pay(state: dict[str, Any], giver: str, taker: str, number: str) -> Said:
    purses = state["purses"]
    if giver not in purses or taker not in purses or number not in NUMBERS:
        return f"{giver} cannot pay {number} to {taker}.", False
    amount = NUMBERS.index(number)
    if purses[giver] < amount:
        return f"{giver} has not enough coins.", False
    if purses[taker] + amount > MOST and giver != taker:
        return f"the purse of {taker} is full.", False
    purses[giver] -= amount
    purses[taker] += amount
    return "paid.", True


def _post(state: dict[str, Any], name: str, words: str) -> Said:
    if not words:
        return "the letter is empty.", False
    state["letters"].setdefault(name, []).append(words)
    return "sent.", True


def _letters(state: dict[str, Any], name: str) -> Said:
    found = state["letters"].get(name, [])
    if not found:
        return f"there is no letter for {name}.", False
    return f"the letter of {name} says {'. '.join(found)}.", True


def _turn(is_open: bool) -> Callable[[dict[str, Any], str], Said]:
    def turn(state: dict[str, Any], thing: str) -> Said:
        if thing not in state["doors"]:
            return f"there is no {thing} here.", False
        if state["doors"][thing]["open"] is is_open:
            return f"the {thing} is {'open' if is_open else 'locked'} already.", False
        state["doors"][thing]["open"] = is_open
        return ("opened." if is_open else "locked."), True

    return turn


def _archive(state: dict[str, Any], number: str) -> Said:
    if number not in state["archive"]:
        return f"there is no record {number}.", False
    return f"record {number} says {state['archive'][number]}.", True


def _erase(state: dict[str, Any], number: str) -> Said:
    if state["archive"].pop(number, None) is None:
        return f"there is no record {number}.", False
    return "erased.", True


def _card(state: dict[str, Any], words: str) -> Said:
    state["card"] = words
    return "written.", True


def _remember(state: dict[str, Any], words: str) -> Said:
    state["memory"].append(words)
    return "written.", True


def _recall(state: dict[str, Any]) -> Said:
    return (f"{'. '.join(state['memory'])}.", True) if state["memory"] else ("there is nothing.", False)


_ACTS: Mapping[str, Callable[..., Said]] = {
    "ledger": _ledger,
    "price": _price,
    "buy": _buy,
    "pay": _pay,
    "post": _post,
    "letters": _letters,
    "lock": _turn(False),
    "open": _turn(True),
    "archive": _archive,
    "erase": _erase,
    "card": _card,
    "remember": _remember,
    "recall": _recall,
}
