"""A model that is another one's neighbour: for tests that need a policy apart from its reference."""

from __future__ import annotations

import torch

from groma.models.load import Model


def noisy(model: Model, seed: int, size: float = 0.02) -> Model:
    """The same model with other weights."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.net.parameters():
            weight.add_(size * torch.randn(weight.shape, generator=draw))
    return model
