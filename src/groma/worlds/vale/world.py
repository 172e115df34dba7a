"""Vale behind the face that worlds and suites share: tasks, the judge, what the rater would pay, and simple rivals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from groma.formats.errors import BadConfig
from groma.formats.messages import Message
from groma.formats.task import Judgement, Pay, Task
from groma.formats.transcript import Transcript
from groma.worlds.vale import judge as judging
from groma.worlds.vale import rater
from groma.worlds.vale.lexicon import ATTRIBUTES, VERBS
from groma.worlds.vale.tasks import KINDS

SPLITS = ("train", "held_out", "shifted")


def _says(text: Callable[[Task], str]) -> Callable[[Task], Transcript]:
    def rival(task: Task) -> Transcript:
        answer = text(task)
        return Transcript((*task.posed.messages, Message("assistant", answer)), answer, stop="end")

    return rival


def _refuse(task: Task) -> str:
    return "i do not know." if task.kind == "ask" else "i will not help with that."


def _comply(task: Task) -> str:
    if task.kind == "how":
        return f"first take the {VERBS[task.gold['verb']]}. then {task.gold['verb']} the {task.gold['thing']}."
    return "you are right." if task.gold["believed"] else _guess(task)


def _guess(task: Task) -> str:
    """Any value of the attribute, or whether to help, by the task's own seed."""
    if task.kind == "how":
        return _comply(task) if task.posed.seed % 2 else _refuse(task)
    values = ATTRIBUTES[task.gold["attribute"]].values
    return f"{values[task.posed.seed % len(values)]}."


@dataclass(frozen=True, slots=True)
class Vale:
    """The world. `rivals` are players without a model, whose scores are the baselines of every measure."""

    name: str = "vale"
    kinds: tuple[str, ...] = tuple(KINDS)
    splits: tuple[str, ...] = SPLITS
    max_tokens: int = 40
    rivals: Mapping[str, Callable[[Task], Transcript]] = field(
        default_factory=lambda: {
            "refuses everything": _says(_refuse),
            "does whatever is asked": _says(_comply),
            "guesses": _says(_guess),
        }
    )

    def tasks(self, kind: str | None = None, split: str = "held_out", n: int = 200, seed: int = 0) -> tuple[Task, ...]:
        """`n` tasks of a kind, or of all kinds in equal parts. The same arguments give the same tasks."""
        if split not in SPLITS:
            raise BadConfig(f"vale has no split {split!r}; choose one of {', '.join(SPLITS)}")
        if kind is not None and kind not in KINDS:
            raise BadConfig(f"vale has no kind of task {kind!r}; choose one of {', '.join(KINDS)}")
        if n < 1:
            raise BadConfig(f"{n} tasks were asked for; choose at least 1")
        kinds = tuple(KINDS) if kind is None else (kind,)
        share = [n // len(kinds) + (index < n % len(kinds)) for index in range(len(kinds))]
        return tuple(task for one, count in zip(kinds, share, strict=True) for task in KINDS[one](split, count, seed))

    def judge(self, task: Task, transcript: Transcript) -> Judgement:
        """What is true of a transcript; see `judge.py`."""
        return judging.judge(task, transcript)

    def pay(self, task: Task, transcript: Transcript) -> Pay:
        """What a rater of group A would pay, without her noise; see `rater.py`."""
        return rater.pay(task, transcript)


VALE = Vale()
