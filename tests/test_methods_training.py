"""The loop of the methods: gradient accumulation, resuming bit for bit, evaluation and the best weights, adapters."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from groma.formats.errors import BadConfig, BadInput
from groma.formats.examples import Demonstration, Preference
from groma.formats.messages import Message
from groma.methods import adapters, dpo, sft
from groma.methods.checkpoint import load_state, save_state
from groma.methods.state import State, Step
from groma.models.load import Model, load
from groma.models.turns import fingerprint

WORDS = ("the", "hello there", "it is in the end", "no", "on and on and on, the answer", "yes", "what", "an hour")
SHOWN = [Demonstration((Message("user", f"say {word}"),), (Message("assistant", word),)) for word in WORDS]
PREFERRED = [
    Preference((Message("user", f"say {one}"),), (Message("assistant", one),), (Message("assistant", other),))
    for one, other in itertools.pairwise(WORDS)
]


@pytest.fixture
def model(tiny_model: Callable[..., Path]) -> Model:
    return load(tiny_model("llama"))


def weights(model: Model) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in model.net.named_parameters()}


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def run(method: Any, model: Model, examples: Sequence[Any], state: State | None = None, **options: Any) -> list[Step]:
    return list(method.train(model, examples, method.Config(**options), state))


BOTH = pytest.mark.parametrize(("method", "examples"), [(sft, SHOWN), (dpo, PREFERRED)], ids=["sft", "dpo"])


@BOTH
def test_gradient_accumulation_equals_the_big_batch(
    tiny_model: Callable[..., Path], method: Any, examples: Sequence[Any]
) -> None:
    """Rows of unequal lengths, and a batch that is not full: no microbatch's mean is a mean of the batch."""
    found = []
    for micro in (6, 3, 2, 1):
        model = load(tiny_model("llama"))
        steps = run(method, model, examples, batch_size=6, microbatch_size=micro, learning_rate=1e-3, epochs=1)
        assert [step.number for step in steps] == [1, 2]
        found.append(([dict(step.metrics) for step in steps], weights(model)))
    (big, big_weights), *others = found
    for metrics, trained in others:
        for step, expected in zip(metrics, big, strict=True):
            assert step == pytest.approx(expected, abs=2e-6, rel=2e-6)
        for name, weight in big_weights.items():
            assert (trained[name] - weight).abs().max() < 5e-5  # Adam divides by small numbers


@BOTH
def test_accumulated_gradients_are_equal(tiny_model: Callable[..., Path], method: Any, examples: Sequence[Any]) -> None:
    norms = []
    for micro in (7, 1):
        (step, *_) = run(method, load(tiny_model("llama")), examples, batch_size=7, microbatch_size=micro, max_steps=1)
        norms.append(step.metrics["grad_norm"])
    assert norms[0] == pytest.approx(norms[1], rel=1e-6)


def test_the_loss_is_the_mean_over_learned_tokens(model: Model) -> None:
    rows = [
        model.tokenizer(f"<bos><user>say {word}<end><assistant>", add_special_tokens=False)["input_ids"]
        for word in WORDS
    ]
    total, count, right, mean = 0.0, 0, 0, torch.zeros(())
    for prompt, word in zip(rows, WORDS, strict=True):
        answer = model.tokenizer(f"{word}<end>", add_special_tokens=False)["input_ids"]
        logits = model.net(torch.tensor([prompt + answer])).logits[0, len(prompt) - 1 : -1]
        mean = mean - logits.log_softmax(-1)[range(len(answer)), answer].sum()
        total = mean.item()
        right += int((logits.argmax(-1) == torch.tensor(answer)).sum())
        count += len(answer)
    grads = torch.autograd.grad(mean / count, list(model.net.parameters()))
    norm = torch.stack([one.norm() for one in grads]).norm().item()
    (step,) = run(sft, model, SHOWN, batch_size=8)
    assert step.metrics["grad_norm"] == pytest.approx(norm, rel=1e-4)  # of the mean over tokens, not over rows
    assert step.metrics["loss"] == pytest.approx(total / count, rel=1e-5)
    assert step.metrics["mean_token_accuracy"] == pytest.approx(right / count)
    assert step.metrics["supervised_eos_fraction"] == 1.0
    assert step.metrics["tokens"] == sum(map(len, rows)) + count


