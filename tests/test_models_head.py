"""The head in slices: the same log-probabilities, entropies and gradients as all at once, few logits at a time."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from groma.models import head
from groma.models.head import BYTES, ENTROPY_BYTES, Told, tell
from groma.models.load import load

ROWS, COLUMNS = torch.tensor([0, 0, 1, 1, 1, 0, 1, 1]), torch.tensor([0, 3, 1, 2, 4, 4, 5, 0])
IDS = torch.arange(40, 52).reshape(2, 6)


@pytest.fixture(params=["tied", "untied", "bias", "capped", "gpt2"])
def net(request: pytest.FixtureRequest, tiny_model: Callable[..., Path]) -> nn.Module:
    if request.param == "tied":
        return load(tiny_model("llama")).net
    if request.param in ("capped", "gpt2"):
        return load(tiny_model({"capped": "gemma3"}.get(request.param, request.param))).net
    net = load(tiny_model("llama", tie_word_embeddings=False)).net
    if request.param == "bias":
        plain = net.lm_head
        net.lm_head = nn.Linear(plain.in_features, plain.out_features)
        net.lm_head.weight = plain.weight
        nn.init.normal_(net.lm_head.bias, generator=torch.Generator().manual_seed(0))
    return net


def of(net: nn.Module, slices: int | None) -> Told:
    """Told of eight tokens, that many at a time."""
    wanted = torch.arange(60, 68)
    bound = None if slices is None else slices * (BYTES + ENTROPY_BYTES) * net.config.vocab_size / 2**20
    return tell(net, ROWS, COLUMNS, wanted, megabytes=bound, entropy=True, input_ids=IDS, use_cache=False)


def test_slices_equal_the_whole_in_values_and_gradients(net: nn.Module) -> None:
    found = []
    for slices in (None, 3):
        net.zero_grad()
        told = of(net, slices)
        assert told.entropy_N is not None
        (told.logprobs_N @ torch.linspace(-1, 2, 8) + 0.5 * told.entropy_N.sum()).backward()
        found.append((told, {name: weight.grad for name, weight in net.named_parameters()}))
    (whole, expected), (sliced, gradients) = found
    assert whole.entropy_N is not None and sliced.entropy_N is not None
    torch.testing.assert_close(sliced.logprobs_N, whole.logprobs_N, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(sliced.entropy_N, whole.entropy_N, atol=1e-5, rtol=1e-5)
    assert torch.equal(sliced.likeliest_N, whole.likeliest_N)
    largest = max(float(one.abs().max()) for one in expected.values() if one is not None)
    for name, one in expected.items():
        torch.testing.assert_close(gradients[name], one, atol=1e-5 * max(1.0, largest), rtol=1e-5, msg=name)


def test_what_is_told_is_what_the_plain_logits_say(net: nn.Module) -> None:
    with torch.no_grad():
        logits = net(IDS).logits[ROWS, COLUMNS]
        told = of(net, 1)
    logs = logits.log_softmax(-1)
    torch.testing.assert_close(told.logprobs_N, logs[range(8), range(60, 68)], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(told.entropy_N, -(logs.exp() * logs).sum(-1), atol=1e-5, rtol=1e-5)
    assert torch.equal(told.likeliest_N, logits.argmax(-1) == torch.arange(60, 68))


@pytest.mark.parametrize(("architecture", "unused"), [("llama", []), ("gpt2", [1])])
def test_no_more_logits_exist_than_are_allowed(
    tiny_model: Callable[..., Path], architecture: str, unused: list[int]
) -> None:
    """unused: what the network's own forward pass asks its head for in the end."""
    net = load(tiny_model(architecture)).net
    sizes: list[int] = []
    net.lm_head.register_forward_hook(lambda module, args, output: sizes.append(output.shape[1]))
    told = of(net, 3)
    sizes.clear()  # of the trial, and of the forward pass
    told.logprobs_N.sum().backward()
    assert sizes == [2, 3, 3], "made again in the backward pass, the last slice first"
    sizes.clear()
    of(net, 3)
    assert sizes == [3, 3, 2, *unused]
    sizes.clear()
    of(net, 8)
    assert sizes == [8], "what fits is made once"


def test_entropy_of_a_uniform_guess(tiny_model: Callable[..., Path]) -> None:
    net = load(tiny_model("llama", tie_word_embeddings=False)).net
    nn.init.zeros_(net.lm_head.weight)
    told = of(net, 3)
    vocabulary = net.config.vocab_size
    assert told.entropy_N is not None
    assert told.entropy_N.tolist() == pytest.approx([math.log(vocabulary)] * 8, rel=1e-5)
    assert told.logprobs_N.tolist() == pytest.approx([-math.log(vocabulary)] * 8, rel=1e-5)


def test_a_head_that_cannot_be_called_alone_is_said_once(
    tiny_model: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    class Doubled(nn.Module):
        def __init__(self, net: Any) -> None:
            super().__init__()
            self.net, self.config = net, net.config

        def forward(self, **inputs: Any) -> Any:
            told = self.net(**inputs)
            told.logits = told.logits * told.logits.shape[1]
            return told

    net = Doubled(load(tiny_model("llama")).net)
    of(net, None)  # asks for no bound: there is nothing to say
    with caplog.at_level(logging.WARNING, logger=head.__name__):
        first, again = of(net, 3), of(net, 3)
    assert [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING] == [
        "LlamaForCausalLM has a head that cannot be called alone: the memory of its loss is not bounded"
    ]
    expected: Tensor = (net.net(IDS).logits * 6)[ROWS, COLUMNS].log_softmax(-1)[range(8), range(60, 68)]
    torch.testing.assert_close(first.logprobs_N, expected, atol=1e-5, rtol=1e-5)
    assert torch.equal(first.logprobs_N, again.logprobs_N)
