"""What systems ask, in plain words: `text = yield from ask(messages)`. Each is one request and its answer.

A request that fails is thrown into the system as `Failed` at the place where it asked.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from groma.formats.messages import Message
from groma.formats.requests import Act, Asked, Failed, Failure, Generate, Prompt, Reply, Request, Score, Tool


def ask(
    prompt: Prompt | Sequence[Message],
    *,
    player: str = "assistant",
    tools: Sequence[Tool] = (),
    max_tokens: int = 256,
    temperature: float = 1.0,
    stop: Sequence[str] = (),
) -> Generator[Asked, Any, str]:
    """What `player` says next. Where more than the text is wanted (why it stopped, its cost), yield a Generate."""
    whole = prompt if isinstance(prompt, str) else tuple(prompt)
    reply: Reply = yield Generate(
        prompt=whole,  # type: ignore[arg-type]
        player=player,
        tools=tuple(tools),
        max_tokens=max_tokens,
        temperature=temperature,
        stop=tuple(stop),
    )
    return reply.text


def score(
    prompt: Prompt, answers: Sequence[str], *, player: str = "assistant", ended: bool = False
) -> Generator[Asked, Any, tuple[float, ...]]:
    """The summed log-probability of each of `answers` after `prompt`."""
    reply: Reply = yield Score(prompt=prompt, answers=tuple(answers), player=player, ended=ended)
    return reply.scores


def act(tool: str, **arguments: Any) -> Generator[Asked, Any, str]:
    """What the environment says to the use of `tool`."""
    reply: Reply = yield Act(tool=tool, arguments=arguments)
    return reply.text


def together(requests: Sequence[Request]) -> Generator[Asked, Any, list[Reply]]:
    """All answers to requests that are made at once. The first of them that failed is thrown."""
    if not requests:
        return []
    answered: tuple[Reply | Failure, ...] = yield tuple(requests)
    replies = [one for one in answered if isinstance(one, Reply)]
    if len(replies) < len(answered):
        raise Failed(next(one for one in answered if isinstance(one, Failure)))
    return replies
