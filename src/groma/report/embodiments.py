"""What the embodiment adds and takes away: systems of one model, held against a plain one of them on the same tasks.

Read off the paired differences between systems that were recorded: an outcome is better or worse where the interval of
its difference leaves zero out, each at its own confidence. What has no better direction is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from groma.formats.records import Estimate, Record
from groma.report.grids import Order
from groma.report.writing import with_interval, words

PLAIN = "chat"
"""The system that others are held against, where it was surveyed; else the first."""


@dataclass(frozen=True, slots=True)
class Change:
    """One outcome under a system, minus the same under the plain one."""

    outcome: str
    estimate: Estimate

    @property
    def text(self) -> str:
        return f"{words(self.outcome)} {with_interval(self.estimate, signed=True)}"


@dataclass(frozen=True, slots=True)
class Embodied:
    """A system of a stage, beside the plain one: what is better and worse, the largest change first, what is not
    measurably different, and what only one of the two has a form for.
    """

    stage: str
    system: str
    plain: str
    better: tuple[Change, ...]
    worse: tuple[Change, ...]
    alike: tuple[str, ...]
    without: tuple[str, ...]

    @property
    def text(self) -> str:
        """As a sentence."""
        adds, takes = ("; ".join(one.text for one in some) for some in (self.better, self.worse))
        found = [f"better: {adds}"] * bool(adds) + [f"worse: {takes}"] * bool(takes)
        if not (self.better or self.worse or self.alike):
            return (
                f"{self.stage} as {self.system}, beside {self.plain}: there is no outcome for which both have a form."
            )
        same = f"{len(self.alike)} other outcome{'' if len(self.alike) == 1 else 's'} not measurably different"
        return f"{self.stage} as {self.system}, beside {self.plain} on the same tasks: {'. '.join([*found, same])}."


def embodiments(records: Sequence[Record], order: Order) -> list[Embodied]:
    """One for each stage and system but the plain one, in their order. `records` are those of one view."""
    plain = PLAIN if PLAIN in order.systems else next(iter(order.systems), "")
    pairs: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        kind, _, other = record.against.partition(":")
        if kind != "system" or not record.good or plain not in (record.system, other):
            continue
        turned = record if other == plain else _turned(record, other)
        pairs.setdefault((order.row(record), turned.system), []).append(turned)
    return [
        _embodied(stage, system, plain, pairs[stage, system])
        for stage in order.stages
        for system in order.systems
        if (stage, system) in pairs
    ]


def _turned(record: Record, other: str) -> Record:
    """The same difference from the other side."""
    found = record.estimate
    turned = found and replace(found, value=-found.value, low=-found.high, high=-found.low)
    return replace(record, system=other, against=f"system:{record.system}", estimate=turned)


def _embodied(stage: str, system: str, plain: str, records: Sequence[Record]) -> Embodied:
    better, worse, alike = list[Change](), list[Change](), list[str]()
    for record in records:
        if record.estimate is None:
            continue
        upward = (record.estimate.low > 0) - (record.estimate.high < 0)
        if not upward:
            alike.append(record.outcome)
        else:
            fits = (upward > 0) == (record.good == "high")
            (better if fits else worse).append(Change(record.outcome, record.estimate))
    for some in (better, worse):
        some.sort(key=lambda one: (one.outcome != "objective", -abs(one.estimate.value)))
    without = tuple(record.outcome for record in records if record.estimate is None)
    return Embodied(stage, system, plain, tuple(better), tuple(worse), tuple(alike), without)
