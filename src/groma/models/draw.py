"""Draw tokens from logits: each row with its own temperature, truncation and random stream.

A row's token is the first whose cumulative probability exceeds a uniform number, which Philox (Salmon et al. 2011),
keyed with the row's seed, has given beforehand: no draw depends on the other rows. Truncation is transformers':
temperature, then top-k (ties at the k-th are kept), then top-p over what is left; the likeliest token always stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

BLOCK = 64
"""Places whose weights are summed together before it is asked in which of them the number lies."""


class Drawn(Protocol):
    """What a row says of how it is drawn."""

    @property
    def temperature(self) -> float: ...
    @property
    def top_k(self) -> int: ...
    @property
    def top_p(self) -> float: ...
    @property
    def seed(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Draws:
    """How each row draws, as columns (rows, 1); `uniforms` is (rows, steps), in [0, 1), and `taken` how many of a row's
    have been used.
    """

    temperature: Tensor
    top_k: Tensor
    top_p: Tensor
    uniforms: Tensor
    taken: Tensor
    greedy: bool
    sampled: bool
    truncated: bool

    @classmethod
    def of(cls, rows: Sequence[Drawn], steps: int, device: torch.device) -> Draws:
        uniforms = np.zeros((len(rows), steps))
        for number, row in enumerate(rows):
            if row.temperature > 0:
                uniforms[number] = np.random.Generator(np.random.Philox(key=row.seed)).random(steps)
        return cls(
            torch.tensor([[row.temperature] for row in rows], device=device, dtype=torch.float32),
            torch.tensor([[row.top_k] for row in rows], device=device),
            torch.tensor([[row.top_p] for row in rows], device=device, dtype=torch.float64),
            torch.from_numpy(uniforms).to(device),
            torch.zeros(len(rows), 1, dtype=torch.long, device=device),
            any(row.temperature == 0 for row in rows),
            any(row.temperature > 0 for row in rows),
            any(row.top_k > 0 or row.top_p < 1 for row in rows),
        )

    def select(self, rows: Tensor) -> Draws:
        return replace(
            self,
            temperature=self.temperature[rows],
            top_k=self.top_k[rows],
            top_p=self.top_p[rows],
            uniforms=self.uniforms[rows],
            taken=self.taken[rows],
        )

    def joined(self, other: Draws) -> Draws:
        """These rows, and the other ones behind them."""
        steps = max(self.uniforms.shape[1], other.uniforms.shape[1])
        return Draws(
            torch.cat([self.temperature, other.temperature]),
            torch.cat([self.top_k, other.top_k]),
            torch.cat([self.top_p, other.top_p]),
            torch.cat([pad(one.uniforms, (0, steps - one.uniforms.shape[1])) for one in (self, other)]),
            torch.cat([self.taken, other.taken]),
            self.greedy or other.greedy,
            self.sampled or other.sampled,
            self.truncated or other.truncated,
        )

    def draw(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """The next tokens (rows,) from logits (rows, vocabulary), and their log-probabilities.

        Those are of softmax(logits / temperature) before truncation, and of softmax(logits) where a row is greedy.
        """
        logits = logits.float()
        best, likeliest = logits.max(-1, keepdim=True) if self.greedy else (logits.amax(-1, keepdim=True), None)
        # The maximum goes first: logits / temperature alone overflows where the temperature is tiny.
        scaled = (logits - best).div_(torch.where(self.temperature > 0, self.temperature, 1.0))
        weights = scaled.exp()
        if not self.sampled:
            assert likeliest is not None
            return likeliest[:, 0], -weights.sum(-1).log()
        uniforms = self.uniforms.gather(-1, self.taken.clamp(max=self.uniforms.shape[-1] - 1))
        self.taken.add_(1)
        # Back in float32, so that rows that keep all are summed as they are where no row is truncated.
        kept = truncate(weights.double(), self.top_k, self.top_p).float() if self.truncated else weights
        tokens, total = first_above(kept, uniforms)
        total = weights.sum(-1, keepdim=True, dtype=torch.float64) if self.truncated else total
        if likeliest is not None:
            tokens = torch.where(self.temperature > 0, tokens, likeliest)
        return tokens[:, 0], (scaled.gather(-1, tokens) - total.log())[:, 0].float()


def first_above(weights: Tensor, uniforms: Tensor) -> tuple[Tensor, Tensor]:
    """The first place of each row of weights (rows, size) at which their running share exceeds a number (rows, 1) in
    [0, 1), and their sums, both (rows, 1).

    First the block of places that holds it, then the place: a running sum of all would cost many times their sum.
    """
    size = weights.shape[-1]
    blocks = pad(weights, (0, -size % BLOCK)).view(len(weights), -1, BLOCK)
    sums = blocks.sum(-1)
    block, rest, total = _search(sums, uniforms)
    inside = blocks.gather(1, block[..., None].expand(-1, -1, BLOCK))[:, 0]
    place, _, _ = _search(inside, rest)
    return (block * BLOCK + place).clamp(max=size - 1), total  # what is not a number is found nowhere


def _search(weights: Tensor, shares: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where the running sum exceeds that share of the whole; at which share of its weight there; and the whole."""
    running = weights.cumsum(-1, dtype=torch.float64)
    total = running[:, -1:]
    # Below the whole even where rounding says otherwise: else the place found could be one without weight.
    wanted = torch.minimum(shares * total, total.nextafter(torch.zeros_like(total)))
    place = torch.searchsorted(running, wanted, right=True).clamp(max=weights.shape[-1] - 1)
    weight = weights.gather(-1, place).double()
    return place, ((wanted - running.gather(-1, place) + weight) / weight).clamp(0, 1), total


def truncate(weights: Tensor, top_k: Tensor, top_p: Tensor) -> Tensor:
    """Zero the weights (rows, vocabulary) that top-k and top-p, both (rows, 1), leave out; 0 and 1 leave all."""
    size = weights.shape[-1]
    ordered, order = weights.sort(stable=True, dim=-1, descending=True)
    least = ordered.gather(-1, torch.where(top_k > 0, top_k, size).clamp(max=size) - 1)
    ordered = ordered * (ordered >= least)
    before = ordered.cumsum(-1) - ordered
    ordered = ordered * ((before < top_p * ordered.sum(-1, keepdim=True)) | (top_p >= 1))
    return torch.zeros_like(ordered).scatter(-1, order, ordered)
