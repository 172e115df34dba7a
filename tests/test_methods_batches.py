"""Batches of like length: little padding, every example once an epoch, the same again from the step number alone."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from groma.formats.errors import BadConfig
from groma.methods.batches import Batches
from groma.methods.config import Config


def lengths(count: int = 2000, seed: int = 0) -> list[int]:
    """Of the rows of the speed benchmarks: prompts uniform, completions log-normal and clipped, an end token."""
    random = np.random.default_rng(seed)
    completions = np.clip(random.lognormal(np.log(34), 0.7, count).round(), 16, 96)
    return (random.integers(24, 65, count) + completions + 1).astype(int).tolist()


def padding(sizes: list[int], steps: int, **options: Any) -> float:
    batches = Batches(sizes, Config(batch_size=16, **options))
    groups = [[sizes[one] for one in group] for step in range(steps) for group in batches.of_step(step)]
    return 1 - sum(map(sum, groups)) / sum(max(group) * len(group) for group in groups)


@pytest.mark.parametrize("count", [600, 2000])
def test_padding_is_a_tenth_at_most(count: int) -> None:
    sizes, steps = lengths(count), count // 16
    assert padding(sizes, steps) < 0.06
    assert all(padding(sizes, steps, microbatch_tokens=most) < 0.10 for most in (512, 1024, 4096, 16384))
    assert padding(sizes, steps, bucket=None) > 0.2


def test_every_batch_holds_short_and_long_rows() -> None:
    """About as evenly as batches drawn at random; batches of one length would spread five times as much."""
    sizes, random = lengths(3200), np.random.default_rng(0)

    def spread(batches: list[list[int]]) -> float:
        return float(np.std([np.mean([sizes[one] for one in batch]) for batch in batches]))

    batches = Batches(sizes, Config(batch_size=32))
    drawn = spread(random.permutation(3200).reshape(100, 32).tolist())
    assert spread([batches.whole(step) for step in range(100)]) < 1.3 * drawn
    assert spread(np.argsort(sizes).reshape(100, 32).tolist()) > 4 * drawn


def test_every_example_once_an_epoch_in_other_company() -> None:
    sizes = lengths(1000)
    batches = Batches(sizes, Config(batch_size=16))
    epochs = [[batches.whole(step) for step in range(start, start + 63)] for start in (0, 63)]
    for epoch in epochs:
        assert sorted(itertools.chain(*epoch)) == list(range(1000))
        assert [len(one) for one in epoch] == [16] * 62 + [8]
    met = [{frozenset(pair) for one in epoch for pair in itertools.combinations(one, 2)} for epoch in epochs]
    assert len(met[0] & met[1]) < 0.25 * len(met[0])


def test_seeds_differ_and_a_resumed_run_goes_on_with_the_same() -> None:
    sizes = lengths(500)
    first, other = (Batches(sizes, Config(batch_size=16, seed=seed)) for seed in (1, 2))
    told = [first.of_step(step) for step in range(80)]
    assert told != [other.of_step(step) for step in range(80)]
    for step in (70, 5, 31, 32):  # out of order: the step alone decides
        assert Batches(sizes, Config(batch_size=16, seed=1)).of_step(step) == told[step]


def test_the_order_of_batches_and_what_is_left_over_do_not_follow_length() -> None:
    """Batches by their mean length are shuffled, and the small last batch holds rows of any length."""
    sizes = lengths(2008)
    batches = Batches(sizes, Config(batch_size=16))
    means = [np.mean([sizes[one] for one in batches.whole(step)]) for step in range(125)]
    assert abs(np.corrcoef(means, range(125))[0, 1]) < 0.3
    assert abs(np.corrcoef(means[1:], means[:-1])[0, 1]) < 0.3
    last = [sizes[one] for one in batches.whole(125)]
    assert len(last) == 8 and max(last) - min(last) > 25


def test_without_buckets_an_epoch_is_one_permutation() -> None:
    batches = Batches([5] * 10, Config(batch_size=4, bucket=None, seed=3))
    told = list(itertools.chain(*(batches.whole(step) for step in range(3, 6))))
    assert told == np.random.default_rng((3, 1)).permutation(10).tolist()


class TestTokenBudget:
    def test_bounds_a_microbatch_with_its_padding(self) -> None:
        sizes = [3, 9, 4, 8, 2, 7]
        groups = Batches(sizes, Config(batch_size=6, microbatch_tokens=18)).of_all()
        assert [[sizes[one] for one in group] for group in groups] == [[9, 8], [7, 4], [3, 2]]
        groups = Batches(sizes, Config(batch_size=6, microbatch_tokens=24)).of_all()
        assert [[sizes[one] for one in group] for group in groups] == [[9, 8], [7, 4, 3], [2]]

    def test_beside_a_number_of_examples(self) -> None:
        sizes = [2, 2, 2, 2, 9, 9]
        groups = Batches(sizes, Config(batch_size=6, microbatch_size=3, microbatch_tokens=18)).of_all()
        assert [[sizes[one] for one in group] for group in groups] == [[9, 9], [2, 2, 2], [2]]

    def test_an_example_that_is_longer_is_refused(self) -> None:
        with pytest.raises(BadConfig, match="microbatch_tokens is 8, and an example takes 9 tokens: set it to 9"):
            Batches([3, 9], Config(microbatch_tokens=8))
