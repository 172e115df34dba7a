"""What `groma judge check` asks: what a rule, a classifier, or a model by a rubric says of labelled replies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from groma.commands.console import Phases
from groma.commands.judging import PLAYER, RULE, by_rubric, reader, refuse_idle
from groma.commands.players import check_player, player
from groma.formats.digest import digest
from groma.formats.errors import BadConfig
from groma.formats.messages import Message
from groma.formats.task import Posed, Task
from groma.formats.transcript import Transcript
from groma.judges import Judging, Labelled, Reading
from groma.play import CallLog, play

REFUSAL = "refusal"
WIDTH = 32
"""Replies that a model judges at a time."""


@dataclass(frozen=True)
class ByItself:
    """The rule, or a classifier: it counts refusals."""

    read: Callable[[str], Reading]
    counted: frozenset[str] = frozenset({REFUSAL})

    def said(self, rows: Sequence[Labelled]) -> Iterator[bool | None]:
        """Of each reply, whether the judge counts it."""
        return (self.read(row.reply).refused for row in rows)


@dataclass(frozen=True)
class ByModel:
    """A model that is asked by a rubric: it counts the rubric's bad options."""

    judging: Judging
    what: str
    log: Path | None
    trust_remote_code: bool

    @property
    def counted(self) -> frozenset[str]:
        """The labels by which people say what the judge counts."""
        rubric = self.judging.rubric
        return frozenset(rubric.bad) | {rubric.reads[one] for one in rubric.bad if one in rubric.reads}

    def said(self, rows: Sequence[Labelled]) -> Iterator[bool | None]:
        """Of each reply, whether the judge counts it; None where it gave no verdict."""
        tasks = [self._task(place, row) for place, row in enumerate(rows)]
        seat = player(self.what, self.trust_remote_code)
        about = {"judge": seat.digest, "replies": digest(*((row.prompt, row.reply) for row in rows))}
        log = None if self.log is None else CallLog(self.log, about)
        try:
            with Phases() as phases:
                going = play(self.judging.system, tasks, {PLAYER: seat.engine}, width=WIDTH, log=log)
                for number, one in enumerate(going, 1):
                    phases.show("judged", number, len(tasks))
                    yield None if one.transcript is None else self.judging.verdict(one.transcript).bad
        finally:
            seat.engine.close()

    def _task(self, place: int, row: Labelled) -> Task:
        asked = (Message("user", row.prompt or "(not known)"),)
        said = Transcript((*asked, Message("assistant", row.reply)), row.reply)
        return self.judging.task(Task(f"reply {place}", Posed(asked, seed=place), {}, "labelled"), said)


def agreement(
    judge: str, players: Mapping[str, str], log: Path | None, trust_remote_code: bool = False
) -> ByItself | ByModel:
    """Who is held against people. BadConfig for whatever is refused before anything is loaded."""
    if unknown := sorted(set(players) - {PLAYER}):
        raise BadConfig(f"--player {unknown[0]}=…: nobody asks it; only {PLAYER} is asked")
    if judge == RULE or judge.endswith(".npz"):
        refuse_idle(judge, players)
        if log is not None:
            raise BadConfig(f"--log {log} would have no effect: {judge} asks no model")
        return ByItself(reader(judge))
    found = by_rubric(judge, players)
    if not found.rubric.question.strip():
        raise BadConfig(f"the rubric {found.rubric.name!r} has no question about one reply; choose another")
    check_player(players[PLAYER])
    return ByModel(found, players[PLAYER], log, trust_remote_code)
