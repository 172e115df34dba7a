"""What a run's inputs are known by: digests of weights and of token rows, for caches and for checks on resuming."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from groma.formats.digest import digest


def of_weights(net: nn.Module) -> str:
    """The digest of all weights of `net`: names, types, shapes and values."""
    return digest(*(_of(name, weight) for name, weight in net.named_parameters()))


def of_frozen(net: nn.Module) -> str:
    """The same for the weights that are not trained."""
    return digest(*(_of(name, weight) for name, weight in net.named_parameters() if not weight.requires_grad))


def of_arrays(arrays: Iterable[np.ndarray]) -> str:
    """The digest of a sequence of arrays; where one ends and the next begins counts."""
    return digest(*(f"{array.dtype}{array.shape}".encode() + array.tobytes() for array in arrays))


def _of(name: str, weight: Tensor) -> str:
    # Bytes, since numpy has no bfloat16.
    data = weight.detach().to("cpu").contiguous().flatten().view(torch.uint8).numpy().tobytes()
    return digest(name, str(weight.dtype), list(weight.shape), data)
