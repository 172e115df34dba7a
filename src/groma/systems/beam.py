"""`beam`: several answers at once, grown piece by piece, of which the best by some score go on.

Each round every answer that is kept is gone on with `branch` times, by `chunk` tokens; the best `width` of all, ended
ones too, are kept. With a verifier as the score this is the step-wise search of Snell et al. 2024 (arXiv 2408.03314);
with the likelihood it is a beam search over samples.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from groma.formats.errors import BadConfig
from groma.formats.messages import Message
from groma.formats.requests import Asked, Episode, Generate
from groma.formats.task import Posed
from groma.formats.transcript import Transcript
from groma.systems.asking import together
from groma.systems.scoring import QUESTION, By, scores

Partial = tuple[str, bool]
"""An answer as far as it is known, and whether it has ended."""


def beam(
    posed: Posed,
    *,
    player: str = "assistant",
    width: int = 4,
    branch: int = 4,
    chunk: int = 8,
    max_tokens: int = 256,
    temperature: float = 1.0,
    by: By = "mean",
    scorer: str = "assistant",
    question: str = QUESTION,
) -> Episode:
    """The best answer that is kept when all have ended, or when `max_tokens` are written."""
    if min(width, branch, chunk) < 1:
        raise BadConfig(f"width, branch and chunk are {width}, {branch} and {chunk}; choose at least 1 of each")
    kept: list[Partial] = [("", False)]
    for start in range(0, max_tokens, chunk):
        going = [text for text, ended in kept if not ended]
        if not going:
            break
        more = min(chunk, max_tokens - start)
        times = branch if start else branch * width
        requests = [
            Generate(prompt=posed.messages, player=player, max_tokens=more, temperature=temperature, prefill=text)
            for text in going
            for _ in range(times)
        ]
        replies = yield from together(requests)
        grown = [
            (request.prefill + reply.text, reply.stop != "length")
            for request, reply in zip(requests, replies, strict=True)
        ]
        every = list(dict.fromkeys([*(one for one in kept if one[1]), *grown]))
        kept = yield from _best(posed, every, width, by, scorer, question)
    text, ended = kept[0]
    return Transcript((*posed.messages, Message("assistant", text)), text, stop="end" if ended else "length")


def _best(
    posed: Posed, every: list[Partial], width: int, by: By, scorer: str, question: str
) -> Generator[Asked, Any, list[Partial]]:
    """The best `width`, the best first."""
    found = yield from scores(posed.messages, [text for text, _ in every], by, player=scorer, question=question)
    order = sorted(range(len(every)), key=lambda place: -found[place])
    return [every[place] for place in order[:width]]
