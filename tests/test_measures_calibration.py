"""Calibration: the interval of the expected calibration error by hand and by its coverage, and what is said aloud."""

from __future__ import annotations

import numpy as np
import pytest

from groma.formats.messages import Message
from groma.formats.task import Judgement, Posed, Task
from groma.measures.calibration import calibrated, ece_interval
from groma.measures.episodes import Judged
from groma.measures.estimates import Arm


def test_the_interval_by_hand() -> None:
    """One bin: four questions, sure .9 each, three right. v is the larger of 4/3 x .75 and 4 x (4/6) x (2/6)."""
    sures, rights = np.full(4, 0.95), np.array([1.0, 1.0, 1.0, 0.0])
    found = ece_interval(sures, rights, list("abcd"))
    assert found.value == pytest.approx(0.2)
    assert found.high == pytest.approx(0.2 + np.sqrt(3.841459 * 1.0) / 4, abs=1e-6) and found.low == 0.0
    together = ece_interval(sures, rights, list("aabb"))  # of the two clusters each is off by a half, on one side
    assert together.high == pytest.approx(0.2 + np.sqrt(3.841459 * 1.0) / 4, abs=1e-6)


@pytest.mark.parametrize(("n", "each", "shift"), [(60, 1, 0.0), (200, 1, 0.03), (200, 3, 0.0), (600, 3, 0.2)])
def test_it_covers_the_true_error_also_where_that_is_none(n: int, each: int, shift: float) -> None:
    """The mean over bins of what a bootstrap repeats, the bias, must not push a calibrated system's interval off 0."""
    draw, covered = np.random.default_rng(0), 0
    for _ in range(300):
        sures = draw.uniform(0.5, 0.95, n // each)
        rights = (draw.random(n // each) < np.clip(sures - shift, 0, 1)).astype(float)
        clusters = [str(number) for number in range(n // each) for _ in range(each)]
        found = ece_interval(np.repeat(sures, each), np.repeat(rights, each), clusters)
        covered += found.low <= shift <= found.high
    assert covered >= 0.95 * 300


def test_what_is_said_is_held_against_the_truth() -> None:
    """Ten say it outright and five are right; ten hedge (.6) and six are right: sure of .8, right in .55."""
    episodes = []
    for number in range(20):
        outright = number < 10
        right = number % 10 < (5 if outright else 6)
        task = Task(f"q{number}", Posed((Message("user", "?"),)), {}, "ask", condition="neutral", of=f"p{number}")
        told = {"accuracy": float(right), "said_confidence": 1.0 if outright else 0.6}
        episodes.append(Judged(task, Judgement(0.0, told)))
    found = {one.outcome: one for one in calibrated(Arm("s", "m", "chat", "d", "vale", "held_out", 0, tuple(episodes)))}
    assert {one.condition for one in found.values()} == {"said"}
    values = {name: one.estimate.value for name, one in found.items() if one.estimate is not None}
    assert values["overconfidence"] == pytest.approx(0.25)
    assert values["ece"] == pytest.approx((0.5 + 0.0) / 2)
    assert values["brier"] == pytest.approx((5 * 1.0 + 6 * 0.16 + 4 * 0.36) / 20)
