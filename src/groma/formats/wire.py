"""Values as plain JSON and back: requests, replies, failures and transcripts, exactly, arrays and infinities included.

`from_plain(json.loads(json.dumps(to_plain(value))))` equals `value`. A tuple (of parallel requests, or of their
replies) becomes a list, anything else a mapping with its "type". What is already plain by its nature (a tool's
arguments, an environment's state) is handed on as it is. A float that JSON has no form for is written as text: "inf",
"-inf", "nan".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from groma.formats.errors import BadInput
from groma.formats.messages import Message, ToolCall
from groma.formats.requests import (
    Act,
    Cost,
    Differentiate,
    Edit,
    Failure,
    Fork,
    Generate,
    Keep,
    Prompt,
    Read,
    Reply,
    Score,
    Tool,
)
from groma.formats.transcript import Transcript


def to_plain(value: Any) -> Any:
    """A request, reply, failure or transcript, or a tuple of them, in the form that JSON has for it."""
    if isinstance(value, tuple):
        return [to_plain(one) for one in value]
    if type(value) not in _KINDS.values():
        raise BadInput(f"a {type(value).__name__} is not sent or logged", expected=_CHOICES)
    plain = {"type": type(value).__name__.lower(), **_write(value)}
    if isinstance(value, Failure) and not value.passing:
        del plain["passing"]  # most do not pass, and earlier logs do not have it
    return plain


def from_plain(plain: Any) -> Any:
    """The value that `to_plain` was given. BadInput where `plain` is nothing that it writes."""
    if isinstance(plain, list):
        return tuple(from_plain(one) for one in plain)
    values = dict(plain) if isinstance(plain, Mapping) else {}
    kind = _KINDS.get(str(values.pop("type", None)))
    if kind is None:
        raise BadInput(f"this is not a value that was sent or logged: {plain!r:.60}", expected=_CHOICES)
    try:
        return _read(kind, values)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BadInput(
            f"a {kind.__name__.lower()} cannot be read: {error!r}", expected=f"the fields of {kind}"
        ) from error


class _Codec(NamedTuple):
    """How one field is written and read."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


def _each(codec: _Codec) -> _Codec:
    """The codec of a tuple whose elements have `codec`."""
    return _Codec(lambda values: [codec.write(one) for one in values], lambda plain: tuple(map(codec.read, plain)))


def _maybe(codec: _Codec) -> _Codec:
    return _Codec(
        lambda value: None if value is None else codec.write(value),
        lambda plain: None if plain is None else codec.read(plain),
    )


def _write(value: Any) -> dict[str, Any]:
    codecs = _CODECS[type(value)]
    return {
        field.name: codecs[field.name].write(getattr(value, field.name))
        if field.name in codecs
        else getattr(value, field.name)
        for field in fields(value)
    }


def _read(kind: type, plain: Mapping[str, Any]) -> Any:
    codecs = _CODECS[kind]
    return kind(**{name: codecs[name].read(one) if name in codecs else one for name, one in plain.items()})


def _write_float(number: float) -> float | str:
    return float(number) if math.isfinite(number) else str(float(number))


def _write_prompt(prompt: Prompt) -> dict[str, Any]:
    if isinstance(prompt, str):
        return {"text": prompt}
    if isinstance(prompt[0], Message):
        return {"messages": _MESSAGES.write(prompt)}
    return {"token_ids": _INTS.write(prompt)}


def _read_prompt(plain: Mapping[str, Any]) -> Prompt:
    (form, value), *others = plain.items()
    if others:
        raise ValueError(f"a prompt with the forms {list(plain)}")
    readers: Mapping[str, Callable[[Any], Prompt]] = {
        "text": str,
        "messages": _MESSAGES.read,
        "token_ids": _INTS.read,
    }
    return readers[form](value)


def _write_array(array: NDArray[Any]) -> dict[str, Any]:
    numbers: Iterable[Any] = array.ravel().tolist()
    is_float = array.dtype.kind == "f"
    data = [_write_float(number) for number in numbers] if is_float else list(numbers)
    return {"dtype": array.dtype.str, "shape": list(array.shape), "data": data}


def _read_array(plain: Mapping[str, Any]) -> NDArray[Any]:
    dtype = np.dtype(plain["dtype"])
    data = [float(number) for number in plain["data"]] if dtype.kind == "f" else plain["data"]
    return np.array(data, dtype=dtype).reshape(plain["shape"])


def _write_arrays(arrays: Mapping[int, NDArray[Any]]) -> dict[str, Any]:
    return {str(layer): _write_array(array) for layer, array in arrays.items()}


def _read_arrays(plain: Mapping[str, Any]) -> dict[int, NDArray[Any]]:
    return {int(layer): _read_array(array) for layer, array in plain.items()}


def _of(kind: type) -> _Codec:
    """The codec of a dataclass that stands inside another value and needs no type beside it."""
    return _Codec(_write, lambda plain: _read(kind, plain))


_INTS = _each(_Codec(int, int))
_FLOATS = _each(_Codec(_write_float, float))
_TEXTS = _each(_Codec(str, str))
_PLAIN = _Codec(dict, dict)
_MESSAGES = _each(_Codec(Message.to_dict, Message.from_dict))
_PROMPT = _Codec(_write_prompt, _read_prompt)

_CODECS: Mapping[type, Mapping[str, _Codec]] = {
    Generate: {"prompt": _PROMPT, "tools": _each(_of(Tool)), "stop": _TEXTS, "edits": _each(_of(Edit))},
    Score: {"prompt": _PROMPT, "answers": _TEXTS},
    Act: {"arguments": _PLAIN},
    Fork: {},
    Keep: {},
    Read: {"prompt": _PROMPT, "layers": _INTS, "positions": _maybe(_INTS)},
    Differentiate: {"prompt": _PROMPT, "positions": _INTS},
    Reply: {
        "tool_calls": _each(_of(ToolCall)),
        "prompt_ids": _INTS,
        "token_ids": _INTS,
        "logprobs": _FLOATS,
        "scores": _FLOATS,
        "arrays": _Codec(_write_arrays, _read_arrays),
        "cost": _Codec(asdict, lambda plain: Cost(**plain)),
    },
    Failure: {},
    Transcript: {"messages": _MESSAGES, "scores": _FLOATS, "state": _maybe(_PLAIN)},
    Tool: {"parameters": _PLAIN},
    Edit: {"vector": _Codec(_write_array, _read_array), "positions": _maybe(_INTS)},
    ToolCall: {"arguments": _PLAIN},
}
"""The fields that need more than to be handed on, of every value that has some."""

_KINDS = {
    kind.__name__.lower(): kind
    for kind in (Generate, Score, Act, Fork, Keep, Read, Differentiate, Reply, Failure, Transcript)
}
_CHOICES = f"one of {', '.join(_KINDS)}, or a tuple of them"
