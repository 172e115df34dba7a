"""Scores of Elo: by hand for two players, by what made the preferences for several; simulated coverage; refusals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from groma.formats.errors import BadInput
from groma.measures.statistics.elo import SCALE, elo


def test_two_players_by_hand() -> None:
    found = elo([[0, 29.5], [9.5, 0]])  # with half a preference either way: 30 to 10
    assert found.scores == (0.0, pytest.approx(-400 * math.log10(3)))
    assert found.errors == (0.0, pytest.approx(SCALE * math.sqrt(1 / 30 + 1 / 10)))


def test_who_always_wins_has_a_finite_score() -> None:
    found = elo([[0, 0], [20, 0]])
    assert found.scores[1] == pytest.approx(400 * math.log10(20.5 / 0.5))


def test_scores_do_not_depend_on_the_order_of_players() -> None:
    wins = np.array([[0, 12, 3], [8, 0, 5], [17, 15, 0]], float)
    order = [0, 2, 1]
    one, other = elo(wins), elo(wins[np.ix_(order, order)])
    for of in ("scores", "errors"):
        assert [getattr(one, of)[place] for place in order] == pytest.approx(getattr(other, of))


def test_intervals_cover_what_made_the_preferences() -> None:
    """Of 400 simulated rounds some 95 % hold the true score of each player."""
    draw, true = np.random.default_rng(0), np.array([0.0, 120.0, -80.0, 40.0])
    chance = 1 / (1 + 10 ** ((true[None, :] - true[:, None]) / 400))
    held = np.zeros(3)
    for _ in range(400):
        wins = np.zeros((4, 4))
        for i in range(4):
            for j in range(i):
                wins[i, j] = draw.binomial(60, chance[i, j])
                wins[j, i] = 60 - wins[i, j]
        found = elo(wins)
        held += np.abs(np.array(found.scores) - true)[1:] < 1.96 * np.array(found.errors)[1:]
    assert (np.abs(held / 400 - 0.95) < 0.03).all()


def by_items(draw: np.random.Generator, items: int, of_item: float) -> np.ndarray[Any, Any]:
    """Six players, every pair compared on every item, on which how good each reply is is drawn once."""
    quality = np.array([0.0, 0.3, -0.2, 0.1, 0.6, -0.5]) + of_item * draw.normal(size=(items, 6))
    better = quality[:, :, None] - quality[:, None, :] + draw.logistic(size=(items, 6, 6)) > 0
    above = np.triu(np.ones((6, 6)), 1)
    return above * better + np.transpose(above * ~better, (0, 2, 1))


def test_errors_over_items_cover_where_one_bad_reply_loses_to_all_others() -> None:
    """Fisher's errors take the comparisons for independent, and hold the score far too seldom."""
    draw = np.random.default_rng(1)
    true = np.array(elo(by_items(draw, 100_000, 4.0)).scores)
    held = {"sandwich": np.zeros(5), "fisher": np.zeros(5)}
    for _ in range(400):
        wins = by_items(draw, 300, 4.0)
        for name, found in (("sandwich", elo(wins)), ("fisher", elo(wins.sum(0)))):
            held[name] += np.abs(np.array(found.scores) - true)[1:] < 1.96 * np.array(found.errors)[1:]
    assert (np.abs(held["sandwich"] / 400 - 0.95) < 0.035).all(), held
    assert (held["fisher"] / 400 < 0.9).all(), held


def test_the_scores_of_items_are_those_of_their_sum() -> None:
    wins = by_items(np.random.default_rng(0), 50, 0.0)
    assert elo(wins).scores == elo(wins.sum(0)).scores


@pytest.mark.parametrize(
    ("wins", "said"),
    [
        ([[0, 1]], "shape"),
        ([[0.0]], "shape"),
        ([[0, -1], [2, 0]], "no counts"),
        ([[1, 1], [2, 0]], "no counts"),
        ([[0, float("nan")], [2, 0]], "no counts"),
        ([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 2], [0, 0, 1, 0]], r"players \[2, 3\]"),
    ],
)
def test_what_are_no_preferences_is_refused(wins: Any, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        elo(wins)
