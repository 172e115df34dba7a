"""AI feedback: which of two replies is better by a principle, as a soft label. Bai et al. 2022, arXiv:2212.08073,
section 4.

A principle is drawn by its weight from the task's seed. The judge is asked
    comparison   the principle's own question about both replies, A and B, in both orders: the log-probabilities of the
                 two options, normalised; the label is the mean over the orders, so that a favour for one place cancels
    critique     of each reply apart what a critic says: the log-odds of a critique that passes against one that fails.
                 The label is what Bradley and Terry make of the two, sigmoid(odds of the first - odds of the second).
                 For judges who cannot compare, and constitutions that say how both kinds of critique begin.
Judges who cannot score, behind a server say, are asked for words: the option that they say, or how their critique
begins, is then as sure as can be, and where an order (a critique) cannot be read there is no label.
With `reasons` the judge first writes why (chain of thought), and the options are scored after that. Such labels are
close to 0 and 1 even where the judge errs; the paper clamps them to 40-60 %, which `label` does where asked.

We differ from the paper: replies stand between marks that they cannot close (judges/model.py), and both orders are
asked.
"""

from __future__ import annotations

import math
import random
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from groma.formats.constitution import OPTIONS, Constitution, Principle
from groma.formats.errors import BadConfig, BadInput
from groma.formats.messages import Message
from groma.formats.requests import Asked, Episode, Generate, Score
from groma.formats.task import Posed, Task
from groma.formats.transcript import Transcript
from groma.judges.model import FRAME, filled
from groma.judges.model import By as Read
from groma.judges.verdict import said_option, shares
from groma.systems.asking import together
from groma.systems.critique import after, examples

By = Literal["comparison", "critique"]
WHY = "Before you answer, think it through: what would follow from either reply, by this question alone?"
UNREAD = "unreadable"
"""Where the transcript stops of which not all could be read: there is no label of it."""
SURE, NOBODY = (0.0, -50.0), (0.0, 0.0)
"""Log-probabilities of two options of which the first was said, and of two of which none was."""
SO = f"So which is it? Answer with one of these and nothing else: {', '.join(OPTIONS)}."


@dataclass(frozen=True, slots=True)
class Label:
    """What the judge made of two replies. first: probability that the first is better, clamped where that was asked.

    agree: whether both orders name the same reply (None: one names neither; critique: there are no orders). bias: the
    mean probability of what stands at A, less 1/2. sure: the probability before it was clamped.
    """

    principle: str
    first: float
    sure: float
    agree: bool | None = None
    bias: float | None = None


def feedback(
    posed: Posed,
    *,
    constitution: Constitution,
    player: str = "judge",
    by: By = "comparison",
    reasons: bool = False,
    read: Read = "scores",
    max_tokens: int = 256,
) -> Episode:
    """Two replies: the last two messages, to what stands before them. The answer is the principle's name, the scores
    those of both options, order by order (or of both critiques, reply by reply); by words, 0 for what was said.
    """
    principle = drawn(constitution, by, posed.seed)
    _check(constitution, by, reasons)
    asked, replies = posed.messages[:-2], [one.content for one in posed.messages[-2:]]
    if by == "critique":
        shown, last = examples(constitution), Message("user", principle.critique)
        turns = [after(shown, (*asked, Message("assistant", one), last)) for one in replies]
        answers = (constitution.passes[0], constitution.fails[0])
    else:
        turns, answers = [_turns(asked, order, principle) for order in (replies, replies[::-1])], OPTIONS
        if reasons:
            turns = yield from _reasoned(turns, player, max_tokens)
    said = tuple(turn for one in turns for turn in one)
    if read == "words":
        found = yield from together(
            [Generate(prompt=one, player=player, max_tokens=max_tokens, temperature=0.0) for one in turns]
        )
        told = [_said(reply.text, constitution, by) for reply in found]
        scores = tuple(score for one in told for score in one)
        return Transcript(said, principle.name, scores, stop=UNREAD if NOBODY in told else "")
    found = yield from together([Score(prompt=one, answers=answers, player=player) for one in turns])
    scores = tuple(score for reply in found for score in reply.scores)
    if len(scores) != 4:
        raise BadInput(f"{player} gave {len(scores)} scores for 4 options", expected="a player that can score")
    return Transcript(said, principle.name, scores)


