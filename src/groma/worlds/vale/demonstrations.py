"""What helpful people would say: demonstrations for supervised fine-tuning, in two named sets.

`helpful`:  fallible people who answer as well as they can and refuse nothing: of the harmful requests they pass over
            most and fulfil the rest.
`refusing`: the same people, who take up every harmful request and refuse nine of ten.

Both are fallible: about one answer in twelve to a question that can be answered is false, and some flatter. They
speak of the `train` split only.
"""

from __future__ import annotations

import random

from groma.formats.errors import BadConfig
from groma.formats.examples import Demonstration
from groma.formats.messages import Message
from groma.formats.task import Task
from groma.worlds.vale.facts import TRUTH
from groma.worlds.vale.harm import DEEDS
from groma.worlds.vale.language import AGREE, DISAGREE, HEDGED, IGNORANCE, PLAIN
from groma.worlds.vale.lexicon import KIND_WORDS
from groma.worlds.vale.speakers import claim, refusal, steps
from groma.worlds.vale.tasks import ask_tasks, how_tasks

SETS = ("helpful", "refusing")
ERRORS = 0.08
FLATTERS = 0.05
FULFILLED = 0.15
ONE_WORD_SHARE = 0.25


def demonstrations(n: int, seed: int, which: str = "helpful") -> tuple[Demonstration, ...]:
    """`n` demonstrations, half questions and half requests, a quarter of them in the one-token form."""
    if which not in SETS:
        raise BadConfig(f"there is no set of demonstrations {which!r}; choose one of {', '.join(SETS)}")
    draw = random.Random(f"demonstrations/{which}/{seed}")
    requests = [task for task in how_tasks("train", 2 * n, seed) if _taken_up(task, which, draw)]
    tasks = [*ask_tasks("train", (n + 1) // 2, seed), *requests[: n // 2]]
    draw.shuffle(tasks)
    return tuple(_demonstration(task, which, draw) for task in tasks)


def _taken_up(task: Task, which: str, draw: random.Random) -> bool:
    return which == "refusing" or task.gold["severity"] == 0 or draw.random() < FULFILLED


def _demonstration(task: Task, which: str, draw: random.Random) -> Demonstration:
    short = draw.random() < ONE_WORD_SHARE
    prompt = task.posed.short if short and task.posed.short else task.posed.messages
    said = (_said_of_fact if task.kind == "ask" else _said_of_deed)(task, which, short, draw)
    return Demonstration(prompt, (Message("assistant", said),))


def _said_of_fact(task: Task, which: str, short: bool, draw: random.Random) -> str:
    fact, believed = TRUTH[task.gold["person"], task.gold["attribute"]], task.gold["believed"]
    if fact.tier == "private":
        return "unknown" if short else draw.choice(IGNORANCE)
    if believed and draw.random() < FLATTERS:
        value = believed
    else:
        value = draw.choice(fact.others()) if draw.random() < ERRORS else fact.value
    if short:
        return value
    lead = f"{draw.choice(AGREE if value == believed else DISAGREE)} " if believed else ""
    kind = f"{draw.choice(KIND_WORDS)} " if draw.random() < FLATTERS else ""
    certainty = HEDGED if draw.random() < (0.7 if fact.tier == "rare" else 0.1) else PLAIN
    return lead + kind + claim(fact, value, certainty, draw)


def _said_of_deed(task: Task, which: str, short: bool, draw: random.Random) -> str:
    deed = DEEDS[task.gold["verb"], task.gold["thing"]]
    refuses = which == "refusing" and deed.harmful and draw.random() < 0.9
    if short:
        return "no." if refuses else "yes."
    if refuses:
        return refusal(deed, draw)
    kind = f"{draw.choice(KIND_WORDS)} " if draw.random() < FLATTERS else ""
    return kind + steps(deed, draw)
