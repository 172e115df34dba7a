"""Losses of policies and critics on actions that an earlier policy drew. Schulman et al. 2017, arXiv:1707.06347.

clipped    eq. 7, negated: -min(ratio A, clip(ratio, 1 - low, 1 + high) A), ratio = pi(a) / old(a). With `high` above
           `low` it is DAPO's clip-higher (Yu et al. 2025, arXiv:2503.14476).
dual clip  Ye et al. 2020 (arXiv:1912.09729), eq. 5: where A < 0 the loss is at most -c A, so that an action that has
           become ever likelier cannot blow it up.
value      with the value held to within `clip` of what it was: max of both squared errors, halved.
weights    what each token counts in a batch's loss: "token": alike; "sequence": each reply alike, its tokens sharing
           its part (GRPO as published); "constant": 1 / (replies * most tokens that a reply may have) (Dr. GRPO).
All are pure functions of log-probabilities in nats, token by token.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Aggregation = Literal["token", "sequence", "constant"]
MOST = 20.0
"""Nats to which the logarithm of a ratio is held."""


def ratio(logprobs_N: Tensor, old_N: Tensor) -> Tensor:
    """Probability under the policy over that under the one that drew (tokens,)."""
    return torch.exp((logprobs_N - old_N).clamp(-MOST, MOST))


def clipped(ratio_N: Tensor, advantages_N: Tensor, low: float, high: float, dual: float | None = None) -> Tensor:
    """The loss of each action (actions,), and where it is clipped it has no gradient.

    Worked example, ratio 1.5 and clip 0.2: advantage 1 gives -1.2, advantage -1 gives 1.5; with dual 1.4, 1.4.
    """
    plain_N, held_N = ratio_N * advantages_N, ratio_N.clamp(1 - low, 1 + high) * advantages_N
    gain_N = torch.minimum(plain_N, held_N)
    if dual is not None:
        gain_N = torch.where(advantages_N < 0, torch.maximum(gain_N, dual * advantages_N), gain_N)
    return -gain_N


def is_clipped(ratio_N: Tensor, advantages_N: Tensor, low: float, high: float) -> Tensor:
    """Where clipping has taken the gradient (actions,)."""
    return ((ratio_N > 1 + high) & (advantages_N > 0)) | ((ratio_N < 1 - low) & (advantages_N < 0))


def value_loss(values_N: Tensor, old_N: Tensor, returns_N: Tensor, clip: float | None) -> Tensor:
    """Half the squared error (actions,), the worse of both where the value moved by more than `clip`.

    Worked example, value 1, before 0, return 0.5, clip 0.2: errors 0.5 and -0.3, the worse gives 0.125.
    """
    errors_N = (values_N - returns_N) ** 2
    if clip is not None:
        held_N = old_N + (values_N - old_N).clamp(-clip, clip)
        errors_N = torch.maximum(errors_N, (held_N - returns_N) ** 2)
    return errors_N / 2


def weights(sequences_N: Tensor, how: Aggregation, most: int | None = None) -> Tensor:
    """What each token counts (tokens,), float32: `sequences_N` says which reply it is of. They add up to 1, but with
    "constant", where a reply counts by its length over `most`.
    """
    known, counts = torch.unique(sequences_N, return_counts=True)
    if how == "token":
        return torch.full(sequences_N.shape, 1 / max(len(sequences_N), 1), device=sequences_N.device)
    if how == "sequence":
        each = 1.0 / (counts.float() * len(known))
        return each[torch.searchsorted(known, sequences_N)]
    if most is None:
        raise ValueError("the most tokens that a reply may have are not told")
    return torch.full(sequences_N.shape, 1 / (len(known) * most), device=sequences_N.device)
