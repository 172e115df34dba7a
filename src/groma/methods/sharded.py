"""Weights in shards, one for each process. FSDP2: Zhao et al. 2023, arXiv 2304.11277, as torch's `fully_shard` does it.

Each layer is gathered when it is run and dropped behind it; gradients and AdamW's averages exist in shards only. We
differ from wrapping the network itself: a copy is sharded, whose parameters take the weights over, and the network is
left hollow until they come back whole. It thus never has to be unwrapped, and is a plain one when the run has ended.
What is saved is always whole, so that a run may go on with another number of processes.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from groma.formats.errors import BadConfig
from groma.methods.processes import Processes


def shard(net: nn.Module, processes: Processes) -> nn.Module:
    """A copy of `net` whose weights are shards of those of `net`, which is left without any.

    BadConfig where its layers cannot be told.
    """
    device = next(net.parameters()).device
    names = set(getattr(net, "_no_split_modules", None) or ())
    if not any(type(module).__name__ in names for module in net.modules()):
        kind = type(net).__name__
        raise BadConfig(f"{kind} does not name its layers, which FSDP2 gathers one by one: launch with --multi_gpu")
    alike = {id(weight): weight for weight in net.parameters()}
    running = copy.deepcopy(net, alike)
    mesh = init_device_mesh(device.type, (processes.count,))
    reshard = os.environ.get("FSDP_RESHARD_AFTER_FORWARD", "true").lower() != "false"
    for module in [one for one in running.modules() if type(one).__name__ in names]:
        fully_shard(module, mesh=mesh, reshard_after_forward=reshard)
    fully_shard(running, mesh=mesh)
    for weight in net.parameters():
        weight.data = weight.data.new_empty(0)
    return running


def whole(value: Tensor) -> Tensor:
    """A tensor of which this process may hold a shard, gathered from all. All have to ask."""
    return value.full_tensor() if isinstance(value, DTensor) else value


def laid(value: Tensor, like: Tensor) -> Tensor:
    """This process's shard of a whole tensor, laid out like `like`."""
    if not isinstance(like, DTensor):
        return value
    return distribute_tensor(value.to(like.device), like.device_mesh, like.placements, src_data_rank=None)


def lay_averages(optimiser: torch.optim.Optimizer) -> None:
    """Whole averages, as a state is loaded, become shards like those of their weights."""
    for weight, averages in optimiser.state.items():
        found: dict[str, Any] = averages
        for name, value in found.items():
            if isinstance(value, Tensor) and value.ndim and value.shape == weight.shape:
                found[name] = laid(value, weight)


def give_back(net: nn.Module, shards: Mapping[str, Tensor]) -> None:
    """Give the hollow `net` its weights again, whole."""
    with torch.no_grad():
        for name, weight in net.named_parameters():
            weight.data = whole(shards[name]).detach().clone()
