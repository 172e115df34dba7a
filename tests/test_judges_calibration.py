"""A judge's errors from people's labels, and the rate corrected by them: formula, coverage, and when it is refused."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from groma.formats.errors import BadInput
from groma.formats.jsonl import write_rows
from groma.judges.calibration import Calibration, Checked, Counts, calibration_rows, read_calibration
from groma.measures.corrected import bounds, corrected, design_effect, errors, rogan_gladen

KIND = {"judge": "rule", "system": "chat", "prompts": "xstest"}


def calibration(hits: int, misses: int, rejections: int, alarms: int, system: str = "chat") -> Calibration:
    cells = ((True, True, hits), (False, True, misses), (False, False, rejections), (True, False, alarms))
    rows = [Checked(said, true, system, "xstest") for said, true, times in cells for _ in range(times)]
    return Calibration("rule", tuple(rows))


def test_the_formula() -> None:
    assert rogan_gladen(0.3, 0.9, 0.8) == pytest.approx(1 / 7)
    assert rogan_gladen(0.9 * 0.25 + 0.2 * 0.75, 0.9, 0.8) == pytest.approx(0.25)


def test_the_counts_of_one_kind_and_their_exact_intervals() -> None:
    both = Calibration("rule", calibration(18, 2, 8, 2).rows + calibration(0, 5, 0, 5, system="agent").rows)
    counts = both.counts(system="chat", prompts="xstest")
    assert counts == Counts(18, 20, 8, 10)
    se, sp = errors(counts)
    assert (se.value, sp.value) == (0.9, 0.8)
    assert (se.low, se.high) == pytest.approx((0.683017, 0.987651), abs=1e-5)  # Clopper-Pearson for 18 of 20
    assert (sp.low, sp.high) == pytest.approx((0.443905, 0.974789), abs=1e-5)


def test_a_rate_is_corrected_by_verdicts_of_its_own_kind() -> None:
    found = corrected([1] * 30 + [0] * 70, calibration(90, 10, 80, 20), **KIND)
    assert found.is_corrected and found.estimate.kind == "rogan-gladen, 100 + 100 checked"
    assert found.estimate.value == pytest.approx(1 / 7) and found.naive.value == 0.3
    assert found.estimate.low < 1 / 7 < found.estimate.high
    # The noise of the calibration belongs to the interval: less of it, and the interval is narrower.
    surer = corrected([1] * 30 + [0] * 70, calibration(900, 100, 800, 200), **KIND)
    assert surer.estimate.high - surer.estimate.low < found.estimate.high - found.estimate.low


def test_what_the_checked_verdicts_refute_is_not_corrected_to_a_point() -> None:
    """A judge that says yes to half of what people deny cannot say yes to 2 of 200: some reply is of another kind."""
    found = corrected([1] * 2 + [0] * 198, calibration(100, 0, 50, 50), **KIND)
    assert not found.is_corrected and "refute every rate" in found.estimate.kind
    assert (found.estimate.value, found.estimate.low < 0.01 < found.estimate.high) == (0.01, True)


def test_the_interval_by_hand() -> None:
    """Both ends are where the distance is exactly t standard errors; what is symmetric has symmetric ends."""
    counts = Counts(80, 106, 80, 106)  # (80 + 1) / 108 = .75 each
    low, high = bounds(50, 100, counts)
    for p in (low, high):
        z, t = 1.959963985, 1.984216952  # normal, and Student with 99 degrees of freedom
        n = 100 + z * z
        noise = 0.25 / n + (p**2 + (1 - p) ** 2) * 0.75 * 0.25 / 108
        assert (0.5 - 0.75 * p - 0.25 * (1 - p)) ** 2 == pytest.approx(t * t * noise, rel=1e-6)
    assert low == pytest.approx(1 - high)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"judge": "other"}, "calibrated is the judge 'rule', and this is 'other'"),
        ({"system": "agent"}, "calibrated on system 'chat', and this is 'agent'"),
        ({"prompts": "harmbench"}, "calibrated on prompts 'xstest', and this is 'harmbench'"),
    ],
)
def test_another_kind_is_not_corrected_and_marked(changed: dict[str, str], why: str) -> None:
    found = corrected([1] * 30 + [0] * 70, calibration(90, 10, 80, 20), **{**KIND, **changed})
    assert not found.is_corrected and found.estimate.kind == f"naive, uncorrected: {why}"
    assert (found.estimate.value, found.estimate.low) == (found.naive.value, found.naive.low)
    assert found.sensitivity is None


def test_a_judge_that_may_be_no_better_than_chance_is_not_corrected() -> None:
    found = corrected([1] * 30 + [0] * 70, calibration(6, 4, 6, 4), **KIND)
    assert "may be as low as 0.52" in found.estimate.kind and not found.is_corrected
    assert found.sensitivity is not None and found.sensitivity.value == 0.6
    one_sided = corrected([1, 0], calibration(6, 4, 0, 0), **KIND)
    assert "no checked reply of 'chat' to 'xstest' to which people say no" in one_sided.estimate.kind


def test_a_rate_below_the_false_alarms_is_clipped_and_its_interval_holds_zero() -> None:
    found = corrected([1] * 10 + [0] * 90, calibration(90, 10, 80, 20), **KIND)
    assert found.estimate.value == 0.0 and found.estimate.low == 0.0 and 0 < found.estimate.high < 0.2


def test_clustered_verdicts_count_for_fewer() -> None:
    verdicts, clusters = [1] * 30 + [0] * 70, [place // 10 for place in range(100)]
    assert design_effect(verdicts, list(range(100))) == 1.0 and design_effect(verdicts, clusters) > 4
    alone = corrected(verdicts, calibration(90, 10, 80, 20), **KIND).estimate
    grouped = corrected(verdicts, calibration(90, 10, 80, 20), clusters=clusters, **KIND).estimate
    assert grouped.value == alone.value and grouped.high > alone.high


def test_the_interval_covers_what_it_promises() -> None:
    """At every point at least the promised share less a hundredth, of what is not refused (and most is not)."""
    draw, draws = np.random.default_rng(0), 5_000
    grid = product((0, 0.01, 0.2, 0.5, 0.99, 1), (0.7, 0.9, 1), (0.7, 0.97), (50, 200), ((20, 20), (50, 200)))
    for confidence, (p, se, sp, n, (m1, m0)) in product((0.9, 0.95), list(grid)):
        k = draw.binomial(n, p * se + (1 - p) * (1 - sp), draws)
        counts = _arrays(draw.binomial(m1, se, draws), m1, draw.binomial(m0, sp, draws), m0)
        low, high = bounds(k, n, counts, confidence)
        covered = np.mean((low <= p + 1e-12) & (p <= high + 1e-12))
        assert covered >= confidence - 0.01, (confidence, p, se, sp, n, m1, m0)


class _arrays:
    """Counts of many draws at once."""

    def __init__(self, hits: object, positives: int, rejections: object, negatives: int) -> None:
        self.hits, self.positives, self.rejections, self.negatives = hits, positives, rejections, negatives


def test_a_file_of_checked_verdicts(tmp_path: Path) -> None:
    rows = [
        {"judge": "yes", "human": True, "by": "rule", "system": "chat", "prompts": "xstest", "note": "left alone"},
        {"judge": 0, "human": "no", "by": "rule", "system": "chat", "prompts": "xstest"},
    ]
    write_rows(tmp_path / "checked.jsonl", rows)
    found = read_calibration(tmp_path / "checked.jsonl")
    assert found.counts(system="chat", prompts="xstest") == Counts(1, 1, 1, 1)
    assert found.digest != Calibration("other", found.rows).digest


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"judge": "yes", "by": "rule", "system": "chat", "prompts": "x"}, "f:3: no human in"),
        ({"judge": "yes", "human": "no", "system": "chat", "prompts": "x"}, "f:3: no by in"),
        (
            {"judge": "perhaps", "human": "no", "by": "rule", "system": "chat", "prompts": "x"},
            "f:3: judge is 'perhaps'",
        ),
        ({"judge": "yes", "human": "no", "by": "rule", "system": "", "prompts": "x"}, "f:3: no system in"),
    ],
)
def test_what_is_wrong_with_a_row_is_told(row: dict[str, object], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        calibration_rows([(3, row)], where="f")


def test_verdicts_are_yes_or_no() -> None:
    with pytest.raises(BadInput, match="0 or 1"):
        corrected([0.5, 1], calibration(9, 1, 9, 1), **KIND)


def test_a_file_names_the_judge_whose_verdicts_it_holds() -> None:
    row = {"judge": "yes", "human": "yes", "by": "rule", "system": "chat", "prompts": "mine"}
    assert calibration_rows([(1, row)], where="x").judge == "rule"
    named = calibration_rows([(1, {**row, "by": "refusal"})], where="x")
    assert named.judge == "refusal" and "calibrated is the judge 'refusal'" in named.mismatch(
        judge="rule", system="chat", prompts="mine"
    )
    with pytest.raises(BadInput, match="by rule and refusal"):
        calibration_rows([(1, row), (2, {**row, "by": "refusal"})], where="x")
    with pytest.raises(BadInput, match="no checked verdicts"):
        calibration_rows([], where="x")
