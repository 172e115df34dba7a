"""The parts of the loop: batches, schedule, optimiser, adapters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from groma.formats.errors import BadConfig
from groma.formats.examples import Demonstration
from groma.formats.messages import Message
from groma.methods import adapters, batches, optimiser, sft
from groma.methods.config import Config
from groma.models.load import Model, load

WORDS = ("the", "hello there", "it is in the end", "no", "on and on and on, the answer", "yes", "what", "an hour")
SHOWN = [Demonstration((Message("user", f"say {word}"),), (Message("assistant", word),)) for word in WORDS]


@pytest.fixture
def model(tiny_model: Callable[..., Path]) -> Model:
    return load(tiny_model("llama"))


def weights(model: Model) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in model.net.named_parameters()}


class TestBatches:
    def test_number_of_steps(self) -> None:
        assert batches.total_steps(10, Config(batch_size=4)) == 3
        assert batches.total_steps(10, Config(batch_size=4, epochs=2)) == 6
        assert batches.total_steps(10, Config(batch_size=4, max_steps=5)) == 5


class TestSchedule:
    def sizes(self, **options: Any) -> list[float]:
        config = Config(learning_rate=1.0, **options)
        return [optimiser.learning_rate(step, 6, config) for step in range(6)]

    def test_constant(self) -> None:
        assert self.sizes(schedule="constant", warmup_steps=2) == pytest.approx([1 / 3, 2 / 3, 1, 1, 1, 1])

    def test_linear(self) -> None:
        assert self.sizes(warmup_steps=2) == pytest.approx([1 / 3, 2 / 3, 1, 0.75, 0.5, 0.25])

    def test_cosine(self) -> None:
        expected = [1 / 3, 2 / 3, 1, 0.853553, 0.5, 0.146447]
        assert self.sizes(schedule="cosine", warmup_steps=2) == pytest.approx(expected, abs=1e-6)

    def test_is_what_the_steps_report(self, model: Model) -> None:
        steps = list(sft.train(model, SHOWN, sft.Config(batch_size=2, warmup_steps=1, learning_rate=0.1)))
        assert [step.metrics["learning_rate"] for step in steps] == pytest.approx([0.05, 0.1, 0.2 / 3, 0.1 / 3])

    def test_decay_spares_vectors(self, model: Model) -> None:
        groups = optimiser.adamw(model.net, Config(weight_decay=0.1)).param_groups
        assert [group["weight_decay"] for group in groups] == [0.1, 0.0]
        assert all(weight.ndim == 1 for weight in groups[1]["params"])


def test_clipping_bounds_the_update(tiny_model: Callable[..., Path]) -> None:
    reported = []
    for limit in (None, 0.5):
        model = load(tiny_model("llama"))
        steps = sft.train(model, SHOWN, sft.Config(max_grad_norm=limit))
        reported.append(next(steps).metrics["grad_norm"])
        norm = torch.stack([weight.grad.norm() for weight in model.net.parameters() if weight.grad is not None]).norm()
        assert norm.item() == pytest.approx(limit or reported[0], rel=1e-4)
    assert reported[0] == reported[1] > 0.5


class TestAdapters:
    def test_only_they_are_trained_and_they_are_folded_in_at_the_end(self, model: Model) -> None:
        before = weights(model)
        steps = sft.train(model, SHOWN, sft.Config(lora_rank=2, lora_targets=("q_proj",), learning_rate=1e-2))
        state = next(steps).state
        assert all("q_proj.lora_" in name for name in state.weights)
        ids = torch.tensor([[5, 6, 7, 8]])
        adapted = model.net(ids).logits
        steps.close()
        after = weights(model)
        changed = {name for name in before if not torch.equal(before[name], after[name])}
        assert after.keys() == before.keys()
        assert changed == {name for name in before if "q_proj" in name}
        assert torch.allclose(model.net(ids).logits, adapted, atol=1e-4)
        assert all(weight.requires_grad for weight in model.net.parameters())

    def test_a_run_over_attached_adapters_goes_on_from_them(self, model: Model) -> None:
        config = sft.Config(lora_rank=2, learning_rate=1e-2)
        first = sft.train(model, SHOWN, config)
        next(first)
        ids = torch.tensor([[5, 6, 7, 8]])
        reached = model.net(ids).logits
        second = sft.train(model, SHOWN, sft.Config(lora_rank=2, learning_rate=1e-9))
        next(second)
        assert torch.allclose(model.net(ids).logits, reached, atol=1e-4)

    def test_scale_is_alpha_over_rank(self, tiny_model: Callable[..., Path]) -> None:
        changes = []
        for alpha in (2.0, 8.0):
            net = load(tiny_model("llama")).net
            before = net.model.layers[0].mlp.up_proj.weight.detach().clone()
            adapters.attach(net, Config(lora_rank=4, lora_alpha=alpha))
            torch.nn.init.ones_(net.model.layers[0].mlp.up_proj.lora_B["default"].weight)
            adapters.merge(net)
            changes.append(net.model.layers[0].mlp.up_proj.weight - before)
        assert torch.allclose(changes[1], 4 * changes[0], atol=1e-5) and changes[0].abs().max() > 1e-3

    @pytest.mark.parametrize("target", ["no_proj", "lm_head", "embed_tokens"])
    def test_targets_that_cannot_be_are_refused(self, model: Model, target: str) -> None:
        with pytest.raises(BadConfig, match="down_proj, gate_proj"):
            next(sft.train(model, SHOWN, sft.Config(lora_rank=2, lora_targets=(target,))))

    def test_the_callers_random_state_is_left_alone(self, model: Model) -> None:
        torch.manual_seed(3)
        expected = torch.rand(1)
        torch.manual_seed(3)
        list(sft.train(model, SHOWN, sft.Config(lora_rank=2)))
        assert torch.equal(torch.rand(1), expected)
