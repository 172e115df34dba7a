"""Have replies judged by a model: its verdicts are episodes of the player that judges, played like all others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from groma.formats.transcript import Played
from groma.judges import Judging, Verdict
from groma.measures.episodes import Play, play_in_order
from groma.suites.by_model import Said
from groma.systems.system import System


def verdicts(judging: Judging, play: Play, episodes: Sequence[Played]) -> Iterator[tuple[tuple[str, str], Said]]:
    """The verdict on each episode that has a transcript, as it comes, by task and answer. All are of one system."""
    told = [(one.task, one.transcript) for one in episodes if one.transcript is not None]
    if not told:
        return
    system = judging.system
    judge = System(f"judge of {episodes[0].system}", system.function, system.parameters)
    played = play_in_order(play, judge, [judging.task(task, transcript) for task, transcript in told])
    for (task, transcript), one in zip(told, played, strict=True):
        if one.failure is not None or one.transcript is None:
            why = f"{one.failure.kind}: {one.failure.message}" if one.failure is not None else ""
            said: Said = Verdict("", None, why=why), None
        else:
            reading = judging.reading(one.transcript) if judging.rubric.reads else None
            said = judging.verdict(one.transcript), reading
        yield (task.id, transcript.answer), said
