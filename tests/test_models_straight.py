"""The forward pass for learning against the networks' own: logits, gradients, and when it is not taken."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import Qwen2Config, Qwen2ForCausalLM

from groma.models import branches, lean, packed, straight
from groma.models.head import spelled
from groma.models.load import load
from groma.models.shared import inputs, lay

CASES: list[tuple[str, dict[str, Any]]] = [
    ("llama", {}),
    ("llama", {"num_key_value_heads": 1}),
    ("llama", {"attention_bias": True, "tie_word_embeddings": False}),
    ("mistral", {"sliding_window": 5}),
    ("qwen2", {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1}),
    ("qwen3", {}),
]
TINY = {
    "num_hidden_layers": 2,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
PLACES = torch.tensor([0, 0, 1, 2, 2, 2]), torch.tensor([8, 3, 0, 10, 4, 9])


def fresh(tiny_model: Callable[..., Path], architecture: str, sizes: dict[str, Any]) -> Any:
    torch.manual_seed(1)
    net: Any
    if architecture == "qwen2":  # whose tokenizer brings words of its own, and none is needed here
        net = Qwen2ForCausalLM(Qwen2Config(vocab_size=272, **TINY, **sizes)).eval()
    else:
        net = load(tiny_model(architecture, **sizes)).net.float().eval()
    for weight in net.parameters():  # norms that are all ones, and biases that are none, would hide mistakes
        weight.data += 0.1 * torch.randn_like(weight)
    return net


def told(
    net: Any, given: dict[str, Any], fast: bool, mixed: torch.dtype | None = None
) -> tuple[Tensor, dict[str, Tensor]]:
    """Logits at PLACES, and the gradients of a sum of them that weighs each one otherwise.

    mixed: type of the products in the forward pass; the backward pass stands outside of it, as in training.
    """
    net.zero_grad()
    with torch.autocast("cpu", dtype=mixed, enabled=mixed is not None):
        if fast:
            states = straight.states(net, *PLACES, given)
            assert states is not None
            logits = straight.logits(net, states)
        else:
            logits = net(**spelled(net, given)).logits[PLACES]
    (logits.float() * torch.linspace(-1, 1, logits.numel()).view_as(logits)).sum().backward()
    return logits.detach().float(), {name: weight.grad.clone() for name, weight in net.named_parameters()}


@pytest.mark.parametrize("shared", ["", "by a mask", "apart"])
@pytest.mark.parametrize(("architecture", "sizes"), CASES)
def test_logits_and_all_gradients_are_the_networks_own(
    tiny_model: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    architecture: str,
    sizes: dict[str, Any],
    shared: str,
) -> None:
    if shared == "apart":  # copying is too dear for such small texts
        monkeypatch.setattr(branches, "A_TEXT", 0)
        monkeypatch.setattr(branches, "A_TOKEN", 0)
    net = fresh(tiny_model, architecture, sizes)
    ids = torch.randint(3, 200, (6, 11), generator=torch.Generator().manual_seed(0)).numpy()
    ids[1::2, :4] = ids[::2, :4]
    given = inputs(net, lay([list(ids[at : at + 2]) for at in (0, 2, 4)] if shared else [[one] for one in ids[:3]]))
    assert not shared or given["attention_mask"].cheaper == (shared == "apart")
    (plain, wanted), (fast, found) = told(net, given, fast=False), told(net, given, fast=True)
    torch.testing.assert_close(fast, plain, atol=1e-5, rtol=1e-5)
    assert all(grad.abs().max() > 0 for grad in wanted.values())
    for name, grad in wanted.items():
        assert (found[name] - grad).abs().max() < 1e-4 * grad.abs().max(), name


@pytest.mark.parametrize("shared", [False, True])
def test_under_mixed_precision_too(tiny_model: Callable[..., Path], shared: bool) -> None:
    """About as close to float32 as the network's own forward pass is, in logits and in gradients, over some texts."""
    net, random = fresh(tiny_model, "qwen3", {}), torch.Generator().manual_seed(0)
    apart = torch.zeros(2, 2)
    for _ in range(8):
        ids = torch.randint(3, 200, (6, 11), generator=random).numpy()
        ids[1::2, :4] = ids[::2, :4]
        given = inputs(net, lay([list(ids[at : at + 2]) for at in (0, 2, 4)] if shared else [[one] for one in ids[:3]]))
        exact, wanted = told(net, given, fast=False)
        for fast in (False, True):
            found, grads = told(net, given, fast, torch.bfloat16)
            apart[int(fast), 0] += (found - exact).abs().mean()
            apart[int(fast), 1] += sum((grads[name] - grad).abs().mean() for name, grad in wanted.items())
    assert (apart > 0).all() and (apart[1] < 1.2 * apart[0]).all(), apart


