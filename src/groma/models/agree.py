"""Do the log-probabilities that sampling gave agree with a scoring pass over the same tokens?

In reinforcement learning the ratio of new to old probabilities is 1 before the first step only as far as they do: the
sampler reads token by token behind a cache, the scoring pass all at once. Apart from rounding both compute the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from groma.formats.errors import BadInput
from groma.models.generate import Row, Sampled
from groma.models.model import Model
from groma.models.score import answer_logprobs

TOLERANCES: Mapping[torch.dtype, float] = {
    torch.float64: 1e-5,
    torch.float32: 1e-4,
    torch.bfloat16: 0.5,
    torch.float16: 0.1,
}
"""By how much a token's log-probability may differ, at temperature 1, by the network's dtype."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far sampling and scoring are apart, in nats.

    largest, mean: difference of a token's log-probabilities. tolerance: what `largest` may be. tokens: how many.
    """

    largest: float
    mean: float
    tolerance: float
    tokens: int

    @property
    def holds(self) -> bool:
        return self.largest <= self.tolerance


def agreement(model: Model, rows: Sequence[Row], drawn: Sequence[Sampled], *, max_batch: int = 256) -> Agreement:
    """Score what was drawn for `rows` again, and compare: to be called before the weights change.

    The tolerance is 1e-4 nats a token in float32, 0.1 in float16, 0.5 in bfloat16 (whose numbers about 16 are an
    eighth apart), and 1e-5 in float64 (logits are made float32 on both ways), each divided by the lowest temperature
    where that is below 1, since logits are. Errors: BadInput for no rows, and for other than as many results.
    """
    if not rows or len(rows) != len(drawn):
        raise BadInput(f"{len(drawn)} results for {len(rows)} rows", expected="one for each row, and at least one row")
    heat = [row.temperature or 1.0 for row in rows]
    tolerance = TOLERANCES[model.net.dtype] / min(1.0, *heat)
    apart: list[torch.Tensor] = []
    for temperature in dict.fromkeys(heat):
        some = [number for number, one in enumerate(heat) if one == temperature]
        prompts, answers = [rows[one].prompt_ids for one in some], [drawn[one].token_ids for one in some]
        scored = answer_logprobs(model, prompts, answers, temperature=temperature, max_batch=max_batch)
        told = torch.tensor([value for one in some for value in drawn[one].logprobs], dtype=torch.float64)
        apart.append((torch.cat(scored).double() - told).abs())
    every = torch.cat(apart)
    return Agreement(float(every.max()), float(every.mean()), tolerance, len(every))
