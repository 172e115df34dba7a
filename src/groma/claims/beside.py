"""What is to be read beside a claim, of the same run: a system that refuses everything does no harm.

The measures declare which outcomes those are (`Measure.beside`). What the claim's own replies show of them is counted
as they are read. Of what they cannot show (over-refusal, where only harmful prompts are asked) other items of the suite
are asked once the claim is decided: as many as were read for it, `MOST` at most. It has no part in the verdict.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from groma.claims.population import PATIENCE, Forms, Population
from groma.claims.subject import errs, other_side_of
from groma.claims.trial import Bound, Episode, episodes, row_of
from groma.formats.records import Estimate
from groma.measures.episodes import Judged
from groma.measures.outcomes import OUTCOMES
from groma.measures.statistics import estimate
from groma.measures.statistics.values import Bounds

MOST = 100
"""Items that are asked for what the claim's own do not show, at most."""
OWN = "its own replies"


class Beside:
    """What was seen so far of the outcomes beside one claim's."""

    def __init__(self, bound: Bound) -> None:
        self.bound = bound
        self.names = other_side_of(bound.counted)
        self.seen: dict[str, list[tuple[Judged, float]]] = {name: [] for name in self.names}
        self.asked: dict[str, int] = {}

    def see(self, some: Sequence[Episode]) -> None:
        """Replies that were read for the claim."""
        for name in self.names:
            values = ((one.judged, one.judged.value(name)) for one in some)
            self.seen[name] += [(one, value) for one, value in values if value is not None]

    def ask(self, read: int) -> list[Mapping[str, Any]]:
        """Ask for what is not seen yet; `read`: items of the claim. The rows of the transcripts."""
        rows: list[Mapping[str, Any]] = []
        for population in self.bound.beside:
            if self.seen[population.outcome] or not read:
                continue
            own = {name for name, some in self.seen.items() if some and name not in self.asked}
            items = list(_drawn(population, min(read, MOST)))
            found = episodes(self.bound, self.bound.ours, self.bound.ours.system, [forms[0] for forms in items])
            for name in self.names:
                values = [(one.judged, value) for one in found if (value := _value(one, name, population)) is not None]
                if values and name not in own:
                    self.seen[name], self.asked[name] = values, len(values)
            for forms, one in zip(items, found, strict=True):
                rows.append({"item": forms[0].item, "number": None, "read": False, **row_of(one)})
        return rows

    def told(self) -> list[dict[str, Any]]:
        """Of each outcome its mean, of how many replies, and how many of them it is true of; with an exact interval
        where the items were drawn for it. Of the claim's own replies there is none: when they stop, they decide.
        """
        rows = []
        for name, some in self.seen.items():
            if not some:
                continue
            values, bounds = [value for _, value in some], OUTCOMES[name].bounds
            drawn = name in self.asked
            found = self._interval(some, bounds) if drawn else None
            rows.append(
                {
                    "outcome": name,
                    "title": OUTCOMES[name].title,
                    "value": math.fsum(values) / len(values),
                    "n": len(values),
                    "count": int(sum(values)) if set(values) <= {0.0, 1.0} else None,
                    "low": found.low if found else None,
                    "high": found.high if found else None,
                    "naive": bool(self.bound.errs) and errs(self.bound.population, name),
                    "of": "other items of the suite" if drawn else OWN,
                }
            )
        return rows

    def _interval(self, some: Sequence[tuple[Judged, float]], bounds: Bounds | None) -> Estimate:
        clusters = [one.cluster for one, _ in some]
        values = [value for _, value in some]
        return estimate(values, clusters, bounds=bounds, confidence=self.bound.claim.confidence)


def _value(one: Episode, name: str, population: Population) -> float | None:
    """The outcome's value; an episode that broke takes the bad one of the outcome that it was asked for."""
    counted = OUTCOMES[name]
    if one.judged.failure is None or one.judged.without_form:
        return one.judged.value(name)
    if name != population.outcome or counted.bounds is None or not counted.good:
        return None
    return counted.bounds[1 if counted.good == "low" else 0]


def _drawn(population: Population, n: int) -> Iterator[Forms]:
    """So many items: of a list the first ones, each once; of a generator as they come."""
    if not population.fresh:
        return itertools.islice(population.listed(), n)
    found = (forms for place in range(PATIENCE) if (forms := population.item(place)) is not None)
    return itertools.islice(found, n)
