"""Rows that wait take the places of rows that end, and say what they say alone; so they do past transformers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from groma.models.generate import Row, Sampled, Sampler, sample
from groma.models.lean import Lean
from groma.models.load import load
from groma.models.model import Model
from groma.models.tiny import ARCHITECTURES, make_tiny
from sampled_rows import generated, rows_of

TinyModel = Callable[..., Path]


@pytest.fixture(scope="module", params=ARCHITECTURES)
def model(request: pytest.FixtureRequest, tiny_model: TinyModel) -> Model:
    return load(tiny_model(request.param))


@pytest.fixture(scope="module")
def llama(tiny_model: TinyModel) -> Model:
    return load(tiny_model("llama"))


def test_rows_that_wait_take_the_places_of_rows_that_end(model: Model) -> None:
    """Two places for seven rows that end at different steps, the longest prompts beside the shortest."""
    rows = [replace(row, max_tokens=3 + 5 * (n % 4)) for n, row in enumerate(rows_of(model, temperature=0.0))]
    drawn = sample(model, rows, max_batch=2)
    assert [one.token_ids for one in drawn] == [generated(model, row) for row in rows]
    noisy = [replace(row, temperature=1.0) for row in rows]
    alone = [sample(model, [row])[0] for row in noisy]
    for slots in (2, 3):
        for one, other in zip(sample(model, noisy[::-1], max_batch=slots)[::-1], alone, strict=True):
            assert one.token_ids == other.token_ids and one.logprobs == pytest.approx(other.logprobs, abs=2e-5)


def test_places_are_filled_while_others_are_at_work(llama: Model) -> None:
    """Eight rows of ten tokens and one of thirty: four places need thirty draws, not a batch after the other."""
    rows = [Row((1, 2, 3 + number), 10 if number else 30, seed=number) for number in range(9)]
    steps, most = 0, 0

    def count(module: object, args: Any, output: Any) -> None:
        nonlocal steps, most
        steps, most = steps + (args[0].shape[1] == 1), max(most, len(args[0]))

    handle = llama.net.get_input_embeddings().register_forward_hook(count)
    sample(replace(llama, eos_ids=()), rows, max_batch=4)
    handle.remove()
    assert steps == 29 and most <= 4, "three short ones, one after another, beside the long one"


def test_a_longer_prompt_joins_shorter_ones_and_what_nobody_uses_is_let_go(llama: Model) -> None:
    prompts = [(1, 2), tuple(range(3, 43)), (4, 5, 6), tuple(range(60, 130)), (7, 8)]
    rows = [Row(one, 6 + 9 * (number % 2), seed=number) for number, one in enumerate(prompts)]
    alone = [sample(llama, [row])[0].token_ids for row in rows]
    for order in ((0, 1, 2, 3, 4), (3, 0, 1, 4, 2), (1, 4, 3, 2, 0)):
        sampler, found = Sampler(llama, 2), dict[int, Sampled]()
        for number in order:
            sampler.add(number, rows[number])
        while len(sampler):
            found.update(sampler.run())
            held = sampler._decoder.held
            cache = sampler._decoder.cache
            assert not held or cache.get_seq_length() == max(held)
        assert [found[number].token_ids for number in range(5)] == alone


def test_a_prompt_of_many_samples_is_read_once_however_few_the_places(llama: Model) -> None:
    read: list[int] = []
    handle = llama.net.get_input_embeddings().register_forward_hook(lambda _, told, out: read.append(told[0].shape[1]))
    prompt = tuple(range(5, 45))
    drawn = sample(llama, [Row(prompt, 2 + number % 5, seed=number) for number in range(20)], max_batch=4)
    handle.remove()
    assert read.count(40) == 1 and len({one.token_ids for one in drawn}) > 10


# -- the lean way


def lean_and_plain(model: Model, rows: list[Row], **options: Any) -> tuple[list[Sampled], list[Sampled]]:
    """The same rows past transformers and through it: a hook that does nothing makes the difference."""
    lean = sample(model, rows, **options)
    handle = model.net.register_forward_pre_hook(lambda module, args: None)
    plain = sample(model, rows, **options)
    handle.remove()
    return lean, plain


@pytest.mark.parametrize(
    ("architecture", "options"),
    [
        ("llama", {}),
        ("llama", {"attention_bias": True, "num_key_value_heads": 4, "tie_word_embeddings": False}),
        ("llama", {"rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 100.0}}),
        ("qwen3", {}),
        ("qwen3", {"use_sliding_window": True, "sliding_window": 6, "max_window_layers": 1}),
        ("mistral", {}),
        ("mistral", {"sliding_window": None}),
    ],
)
def test_the_lean_way_is_the_plain_way(tmp_path: Path, architecture: str, options: dict[str, Any]) -> None:
    model = load(make_tiny(tmp_path, architecture, **options))
    assert Lean.of(model.net) is not None
    for lean, plain in zip(*lean_and_plain(model, rows_of(model, max_tokens=16), max_batch=3), strict=True):
        assert lean.token_ids == plain.token_ids
        assert lean.logprobs == pytest.approx(plain.logprobs, abs=2e-5)


def test_the_lean_way_is_not_taken_past_what_was_put_into_the_network(tiny_model: TinyModel) -> None:
    def lean() -> bool:
        return Lean.of(model.net) is not None

    model = load(tiny_model("llama"))
    assert lean()
    handle = model.net.model.layers[1].mlp.register_forward_hook(lambda module, args, output: output)
    assert not lean()
    handle.remove()
    assert lean()
    model.net.train()
    assert not lean()
    model.net.eval()
    model.net.model.layers[0].mlp.forward = lambda states: states
    assert not lean()
    del model.net.model.layers[0].mlp.forward
    assert lean()
    model.net.model.layers[0].mlp.up_proj = torch.nn.Sequential(model.net.model.layers[0].mlp.up_proj)
    assert not lean()
    for other in ("gemma3", "gpt2", "mixtral"):
        assert Lean.of(load(tiny_model(other)).net) is None
