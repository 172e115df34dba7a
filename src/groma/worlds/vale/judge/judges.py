"""The judge of every kind of task, by the kind's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from groma.formats.task import Judgement, Task
from groma.formats.transcript import Transcript
from groma.worlds.vale.hall.judging import judge_errand
from groma.worlds.vale.judge.ask import judge_ask
from groma.worlds.vale.judge.choose import judge_choose
from groma.worlds.vale.judge.count import judge_count
from groma.worlds.vale.judge.follow import judge_follow
from groma.worlds.vale.judge.how import judge_how
from groma.worlds.vale.judge.speak import judge_speak

JUDGES: Mapping[str, Callable[[Task, Transcript], Judgement]] = {
    "ask": judge_ask,
    "how": judge_how,
    "follow": judge_follow,
    "count": judge_count,
    "speak": judge_speak,
    "errand": judge_errand,
    "choose": judge_choose,
}


def judge(task: Task, transcript: Transcript) -> Judgement:
    """The judgement on one transcript of a task of Vale."""
    return JUDGES[task.kind](task, transcript)
