"""Two replies to each task, to be compared: what a rater is shown.

Both replies are the fine-tuned model's, but to a harmful request the second one is the base's (Bai et al. 2022, too,
collected comparisons on red-team prompts apart, from several models): demonstrations without refusals leave a model
that hardly ever refuses, and a rater can only prefer what she is shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence

from groma.formats.errors import BadInput
from groma.formats.task import Task
from groma.formats.transcript import Played
from groma.models.engine import LocalEngine
from groma.models.model import Model
from groma.play.driver import play
from groma.studies.matrix import PLAYER
from groma.studies.progress import Progress
from groma.systems import SYSTEMS
from groma.worlds.vale import VALE

POOL = 4
"""So many times more tasks are drawn than are wanted, where some of them may have been seen."""
OTHERS = ("follow", "count", "speak", "choose")


def drawn(count: int, seed: int, split: str = "train") -> tuple[Task, ...]:
    """So many tasks of a split: a fifth questions, half of them requests, the rest of the other kinds. Errands are left
    out, for which chat has no tools.
    """
    hows = VALE.tasks("how", split, count // 2, seed)
    asks = VALE.tasks("ask", split, count // 5, seed)
    others = VALE.tasks(OTHERS, split, count - len(hows) - len(asks), seed)
    return (*asks, *others, *hows)


def unseen(count: int, seed: int, seen: Iterable[Task]) -> tuple[Task, ...]:
    """As many tasks of each kind as `drawn` takes, none of them with a prompt that is among `seen`."""
    known, wanted = {one.posed.messages for one in seen}, Counter(one.kind for one in drawn(count, seed))
    found = []
    for task in drawn(POOL * count, seed):
        if wanted[task.kind] and task.posed.messages not in known:
            wanted[task.kind] -= 1
            found.append(task)
    if len(found) < count:
        raise BadInput(
            f"{len(found)} of {count} tasks have a prompt that is not known", expected="fewer to be asked for"
        )
    return tuple(found)


def replied_twice(
    load: Callable[[str], Model],
    tasks: Sequence[Task],
    seed: int,
    max_tokens: int = VALE.max_tokens,
    stopped: Callable[[], bool] = lambda: False,
) -> Generator[Progress, None, list[tuple[Played, Played]]]:
    """Play every task twice as `chat`. load: gives the stages "sft" and "base". KeyboardInterrupt where `stopped`."""
    red = [task for task in tasks if task.part == "harmful"]
    tame = [task for task in tasks if task.part != "harmful"]
    finished: tuple[dict[str, Played], dict[str, Played]] = ({}, {})
    for stage, draw, share in (("sft", 0, tasks), ("sft", 1, tame), ("base", 1, red)):
        if not share:
            continue
        engine = LocalEngine(load(stage))
        system = SYSTEMS["chat"].with_(max_tokens=max_tokens)
        for played in play(system, share, {PLAYER: engine}, seed=seed + draw):
            finished[draw][played.task.id] = played
            yield Progress("samples to compare", len(finished[0]) + len(finished[1]), 2 * len(tasks))
            if stopped():
                raise KeyboardInterrupt
        engine.close()
    return [(first, finished[1][name]) for name, first in finished[0].items()]
