"""AdamW, its groups, and the schedule of its step size. Loshchilov and Hutter 2019, with decay on matrices only."""

from __future__ import annotations

import math

import torch
from torch import nn

from groma.methods.config import Learning


def adamw(net: nn.Module, config: Learning) -> torch.optim.AdamW:
    """The optimiser over everything in `net` that is trainable; fused kernels where the device has them."""
    trained = [weight for weight in net.parameters() if weight.requires_grad]
    matrices = [weight for weight in trained if weight.ndim >= 2]
    vectors = [weight for weight in trained if weight.ndim < 2]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    fused = all(weight.device.type in ("cpu", "cuda") for weight in trained)
    return torch.optim.AdamW(
        [group for group in groups if group["params"]], lr=config.learning_rate, betas=config.betas, fused=fused
    )


def learning_rate(step: int, of: int, config: Learning) -> float:
    """Step size of step `step` (from 0) of `of`.

    It rises as (step + 1) / (warmup_steps + 1) of the peak, so that no step is wasted on a size of zero, stands at the
    peak on the first step after the warm-up, and would reach zero on the step after the last.
    """
    warmup = config.warmup_steps
    if step < warmup:
        return config.learning_rate * (step + 1) / (warmup + 1)
    gone = (step - warmup) / max(of - warmup, 1)
    share = {"constant": 1.0, "linear": 1.0 - gone, "cosine": 0.5 * (1.0 + math.cos(math.pi * gone))}[config.schedule]
    return config.learning_rate * share


def set_learning_rate(optimiser: torch.optim.Optimizer, size: float) -> None:
    """Give every group of `optimiser` the step size `size`."""
    for group in optimiser.param_groups:
        group["lr"] = size
