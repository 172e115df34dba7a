"""Answers that nobody gave, so that a system runs through: for `check`, where no reply of its author's is at hand.

Words of the prompt, "yes" and "no", now and then a call of a tool; numbers where scores or activations are asked for.
The same request and seed get the same reply.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

import numpy as np

from groma.formats.digest import digest
from groma.formats.messages import ToolCall
from groma.formats.requests import (
    Act,
    Cost,
    Differentiate,
    Failure,
    Generate,
    Prompt,
    Read,
    Reply,
    Request,
    Score,
    Tool,
)
from groma.systems.calls import written

Answer = Callable[[Request, int], Reply | Failure | str]
WORDS = ("the", "answer", "is", "four", "i", "do", "not", "know")
SPOKEN = 8
WIDTH = 4


def invented(tools: Sequence[Tool] = ()) -> Answer:
    """Answers to a system that was offered `tools`, which it may want to have called in words."""

    def answer(request: Request, seed: int) -> Reply:
        draw = random.Random(f"{digest(request)} {seed}")
        if isinstance(request, Generate):
            return _said(request, tools, draw)
        if isinstance(request, Score):
            return Reply(scores=tuple(-draw.uniform(0.1, 9.0) for _ in request.answers), cost=Cost(calls=1))
        if isinstance(request, Read):
            rows = 3 if request.positions is None else len(request.positions)
            return Reply(arrays={layer: _array(draw, rows, WIDTH) for layer in request.layers}, cost=Cost(calls=1))
        if isinstance(request, Differentiate):
            return Reply(arrays={place: _array(draw, request.top_k) for place in request.positions})
        return Reply(text=_words(draw, WORDS) if isinstance(request, Act) else "", stop="end")

    return answer


def _said(request: Generate, tools: Sequence[Tool], draw: random.Random) -> Reply:
    words, way = _words_of(request.prompt), draw.randrange(8)
    offered = request.tools or tools
    call = _call(draw.choice(offered), words, draw) if offered and way < 3 else None
    native = (call,) if call and request.tools else ()
    text = written(call) if call and not native else "yes." if way == 3 else "no." if way == 4 else _words(draw, words)
    said = () if native else tuple(text.split()[: request.max_tokens])
    ids = tuple(range(len(said))) or (0,)
    return Reply(
        text=" ".join(said),
        tool_calls=native,
        token_ids=ids,
        logprobs=tuple(-draw.uniform(0.1, 3.0) for _ in ids) if request.logprobs else (),
        stop="length" if len(said) == request.max_tokens else "end",
        cost=Cost(completion_tokens=len(ids), calls=1),
    )


def _call(tool: Tool, words: Sequence[str], draw: random.Random) -> ToolCall:
    return ToolCall(tool.name, {name: draw.choice(words) for name in tool.parameters.get("properties", {})})


def _words_of(prompt: Prompt) -> Sequence[str]:
    if isinstance(prompt, str):
        text = prompt
    else:
        text = " ".join("" if isinstance(one, int) else one.content for one in prompt)
    return re.findall(r"\w+", text)[-64:] or WORDS


def _words(draw: random.Random, words: Sequence[str]) -> str:
    return " ".join(draw.choice(words) for _ in range(draw.randint(1, SPOKEN))) + "."


def _array(draw: random.Random, *shape: int) -> np.ndarray:
    return np.array([draw.gauss(0.0, 1.0) for _ in range(int(np.prod(shape)))]).reshape(shape)
