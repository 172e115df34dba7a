"""`self_consistency`: n episodes of another system, and the answer that most of them come to.

Wang et al. 2022 (arXiv 2203.11171): the reasons differ, the right answer is what most of them lead to. Answers are
compared by what follows `after` last, where that stands in them, without case, stops and spaces; of answers that are
said equally often the one that was said first wins.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from groma.formats.errors import BadConfig
from groma.formats.requests import Episode, Failed, Failure
from groma.formats.task import Posed
from groma.formats.transcript import Transcript
from groma.systems.best_of_n import CHAT
from groma.systems.side_by_side import keep, side_by_side
from groma.systems.system import System


def self_consistency(posed: Posed, *, inner: System = CHAT, n: int = 8, after: str = "the answer is") -> Episode:
    """The first episode of `inner` that gives the most frequent of `n` answers. Fails where all do."""
    if n < 1:
        raise BadConfig(f"n is {n}; choose at least 1")
    forked = bool(posed.tools)
    episodes = [inner(replace(posed, seed=posed.seed + number)) for number in range(n)]
    ended = yield from side_by_side(episodes, forked=forked)
    whole = [(number, one) for number, one in enumerate(ended) if isinstance(one, Transcript)]
    if not whole:
        raise Failed(next(one for one in ended if isinstance(one, Failure)))
    votes = Counter(compared(one.answer, after) for _, one in whole)
    most = max(votes.values())
    number, chosen = next(one for one in whole if votes[compared(one[1].answer, after)] == most)
    if forked:
        yield from keep(number)
    return chosen


def compared(answer: str, after: str) -> str:
    """What of an answer is compared."""
    text = answer.lower()
    text = text.rpartition(after.lower())[2] if after else text
    return " ".join(text.split()).strip(" .,!?\"'")
