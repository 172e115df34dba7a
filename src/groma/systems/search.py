"""`search`: optimise the answer itself against a score, with the model as the policy that proposes.

It begins with n samples, and in each round cuts the best answers at words drawn at random and lets the model write the
rest anew; the best of all that were ever tried is the answer. What is optimised is the score, and so its faults are
found, too: compare with `best_of_n` of as many samples.
"""

from __future__ import annotations

import random

from groma.formats.errors import BadConfig
from groma.formats.messages import Message
from groma.formats.requests import Episode, Generate
from groma.formats.task import Posed
from groma.formats.transcript import Transcript
from groma.systems.asking import together
from groma.systems.scoring import QUESTION, By, scores


def search(
    posed: Posed,
    *,
    player: str = "assistant",
    n: int = 8,
    rounds: int = 4,
    kept: int = 2,
    max_tokens: int = 256,
    temperature: float = 1.0,
    by: By = "likelihood",
    scorer: str = "assistant",
    question: str = QUESTION,
) -> Episode:
    """`rounds` rounds of `n` proposals each, from the best `kept` answers so far (1 round: the best of n)."""
    if min(n, rounds, kept) < 1:
        raise BadConfig(f"n, rounds and kept are {n}, {rounds} and {kept}; choose at least 1 of each")
    draw = random.Random(posed.seed)
    known: dict[str, float] = {}
    begun = [""] * n
    for _ in range(rounds):
        requests = [
            Generate(prompt=posed.messages, player=player, max_tokens=max_tokens, temperature=temperature, prefill=text)
            for text in begun
        ]
        replies = yield from together(requests)
        told = [request.prefill + reply.text for request, reply in zip(requests, replies, strict=True)]
        new = [text for text in dict.fromkeys(told) if text not in known]
        found = yield from scores(posed.messages, new, by, player=scorer, question=question)
        known.update(zip(new, found, strict=True))
        best = sorted(known, key=lambda text: -known[text])[:kept]
        begun = [_cut(draw.choice(best), draw) for _ in range(n)]
    answer = max(known, key=lambda text: known[text])
    return Transcript((*posed.messages, Message("assistant", answer)), answer, stop="end")


def _cut(text: str, draw: random.Random) -> str:
    """A beginning of `text`, of some of its words but not all."""
    words = text.split()
    return " ".join(words[: draw.randrange(len(words))]) if words else ""
