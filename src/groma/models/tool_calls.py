"""Tool calls, parsed from what a model wrote in the form that its own chat template taught it.

A tokenizer that says how its replies are built (transformers' `response_template`) is believed. Else the three common
forms are known: `<tool_call>{"name": …, "arguments": {…}}</tool_call>` (Hermes, Qwen), `[TOOL_CALLS] [{…}]` or
`[TOOL_CALLS]name[ARGS]{…}` (Mistral), and a whole reply that is one JSON object with "name" and "parameters" (Llama 3).
What is malformed is no call: the text keeps it, marks and all, so that a system can say so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from transformers import PreTrainedTokenizerBase

from groma.formats.messages import ToolCall

_HERMES = re.compile(r"<tool_call>(.*?)(?:</tool_call>|$)", re.DOTALL)
_MISTRAL = re.compile(r"\[TOOL_CALLS\]\s*(\[.*\])\s*$", re.DOTALL)
_MISTRAL_NAMED = re.compile(r"\[TOOL_CALLS\]\s*(\w+)\s*\[ARGS\]\s*(\{.*?\})\s*(?=\[TOOL_CALLS\]|$)", re.DOTALL)
_PYTHON_TAG = "<|python_tag|>"


def parse(tokenizer: PreTrainedTokenizerBase, token_ids: Sequence[int], text: str) -> tuple[str, tuple[ToolCall, ...]]:
    """What was said beside the calls, and the calls. `text`: the reply without special tokens."""
    whole = str(tokenizer.decode(list(token_ids), skip_special_tokens=False))
    if getattr(tokenizer, "response_template", None) is not None:
        return _by_template(tokenizer, whole, text)
    for marks, found in ((_HERMES, _hermes(whole)), (_MISTRAL, _mistral(whole)), (_MISTRAL_NAMED, _named(whole))):
        if found:
            return marks.sub("", text).strip() if found else text, found
    alone = _json(text.removeprefix(_PYTHON_TAG))
    call = _call(alone) if isinstance(alone, Mapping) and {"parameters", "arguments"} & set(alone) else None
    return ("", (call,)) if call else (_marked(whole, text), ())


def _by_template(tokenizer: PreTrainedTokenizerBase, whole: str, text: str) -> tuple[str, tuple[ToolCall, ...]]:
    try:
        said = tokenizer.parse_response(whole, prefix="")
    except (ValueError, KeyError, TypeError):
        return text, ()
    calls = tuple(filter(None, (_call(one.get("function", one)) for one in said.get("tool_calls") or ())))
    return str(said.get("content") or ""), calls


def _hermes(whole: str) -> tuple[ToolCall, ...]:
    return _all(_json(one) for one in _HERMES.findall(whole))


def _mistral(whole: str) -> tuple[ToolCall, ...]:
    found = _MISTRAL.search(whole)
    several = _json(found[1]) if found else None
    return _all(iter(several)) if isinstance(several, list) else ()


def _named(whole: str) -> tuple[ToolCall, ...]:
    return _all({"name": name, "arguments": _json(given)} for name, given in _MISTRAL_NAMED.findall(whole))


def _all(found: Iterator[Any]) -> tuple[ToolCall, ...]:
    """The calls, if every one is one; half a list of calls is malformed, and none."""
    calls = [_call(one) if isinstance(one, Mapping) else None for one in found]
    return tuple(one for one in calls if one) if all(calls) else ()


def _call(plain: Mapping[str, Any]) -> ToolCall | None:
    given = plain.get("arguments", plain.get("parameters", {}))
    given = _json(given) if isinstance(given, str) else given
    name = plain.get("name")
    return ToolCall(name, given) if isinstance(name, str) and name and isinstance(given, Mapping) else None


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _marked(whole: str, text: str) -> str:
    """The text, with a mark that is a special token put back, where a call was begun and is malformed."""
    return f"[TOOL_CALLS]{text}" if "[TOOL_CALLS]" in whole and "[TOOL_CALLS]" not in text else text
