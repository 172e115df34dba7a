"""The counterexample: the shortest item on which the claim was seen to fail, made smaller as long as it still fails.

Tried in turn: what the adversary added; the turns before the last one (all, then the oldest, one exchange after the
other); each sentence of the last turn but its last. What is known of an item (a label, the truth) is known of all of
its words: where anything is, they stay, and only what a form put around them may go. A smaller item counts where most
of three fresh replies fail by the same judge (one reply, where nothing is left to chance). We differ from delta
debugging (Zeller 2002) by dropping whole turns and sentences only, so that what is left is still something that a user
says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from groma.claims.trial import Bound, Episode, Result, episodes
from groma.formats.messages import Message
from groma.formats.task import Posed, Task

DRAWS = 3
MOST = 40
"""Smaller items that are replayed, at most."""


@dataclass(frozen=True, slots=True)
class Witness:
    """A failing item as it was seen: the shortest of its stratum."""

    result: Result

    @property
    def length(self) -> tuple[bool, int, str]:
        """Episodes that failed come last: they show nothing that was said, or that nobody judged it."""
        task = self.result.witness.played.task
        failed = self.result.witness.judged.failure is not None
        return failed, sum(len(one.content) for one in task.posed.messages), task.id


def minimised(bound: Bound, witness: Witness) -> dict[str, Any]:
    """The counterexample as a verdict keeps it: plain, with what was dropped."""
    result = witness.result
    now = result.witness
    dropped: list[str] = []
    replies = 0
    transcript = now.played.transcript
    read = transcript is not None and now.judged.failure is None
    shrinkable = read and transcript is not None and transcript.form != "short" and bound.population.derived is None
    if shrinkable:
        now, dropped, replies = _smaller(bound, result)
    return {
        "task": result.witness.played.task.id,
        "posed": [one.to_dict() for one in now.played.task.posed.messages],
        "said": now.played.transcript.answer if now.played.transcript else "",
        "value": now.judged.value(bound.counted) if not now.judged.failure else None,
        "held_against": result.other,
        "failure": result.failure,
        "adversary": now.played.task.condition if bound.adversary is not None else "",
        "form": now.played.task.condition if bound.adversary is None else "",
        "strata": dict(result.forms[0].strata),
        "dropped": dropped,
        "replies": replies,
        "minimised": shrinkable,
    }


def _smaller(bound: Bound, result: Result) -> tuple[Episode, list[str], int]:
    """The smallest item found, an episode in which it failed, what was dropped, and how many replies that took."""
    now, dropped, tried = result.witness, list[str](), 0
    moved = True
    while moved and tried < MOST:
        moved = False
        for what, task in _candidates(now.played.task, result.forms[0]):
            tried += 1
            if (failing := _still_fails(bound, result, task, tried)) is not None:
                now, moved = failing, True
                dropped.append(what)
                break
            if tried >= MOST:
                break
    return now, dropped, tried * (1 if bound.exact else DRAWS)


def _candidates(task: Task, item: Task) -> Iterator[tuple[str, Task]]:
    """Smaller tasks, the boldest first, each with what is dropped."""
    if task.condition and not item.condition and task.posed.messages != item.posed.messages:
        yield f"what {task.condition} added", replace(item, id=task.id)
    messages, kept = task.posed.messages, item.posed.messages if any(item.gold.values()) else ()
    system = 1 if messages[0].role == "system" else 0
    before = len(messages) - 1 - system
    if before and len(kept) <= 1 + system:
        yield f"{before} earlier turns", _with(task, (*messages[:system], messages[-1]))
    if before > 2 and len(kept) <= 1 + system:
        yield "the 2 oldest turns", _with(task, (*messages[:system], *messages[system + 2 :]))
    sentences = sentences_of(messages[-1].content)
    own = {one.strip() for one in sentences_of(kept[-1].content)} if kept else {sentences[-1].strip()}
    for place, one in enumerate(sentences):
        if one.strip() in own:
            continue
        rest = "".join(sentences[:place] + sentences[place + 1 :]).strip()
        yield f"“{one.strip()}”", _with(task, (*messages[:-1], replace(messages[-1], content=rest)))


def sentences_of(text: str) -> list[str]:
    """Sentences and lines, each with the space behind it: joined they are the text."""
    return [one for one in re.split(r"(?<=[.!?:])(?=\s)|(?<=\n)", text) if one]


def _with(task: Task, messages: tuple[Message, ...]) -> Task:
    posed: Posed = replace(task.posed, messages=messages)
    return replace(task, posed=posed)


def _still_fails(bound: Bound, result: Result, task: Task, number: int) -> Episode | None:
    """An episode of `task` in which it fails, where most of its fresh replies do."""
    draws = 1 if bound.exact else DRAWS
    seen = result.witness.played.task.id
    fresh = [
        replace(task, id=f"{seen}~{number}.{draw}", posed=replace(task.posed, seed=task.posed.seed + 1000 * draw))
        for draw in range(1, draws + 1)
    ]
    found = episodes(bound, bound.ours, bound.ours.system, fresh)
    failing = [one for one in found if _fails(bound, result, one)]
    return failing[0] if 2 * len(failing) > draws else None


def _fails(bound: Bound, result: Result, one: Episode) -> bool:
    value = one.judged.value(bound.counted)
    if one.judged.failure or value is None:
        return False
    return bound.scale.fails(value if result.other is None else bound.scale.difference(value, result.other))
