"""A tool from a Python function: its schema from the signature, its words from the docstring; arguments checked by it.

    def weather(city: str, days: int = 1) -> str:
        '''What the weather will be.

        city: of which town.
        '''

Parameters are text, int, float, bool, lists and dicts of these, a Literal, or one of them or None. JSON schema is what
models are shown and calls are held against.
"""

from __future__ import annotations

import inspect
import json
import re
import types
from collections.abc import Callable, Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from groma.formats.errors import BadConfig, BadInput
from groma.formats.requests import Tool

_PLAIN: Mapping[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
_KINDS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list, tuple),
    "object": (Mapping,),
}


def tool_of(function: Callable[..., Any]) -> Tool:
    """The tool that `function` is. BadConfig for a parameter without a type, or of one that JSON does not have, and for
    a function that returns before it has done anything (`async def`, or one that yields).
    """
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        what = "is async, and nobody would await it"
        raise BadConfig(f"the tool {function.__name__} {what}; give a plain def, which may call asyncio.run")
    if inspect.isgeneratorfunction(function):
        raise BadConfig(f"the tool {function.__name__} yields, and nobody would read it; give a def that returns")
    try:
        hints = get_type_hints(function)
    except NameError as error:
        raise BadConfig(f"the types of {function.__name__} cannot be read: {error}") from error
    told = inspect.getdoc(function) or ""
    properties: dict[str, Any] = {}
    required = []
    for name, one in inspect.signature(function).parameters.items():
        if one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD, one.POSITIONAL_ONLY):
            raise BadConfig(f"the tool {function.__name__} takes {name} without a name; give it one (no *, ** or /)")
        if name not in hints:
            raise BadConfig(f"the parameter {name} of the tool {function.__name__} has no type; write {name}: str, say")
        properties[name] = _schema(hints[name], f"{function.__name__}: {name}")
        if words := re.search(rf"^\s*{name}:\s*(.+)$", told, re.MULTILINE):
            properties[name]["description"] = words[1].strip()
        if one.default is one.empty:
            required.append(name)
        else:
            properties[name]["default"] = one.default
    schema = {"type": "object", "properties": properties, "required": required}
    return Tool(function.__name__, told.split("\n\n")[0].replace("\n", " "), schema)


def _schema(hint: Any, where: str) -> dict[str, Any]:
    origin, inner = get_origin(hint), get_args(hint)
    if hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    if origin is Literal:
        return {"enum": list(inner)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [_schema(one, where) for one in inner]}
    if hint is list or origin in (list, tuple):
        return {"type": "array", **({"items": _schema(inner[0], where)} if inner else {})}
    if hint is dict or origin is dict:
        return {"type": "object", **({"additionalProperties": _schema(inner[1], where)} if inner else {})}
    raise BadConfig(f"{where} has the type {hint}; choose str, int, float, bool, list, dict, Literal, or one or None")


def checked(tool: Tool, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """`arguments` as the tool takes them. What a model wrote as text is read as the number (or list …) that is wanted.

    BadInput names the argument, what it is and what it may be.
    """
    properties: Mapping[str, Any] = tool.parameters.get("properties", {})
    names = ", ".join(properties) or "nothing"
    if unknown := sorted(set(arguments) - set(properties)):
        raise BadInput(f"{tool.name} has no argument {unknown[0]!r}", expected=names)
    if missing := [name for name in tool.parameters.get("required", ()) if name not in arguments]:
        raise BadInput(f"{tool.name} wants a value for {', '.join(missing)}", expected=names)
    return {name: _fitting(properties[name], value, f"{tool.name}: {name}") for name, value in arguments.items()}


def _fitting(schema: Mapping[str, Any], value: Any, where: str) -> Any:
    """The value, or what its text says, if that fits the schema."""
    if fits(schema, value):
        return value
    if isinstance(value, str):
        try:
            read = json.loads(value)
        except ValueError:
            read = value
        if fits(schema, read):
            return read
    raise BadInput(f"{where} is {value!r:.80}", expected=wanted(schema))


def fits(schema: Mapping[str, Any], value: Any) -> bool:
    """Whether `value` fits a schema of the kinds that `tool_of` writes; what else a schema says is not looked at."""
    if "enum" in schema:
        return any(value == one and type(value) is type(one) for one in schema["enum"])
    if "anyOf" in schema:
        return any(fits(one, value) for one in schema["anyOf"])
    kind = schema.get("type")
    if kind is None:
        return True
    is_kind = kind in _KINDS and isinstance(value, _KINDS[kind])
    if not is_kind or (isinstance(value, bool) and kind != "boolean"):
        return False
    if kind == "array":
        return all(fits(schema.get("items", {}), one) for one in value)
    if kind == "object" and "additionalProperties" in schema:
        return all(fits(schema["additionalProperties"], one) for one in value.values())
    return True


def wanted(schema: Mapping[str, Any]) -> str:
    """What a value may be, in words."""
    if "enum" in schema:
        return f"one of {', '.join(map(repr, schema['enum']))}"
    if "anyOf" in schema:
        return " or ".join(wanted(one) for one in schema["anyOf"])
    return str(schema.get("type", "anything"))
