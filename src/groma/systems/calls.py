"""How an agent's calls are read from what its model says: in plain words, or as its chat template has them.

In words a call is a turn of its own, "use TOOL: a, b.", with the values of the tool's parameters in their order; the
last takes what is left, commas and all. What looks like a call and is none is told in words, so that it can be mended.

A player who was taught no such turns (`Posed.taught`) may say something before its call, and fence it: its last line
counts; a line that begins as the call of a tool, and is none or not the last, is answered by how it is to be written.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from groma.formats.messages import ToolCall
from groma.formats.requests import Reply, Tool

_CALL = re.compile(r"^\s*use\s+(?P<tool>\w+)\s*(?::\s*(?P<values>.*?))?\s*\.?\s*$", re.IGNORECASE | re.DOTALL)
_BEGUN = re.compile(r"use\s+(?P<tool>\w+)\b", re.IGNORECASE)
_MARKS = ("<tool_call>", "[TOOL_CALLS]", "<|python_tag|>")


def calls_in(reply: Reply, tools: Sequence[Tool], protocol: str, taught: bool) -> Sequence[ToolCall | str]:
    """The calls of a reply, each a call, or in words why it is none; empty where the reply is an answer."""
    if protocol == "text":
        asked = _CALL.match(reply.text)
        if not asked:
            return [] if taught else _in_lines(reply.text, tools)
        return [parsed(asked["tool"], asked["values"] or "", tools)]
    if not reply.tool_calls and any(mark in reply.text for mark in _MARKS):
        return ["that is no call: give one JSON object with a name and arguments."]
    return [_known(call, tools) for call in reply.tool_calls]


def _in_lines(text: str, tools: Sequence[Tool]) -> Sequence[ToolCall | str]:
    """The call that is the last line of a text, or why a line is none."""
    known = {tool.name.lower(): tool for tool in tools}
    lines = [bare for line in text.splitlines() if (bare := line.strip("`* \t"))]  # a line of a fence alone is none
    asked = _CALL.match(lines[-1]) if lines else None
    if asked and asked["tool"].lower() in known:
        return [parsed(asked["tool"], asked["values"] or "", tools)]
    begun = (_BEGUN.match(line) for line in lines)
    near = next((one["tool"].lower() for one in begun if one and one["tool"].lower() in known), None)
    if near is None:
        return []
    names = known[near].parameters.get("properties", {})
    form = written(ToolCall(known[near].name, dict(zip(names, names, strict=True))))
    return [f"that is no call. a call is the last line, and stands alone on it: {form}."]


def parsed(name: str, values: str, tools: Sequence[Tool]) -> ToolCall | str:
    """A call in words, or why it is none; letters large or small. The last parameter takes what is left, commas and
    all.
    """
    tool = next((tool for tool in tools if tool.name.lower() == name.lower()), None)
    if tool is None:
        return f"there is no tool {name.lower()}."
    names = list(tool.parameters.get("properties", {}))
    least = sum(name in tool.parameters.get("required", names) for name in names)
    given = [value.strip() for value in values.split(",", max(len(names) - 1, 0))] if values.strip() else []
    if not least <= len(given) <= len(names) or not all(given):
        wants = ", ".join(names) or "nothing"
        return f"{tool.name} wants {wants}."
    return ToolCall(tool.name, dict(zip(names, given, strict=False)))


def _known(call: ToolCall, tools: Sequence[Tool]) -> ToolCall | str:
    names = [tool.name for tool in tools]
    return call if call.name in names else f"there is no tool {call.name}. there are {', '.join(names) or 'none'}."


def written(call: ToolCall) -> str:
    """A call in words."""
    values = ", ".join(map(str, call.arguments.values()))
    return f"use {call.name}: {values}" if values else f"use {call.name}"
