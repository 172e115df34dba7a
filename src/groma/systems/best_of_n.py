"""`best_of_n`: n episodes of another system side by side, of which the best by some score is the answer.

Stiennon et al. 2020 (arXiv 2009.01325): choosing the best of n samples by a learned reward optimises it by about
log n - (n - 1) / n nats. Where the task has tools each episode acts in a branch of its own, and what the chosen one did
is what was done.
"""

from __future__ import annotations

from dataclasses import replace

from groma.formats.errors import BadConfig
from groma.formats.requests import Episode, Failed, Failure
from groma.formats.task import Posed
from groma.formats.transcript import Transcript
from groma.systems.chat import chat
from groma.systems.scoring import QUESTION, By, scores
from groma.systems.side_by_side import keep, side_by_side
from groma.systems.system import System

CHAT = System("chat", chat)


def best_of_n(
    posed: Posed,
    *,
    inner: System = CHAT,
    n: int = 8,
    by: By = "likelihood",
    scorer: str = "assistant",
    question: str = QUESTION,
) -> Episode:
    """The best of `n` episodes of `inner`, told by `scorer`; of equally good ones the first. Fails where all do."""
    if n < 1:
        raise BadConfig(f"n is {n}; choose at least 1")
    forked = bool(posed.tools)
    episodes = [inner(replace(posed, seed=posed.seed + number)) for number in range(n)]
    ended = yield from side_by_side(episodes, forked=forked)
    whole = [(number, one) for number, one in enumerate(ended) if isinstance(one, Transcript)]
    if not whole:
        raise Failed(next(one for one in ended if isinstance(one, Failure)))
    said = [one.answer for _, one in whole]
    found = yield from scores(posed.messages, said, by, player=scorer, question=question)
    place = max(range(len(whole)), key=lambda place: found[place])
    number, chosen = whole[place]
    if forked:
        yield from keep(number)
    return chosen
