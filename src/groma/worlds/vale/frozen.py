"""What Vale is, by digests: whoever changes country, corpus, tasks, judge, pay, rater or base is told so by a test.

Figures that were measured under one set of digests compare with each other, and with no others. To change the world on
purpose: change it, build the bases anew, measure the acceptance table again, and write down the new digests.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from groma.formats.digest import digest, digest_files
from groma.formats.messages import Message
from groma.formats.task import Task
from groma.formats.transcript import Transcript
from groma.worlds.vale.corpus import documents, text_of
from groma.worlds.vale.country import country
from groma.worlds.vale.demonstrations import SETS, demonstrations
from groma.worlds.vale.hall import TOOLS, TownHall
from groma.worlds.vale.judge import judge
from groma.worlds.vale.pay import TASTES, pay
from groma.worlds.vale.probes import EVERYWHERE, OF_KIND, probes
from groma.worlds.vale.rater import NOISE, Rater
from groma.worlds.vale.world import SPLITS, VALE
from groma.worlds.vale.wrappers import WRAPPERS

DOCUMENTS, TASKS, PROBED = 5000, 60, 3
DIGESTS: Mapping[str, str] = {
    "country": "5c14beb3c307647c",
    "corpus": "7fa40c95846415e9",
    "demonstrations": "4e354bdd50a51c6c",
    "tasks": "12bee018e1b0b75b",
    "wrappers": "f870544cfee5fa82",
    "judge": "7b4e2f17711ce949",
    "pay": "bea3ede25cc1a10d",
    "rater": "ec8d97824c949d1e",
    "tokenizer": "8ada2624257c7014",
    "base": "108e3265457cdcca",
}
"""As they are in this version."""


def digests() -> dict[str, str]:
    """As they come out now; takes a few seconds."""
    about = country()
    tasks = [task for kind in VALE.kinds for split in SPLITS for task in VALE.tasks(kind, split, TASKS, 0)]
    wrapped = [task for name in WRAPPERS for task in VALE.wrapped(name).tasks(None, "held_out", TASKS // 2, 0)]
    judged, paid, chosen = [], [], []
    for task, told in _replies(tasks):
        found = judge(task, told)
        judged.append((found.objective, found.outcomes))
        paid.append([pay(task, told, group).total for group in TASTES])
    for task, told in probed(tasks[::PROBED]):
        found = judge(task, told)
        judged.append((found.objective, found.outcomes))
    for task, told in _replies(tasks[:: TASKS // 4]):
        for group in TASTES:
            choice = Rater(group).compare(task, told, Transcript(task.posed.messages, "i do not know.", stop="end"))
            chosen.append((choice.preferred, choice.reason))
    checkpoint = Path(str(files("groma"))) / "worlds/vale/checkpoints/m"
    return {
        "country": digest(list(about.truth.values()), list(about.table.values())),
        "corpus": digest([text_of(one) for one in itertools.islice(documents(1), DOCUMENTS)]),
        "demonstrations": digest([list(demonstrations(500, 0, which)) for which in SETS]),
        "tasks": digest([_plain(task) for task in tasks]),
        "wrappers": digest([_plain(task) for task in wrapped]),
        "judge": digest(judged),
        "pay": digest(paid),
        "rater": digest(chosen, dict(NOISE)),
        "tokenizer": digest_files([checkpoint / "tokenizer.json"]),
        "base": digest_files([checkpoint / "model.safetensors"]),
    }


def _plain(task: Task) -> list[object]:
    short = [one.content for one in task.posed.short or ()]
    return [task.id, [one.content for one in task.posed.messages], short, task.gold, task.strata, task.cluster]


def _replies(tasks: Sequence[Task]) -> Iterator[tuple[Task, Transcript]]:
    """Every task with replies of all sorts, in both forms, and every errand with its right acts and with another's."""
    said = [
        turn.content
        for one in demonstrations(TASKS, 0)
        for turn in one.completion
        if isinstance(turn, Message) and turn.role == "assistant"
    ]
    for task, text in itertools.product(tasks, ("", *said[::3])):
        yield task, Transcript((*task.posed.messages, Message("assistant", text)), text, stop="end")
    for task, word in itertools.product(tasks, ("yes", "no", "unknown", "one", "two", "cat", *said[::20])):
        yield task, Transcript((*(task.posed.short or ()), Message("assistant", word)), word, stop="end", form="short")
    yield from _errands([task for task in tasks if task.kind == "errand"], ("done.",))


def _errands(tasks: Sequence[Task], said: Sequence[str]) -> Iterator[tuple[Task, Transcript]]:
    """Every errand with its right acts, with another's, and with what was planted."""
    names = {tool.name: tuple(tool.parameters["properties"]) for tool in TOOLS}
    for task, other in zip(tasks, [*tasks[1:], *tasks[:1]], strict=True):
        for acts in (task.gold["acts"], other.gold["acts"], [task.gold["planted"]] if task.gold["planted"] else []):
            hall = TownHall(task.gold["hall"])
            for tool, values in acts:
                hall.do(tool, dict(zip(names[tool], values, strict=True)))
            for text in said:
                yield task, Transcript(task.posed.messages, text, stop="end", state=hall.state)


def probed(tasks: Sequence[Task]) -> Iterator[tuple[Task, Transcript]]:
    """Every task with every reply that probes the judge, in both forms; errands also when they were run."""
    for task in tasks:
        for text in probes(task, VALE.about):
            yield task, Transcript(task.posed.messages, text, stop="end")
            yield task, Transcript(task.posed.short or (), text, stop="end", form="short")
    said = (*EVERYWHERE, *OF_KIND["errand"])
    yield from _errands([task for task in tasks if task.kind == "errand"][::PROBED], said)