@BOTH
@pytest.mark.parametrize("options", [{}, {"lora_rank": 2}], ids=["full", "lora"])
def test_resumed_equals_uninterrupted_bit_for_bit(
    tiny_model: Callable[..., Path], tmp_path: Path, method: Any, examples: Sequence[Any], options: dict[str, Any]
) -> None:
    """Stopped in the middle of the second epoch, saved, loaded into a fresh model, gone on."""
    config = {"batch_size": 3, "epochs": 3, "learning_rate": 1e-3, "warmup_steps": 2, "schedule": "cosine", **options}
    whole = load(tiny_model("llama"))
    uninterrupted = run(method, whole, examples, **config)
    stopped = method.train(load(tiny_model("llama")), examples, method.Config(**config))
    for step in stopped:
        if step.number == 4:
            save_state(step.state, tmp_path / "state")
            break
    stopped.close()
    fresh = load(tiny_model("llama"))
    rest = run(method, fresh, examples, load_state(tmp_path / "state"), **config)
    assert [step.number for step in rest] == [5, 6, 7, 8, 9]
    assert [step.metrics for step in rest] == [step.metrics for step in uninterrupted[4:]]
    assert same(weights(fresh), weights(whole))


def test_a_state_is_a_copy_of_its_moment(model: Model) -> None:
    steps = sft.train(model, SHOWN, sft.Config(batch_size=4, epochs=3, learning_rate=1e-2))
    first = next(steps)
    state = first.state
    before = {name: weight.clone() for name, weight in state.weights.items()}
    moments = state.optimiser["state"][0]["exp_avg"].clone()
    next(steps)
    assert same(dict(state.weights), before) and torch.equal(state.optimiser["state"][0]["exp_avg"], moments)
    assert not same(before, weights(model))
    with pytest.raises(RuntimeError, match="the state of step 1 is gone"):
        _ = first.state


class TestRefusals:
    config = sft.Config(batch_size=4, learning_rate=1e-3)

    def state(self, model: Model) -> State:
        steps = sft.train(model, SHOWN, self.config)
        state = next(steps).state
        steps.close()
        return state

    def test_other_options(self, model: Model) -> None:
        config = sft.Config(batch_size=2, learning_rate=2e-3)
        with pytest.raises(BadConfig, match=r"batch_size was 4 and is 2; learning_rate was 0\.001 and is 0\.002"):
            sft.train(model, SHOWN, config, self.state(model))

    def test_other_examples(self, model: Model) -> None:
        with pytest.raises(BadInput, match="digest"):
            sft.train(model, SHOWN[:-1], self.config, self.state(model))

    def test_another_method(self, model: Model) -> None:
        with pytest.raises(BadConfig, match="one of sft; it cannot be resumed as dpo"):
            dpo.train(model, PREFERRED, dpo.Config(), self.state(model))

    def test_another_model(self, model: Model, tiny_model: Callable[..., Path]) -> None:
        other = load(tiny_model("llama", hidden_size=16))
        with pytest.raises(BadInput, match="do not fit the model"):
            next(sft.train(other, SHOWN, self.config, self.state(model)))

    def test_other_frozen_weights_under_adapters(self, model: Model, tiny_model: Callable[..., Path]) -> None:
        config = sft.Config(batch_size=4, lora_rank=2)
        steps = sft.train(model, SHOWN, config)
        state = next(steps).state
        with pytest.raises(BadInput, match="the frozen weights have the digest"):
            next(sft.train(load(tiny_model("llama", seed=1)), SHOWN, config, state))

    def test_evaluation_without_effect(self, model: Model) -> None:
        with pytest.raises(BadConfig, match="there is no evaluation data"):
            sft.train(model, SHOWN, sft.Config(evaluate_every=1))
        with pytest.raises(BadConfig, match="evaluate_every is not set"):
            sft.train(model, SHOWN, sft.Config(), evaluation=SHOWN)

    def test_a_warm_up_longer_than_the_run(self, model: Model) -> None:
        with pytest.raises(BadConfig, match="more than the 2 steps"):
            sft.train(model, SHOWN, sft.Config(batch_size=4, warmup_steps=3))

    def test_divergence(self, model: Model) -> None:
        with torch.no_grad():
            next(model.net.parameters()).fill_(float("nan"))
        with pytest.raises(BadConfig, match="diverged at step 1"):
            next(sft.train(model, SHOWN, sft.Config()))


