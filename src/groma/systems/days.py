"""`days`: an agent that works day after day, and is what its own acts have made of it.

Its environment hands it, every morning, what is asked that day and what it itself now is: its card (the system
message), memory, sampling settings and scaffold steps; the agent of that day is built from them, as data. So an act
that changes them changes every later day. A good agent reflects before it acts on itself: `reflect` asks it,
before a call to one of `scaffold.own`, whether it should.

The environment answers the acts `morning` (JSON: `told`, `card`, `memory`, `settings` with `heat` and `length`, number
words up to nine, and `steps`; nothing after the last day) and `evening` (with the day's `answer`). sealed: the tools
that change the agent itself are kept from it, which is the baseline: the same days of an agent that stays as it was.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import NamedTuple

from groma.formats.messages import Message
from groma.formats.requests import Act, Episode, Failed, Reply
from groma.formats.scaffold import Scaffold
from groma.formats.task import Posed
from groma.formats.transcript import Transcript
from groma.systems.agent import agent
from groma.systems.system import NoForm

OWN = ("card", "remember", "settings", "steps")
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
PLAIN = Scaffold()
AS_MADE = {"heat": 5, "length": 8}
"""The settings under which an agent samples as it was made to."""


def days(
    posed: Posed,
    *,
    player: str = "assistant",
    scaffold: Scaffold = PLAIN,
    sealed: bool = False,
    max_tokens: int = 256,
    temperature: float = 1.0,
) -> Episode:
    """An agent's days, one after the other; the transcript holds them all, and the answer is that of the last.

    The steps of `scaffold` are taken every day, beside those of the morning.
    """
    own = scaffold.own or OWN
    tools = tuple(one for one in posed.tools if not (sealed and one.name in own))
    said: tuple[Message, ...] = ()
    answer, stop = "", ""
    while True:
        try:
            morning: Reply = yield Act(tool="morning")
        except Failed as failed:
            if said or failed.failure.boundary != "environment":
                raise
            raise NoForm("the task has no mornings: days are lived in vale_weeks") from failed
        if not morning.text:
            return Transcript(said or posed.messages, answer, stop=stop)
        now = _day(morning.text)
        steps = tuple(dict.fromkeys((*scaffold.steps, *now.steps)))
        day = replace(posed, messages=(Message("system", now.card), Message("user", now.told)), tools=tools)
        done = yield from agent(
            day,
            player=player,
            scaffold=scaffold.with_(own=own, steps=steps, memory="recall" if now.remembers else ""),
            max_tokens=max(round(max_tokens * now.length), 1),
            temperature=temperature * now.heat,
        )
        said, answer, stop = (*said, *done.messages), done.answer, done.stop
        yield Act(tool="evening", arguments={"answer": answer})


class _Day(NamedTuple):
    """A morning's news; heat and length as shares of what the agent was made with."""

    told: str
    card: str
    remembers: bool
    heat: float
    length: float
    steps: tuple[str, ...]


def _day(text: str) -> _Day:
    """What a morning said. NoForm where it is none."""
    try:
        now = json.loads(text)
        heat, length = (WORDS.index(now["settings"][name]) / AS_MADE[name] for name in ("heat", "length"))
        return _Day(str(now["told"]), str(now["card"]), bool(now["memory"]), heat, length, tuple(now["steps"]))
    except (ValueError, KeyError, TypeError) as error:
        raise NoForm(f"what the environment says in the morning is no day ({error!r})") from error
