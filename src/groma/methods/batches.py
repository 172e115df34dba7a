"""Which examples make which step: a pure function of (number of examples, batch size, seed, step).

The data cursor is therefore the step number alone, and a run that is resumed in mid-epoch goes on with exactly the
examples that come next. Every example is seen once per epoch; the last batch of an epoch holds what is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from groma.formats.errors import BadConfig
from groma.methods.config import Config


def steps_per_epoch(count: int, batch_size: int) -> int:
    """Number of batches that `count` examples make."""
    return -(-count // batch_size)


def total_steps(count: int, config: Config) -> int:
    """Number of optimiser steps of the whole run. BadConfig where the warm-up would be longer."""
    steps = config.max_steps or (config.epochs or 1) * steps_per_epoch(count, config.batch_size)
    if config.warmup_steps > steps:
        raise BadConfig(
            f"warmup_steps {config.warmup_steps} is more than the {steps} steps that {count} examples make: "
            "lower it, or train for more epochs"
        )
    return steps


def batch(count: int, batch_size: int, seed: int, step: int) -> list[int]:
    """Indices of the examples of step `step` (from 0), in the shuffled order of its epoch."""
    epoch, place = divmod(step, steps_per_epoch(count, batch_size))
    return _order(count, seed, epoch)[place * batch_size : (place + 1) * batch_size].tolist()


def of_step(lengths: Sequence[int], config: Config, step: int) -> list[list[int]]:
    """The microbatches of step `step` (from 0). lengths: of all examples, by index."""
    return _split(batch(len(lengths), config.batch_size, config.seed, step), lengths, config)


def of_all(lengths: Sequence[int], config: Config) -> list[list[int]]:
    """Microbatches of all examples, for evaluation."""
    return _split(range(len(lengths)), lengths, config)


def _split(indices: Sequence[int], lengths: Sequence[int], config: Config) -> list[list[int]]:
    """Groups of at most a microbatch, longest first, so that rows of like length are padded together.

    The order inside a batch has no influence on the gradient but rounding.
    """
    ordered = sorted(indices, key=lambda index: (-lengths[index], index))
    return [ordered[start : start + config.microbatch] for start in range(0, len(ordered), config.microbatch)]


def pad(rows: Sequence[np.ndarray], device: torch.device) -> tuple[Tensor, Tensor]:
    """Rows side by side (rows, longest), filled with 0 (or False) on the right, and their lengths (rows,).

    What fills a row is never looked at: everything reads lengths or masks, nothing compares with a pad token.
    """
    lengths = [len(row) for row in rows]
    padded = np.zeros((len(rows), max(lengths)), dtype=rows[0].dtype)
    for place, row in enumerate(rows):
        padded[place, : len(row)] = row
    return torch.from_numpy(padded).to(device), torch.tensor(lengths, device=device)


@lru_cache(maxsize=4)
def _order(count: int, seed: int, epoch: int) -> np.ndarray:
    order = np.random.default_rng((seed, epoch)).permutation(count)
    order.flags.writeable = False
    return order
