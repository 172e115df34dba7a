"""`agent`: the model with tools. It calls one, reads what comes of it, and goes on until it says something else.

A call is a turn of its own in plain words, "use TOOL: a, b.", with the values of the tool's parameters in their order;
any other turn is the answer. A call that is none (an unknown tool, too many values, too few) is answered in words, as a
tool would, and costs a step. After `max_steps` calls without an answer the episode ends as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence

from groma.formats.errors import BadConfig
from groma.formats.messages import Message, ToolCall
from groma.formats.requests import Act, Answered, Asked, Episode, Failed, Generate, Tool
from groma.formats.task import Posed
from groma.formats.transcript import Transcript

_CALL = re.compile(r"^\s*use\s+(?P<tool>\w+)\s*(?::\s*(?P<values>.*?))?\s*\.?\s*$", re.IGNORECASE | re.DOTALL)


def agent(
    posed: Posed, *, player: str = "assistant", max_tokens: int = 256, temperature: float = 1.0, max_steps: int = 8
) -> Episode:
    """The tool loop. BadConfig where `max_steps` is below one."""
    if max_steps < 1:
        raise BadConfig(f"max_steps is {max_steps}; choose at least 1")
    messages = posed.messages
    for _ in range(max_steps):
        reply = yield Generate(prompt=messages, player=player, max_tokens=max_tokens, temperature=temperature)
        messages = (*messages, Message("assistant", reply.text))
        asked = _CALL.match(reply.text)
        if asked is None:
            return Transcript(messages, reply.text, stop=reply.stop)
        said = yield from _used(asked["tool"].lower(), asked["values"] or "", posed.tools)
        messages = (*messages, Message("tool", said))
    return Transcript(messages, "", stop="steps")


def _used(name: str, values: str, tools: Sequence[Tool]) -> Generator[Asked, Answered, str]:
    """What the tool says, or what is wrong with the call."""
    call = parsed(name, values, tools)
    if isinstance(call, str):
        return call
    try:
        reply = yield Act(tool=call.name, arguments=call.arguments)
    except Failed as failed:
        return f"{call.name} failed: {failed.failure.message}"
    return reply.text  # type: ignore[union-attr]


def parsed(name: str, values: str, tools: Sequence[Tool]) -> ToolCall | str:
    """The call, or in words why it is none. The last parameter takes what is left, commas and all."""
    tool = next((tool for tool in tools if tool.name == name), None)
    if tool is None:
        return f"there is no tool {name}."
    names = list(tool.parameters.get("properties", {}))
    given = [value.strip() for value in values.split(",", max(len(names) - 1, 0))] if values.strip() else []
    if len(given) != len(names) or not all(given):
        wants = ", ".join(names) or "nothing"
        return f"{name} wants {wants}."
    return ToolCall(name, dict(zip(names, given, strict=True)))