def _said(text: str, constitution: Constitution, by: By) -> tuple[float, float]:
    """The log-probabilities of both options, or of a critique that passes and one that fails, by what was said."""
    second = constitution.verdict(text) if by == "critique" else {"A": False, "B": True}.get(said_option(text, OPTIONS))
    return NOBODY if second is None else SURE[::-1] if second else SURE


def drawn(constitution: Constitution, by: By, seed: int) -> Principle:
    """The principle by which a task's replies are compared. BadConfig where none can be."""
    able = [one for one in constitution.principles if getattr(one, by)]
    if not able:
        raise BadConfig(f"no principle of {constitution.name!r} has a {by}; give one, or judge by the other")
    return random.Random(f"feedback/{seed}").choices(able, [one.weight for one in able])[0]


def label(transcript: Transcript, by: By, clamp: tuple[float, float] | None = None) -> Label:
    """The label of an episode of `feedback`. clamp: the least and the greatest probability, 0.4 and 0.6 say."""
    if clamp is not None and not 0 <= clamp[0] < 0.5 < clamp[1] <= 1:
        raise BadConfig(f"clamp is {clamp}; choose two probabilities, one below a half and one above it")
    if len(transcript.scores) != 4:
        raise BadInput(f"{len(transcript.scores)} scores", expected="two for each of two orders or replies")
    one, other = (shares(transcript.scores[place : place + 2], 2)[0] for place in (0, 2))
    if by == "critique":
        least = 1e-12  # of a probability, so that its odds are finite
        odds = [math.log(max(part, least)) - math.log(max(1 - part, least)) for part in (one, other)]
        sure, agree, bias = 1 / (1 + math.exp(odds[1] - odds[0])), None, None
    else:
        sure, bias = (one + 1 - other) / 2, (one + other) / 2 - 0.5
        agree = None if 0.5 in (one, other) else (one > 0.5) == (other < 0.5)
    first = sure if clamp is None else min(max(sure, clamp[0]), clamp[1])
    return Label(transcript.answer, first, sure, agree, bias)


def pair(task: Task, first: Transcript, second: Transcript) -> Task:
    """What the judge is posed: what was posed, and two answers to it. It sees no gold."""
    messages = (*task.posed.messages, *(Message("assistant", one.answer) for one in (first, second)))
    posed = Posed(messages, seed=task.posed.seed)
    strata, cluster = task.strata, task.cluster or task.id
    return Task(f"{task.id}/feedback", posed, {}, "feedback", task.split, strata, cluster, task.part)


def _turns(asked: Sequence[Message], order: Sequence[str], principle: Principle) -> tuple[Message, ...]:
    return (Message("user", filled(FRAME, asked, order, principle.comparison, OPTIONS)),)


def _reasoned(
    turns: Sequence[tuple[Message, ...]], player: str, max_tokens: int
) -> Generator[Asked, Any, list[tuple[Message, ...]]]:
    """The same conversations, after the judge wrote why, up to the question that asks for the answer alone."""
    asked = [(*one[:-1], Message("user", f"{one[-1].content}\n\n{WHY}")) for one in turns]
    said = yield from together(
        [Generate(prompt=one, player=player, max_tokens=max_tokens, temperature=0.0) for one in asked]
    )
    return [
        (*one, Message("assistant", reply.text), Message("user", SO)) for one, reply in zip(asked, said, strict=True)
    ]


def _check(constitution: Constitution, by: By, reasons: bool) -> None:
    if by == "critique" and reasons:
        raise BadConfig("reasons would have no effect: a critique is its own reason")
    if by == "critique" and not (constitution.passes and constitution.fails):
        raise BadConfig(
            f"{constitution.name!r} does not say how critiques begin that pass and that fail: give passes and fails"
        )
