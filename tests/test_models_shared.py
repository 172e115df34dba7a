"""Texts that begin alike in one row: the same log-probabilities and gradients as rows of their own, or a refusal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from groma.models.branches import Branches, picked
from groma.models.head import tell
from groma.models.load import load
from groma.models.shared import Ids, common, inputs, lay, pays, places, refusal
from groma.models.tiny import ARCHITECTURES

DRAW = np.random.default_rng(5)
PROMPTS = [DRAW.integers(0, 200, size) for size in (14, 5, 9)]
GROUPS = [
    [np.concatenate([prompt, DRAW.integers(0, 200, size)]) for size in sizes]
    for prompt, sizes in zip(PROMPTS, ((12, 3), (7, 10, 1), (4,)), strict=True)
]
"""A pair, a group of three and a text alone; prompts and answers are longer than the tiny models' window of 8."""


def mixture() -> PreTrainedModel:
    """A tiny mixture of experts, two of four a token."""
    sizes = {"num_hidden_layers": 2, "hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4}
    experts = {"num_key_value_heads": 2, "num_local_experts": 4, "num_experts_per_tok": 2}
    config = AutoConfig.for_model("mixtral", vocab_size=200, initializer_range=0.3, **sizes, **experts)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return AutoModelForCausalLM.from_config(config).eval()


@pytest.fixture(params=[*ARCHITECTURES, "mixtral", "eager"])
def net(request: pytest.FixtureRequest, tiny_model: Callable[..., Path]) -> PreTrainedModel:
    if request.param == "mixtral":
        return mixture()
    if request.param == "eager":
        eager = load(tiny_model("gemma3")).net
        eager.set_attn_implementation("eager")
        return eager
    return load(tiny_model(request.param)).net


def logprobs(net: nn.Module, groups: Sequence[Sequence[Ids]]) -> Tensor:
    texts = [text for group in groups for text in group]
    wanted = [np.arange(len(text)) > 0 for text in texts]
    layout = lay(groups)
    rows, columns, ids, _ = places(net, layout, texts, wanted)
    return tell(net, rows, columns, ids, **inputs(net, layout)).logprobs_N


def test_values_and_gradients_equal_those_of_separate_rows(net: PreTrainedModel) -> None:
    weigh = torch.linspace(-1, 2, sum(len(text) - 1 for group in GROUPS for text in group))
    told, gradients = [], []
    for groups in ([[text] for group in GROUPS for text in group], GROUPS):
        net.zero_grad()
        told.append(logprobs(net, groups))
        (told[-1] @ weigh).backward()
        gradients.append({name: weight.grad for name, weight in net.named_parameters() if weight.grad is not None})
    torch.testing.assert_close(told[0], told[1], atol=1e-5, rtol=1e-5)
    assert gradients[0].keys() == gradients[1].keys() and len(gradients[0]) > 10
    largest = max(float(one.abs().max()) for one in gradients[0].values())
    for name, one in gradients[0].items():
        torch.testing.assert_close(one, gradients[1][name], atol=1e-5 * max(1.0, largest), rtol=1e-5, msg=name)
    assert refusal(net, GROUPS[0]) == ""


def test_a_layout_by_hand() -> None:
    layout = lay([[np.array([7, 8, 9, 5]), np.array([7, 8, 4])], [np.array([3, 3])]])
    assert layout.ids_RT.tolist() == [[7, 8, 9, 5, 4], [3, 3, 0, 0, 0]]
    assert layout.positions_RT is not None and layout.branches_RT is not None
    assert layout.positions_RT.tolist() == [[0, 1, 2, 3, 2], [0, 1, 0, 0, 0]]
    assert layout.branches_RT.tolist() == [[0, 0, 1, 1, 2], [0, 0, 1, 1, 1]]
    assert layout.rows.tolist() == [0, 0, 1]
    assert layout.columns(np.array([0, 0, 1, 1, 2]), np.array([1, 3, 1, 2, 1])).tolist() == [1, 3, 1, 4, 1]


def test_plain_rows_get_no_mask(tiny_model: Callable[..., Path]) -> None:
    given = inputs(load(tiny_model("llama")).net, lay([[np.array([1, 2])], [np.array([3])]]))
    assert given["input_ids"].tolist() == [[1, 2], [3, 0]] and "attention_mask" not in given


def test_where_tokens_lie_apart_and_together_by_hand(tiny_model: Callable[..., Path]) -> None:
    layout = lay([[np.array([7, 8, 9, 5]), np.array([7, 8, 4])], [np.array([3, 3])]])
    seen = inputs(load(tiny_model("llama")).net, layout)["attention_mask"]
    assert seen.apart_SL.tolist() == [[0, 1, 2, 3], [0, 1, 4, 0], [5, 6, 5, 5]]
    assert seen.together_RT.tolist() == [[0, 1, 2, 3, 6], [8, 9, 8, 8, 8]]
    states = torch.arange(10.0).view(2, 5, 1, 1).requires_grad_()
    apart = picked(states, seen.apart_SL)
    assert apart[:, :, 0, 0].tolist() == [[0, 1, 2, 3], [0, 1, 4, 0], [5, 6, 5, 5]]
    apart.sum().backward()
    assert states.grad is not None and states.grad.flatten().tolist() == [3, 2, 1, 1, 1, 3, 1, 0, 0, 0]


def test_texts_are_attended_to_apart_where_that_is_less_work(tiny_model: Callable[..., Path]) -> None:
    """Eight texts of 80 tokens, 30 of them shared, take an eighth of the mask's scores; of pairs, half."""
    net = load(tiny_model("llama")).net

    def cheaper(texts: int, shared: int, own: int) -> bool:
        group = [np.concatenate([np.zeros(shared, dtype=np.int64), np.full(own, one)]) for one in range(1, texts + 1)]
        seen: Branches = inputs(net, lay([group] * 3))["attention_mask"]
        return seen.cheaper

    assert cheaper(8, 30, 50) and cheaper(8, 500, 300) and cheaper(2, 200, 800)
    assert not cheaper(2, 30, 30) and not cheaper(16, 400, 5)


@pytest.mark.parametrize(
    ("texts", "length"), [(([1, 2, 3], [1, 2, 4]), 2), (([1, 2], [1, 2, 4]), 2), (([1], [2]), 0), (([5, 6],), 2)]
)
def test_what_texts_begin_with(texts: tuple[list[int], ...], length: int) -> None:
    assert common([np.array(text) for text in texts]) == length


def test_it_pays_where_much_is_shared(tiny_model: Callable[..., Path]) -> None:
    """Of width 32, a row of n tokens costs n + n^2 / 192 with a mask, n + n^2 / 384 without."""
    net = load(tiny_model("llama")).net

    def group(shared: int, own: int) -> list[Ids]:
        return [np.concatenate([np.zeros(shared, dtype=np.int64), np.full(own, one)]) for one in (1, 2)]

    assert pays(net, [group(30, 10)])  # 50 + 13.0 against 80 + 8.3
    assert not pays(net, [group(1, 20)])  # 41 + 8.8 against 42 + 2.3
    assert not pays(net, [group(0, 20)])


class Blind(nn.Module):
    """A network that does not look at the positions that it is given."""

    def __init__(self, net: PreTrainedModel) -> None:
        super().__init__()
        self.net = net

    def forward(self, position_ids: Tensor | None = None, **inputs: Any) -> Any:
        return self.net(**inputs)


def test_a_network_that_cannot_is_found_out(tiny_model: Callable[..., Path]) -> None:
    net = load(tiny_model("llama")).net
    assert "differ by" in refusal(Blind(net), GROUPS[0])
    net.config._attn_implementation = "flash_attention_2"
    assert "'flash_attention_2' takes no mask of its own" in refusal(net, GROUPS[0])


def test_layers_of_another_kind_are_refused() -> None:
    sizes = {"num_hidden_layers": 2, "hidden_size": 32, "vocab_size": 200, "state_size": 4}
    net = AutoModelForCausalLM.from_config(AutoConfig.for_model("mamba", **sizes)).eval()
    assert refusal(net, GROUPS[0]) == "it has layers that keep more than plain keys and values"
