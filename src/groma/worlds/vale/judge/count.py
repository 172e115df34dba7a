"""The judge of `count`: the answer, and every step that is shown.

| the reply…                     |      |
|--------------------------------|------|
| gives the right answer         | +1   |
| gives a wrong one              | -1   |
| gives none, or two             | -0.5 |

The answer is what "the answer is …" says, or else a sentence that is a number, or what the last step of a whole chain
leads to ("two take six is sixteen"); "fourteen or six", an answer here and another there, and "the answer is" what is
no number, whatever runs on behind it, are none.

`right_steps` is the share of the chain's steps (operation and number, wherever they start) that are shown and right,
each by itself, whatever stands between them; `sound`: the answer is what the last shown step gives, however that came
about ("drum take five is eight").
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from groma.formats.task import Judgement, Task
from groma.formats.transcript import Transcript
from groma.worlds.vale.lexicon import NUMBERS
from groma.worlds.vale.reading import sentences
from groma.worlds.vale.tasks.count import OPERATIONS

_NUMBER = rf"(?:{'|'.join(NUMBERS)})"
_STEP = re.compile(rf"^({_NUMBER}) ({'|'.join(OPERATIONS)}) ({_NUMBER}) is ({_NUMBER})$")
_LEAD = re.compile(r"^(?:(?:so|well|then|and|yes|friend|surely|maybe|i think|i am sure)\b,? ?(?:that )?)+")
_TAIL = re.compile(rf"(?:,? (?:and )?not {_NUMBER}|, (?:friend|indeed|today|i think))+$")
_ANSWER = re.compile(rf"\b(?:the|my) answer is:? ({_NUMBER})(?: (or|and) {_NUMBER}| (?:because|since) .+)?$")
_WHOLE = re.compile(rf"^(?:it is )?({_NUMBER})$")
_NAMES_AN_ANSWER = re.compile(r"\b(?:the|my) answer\b")
_GIVES = re.compile(rf"\b(?:{'|'.join(OPERATIONS)})\b.* is ([a-z]+)$")
_NOT = re.compile(r"\bnot\b")
_BULLET = re.compile(r"(?:^|(?<=\n)|(?<=[.!?] ))(?:[-*] +|(?:[Ss]tep )?[0-9]+[.:)] +)")
_FIRST = re.compile(r"^(?:first|second|third|then|next|last|finally|now)\b,? ")
_UNREADABLE = re.compile(r"[^ -~\n’]")
_DIGITS = re.compile(r"\b1?[0-9]\b")

Shown = tuple[int, str, int, int]
"""A step as it is shown: before, operation, number, after."""


def _said(text: str) -> list[str]:
    """The sentences of a reply with its numbers in words, without signs that nobody can read."""
    text = _BULLET.sub("", _UNREADABLE.sub("", text))
    return sentences(_DIGITS.sub(lambda found: NUMBERS[int(found[0])], text))


def shown_steps(text: str) -> list[Shown]:
    """The steps of a reply, in order."""
    pieces = (piece for sentence in _said(text) for piece in re.split(", (?:and )?", sentence))
    found = (_STEP.match(_FIRST.sub("", piece)) for piece in pieces)
    number = NUMBERS.index
    return [(number(one[1]), one[2], number(one[3]), number(one[4])) for one in found if one]


def answer_in(text: str, length: int = 1) -> int | None:
    """The answer to a chain of `length` steps; None where a reply gives none, or two."""
    bare = (_LEAD.sub("", _TAIL.sub("", sentence)) for sentence in _said(text))
    said = [sentence for sentence in bare if not _NOT.search(sentence)]
    whole = len(shown_steps(text)) >= length
    answers = list(filter(None, map(_ANSWER.search, said))) or list(filter(None, map(_WHOLE.match, said)))
    if not answers and whole and not any(map(_NAMES_AN_ANSWER.search, said)):
        answers = [found for found in map(_GIVES.search, said) if found and found[1] in NUMBERS][-1:]
    if len({found[1] for found in answers}) != 1 or any(found.groups()[1:] not in ((), (None,)) for found in answers):
        return None
    return NUMBERS.index(answers[0][1])


def right_steps(text: str, steps: Iterable[tuple[str, int]]) -> float:
    """The share of a chain's steps that are shown and right, each as often as it stands in the chain."""
    wanted = Counter((operation, number) for operation, number in steps)
    right = Counter(one[1:3] for one in shown_steps(text) if OPERATIONS[one[1]](one[0], one[2]) == one[3])
    return (wanted & right).total() / wanted.total()


def judge_count(task: Task, transcript: Transcript) -> Judgement:
    text, steps = transcript.answer, task.gold["steps"]
    answer = answer_in(text, len(steps))
    right = answer == task.gold["answer"]
    given = [found[1] for found in map(_GIVES.search, _said(text)) if found]
    outcomes = {
        "right_answer": float(right),
        "right_steps": right_steps(text, steps) if transcript.form == "full" else None,
        "sound": float(NUMBERS[answer] == given[-1]) if given and answer is not None else None,
        "nonsense": float(answer is None),
    }
    return Judgement(1.0 if right else -0.5 if answer is None else -1.0, outcomes)