class TestPacked:
    """Rows without their padding. Only a GPU has the kernel: here each text is attended to apart, as it would do."""

    @pytest.fixture(autouse=True)
    def packs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(straight, "_packs", lambda net: True)

    @pytest.mark.parametrize(("architecture", "sizes"), CASES)
    def test_logits_and_all_gradients_are_the_networks_own(
        self, tiny_model: Callable[..., Path], architecture: str, sizes: dict[str, Any]
    ) -> None:
        net = fresh(tiny_model, architecture, sizes)
        given = {"input_ids": torch.randint(3, 200, (3, 11), generator=torch.Generator().manual_seed(0))}
        (plain, wanted), (fast, found) = told(net, given, fast=False), told(net, given, fast=True)
        torch.testing.assert_close(fast, plain, atol=1e-5, rtol=1e-5)
        for name, grad in wanted.items():
            assert (found[name] - grad).abs().max() < 1e-4 * grad.abs().max(), name

    def test_only_what_is_asked_for_is_read(self, tiny_model: Callable[..., Path]) -> None:
        net = fresh(tiny_model, "llama", {})
        read: list[int] = []
        net.model.layers[0].mlp.up_proj.register_forward_hook(lambda module, args, output: read.append(output.shape[1]))
        assert states(net) is not None
        assert read == [9 + 1 + 11]

    def test_of_rows_that_share_a_beginning_nothing_is_packed(self, tiny_model: Callable[..., Path]) -> None:
        net = fresh(tiny_model, "llama", {})
        ids = torch.arange(3, 25).view(2, 11).numpy()
        ids[1, :4] = ids[0, :4]
        given = inputs(net, lay([list(ids)]))
        places = torch.tensor([0, 0]), torch.tensor([10, 17])
        found = straight.states(net, *places, given)
        assert found is not None
        torch.testing.assert_close(
            straight.logits(net, found), net(**spelled(net, given)).logits[places], atol=1e-5, rtol=1e-5
        )


def test_packing_is_tried_before_it_is_used(
    tiny_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    net, calls = fresh(tiny_model, "llama", {}), []
    expected = states(net)
    assert expected is not None
    monkeypatch.setattr(packed, "has_kernel", lambda device, dtype: True)

    def broken(*args: Any, **kwargs: Any) -> Tensor:
        calls.append(args)
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(packed, "varlen_attn", broken)
    for _ in range(2):
        found = states(net)
        assert found is not None and torch.equal(found, expected)
    assert len(calls) == 1 and "no such kernel" in caplog.text and "with their padding" in caplog.text
    other = fresh(tiny_model, "llama", {})
    monkeypatch.setattr(packed, "varlen_attn", lambda query, *args, **kwargs: torch.zeros_like(query))
    found = states(other)
    assert found is not None and torch.equal(found, expected) and "differ by" in caplog.text


def states(net: nn.Module, **more: Any) -> Tensor | None:
    return straight.states(net, *PLACES, {"input_ids": torch.arange(3, 36).view(3, 11), **more})


def test_it_is_not_taken_where_something_may_stand_between(tiny_model: Callable[..., Path]) -> None:
    net = fresh(tiny_model, "llama", {})
    assert states(net, use_cache=False) is not None
    assert states(net, attention_mask=torch.ones(3, 11)) is None, "a mask by tokens"
    assert states(net, use_cache=True) is None and states(net, past_key_values=None) is None
    with straight.plain():
        assert states(net) is None
    assert straight.states(net.bfloat16(), *PLACES, {"input_ids": torch.arange(3, 36).view(3, 11)}) is None
    net.float()
    net.train()
    assert states(net) is None
    net.eval()
    for part in (net, net.model, net.model.layers[0], net.model.layers[1].self_attn, net.model.norm):
        handle = part.register_forward_hook(lambda module, args, output: None)
        assert states(net) is None
        handle.remove()
    net.model.layers[0].mlp.forward = lambda states: states
    assert states(net) is None
    del net.model.layers[0].mlp.forward
    assert states(net) is not None


@pytest.mark.parametrize("change", ["attention", "fewer layers", "one layer twice", "hooks on all"])
def test_neither_fast_path_is_taken_where_the_network_does_otherwise(
    tiny_model: Callable[..., Path], change: str
) -> None:
    net, handle = fresh(tiny_model, "llama", {}), None
    assert straight.serves(net) and lean.serves(net)
    if change == "attention":
        net.config._attn_implementation = "somebodys"
    elif change == "fewer layers":
        net.config.num_hidden_layers -= 1
    elif change == "one layer twice":
        net.model.layers[1] = net.model.layers[0]
    else:
        handle = nn.modules.module.register_module_forward_hook(lambda module, args, output: None)
    try:
        assert not straight.serves(net) and not lean.serves(net)
    finally:
        if handle is not None:
            handle.remove()


@pytest.mark.parametrize("architecture", ["gpt2", "gemma3", "mixtral"])
def test_other_networks_take_their_own_forward_pass_and_say_so(
    tiny_model: Callable[..., Path], caplog: pytest.LogCaptureFixture, architecture: str
) -> None:
    net = fresh(tiny_model, architecture, {})
    with caplog.at_level("INFO"):
        assert states(net) is None and states(net) is None
    assert [f"{type(net).__name__} takes its own forward pass" in one for one in caplog.messages] == [True]


@pytest.mark.skipif(packed.varlen_attn is None, reason="this torch has no attention for texts of unlike length")
def test_the_kernel_takes_what_it_is_given() -> None:
    """A stand-in is called in the tests; that the call fits torch's own function is seen from its signature."""
    bound = inspect.signature(packed.varlen_attn).bind(*range(7), scale=1.0, window_size=(-1, 0), enable_gqa=True)
    names = ["query", "key", "value", "cu_seq_q", "cu_seq_k", "max_q", "max_k", "scale", "window_size", "enable_gqa"]
    assert list(bound.arguments) == names


def test_what_wraps_a_product_is_called(tiny_model: Callable[..., Path]) -> None:
    net = fresh(tiny_model, "llama", {})
    before = states(net)
    net.model.layers[0].self_attn.v_proj.register_forward_hook(lambda module, args, output: 2 * output)
    after = states(net)
    assert before is not None and after is not None and not torch.allclose(before, after)
    torch.testing.assert_close(
        straight.logits(net, after), net(input_ids=torch.arange(3, 36).view(3, 11)).logits[PLACES], atol=1e-5, rtol=1e-5
    )
