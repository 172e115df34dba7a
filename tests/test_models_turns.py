"""Earlier turns are not read again, and nothing that is said depends on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from groma.formats.errors import BadConfig
from groma.formats.messages import Message
from groma.formats.requests import Generate, Reply
from groma.models.decode import Decoder
from groma.models.engine import LocalEngine
from groma.models.generate import Row, Sampled, sample
from groma.models.load import load
from groma.models.model import Model
from groma.models.tiny import ARCHITECTURES
from groma.models.turns import Turns

TinyModel = Callable[..., Path]
TEXTS = ("a", "the hero went on and on in the rain", "hello", "in the end, the one", "the hero went on and on")
MORE = (" and then?", " on", " in the rain and on", " the", " and on and on")


@pytest.fixture(scope="module", params=ARCHITECTURES)
def model(request: pytest.FixtureRequest, tiny_model: TinyModel) -> Model:
    return load(tiny_model(request.param))


@pytest.fixture(scope="module")
def llama(tiny_model: TinyModel) -> Model:
    return load(tiny_model("llama"))


@contextmanager
def counting(model: Model) -> Iterator[list[int]]:
    """How many tokens each forward pass reads, padding included. No hook: what was read before one is forgotten."""
    read: list[int] = []
    forward = Decoder._forward

    def counted(self: Decoder, ids: Tensor, *more: Any) -> Tensor:
        read.append(ids.numel())
        return forward(self, ids, *more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Decoder, "_forward", counted)
        yield read


def talk(model: Model, turns: Turns | None, rounds: int = 3, temperature: float = 0.0) -> list[list[Sampled]]:
    """Five conversations that go on, ragged in every turn."""
    prompts = [tuple(model.tokenizer.encode(text)) for text in TEXTS]
    found = []
    for number in range(rounds):
        rows = [
            Row(one, max_tokens=4 + 2 * place, temperature=temperature, seed=10 * number + place)
            for place, one in enumerate(prompts)
        ]
        said = sample(model, rows, turns=turns)
        found.append(said)
        more = [model.tokenizer.encode(text, add_special_tokens=False) for text in MORE[number:] + MORE[:number]]
        prompts = [(*one, *told.token_ids, *then) for one, told, then in zip(prompts, said, more, strict=True)]
    return found


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_what_is_said_does_not_depend_on_what_was_kept(model: Model, temperature: float) -> None:
    plain, kept = talk(model, None, temperature=temperature), talk(model, Turns(model.net), temperature=temperature)
    for before, after in zip(plain, kept, strict=True):
        assert [one.token_ids for one in before] == [one.token_ids for one in after]
        for one, other in zip(before, after, strict=True):
            assert one.logprobs == pytest.approx(other.logprobs, abs=2e-5)


def test_a_turn_that_goes_on_reads_only_what_is_new(llama: Model) -> None:
    with counting(llama) as whole:
        talk(llama, None)
    with counting(llama) as new:
        talk(llama, Turns(llama.net))
    steps = sum(len(one.token_ids) for turn in talk(llama, None) for one in turn)
    assert sum(new) < sum(whole) and sum(new) < steps + 200
    ids = tuple(llama.tokenizer.encode(TEXTS[1]))
    turns = Turns(llama.net)
    (first,) = sample(llama, [Row(ids, max_tokens=5, seed=1)], turns=turns)
    with counting(llama) as read:
        sample(llama, [Row((*ids, *first.token_ids, 7, 8), max_tokens=1)], turns=turns)
    assert read == [3]  # the last token said, and the two that are new


def test_two_that_go_on_from_one_share_its_beginning(llama: Model) -> None:
    turns, ids = Turns(llama.net), tuple(llama.tokenizer.encode(TEXTS[1]))
    sample(llama, [Row(ids, max_tokens=6, seed=1)], turns=turns)
    with counting(llama) as read:
        sample(llama, [Row((*ids, 5), max_tokens=1), Row((*ids, 6, 7), max_tokens=1)], turns=turns)
    assert sorted(read) == [1, 2]


def test_other_words_and_shorter_prompts_find_nothing(llama: Model) -> None:
    turns, ids = Turns(llama.net), tuple(llama.tokenizer.encode(TEXTS[1]))
    sample(llama, [Row(ids, max_tokens=6, seed=1)], turns=turns)
    assert turns.find(ids) is None and turns.find(ids[:3]) is None and turns.find((*ids[:-1], 1, 2, 3)) is None
    found = turns.find((*ids, 5))
    assert found is not None and found[1] == len(ids)


def test_new_weights_forget_what_the_old_ones_read(tiny_model: TinyModel) -> None:
    model = load(tiny_model("llama"))
    turns, ids = Turns(model.net), tuple(model.tokenizer.encode(TEXTS[1]))
    sample(model, [Row(ids, max_tokens=6, temperature=0)], turns=turns)
    with torch.no_grad():
        for one in model.net.parameters():
            one.mul_(1.5)
    (kept,) = sample(model, [Row((*ids, 5, 6), max_tokens=6, temperature=0)], turns=turns)
    (plain,) = sample(model, [Row((*ids, 5, 6), max_tokens=6, temperature=0)])
    assert kept == plain


def test_what_was_not_used_for_longest_goes_first(llama: Model) -> None:
    prompts = [tuple(llama.tokenizer.encode(text)) for text in TEXTS[1:4]]
    size = Turns(llama.net)
    sample(llama, [Row(prompts[0], max_tokens=1)], turns=size)
    (one,) = size._rows
    turns = Turns(llama.net, one.size + 1)
    for prompt in prompts:
        sample(llama, [Row(prompt, max_tokens=1)], turns=turns)
        assert turns._held <= one.size + 1 and turns._held == sum(row.size for row in turns._rows)
    assert turns.find((*prompts[0], 1)) is None and turns.find((*prompts[2], 1)) is not None
    nothing = Turns(llama.net, 0)
    sample(llama, [Row(prompts[0], max_tokens=1)], turns=nothing)
    assert len(nothing) == 0


def test_a_conversation_is_kept_once_however_long_it_gets(llama: Model) -> None:
    turns = Turns(llama.net)
    talk(llama, turns, rounds=4)
    assert len(turns) == len(TEXTS)
    assert set(turns._found.values()) == set(turns._rows)


def replies(engine: LocalEngine, prompts: Sequence[tuple[Message, ...]]) -> list[Reply]:
    for number, prompt in enumerate(prompts):
        engine.submit(number, Generate(prompt=prompt, max_tokens=6, temperature=0), 0)
    found = {}
    while len(found) < len(prompts):
        found.update(engine.poll())
    assert all(isinstance(one, Reply) for one in found.values())
    return [found[number] for number in range(len(prompts))]  # type: ignore[misc]


def test_the_engine_goes_on_with_conversations_through_the_chat_template(llama: Model) -> None:
    engines = LocalEngine(llama), LocalEngine(llama, kept_bytes=0)
    heard: list[list[list[Reply]]] = []
    tokens = []
    for engine in engines:
        prompts: list[tuple[Message, ...]] = [(Message("user", text),) for text in TEXTS]
        heard.append([])
        with counting(llama) as read:
            for _ in range(3):
                said = replies(engine, prompts)
                heard[-1].append(said)
                prompts = [
                    (*prompt, Message("assistant", one.text), Message("user", "and?"))
                    for prompt, one in zip(prompts, said, strict=True)
                ]
        tokens.append(sum(read))
    assert [[one.token_ids for one in turn] for turn in heard[0]] == [
        [one.token_ids for one in turn] for turn in heard[1]
    ]
    assert tokens[0] < 0.7 * tokens[1]
    assert len(engines[0]._turns) > 0 and len(engines[1]._turns) == 0
    engines[0].close()
    assert len(engines[0]._turns) == 0
    with pytest.raises(BadConfig, match="kept_bytes is -1"):
        LocalEngine(llama, kept_bytes=-1)


def test_what_was_read_before_a_hook_is_forgotten(llama: Model) -> None:
    turns, ids = Turns(llama.net), tuple(llama.tokenizer.encode(TEXTS[1]))
    (first,) = sample(llama, [Row(ids, max_tokens=6, seed=1)], turns=turns)
    row = Row((*ids, *first.token_ids, 5), max_tokens=2, seed=1)
    hook = llama.net.model.layers[0].register_forward_hook(lambda module, args, output: output * 1.5)
    try:
        (kept,), (fresh,) = sample(llama, [row], turns=turns), sample(llama, [row])
        assert kept.logprobs == pytest.approx(fresh.logprobs, abs=1e-5)
    finally:
        hook.remove()
    (after,) = sample(llama, [row], turns=turns)
    assert after.logprobs == pytest.approx(sample(llama, [row])[0].logprobs, abs=1e-5)
    assert after.logprobs != pytest.approx(kept.logprobs, abs=1e-2)
