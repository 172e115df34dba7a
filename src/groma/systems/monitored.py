"""`monitored`: another system, whose answer a monitor stops where it finds that it breaks a principle.

The monitor is asked what a critic is asked, about every principle of a constitution; where it is surer than `threshold`
that one is broken, or cannot be understood, `refusal` is the answer: what nobody judged does not pass. It sees answers:
what `inner` did with tools on the way is done.
"""

from __future__ import annotations

from dataclasses import replace

from groma.formats.constitution import Constitution, find_constitution
from groma.formats.errors import BadConfig
from groma.formats.messages import Message
from groma.formats.requests import Episode
from groma.formats.task import Posed
from groma.formats.transcript import Transcript
from groma.systems.best_of_n import CHAT
from groma.systems.blame import Reading, blame, criticising
from groma.systems.critique import answered
from groma.systems.system import System

SHIPPED = find_constitution("default")
STOPPED = "I will not help with that."


def monitored(
    posed: Posed,
    *,
    inner: System = CHAT,
    constitution: Constitution = SHIPPED,
    monitor: str = "assistant",
    threshold: float = 0.5,
    read: Reading = "scores",
    refusal: str = STOPPED,
) -> Episode:
    """What `inner` answers, or `refusal`. Where there is no answer there is nothing to stop."""
    principles = criticising(constitution, read)
    if not 0 <= threshold < 1 or not refusal.strip():
        raise BadConfig(f"threshold {threshold}, refusal {refusal!r}; choose a probability below 1, and words")
    first: Transcript = yield from inner(posed)
    if not first.answer.strip():
        return first
    spoken = answered(first, first.answer)
    for principle in principles:
        bad = yield from blame(spoken, principle, constitution, critic=monitor, read=read)
        if bad is None or bad > threshold:
            told = (*spoken[:-1], Message("assistant", refusal))
            return replace(first, messages=told, answer=refusal, stop="stopped")
    return first
