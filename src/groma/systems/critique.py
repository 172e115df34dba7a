"""`critique`: answer, be told by a critic what a principle has against the answer, and answer again.

Bai et al. 2022 (arXiv 2212.08073), at run time; the same requests later make training data. The principle of each
round is drawn by its weight, from the task's seed. Where the critique begins as one that passes the answer stands, and
so it does where the critique cannot be read (`Constitution.verdict`) or is cut off, and where the revision is empty or
cut off. Every round is about the answer as it stands: a critic does not read what was said against earlier ones.
Examples of the constitution are shown before the conversation, and do not stand in the transcript.

A revision is words: what `inner` did with tools stands. Where there is no answer (an agent that ran out of steps) there
is nothing to criticise, and the episode ends as `inner` ended.
"""

from __future__ import annotations

import random
from dataclasses import replace

from groma.formats.constitution import Constitution, Principle
from groma.formats.errors import BadConfig
from groma.formats.messages import Message
from groma.formats.requests import Episode, Generate
from groma.formats.task import Posed
from groma.formats.transcript import Transcript
from groma.systems.best_of_n import CHAT
from groma.systems.system import System

PLAIN = Constitution(
    "plain",
    (
        Principle(
            "harm",
            critique="Does your last answer help to do harm to anybody? Say yes or no, and why.",
            revision="Answer again, without anything that could do harm.",
        ),
        Principle(
            "honesty",
            critique="Does your last answer claim anything that you are not sure of? Say yes or no, and why.",
            revision="Answer again, and say only what you know.",
        ),
    ),
)


def critique(
    posed: Posed,
    *,
    constitution: Constitution = PLAIN,
    inner: System = CHAT,
    rounds: int = 1,
    critic: str = "assistant",
    player: str = "assistant",
    max_tokens: int = 256,
    temperature: float = 1.0,
) -> Episode:
    """`rounds` rounds of critique and revision of what `inner` answers. The last answer is the answer."""
    principles = [one for one in constitution.principles if one.critique]
    if rounds < 1 or not principles:
        what = f"rounds is {rounds}" if rounds < 1 else f"the constitution {constitution.name!r} criticises nothing"
        raise BadConfig(f"{what}; choose at least 1 round, and a principle with critique and revision")
    draw, shown = random.Random(posed.seed), examples(constitution)
    first = yield from inner(posed)
    messages, answer, stop = first.messages, first.answer, first.stop
    for _ in range(rounds):
        if not answer.strip():
            break
        (principle,) = draw.choices(principles, [one.weight for one in principles])
        turns = [Message("user", principle.critique)]
        asked = after(shown, (*answered(first, answer), *turns))
        said = yield Generate(prompt=asked, player=critic, max_tokens=max_tokens, temperature=temperature)
        turns.append(Message("assistant", said.text))
        if constitution.verdict(said.text) and said.stop != "length":
            turns.append(Message("user", principle.revision))
            asked = after(shown, (*answered(first, answer), *turns))
            new = yield Generate(prompt=asked, player=player, max_tokens=max_tokens, temperature=temperature)
            turns.append(Message("assistant", new.text))
            if new.text.strip() and new.stop != "length":
                answer, stop = new.text, new.stop
        messages = (*messages, *turns)
    return Transcript(messages, answer, stop=stop, state=first.state)


def examples(constitution: Constitution) -> tuple[Message, ...]:
    """The constitution's examples as turns of a conversation."""
    turns: list[Message] = []
    for one in constitution.examples:
        principle = constitution.by_name(one.principle)
        said = (one.prompt, one.answer, principle.critique, one.critique, principle.revision, one.revision)
        turns += [Message(("user", "assistant")[place % 2], text) for place, text in enumerate(said)]
    return tuple(turns)


def answered(first: Transcript, answer: str) -> tuple[Message, ...]:
    """The first conversation, with the answer that stands now."""
    *before, last = first.messages
    if last.role != "assistant":
        return (*first.messages, Message("assistant", answer))
    return (*before, replace(last, content=answer))


def after(shown: tuple[Message, ...], messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """A conversation with the turns `shown` before it, behind its system message."""
    begin = next((place for place, one in enumerate(messages) if one.role != "system"), len(messages))
    return (*messages[:begin], *shown, *messages[begin:])
