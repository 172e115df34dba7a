"""Low-rank adapters through peft. Hu et al. 2021: W x + (alpha / rank) B A x, with B zero at the start.

The network is changed in place, while it is trained, and is a plain network again afterwards (the adapters folded in).
An adapter therefore starts from whatever the network was, an aligned model included; the untouched base plays no part.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from groma.formats.errors import BadConfig
from groma.methods.config import Learning
from groma.models.scalar import HEAD

BASE = ".base_layer."
"""How peft names the layer that an adapter wraps."""


def attach(net: nn.Module, config: Learning) -> None:
    """Put fresh adapters into `net` and freeze everything else but a head that says numbers, which is learned whole.
    Adapters that are there already are folded in first.

    Equal seeds give equal adapters; the global random state is left alone. BadConfig where no layer fits the targets.
    """
    merge(net)
    targets = _targets(net, config.lora_targets)
    rank = config.lora_rank or 0
    alpha: Any = config.lora_alpha if config.lora_alpha is not None else 2 * rank  # peft says int, and divides by rank
    transposed = all(isinstance(net.get_submodule(name), Conv1D) for name in targets)
    lora = LoraConfig(r=rank, lora_alpha=alpha, target_modules=targets, fan_in_fan_out=transposed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        inject_adapter_in_model(lora, net)
    for name, weight in net.named_parameters():
        weight.requires_grad_("lora_" in name or name.startswith(f"{HEAD}."))
        if weight.requires_grad:
            weight.data = weight.data.float()


def adapted(net: nn.Module) -> bool:
    """Whether adapters are attached to `net`."""
    return any(isinstance(layer, LoraLayer) for layer in net.modules())


@contextmanager
def without(net: nn.Module) -> Iterator[None]:
    """Inside, `net` is what it was before its adapters were attached."""
    layers = [layer for layer in net.modules() if isinstance(layer, LoraLayer)]
    for layer in layers:
        layer.enable_adapters(False)
    try:
        yield
    finally:
        for layer in layers:
            layer.enable_adapters(True)


def merged_weights(net: nn.Module) -> dict[str, Tensor]:
    """The weights of `net` under their plain names, adapters folded into copies. `net` itself is not changed."""
    weights: dict[str, Tensor] = {
        name.replace(BASE, "."): weight for name, weight in net.state_dict().items() if "lora_" not in name
    }
    for name in [name for name, layer in net.named_modules() if isinstance(layer, LoraLayer)]:
        weight = weights[f"{name}.weight"]
        weights[f"{name}.weight"] = weight + _delta(net.get_submodule(name)).to(weight.dtype)
    return weights


def merge(net: nn.Module) -> None:
    """Fold the adapters into the weights, in place, and leave a plain network whose weights are all trainable."""
    for name, layer in list(net.named_modules()):
        if isinstance(layer, LoraLayer):
            base: Any = layer.get_base_layer()
            with torch.no_grad():  # not `.data`: what is kept of the old weights is known by their version
                base.weight.add_(_delta(layer).to(base.weight.dtype))
            parent, _, own = name.rpartition(".")
            setattr(net.get_submodule(parent), own, base)
    for weight in net.parameters():
        weight.requires_grad_(True)
    if hasattr(net, "peft_config"):
        del net.peft_config


def _delta(layer: Any) -> Tensor:
    """What the adapters of `layer` add to its weight, in the weight's own layout."""
    with torch.no_grad():
        return torch.stack([layer.get_delta_weight(name) for name in layer.lora_A]).sum(0)


def _targets(net: Any, wanted: tuple[str, ...]) -> list[str]:
    """Full names of the layers that get an adapter: those that end in a name of `wanted`, or every linear layer.

    The head is left out: its weight is often the embedding's, too, and what is folded in would change both.
    """
    embedding, head = net.get_input_embeddings().weight, getattr(net, HEAD, None) or net.get_output_embeddings()
    linear = [
        name
        for name, layer in net.named_modules()
        if isinstance(layer, (nn.Linear, Conv1D)) and layer is not head and layer.weight is not embedding
    ]
    chosen = {one: [name for name in linear if f".{name}".endswith(f".{one}")] for one in wanted}
    for one, found in chosen.items():
        if not found:
            names = ", ".join(sorted({name.rpartition(".")[2] for name in linear}))
            raise BadConfig(f"lora_targets names {one!r}, but no linear layer does (nor is the head adapted): {names}")
    return sorted({name for found in chosen.values() for name in found}) if wanted else linear
