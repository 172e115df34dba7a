"""What Vale is, by digests: whoever changes country, corpus, tasks, judge, pay or base is told so by a test.

Figures that were measured under one set of digests compare with each other, and with no others. To change the world on
purpose: change it, build the bases anew, measure the acceptance table again, and write down the new digests.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from groma.formats.digest import digest, digest_files
from groma.formats.messages import Message
from groma.formats.transcript import Transcript
from groma.worlds.vale.corpus import documents, text_of
from groma.worlds.vale.country import country
from groma.worlds.vale.demonstrations import SETS, demonstrations
from groma.worlds.vale.pay import TASTES, pay
from groma.worlds.vale.world import SPLITS, VALE

DOCUMENTS, TASKS = 5000, 60
DIGESTS: Mapping[str, str] = {
    "country": "5c14beb3c307647c",
    "corpus": "dd4bc8b1e4286610",
    "demonstrations": "bb0a051fea692de8",
    "tasks": "961cbcc1b3a5c296",
    "judge": "a981ee2c3aa23ae4",
    "pay": "a10fd3bbead89211",
    "tokenizer": "89ec357a20963dbd",
    "base": "04423958e83e058b",
}
"""As they are in this version."""


def digests() -> dict[str, str]:
    """As they come out now; takes a few seconds."""
    about = country()
    tasks = [task for kind in VALE.kinds for split in SPLITS for task in VALE.tasks(kind, split, TASKS, 0)]
    said = [
        turn.content
        for one in demonstrations(TASKS, 0)
        for turn in one.completion
        if isinstance(turn, Message) and turn.role == "assistant"
    ]
    judged, paid = [], []
    for task, text in itertools.product(tasks, ("", *said[::3])):
        told = Transcript((*task.posed.messages, Message("assistant", text)), text, stop="end")
        found = VALE.judge(task, told)
        judged.append((found.objective, found.outcomes))
        paid.append([pay(task, told, group).total for group in TASTES])
    checkpoint = Path(str(files("groma"))) / "worlds/vale/checkpoints/m"
    return {
        "country": digest(list(about.truth.values()), list(about.table.values())),
        "corpus": digest([text_of(one) for one in itertools.islice(documents(1), DOCUMENTS)]),
        "demonstrations": digest([list(demonstrations(500, 0, which)) for which in SETS]),
        "tasks": digest([(task.id, [one.content for one in task.posed.messages], task.gold) for task in tasks]),
        "judge": digest(judged),
        "pay": digest(paid),
        "tokenizer": digest_files([checkpoint / "tokenizer.json"]),
        "base": digest_files([checkpoint / "model.safetensors"]),
    }
