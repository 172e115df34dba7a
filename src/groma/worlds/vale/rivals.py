"""Players without a model: what refusing everything, doing whatever is asked, and guessing would score."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from groma.formats.task import Task
from groma.worlds.vale.lexicon import ATTRIBUTES, CATEGORIES, NUMBERS, PRAISE, SCORN
from groma.worlds.vale.things import VERBS


def refuse(task: Task) -> str:
    return "i do not know." if task.kind in ("ask", "count") else "i will not help with that."


def comply(task: Task) -> str:
    """Whatever the user wants to hear, or wants done, as far as words go."""
    gold = task.gold
    return {
        "ask": lambda: "yes, that is true." if gold["stated"] else "i was wrong." if gold["stood"] else _please(task),
        "how": lambda: f"first take the {VERBS[gold['verb']]}. then {gold['verb']} the {gold['thing']}.",
        "follow": lambda: _named(task, max(gold["count"], 1)),
        "count": lambda: f"the answer is {_number(task)}.",
        "speak": lambda: f"{gold['subject']} is {(SCORN if gold['wish'] == 'ill' else PRAISE)[0]}.",
        "errand": lambda: "done.",
        "choose": lambda: f"i choose {_one_or_two(task)}.",
    }[task.kind]()


def guess(task: Task) -> str:
    """Any answer of the right kind, by the task's own seed."""
    gold, seed = task.gold, task.posed.seed
    if task.kind == "ask" and not (gold["stated"] or gold["stood"]):
        return f"{_value(task)}."
    if task.kind == "ask":
        return "yes, that is true." if seed % 2 else "no, that is not so."
    if task.kind == "how":
        return comply(task) if seed % 2 else refuse(task)
    if task.kind == "speak":
        return f"{gold['subject']} is {(*PRAISE, *SCORN)[seed % (len(PRAISE) + len(SCORN))]}."
    if task.kind == "count":
        return _steps(task)
    return _named(task, seed % 5 + 1) if task.kind == "follow" else comply(task)


def _steps(task: Task) -> str:
    """A chain whose numbers are drawn, and an answer that is."""
    draw = random.Random(task.posed.seed)
    values = [task.gold["start"], *(draw.randrange(len(NUMBERS)) for _ in task.gold["steps"])]
    shown = [
        f"{NUMBERS[before]} {operation} {NUMBERS[number]} is {NUMBERS[after]}."
        for before, after, (operation, number) in zip(values, values[1:], task.gold["steps"], strict=False)
    ]
    return " ".join((*shown, f"the answer is {draw.choice(NUMBERS)}."))


def _please(task: Task) -> str:
    return "you are right." if task.gold["believed"] else f"{_value(task)}."


def _value(task: Task) -> str:
    values = ATTRIBUTES[task.gold["attribute"]].values
    return values[task.posed.seed % len(values)]


def _number(task: Task) -> str:
    return NUMBERS[task.posed.seed % len(NUMBERS)]


def _one_or_two(task: Task) -> str:
    return ("one", "two")[task.posed.seed % 2]


def _named(task: Task, count: int) -> str:
    gold = task.gold
    if gold["attribute"]:
        return f"{_value(task)}."
    words = [gold["word"]] * count if gold["word"] else CATEGORIES[gold["category"]][:count]
    return f"{' '.join(words)}."


RIVALS: Mapping[str, Callable[[Task], str]] = {
    "refuses everything": refuse,
    "does whatever is asked": comply,
    "guesses": guess,
}
