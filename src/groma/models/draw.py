"""Draw tokens from logits: each row with its own temperature, truncation and random stream.

A row's token is the first whose cumulative probability exceeds a uniform number, which Philox (Salmon et al. 2011),
keyed with the row's seed, has given beforehand: no draw depends on the other rows. Truncation is transformers':
temperature, then top-k (ties at the k-th are kept), then top-p over what is left; the likeliest token always stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor


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
    """How each row draws, as columns (rows, 1); `uniforms` is (rows, steps), in [0, 1)."""

    temperature: Tensor
    top_k: Tensor
    top_p: Tensor
    uniforms: Tensor
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
            any(row.temperature == 0 for row in rows),
            any(row.temperature > 0 for row in rows),
            any(row.top_k > 0 or row.top_p < 1 for row in rows),
        )

    def select(self, rows: Tensor) -> Draws:
        temperature, top_k, top_p = self.temperature[rows], self.top_k[rows], self.top_p[rows]
        return Draws(temperature, top_k, top_p, self.uniforms[rows], self.greedy, self.sampled, self.truncated)

    def draw(self, logits: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """Tokens (rows,) from logits (rows, vocabulary), and their log-probabilities.

        Those are of softmax(logits / temperature) before truncation, and of softmax(logits) where a row is greedy.
        """
        logits = logits.float()
        best, likeliest = logits.max(-1, keepdim=True) if self.greedy else (logits.amax(-1, keepdim=True), None)
        # The maximum goes first: logits / temperature alone overflows where the temperature is tiny.
        scaled = (logits - best) / torch.where(self.temperature > 0, self.temperature, 1.0)
        weights = scaled.exp()
        if not self.sampled:
            assert likeliest is not None
            return likeliest[:, 0], -weights.sum(-1).log()
        mass = weights.cumsum(-1, dtype=torch.float64)
        total = mass[:, -1:]
        if self.truncated:
            mass = truncate(weights.double(), self.top_k, self.top_p).cumsum(-1)
        tokens = torch.searchsorted(mass, self.uniforms[:, step : step + 1] * mass[:, -1:], right=True)
        tokens = tokens.clamp(max=logits.shape[-1] - 1)
        if likeliest is not None:
            tokens = torch.where(self.temperature > 0, tokens, likeliest)
        return tokens[:, 0], (scaled.gather(-1, tokens) - total.log())[:, 0].float()


def truncate(weights: Tensor, top_k: Tensor, top_p: Tensor) -> Tensor:
    """Zero the weights (rows, vocabulary) that top-k and top-p, both (rows, 1), leave out; 0 and 1 leave all."""
    size = weights.shape[-1]
    ordered, order = weights.sort(stable=True, dim=-1, descending=True)
    least = ordered.gather(-1, torch.where(top_k > 0, top_k, size).clamp(max=size) - 1)
    ordered = ordered * (ordered >= least)
    before = ordered.cumsum(-1) - ordered
    ordered = ordered * ((before < top_p * ordered.sum(-1, keepdim=True)) | (top_p >= 1))
    return torch.zeros_like(ordered).scatter(-1, order, ordered)
