"""Embodiments: generator functions that turn a posed task into a transcript by asking players."""

from __future__ import annotations

from groma.formats.errors import BadConfig
from groma.systems.agent import agent
from groma.systems.chat import chat
from groma.systems.choose import choose
from groma.systems.completion import completion
from groma.systems.system import NoForm, System, load
from groma.systems.text import as_text
from groma.systems.trivial import trivial
from groma.systems.watched import watched

SYSTEMS = {function.__name__: System(function.__name__, function) for function in (trivial, completion, chat, agent)}


def find(name: str) -> System:
    """The system of that name, or a user's own by `path/to/file.py:function`."""
    if name in SYSTEMS:
        return SYSTEMS[name]
    if ":" in name:
        return load(name)
    raise BadConfig(f"there is no system {name!r}; choose one of {', '.join(SYSTEMS)}, or path/to/file.py:function")


__all__ = [
    "SYSTEMS",
    "NoForm",
    "System",
    "agent",
    "as_text",
    "chat",
    "choose",
    "completion",
    "find",
    "load",
    "trivial",
    "watched",
]
