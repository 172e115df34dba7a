"""The forward pass for learning against the networks' own: logits, gradients, and when it is not taken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from groma.models import straight
from groma.models.load import load
from groma.models.shared import inputs, lay

CASES: list[tuple[str, dict[str, Any]]] = [
    ("llama", {}),
    ("llama", {"num_key_value_heads": 1}),
    ("llama", {"attention_bias": True, "tie_word_embeddings": False}),
    ("mistral", {"sliding_window": 5}),
    ("qwen3", {}),
]
PLACES = torch.tensor([0, 0, 1, 2, 2, 2]), torch.tensor([8, 3, 0, 10, 4, 9])


def fresh(tiny_model: Callable[..., Path], architecture: str, sizes: dict[str, Any]) -> Any:
    net = load(tiny_model(architecture, **sizes)).net.float().eval()
    torch.manual_seed(1)
    for weight in net.parameters():  # norms that are all ones, and biases that are none, would hide mistakes
        weight.data += 0.1 * torch.randn_like(weight)
    return net


def told(net: Any, given: dict[str, Any], fast: bool) -> tuple[Tensor, dict[str, Tensor]]:
    """Logits at PLACES, and the gradients of a sum of them that weighs each one otherwise."""
    net.zero_grad()
    if fast:
        states = straight.states(net, *PLACES, given)
        assert states is not None
        logits = straight.logits(net, states)
    else:
        logits = net(**given).logits[PLACES]
    (logits * torch.linspace(-1, 1, logits.numel()).view_as(logits)).sum().backward()
    return logits.detach(), {name: weight.grad.clone() for name, weight in net.named_parameters()}


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(("architecture", "sizes"), CASES)
def test_logits_and_all_gradients_are_the_networks_own(
    tiny_model: Callable[..., Path], architecture: str, sizes: dict[str, Any], shared: bool
) -> None:
    net = fresh(tiny_model, architecture, sizes)
    ids = torch.randint(3, 200, (6, 11), generator=torch.Generator().manual_seed(0)).numpy()
    ids[1::2, :4] = ids[::2, :4]
    given = inputs(net, lay([list(ids[at : at + 2]) for at in (0, 2, 4)] if shared else [[one] for one in ids[:3]]))
    (plain, wanted), (fast, found) = told(net, given, fast=False), told(net, given, fast=True)
    torch.testing.assert_close(fast, plain, atol=1e-5, rtol=1e-5)
    assert all(grad.abs().max() > 0 for grad in wanted.values())
    for name, grad in wanted.items():
        assert (found[name] - grad).abs().max() < 1e-4 * grad.abs().max(), name


def states(net: nn.Module, **more: Any) -> Tensor | None:
    return straight.states(net, *PLACES, {"input_ids": torch.arange(3, 36).view(3, 11), **more})


def test_it_is_not_taken_where_something_may_stand_between(tiny_model: Callable[..., Path]) -> None:
    net = fresh(tiny_model, "llama", {})
    assert states(net, use_cache=False) is not None
    assert states(net, attention_mask=torch.ones(3, 11)) is None, "a mask by tokens"
    assert states(net, use_cache=True) is None and states(net, past_key_values=None) is None
    with straight.plain():
        assert states(net) is None
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert states(net) is None
    net.train()
    assert states(net) is None
    net.eval()
    for part in (net, net.model, net.model.layers[0], net.model.layers[1].self_attn, net.model.norm):
        handle = part.register_forward_hook(lambda module, args, output: None)
        assert states(net) is None
        handle.remove()
    net.model.layers[0].mlp.forward = lambda states: states
    assert states(net) is None
    assert states(fresh(tiny_model, "gpt2", {})) is None


def test_what_wraps_a_product_is_called(tiny_model: Callable[..., Path]) -> None:
    net = fresh(tiny_model, "llama", {})
    before = states(net)
    net.model.layers[0].self_attn.v_proj.register_forward_hook(lambda module, args, output: 2 * output)
    after = states(net)
    assert before is not None and after is not None and not torch.allclose(before, after)
    torch.testing.assert_close(
        straight.logits(net, after), net(input_ids=torch.arange(3, 36).view(3, 11)).logits[PLACES], atol=1e-5, rtol=1e-5
    )
