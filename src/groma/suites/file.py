"""A user's own file as a suite: prompts to be answered or refused, or questions with choices.

One row a task, JSON lines or CSV; other columns are left alone:
  {"prompt": "How do I …?"}                                      refused? (by the rule of `judges/rules.py`)
  {"prompt": "How do I …?", "label": "safe" | "unsafe"}          as XSTest: over-refusal, compliance with the unsafe
  {"prompt": "How many …?", "answer": "42"}                      accuracy: does the reply end in the answer?
  {"prompt": "Which …?", "choices": ["…", "…"], "answer": "…"}   accuracy: is the likeliest choice the answer?
A prompt is a string or a list of {"role", "content"} that ends with the user's turn; an answer may be the index of a
choice; `id`, if given, names the task; `stratum` (or `strata`, several by name) says of which group it is, for the
pessimistic case. Without a label nobody knows what would be right, so the objective does not apply. Choices are
shuffled, as in TruthfulQA. An answer that is a number is compared with the last number of the reply, as is usual for
GSM8K (Cobbe et al. 2021); another one with its last words, whatever their case and the marks around them.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from groma.formats.errors import BadInput
from groma.formats.jsonl import read_rows
from groma.formats.messages import messages_from
from groma.formats.task import Condition, Judgement, Posed, Task
from groma.formats.transcript import Transcript
from groma.judges.rules import refusal
from groma.suites.conditions import CONDITIONS
from groma.suites.prompts import ANSWERS, LABELS, REFUSES, Read, judge_refusal
from groma.suites.suite import SPLIT, Rival, draw, said, says
from groma.suites.truthfulqa import guesses, mc1, said_scores

EXPECTED = (
    '{"prompt": …}, with "label": "safe" or "unsafe", with "answer": what a reply has to end in, '
    'or with "choices": [two or more] and "answer": one of them'
)
ANSWER = "answer"
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class FileSuite:
    """The suite of one file; make it with `from_path`. Kinds: which of `prompt`, `safe`, `unsafe`, `answer`, `choice`
    occur.
    """

    name: str
    items: tuple[Task, ...]
    kinds: tuple[str, ...]
    read: Read = refusal
    splits: tuple[str, ...] = (SPLIT,)
    max_tokens: int = 256
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    conditions: Mapping[str, Condition] = field(default_factory=lambda: CONDITIONS)
    ways: tuple[str, ...] = tuple(CONDITIONS)

    @property
    def rivals(self) -> Mapping[str, Rival]:
        """For prompts one that refuses and one that answers, for choices chance."""
        prompts = {"refuses everything": says(REFUSES), "answers everything": says(ANSWERS)}
        if self.kinds == ("choice",):
            return {"guesses": _guesses}
        return prompts | ({"guesses": _guesses} if "choice" in self.kinds else {})

    def tasks(self, kind: str | None = None, split: str = SPLIT, n: int = 200, seed: int = 0) -> tuple[Task, ...]:
        return draw(self.items, self.name, self.kinds, kind, split, n, seed)

    def open(self, task: Task) -> None:
        """There are no tools."""

    def judge(self, task: Task, transcript: Transcript) -> Judgement:
        if task.kind == ANSWER:
            ends, empty = ends_in(str(task.gold["answer"]), transcript.answer), not transcript.answer.strip()
            return Judgement(2.0 * ends - 1, {"accuracy": float(ends), "nonsense": float(empty)})
        if task.kind != "choice":
            return judge_refusal(str(task.gold["label"]), self.read(transcript.answer))
        choices, scores = task.posed.choices, transcript.scores
        if len(scores) != len(choices):
            scores = said_scores(choices, transcript.answer)
        if any(math.isnan(one) for one in scores) or not math.isfinite(max(scores)):
            return Judgement(-1.0, {"accuracy": 0.0, "nonsense": 1.0})
        right = mc1(scores, [int(choice == task.gold["answer"]) for choice in choices])
        return Judgement(2 * right - 1, {"accuracy": right, "nonsense": 0.0})


def from_path(path: Path) -> FileSuite:
    """Read the file. Raises BadInput with file and line where a row has none of the forms above, or there is no row."""
    return from_rows(read_rows(path), name=path.name.split(".")[0], where=str(path))


def from_rows(rows: Iterable[tuple[int, Mapping[str, Any]]], *, name: str, where: str) -> FileSuite:
    items = tuple(_task(name, number, row, f"{where}:{number}") for number, row in rows)
    if not items:
        raise BadInput("no prompts", where=where, expected=EXPECTED)
    twice = len(items) - len({item.id for item in items})
    if twice:
        raise BadInput(f"{twice} rows repeat an id", where=where, expected="an id of its own for each row, or no ids")
    known = ("prompt", *LABELS, ANSWER, "choice")
    return FileSuite(name, items, tuple(kind for kind in known if kind in {one.kind for one in items}))


def ends_in(answer: str, text: str) -> bool:
    """Whether a reply ends in the answer: its last number, where the answer is one, else its last words.

    "So 3 + 4 = 7." ends in "7" and in "7.0"; "It is the capital, Paris!" in "paris"; neither in "8" or "Rome".
    """
    if _NUMBER.fullmatch(answer.strip()):
        found = _NUMBER.findall(text)
        return bool(found) and float(found[-1].replace(",", "")) == float(answer.replace(",", ""))
    said, due = ([word for word in re.split(r"\W+", one.lower()) if word] for one in (text, answer))
    return bool(due) and said[-len(due) :] == due


def _task(name: str, number: int, row: Mapping[str, Any], where: str) -> Task:
    prompt, label = row.get("prompt", row.get("question")), row.get("label") or ""
    if not prompt:
        raise BadInput(f"no prompt among the columns {sorted(map(str, row))}", where=where, expected=EXPECTED)
    if label not in ("", *LABELS):
        raise BadInput(f"the label is {label!r}", where=where, expected="safe, unsafe, or none")
    try:
        messages = messages_from(prompt)
    except BadInput as trouble:
        raise BadInput(trouble.what, where=where, expected='a string or a list of {"role", "content"}') from trouble
    if messages[-1].role != "user":
        raise BadInput(
            f"the last turn is the {messages[-1].role}'s", where=where, expected="a prompt that the user ends"
        )
    task_id = f"{name}/{row.get('id') or number}"
    if "choices" not in row:
        if (answer := row.get("answer")) not in (None, ""):
            if label:
                raise BadInput("both a label and an answer", where=where, expected=EXPECTED)
            gold = {"answer": str(answer)}
            return Task(task_id, Posed(messages, seed=number), gold, ANSWER, SPLIT, _strata(row, where))
        posed = Posed(messages, seed=number)
        return Task(task_id, posed, {"label": label}, label or "prompt", SPLIT, _strata(row, where))
    if label:
        raise BadInput("both a label and choices", where=where, expected=EXPECTED)
    choices, answer = _choices(row, where)
    posed = Posed(messages, seed=number, choices=choices)
    return Task(task_id, posed, {"answer": answer}, "choice", SPLIT, _strata(row, where))


def _strata(row: Mapping[str, Any], where: str) -> dict[str, str]:
    """The groups that a row says it is of."""
    given = row.get("strata") or {}
    if not isinstance(given, Mapping):
        raise BadInput(f"strata is {given!r:.60}", where=where, expected='names with values, {"topic": "cooking"}')
    if row.get("stratum") not in (None, ""):
        given = {**given, "stratum": row["stratum"]}
    return {str(name): str(value) for name, value in given.items()}


def _choices(row: Mapping[str, Any], where: str) -> tuple[tuple[str, ...], str]:
    """The choices, shuffled by their own words, and the right one."""
    choices, answer = row["choices"], row.get("answer")
    if not isinstance(choices, list) or len(set(map(str, choices))) < max(2, len(choices)) or "" in choices:
        raise BadInput(
            f"the choices are {choices!r:.80}", where=where, expected="a list of two or more different strings"
        )
    texts = [str(choice) for choice in choices]
    if isinstance(answer, int) and not isinstance(answer, bool) and 0 <= answer < len(texts):
        answer = texts[answer]
    if answer not in texts:
        expected = f"one of the choices, or its index from 0 to {len(texts) - 1}"
        raise BadInput(f"the answer is {answer!r:.80}", where=where, expected=expected)
    shuffled = sorted(texts)
    random.Random("/".join(shuffled)).shuffle(shuffled)
    return tuple(shuffled), str(answer)


def _guesses(task: Task) -> Transcript:
    """Chance among choices; a prompt is refused or answered by the task's own seed."""
    if task.posed.choices:
        return guesses(task)
    return said(task, REFUSES if task.posed.seed % 2 else ANSWERS)
