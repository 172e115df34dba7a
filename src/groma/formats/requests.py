"""Requests and replies: everything that a system can ask for, as plain values.

A system yields a request (or a tuple of them, for parallel branches) and is sent a reply (or a tuple). It never knows
who answers: a local engine, a remote one, a person, a fake, or a log that is replayed. Seeds are not part of a request:
the driver derives them from the episode and the call number, so that no draw depends on the batch it ran in.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from groma.formats.errors import BadInput
from groma.formats.messages import Message, ToolCall, check_arguments
from groma.formats.writable import writable, writable_in

if TYPE_CHECKING:
    from groma.formats.transcript import Transcript

Prompt = tuple[Message, ...] | str | tuple[int, ...]
"""What a model reads: messages (rendered by its chat template), plain text, or token ids as they are."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as it is shown to a model: JSON schema of its arguments in `parameters`."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Edit:
    """An activation edit: in the output of block `layer` at `positions` (None: all), add, set or remove `vector`."""

    layer: int
    vector: NDArray[np.floating]
    kind: Literal["add", "set", "project_out"] = "add"
    positions: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Generate:
    """Let `player` go on from `prompt`. `temperature` 0 is greedy; `top_k` 0 and `top_p` 1 switch truncation off."""

    prompt: Prompt
    player: str = "assistant"
    tools: tuple[Tool, ...] = ()
    max_tokens: int = 256
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    prefill: str = ""
    logprobs: bool = False
    edits: tuple[Edit, ...] = ()

    def __post_init__(self) -> None:
        _check_prompt(self.prompt)
        _check(self.max_tokens >= 1, "max_tokens", self.max_tokens, "at least 1")
        _check(self.temperature >= 0, "temperature", self.temperature, "0 (greedy) or more")
        _check(self.top_k >= 0, "top_k", self.top_k, "0 (off) or more")
        _check(0 < self.top_p <= 1, "top_p", self.top_p, "above 0 and at most 1 (off)")
        _check(
            isinstance(self.stop, tuple) and all(self.stop), "stop", self.stop, "a tuple of strings that are not empty"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How likely is each of `answers` after `prompt`? The reply's `scores` are summed natural log-probabilities.

    With messages as prompt an answer is the assistant's next turn, with its end-of-turn token where `ended`.
    """

    prompt: Prompt
    answers: tuple[str, ...]
    player: str = "assistant"
    ended: bool = False

    def __post_init__(self) -> None:
        _check_prompt(self.prompt)
        _check(bool(self.answers) and all(self.answers), "answers", self.answers, "one or more strings, none empty")


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Use a tool of the environment, in one of its branches. The reply's `text` is what the environment says."""

    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    branch: str = ""
    player: str = "environment"

    def __post_init__(self) -> None:
        check_arguments(self.tool, self.arguments)
        object.__setattr__(self, "arguments", writable_in(self.arguments))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork:
    """Copy the environment, as it now is in the branch `of`, into a new branch: what is done in one leaves the others
    alone. The first branch, in which an episode begins, is "". One of that name is closed and replaced.
    """

    branch: str
    of: str = ""
    player: str = "environment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """Let `branch` take the place of the branch `of`, and close it under its own name. The state of "" is judged."""

    branch: str
    of: str = ""
    player: str = "environment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """Activations of `player` on `prompt`: the reply's `arrays` maps a layer to an array (positions, width)."""

    prompt: Prompt
    layers: tuple[int, ...]
    positions: tuple[int, ...] | None = None
    player: str = "assistant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Differentiate:
    """The `top_k` strongest token gradients at `positions` for making `target` likelier after `prompt`."""

    prompt: Prompt
    target: str
    positions: tuple[int, ...]
    top_k: int = 256
    player: str = "assistant"


Request = Generate | Score | Act | Fork | Keep | Read | Differentiate
Stop = Literal["end", "stop", "length", ""]


@dataclass(frozen=True, slots=True)
class Cost:
    """What an answer took: tokens read, tokens written, calls, seconds of the engine."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    calls: int = 0
    seconds: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.calls + other.calls,
            self.seconds + other.seconds,
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. `prompt_ids` and `token_ids` are exactly as fed and sampled (the end token included, when it was
    drawn).

    `stop`: "end" (the model ended its turn), "stop" (a stop string, which is cut off), "length" (max_tokens reached).
    """

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    prompt_ids: tuple[int, ...] = ()
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    scores: tuple[float, ...] = ()
    arrays: Mapping[int, NDArray[np.floating]] = field(default_factory=dict)
    stop: Stop = ""
    cost: Cost = Cost()

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", writable(self.text))


@dataclass(frozen=True, slots=True)
class Failure:
    """Something went wrong, as data. `boundary`: `engine`, `system`, `environment`, `tool`, `judge`, `budget`,
    `interrupted`.

    seconds: how long it took, where somebody was kept busy by it; no part of what it is. passing: nobody was there to
    answer (a server that is down or busy); who goes on from a log asks again.
    """

    boundary: str
    kind: str
    message: str
    seconds: float = field(default=0.0, compare=False)
    passing: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", writable(self.message))


class Failed(Exception):
    """Thrown into a system whose request failed, so that it can recover; if it does not, the episode is a failure."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.boundary}: {failure.kind}: {failure.message}")
        self.failure = failure


Asked = Request | tuple[Request, ...]
Answered = Reply | tuple[Reply | Failure, ...]
Episode = Generator[Asked, Any, "Transcript"]


def _check(holds: bool, name: str, value: object, expected: str) -> None:
    if not holds:
        raise BadInput(f"{name} is {value!r}", expected=expected)


def _check_prompt(prompt: Prompt) -> None:
    whole = isinstance(prompt, str) or (
        isinstance(prompt, tuple)
        and bool(prompt)
        and (all(isinstance(one, Message) for one in prompt) or all(isinstance(one, int) for one in prompt))
    )
    _check(whole, "prompt", prompt, "a string, a tuple of messages, or a tuple of token ids, not empty")
