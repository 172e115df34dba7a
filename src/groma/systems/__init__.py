"""Embodiments: generator functions that turn a posed task into a transcript by asking players."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from groma.formats.errors import BadConfig
from groma.systems.agent import agent
from groma.systems.asking import act, ask, score, together
from groma.systems.beam import beam
from groma.systems.best_of_n import best_of_n
from groma.systems.chat import chat
from groma.systems.choose import choose
from groma.systems.completion import completion
from groma.systems.conversation import conversation
from groma.systems.critique import critique
from groma.systems.days import days
from groma.systems.monitored import monitored
from groma.systems.planner import planner, planning_agent
from groma.systems.search import search
from groma.systems.self_consistency import self_consistency
from groma.systems.system import NoForm, System, load
from groma.systems.text import as_text
from groma.systems.trivial import trivial
from groma.systems.variants import variant
from groma.systems.watched import watched

SYSTEMS = {
    function.__name__: System(function.__name__, function)
    for function in (
        trivial,
        completion,
        chat,
        agent,
        planner,
        planning_agent,
        best_of_n,
        self_consistency,
        beam,
        search,
        critique,
        monitored,
        conversation,
        days,
    )
}


def find(name: str, offered: Mapping[str, Mapping[str, Any]] = MappingProxyType({})) -> System:
    """The system of that name, or a user's own by `path/to/file.py:function`; with `@NAME` a variant of it, of those
    offered or in a .json file.
    """
    plain, _, other = name.partition("@")
    if plain in SYSTEMS:
        system = SYSTEMS[plain]
    elif ":" in plain:
        system = load(plain)
    else:
        raise BadConfig(f"there is no system {name!r}; choose one of {', '.join(SYSTEMS)}, or path/to/file.py:function")
    return variant(system, other, offered, find) if other else system


__all__ = [
    "SYSTEMS",
    "NoForm",
    "System",
    "act",
    "agent",
    "as_text",
    "ask",
    "beam",
    "best_of_n",
    "chat",
    "choose",
    "completion",
    "conversation",
    "critique",
    "days",
    "find",
    "load",
    "monitored",
    "planner",
    "planning_agent",
    "score",
    "search",
    "self_consistency",
    "together",
    "trivial",
    "variant",
    "watched",
]