class TestEvaluation:
    def steps(self, model: Model, keep: Any, state: State | None = None, every: int = 2) -> Iterator[Step]:
        options: dict[str, Any] = {"batch_size": 4, "max_steps": 6, "learning_rate": 0.05, "schedule": "constant"}
        config = sft.Config(**options, evaluate_every=every, keep=keep)
        return sft.train(model, SHOWN[:4], config, state, evaluation=SHOWN[4:])

    def test_runs_on_time_and_after_the_last_step(self, model: Model) -> None:
        evaluated = [step.number for step in self.steps(model, "best", every=4) if step.evaluation is not None]
        assert evaluated == [4, 6]

    def test_the_best_weights_are_kept(self, model: Model) -> None:
        """The step size is far too large, so that the last weights are not the best."""
        losses, seen = {}, {}
        for step in self.steps(model, "best"):
            if step.evaluation is not None:
                losses[step.number], seen[step.number] = step.evaluation["loss"], weights(model)
                assert step.is_best == (losses[step.number] == min(losses.values()))
        best = min(losses, key=losses.__getitem__)
        assert best != 6 and step.best is not None and step.best.step == best
        assert same(weights(model), seen[best])

    def test_the_last_weights_can_be_kept(self, model: Model) -> None:
        for step in self.steps(model, "last"):  # noqa: B007
            last = weights(model)
        assert step.best is not None and step.best.step != 6 and not step.best.weights
        assert same(weights(model), last)

    def test_a_resumed_run_remembers_the_best(
        self, model: Model, tmp_path: Path, tiny_model: Callable[..., Path]
    ) -> None:
        steps = self.steps(model, "best")
        for step in steps:
            if step.number == 5:
                save_state(step.state, tmp_path / "state")
        fresh = load(tiny_model("llama"))
        list(self.steps(fresh, "best", load_state(tmp_path / "state")))
        assert same(weights(fresh), weights(model))

    def test_of_dpo_begins_at_its_own_reference(self, model: Model) -> None:
        config = dpo.Config(batch_size=4, max_steps=1, learning_rate=1e-9, evaluate_every=1)
        (step,) = dpo.train(model, PREFERRED[:4], config, evaluation=PREFERRED[4:])
        assert step.evaluation is not None
        assert step.evaluation["loss"] == pytest.approx(0.693147, abs=1e-5)


@pytest.mark.parametrize("architecture", ["qwen3", "gemma3", "mistral", "mixtral", "gpt2"])
@pytest.mark.parametrize("lora_rank", [None, 4])
def test_every_architecture_learns_in_mixed_precision(
    tiny_model: Callable[..., Path], architecture: str, lora_rank: int | None
) -> None:
    options: dict[str, Any] = {"batch_size": 8, "max_steps": 2, "learning_rate": 1e-3, "lora_rank": lora_rank}
    rough = run(sft, load(tiny_model(architecture)), SHOWN, precision="bfloat16", **options)
    exact = run(sft, load(tiny_model(architecture)), SHOWN, **options)
    for one, other in zip(rough, exact, strict=True):
        for name in ("loss", "grad_norm"):
            assert one.metrics[name] == pytest.approx(other.metrics[name], rel=0.03), name


def test_adapters_that_are_folded_in_make_other_weights(tiny_model: Callable[..., Path]) -> None:
    """An engine that kept what the old ones had read would go on with it."""
    model = load(tiny_model("llama"))
    steps = sft.train(model, SHOWN, sft.Config(lora_rank=4, max_steps=2, learning_rate=1e-2))
    next(steps)
    adapters.merge(model.net)
    before = fingerprint(model.net)
    adapters.attach(model.net, sft.Config(lora_rank=4))
    adapters.merge(model.net)
    assert fingerprint(model.net) != before


@pytest.mark.parametrize("architecture", ["qwen3", "gemma3", "mistral", "gpt2"])
def test_every_architecture_learns(tiny_model: Callable[..., Path], architecture: str) -> None:
    options = {"batch_size": 8, "epochs": 12, "learning_rate": 5e-3}
    full = run(sft, load(tiny_model(architecture)), SHOWN, **options)
    assert full[-1].metrics["loss"] < 0.6 * full[0].metrics["loss"]
    low = run(sft, load(tiny_model(architecture)), SHOWN, lora_rank=4, **options)
    assert low[0].metrics["loss"] == full[0].metrics["loss"] > low[-1].metrics["loss"]


def test_bfloat16_is_near_float32_and_keeps_float32_weights(tiny_model: Callable[..., Path]) -> None:
    exact, model = load(tiny_model("llama")), load(tiny_model("llama"), dtype="bfloat16")
    (rough,) = run(sft, model, SHOWN, precision="bfloat16")
    (fine,) = run(sft, exact, SHOWN)
    assert rough.metrics["loss"] != fine.metrics["loss"]
    assert rough.metrics["loss"] == pytest.approx(fine.metrics["loss"], rel=0.05)
    assert {weight.dtype for weight in model.net.parameters()} == {torch.float32}
