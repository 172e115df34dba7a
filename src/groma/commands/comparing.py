"""`--by RUBRIC` of `groma compare`: a model that judges is shown both replies, in both orders, and names the better.

Where the orders disagree it is a tie, and so are two equal replies. Of two models the share of pairs in which the first
is better, ties as one half, is told with an interval, clustered by what a task is about; and beside it how far the
judge goes by the place of a reply.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from groma.commands.judging import PLAYER, by_rubric
from groma.commands.players import CHOICES, check_player, named, player
from groma.formats.errors import BadConfig
from groma.formats.task import Choice, Task
from groma.formats.transcript import Played, Transcript
from groma.judges import Judging, Preference
from groma.judges.rubric import NAMES
from groma.measures.statistics import estimate
from groma.methods.comparisons import EQUAL, incomparable
from groma.play import play
from groma.report.writing import with_interval

WORTH = {"first": 1.0, "tie": 0.5, "second": 0.0}
Pairs = Sequence[tuple[Played, Played]]


def is_rubric(by: str) -> bool:
    """Whether --by names a rubric: one that ships, or a file of one."""
    return by in NAMES or by.endswith((".toml", ".json"))


def judging_of(by: str, given: Sequence[str]) -> tuple[Judging, str] | None:
    """How the player `judge` compares by the rubric `by`, and who plays it; None where no rubric is named. BadConfig
    for a player whom nobody asks, and for a rubric that compares nothing.
    """
    players = named(given, "player", CHOICES)
    if not is_rubric(by):
        if players:
            raise BadConfig(f"--player {next(iter(players))}=…: nobody asks it while --by is {by}; choose a rubric")
        return None
    how = by_rubric(by, players, "by")
    if unasked := sorted(set(players) - {PLAYER}):
        raise BadConfig(f"--player {unasked[0]}=…: only {PLAYER} is asked")
    if not how.rubric.comparison.strip():
        raise BadConfig(f"--by {by}: the rubric {how.rubric.name!r} has no comparison; give it one, or another rubric")
    check_player(players[PLAYER])
    return how, players[PLAYER]


@dataclass(frozen=True, slots=True)
class Compared:
    """What the judge said of each pair that can be compared, by task and both answers."""

    said: Mapping[tuple[str, str, str], Preference]

    def choose(self, task: Task, first: Transcript, second: Transcript) -> Choice | None:
        """The reply that both orders name; no preference where they name none, or two."""
        named = self.said[task.id, first.answer, second.answer].preferred
        return Choice(int(named == "second"), None, "a model's verdict") if named in ("first", "second") else None

    def told(self, pairs: Pairs, first: str, second: str) -> list[str]:
        """Sentences on the two who replied, where they are two, and on the judge."""
        known = [(one, found) for one, other in pairs if (found := self._preference(one, other)).preferred]
        worth = [WORTH[found.preferred] for _, found in known]
        lines = []
        if first != second and len({one.task.cluster or one.task.id for one, _ in known}) > 1:
            share = estimate(worth, [one.task.cluster or one.task.id for one, _ in known])
            lines.append(
                f"{first} is better than {second} in {with_interval(share)} of {len(known)} pairs, ties as one half "
                f"({worth.count(1.0)} better, {worth.count(0.5)} ties, {worth.count(0.0)} worse)"
            )
        asked = [one for one in self.said.values() if one.preferred]
        if asked:
            agree, bias = (sum(map(float, some)) / len(asked) for some in zip(*map(_of_place, asked), strict=True))
            lines.append(
                f"both orders agree on {agree:.2f} of {len(asked)}; the first place is favoured by {bias:+.2f}"
            )
        if unsaid := [one.why for one in self.said.values() if not one.preferred]:
            lines.append(f"without a verdict: {len(unsaid)}; the first: {unsaid[0]}")
        return lines

    def _preference(self, one: Played, other: Played) -> Preference:
        why = incomparable(one, other)
        if why or one.transcript is None or other.transcript is None:
            return Preference("tie" if why == EQUAL else "", None)
        return self.said[one.task.id, one.transcript.answer, other.transcript.answer]


def _of_place(one: Preference) -> tuple[bool, float]:
    return bool(one.agree), one.bias or 0.0


def ask(how: Judging, who: str, pairs: Pairs, seed: int, see: Callable[[int, int], None]) -> Compared:
    """Have every pair that can be compared judged. see: how many are done, and of how many."""
    told = [
        (one.task, one.transcript, other.transcript)
        for one, other in pairs
        if not incomparable(one, other) and one.transcript is not None and other.transcript is not None
    ]
    seat, found = player(who), {}
    tasks = [how.pair(task, first, second) for task, first, second in told]
    for done, ((task, first, second), one) in enumerate(
        zip(told, play(how.comparing, tasks, {how.player: seat.engine}, seed=seed), strict=True), 1
    ):
        key = (task.id, first.answer, second.answer)
        found[key] = how.preference(one.transcript) if one.transcript else Preference("", None, why=str(one.failure))
        see(done, len(told))
    seat.engine.close()
    return Compared(found)
