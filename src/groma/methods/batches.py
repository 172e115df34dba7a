"""Which examples make which step: a pure function of (lengths of the examples, options, seed, step).

The data cursor is therefore the step number alone, and a run that is resumed in mid-epoch goes on with exactly the
examples that come next. Every example is seen once per epoch; the last batch of an epoch holds what is left.

Rows of like length pad little. So the shuffled epoch is cut into windows of `bucket` batches, and each is sorted by
length and cut into as many parts as a batch has groups of eight; a batch takes one group of neighbours, drawn by
chance, out of every part, and all batches are shuffled. So every batch holds short and long rows: batches of one length
alone would give the tokens of short answers more weight, and where length goes with the kind of task, each would pull
its own way. A window is at most a quarter of the epoch, or the groups of a small data set would be the same in every
epoch. A batch is then split into microbatches, longest first; its order changes the gradient by rounding only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from groma.formats.errors import BadConfig
from groma.methods.config import Config, Learning

WINDOWS = 4
"""Windows that an epoch has at least."""
GROUP = 8
"""Rows of like length that come together, at most."""
FILLED = 0.8
"""How long the shortest row of a microbatch of more is at least, of its longest, where no number of rows is set."""


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


class Batches:
    """The batches of all steps over examples of these `lengths` (by index, in tokens).

    BadConfig where one example alone is longer than a microbatch may be.
    """

    def __init__(self, lengths: Sequence[int], config: Config) -> None:
        self.lengths, self.config = np.asarray(lengths), config
        self._epoch, self._order = -1, np.zeros(0, dtype=np.int64)
        most = config.microbatch_tokens
        if most is not None and lengths and max(lengths) > most:
            raise BadConfig(
                f"microbatch_tokens is {most}, and an example takes {max(lengths)} tokens: "
                f"set it to {max(lengths)} or more, or lower max_length"
            )

    def whole(self, step: int) -> list[int]:
        """Indices of the examples of step `step` (from 0)."""
        size = self.config.batch_size
        epoch, place = divmod(step, steps_per_epoch(len(self.lengths), size))
        if epoch != self._epoch:
            self._epoch, self._order = epoch, self._drawn(epoch)
        return self._order[place * size : (place + 1) * size].tolist()

    def of_step(self, step: int) -> list[list[int]]:
        """The microbatches of step `step` (from 0)."""
        return self._split(self.whole(step))

    def of_all(self) -> list[list[int]]:
        """Microbatches of all examples, for evaluation."""
        return self._split(range(len(self.lengths)))

    def first_epoch(self) -> list[list[int]]:
        """The microbatches of the first epoch, or of the whole run where that is shorter: all that are ever seen."""
        count = len(self.lengths)
        steps = min(steps_per_epoch(count, self.config.batch_size), total_steps(count, self.config))
        return [group for step in range(steps) for group in self.of_step(step)]

    def _drawn(self, epoch: int) -> np.ndarray:
        """The order of an epoch. What fills no batch stays where chance put it: last."""
        random = np.random.default_rng((self.config.seed, epoch))
        order = random.permutation(len(self.lengths))
        size, most = self.config.batch_size, self.config.bucket
        full = len(order) // size
        if most is None or full < 2:
            return order
        wide = max(min(most, full // WINDOWS), 1)
        windows = np.split(order[: full * size], range(wide * size, full * size, wide * size))
        batches = [_like(window, self.lengths, size, random) for window in windows]
        return np.concatenate([random.permutation(np.concatenate(batches)).ravel(), order[full * size :]])

    def _split(self, indices: Sequence[int]) -> list[list[int]]:
        return split(self.lengths, indices, self.config)


def split(
    lengths: Sequence[int] | np.ndarray, indices: Sequence[int], config: Learning, each: int = 1
) -> list[list[int]]:
    """Groups of at most a microbatch, in examples and in tokens with padding, longest first. Where only the tokens are
    bounded, a group of some size takes no row that it would have to fill up by much.

    each: how many examples stand together under one index.
    """
    most, small = config.microbatch_tokens, 0 if config.microbatch_size is not None else FILLED
    groups: list[list[int]] = []
    for index in sorted(indices, key=lambda index: (-lengths[index], index)):
        last = groups[-1] if groups else []
        longest = lengths[last[0]] if last else 0
        room = most is None or longest * (len(last) + 1) <= most
        like = len(last) < GROUP or lengths[index] >= small * longest
        if last and room and like and (len(last) + 1) * each <= config.microbatch:
            last.append(index)
        else:
            groups.append([index])
    return groups


def _like(rows: np.ndarray, lengths: np.ndarray, size: int, random: np.random.Generator) -> np.ndarray:
    """The rows of a window as batches (batches, size): by length they are cut into as many parts as a batch has groups,
    and each batch takes a group of neighbours, drawn by chance, out of every part.
    """
    count = len(rows) // size
    parts = np.array_split(np.arange(size), -(-size // GROUP))
    ends = np.cumsum([len(part) * count for part in parts])[:-1]
    longest_first = rows[np.argsort(-lengths[rows], kind="stable")]
    groups = (random.permutation(part.reshape(count, -1)) for part in np.split(longest_first, ends))
    return np.concatenate(list(groups), axis=1)


def pad(rows: Sequence[np.ndarray], device: torch.device) -> tuple[Tensor, Tensor]:
    """Rows side by side (rows, longest), filled with 0 (or False) on the right, and their lengths (rows,).

    What fills a row is never looked at: everything reads lengths or masks, nothing compares with a pad token.
    """
    lengths = [len(row) for row in rows]
    padded = np.zeros((len(rows), max(lengths)), dtype=rows[0].dtype)
    for place, row in enumerate(rows):
        padded[place, : len(row)] = row
    return torch.from_numpy(padded).to(device), torch.tensor(lengths, device=device)
