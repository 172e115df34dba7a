"""Inside the network: what is read is what transformers says, an edit does what it says, gradients are slopes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from groma.formats.requests import Differentiate, Edit, Generate, Read, Reply, Request
from groma.models.activations import blocks, edited, gradients, read
from groma.models.engine import LocalEngine
from groma.models.load import load
from groma.models.model import Model
from groma.models.tiny import ARCHITECTURES

TinyModel = Callable[..., Path]
IDS = (3, 14, 15, 92, 65, 35, 89, 79, 32, 38)
DRAW = np.random.default_rng(0)


@pytest.fixture(scope="module", params=ARCHITECTURES)
def model(request: pytest.FixtureRequest, tiny_model: TinyModel) -> Model:
    return load(tiny_model(request.param))


@pytest.fixture(scope="module")
def llama(tiny_model: TinyModel) -> Model:
    return load(tiny_model("llama"))


def logits(model: Model, ids: tuple[int, ...] = IDS) -> torch.Tensor:
    with torch.no_grad():
        return model.net(torch.tensor([ids]), use_cache=False).logits[0]


def asked(model: Model, *requests: Request) -> list[Reply]:
    engine = LocalEngine(model)
    for number, request in enumerate(requests):
        engine.submit(number, request, 7)
    found = {}
    while len(found) < len(requests):
        found.update(engine.poll())
    assert all(isinstance(one, Reply) for one in found.values()), found
    return [found[number] for number in range(len(requests))]  # type: ignore[misc]


def test_what_is_read_is_what_a_block_puts_out(model: Model) -> None:
    with torch.no_grad():
        hidden = model.net(torch.tensor([IDS]), output_hidden_states=True).hidden_states
    found = read(model.net, IDS, (0, 1), None)
    assert len(blocks(model.net)) == 2 and found[0].shape == (len(IDS), 32)
    # The last of transformers' hidden states is normed; what enters the second block is what the first puts out.
    np.testing.assert_allclose(found[0], hidden[1][0].numpy(), atol=1e-6)
    assert not np.allclose(found[1], hidden[2][0].numpy(), atol=1e-3)
    places = read(model.net, IDS, (1,), (0, -1))
    np.testing.assert_array_equal(places[1], found[1][[0, -1]])


def test_the_engine_reads_beside_other_requests(llama: Model) -> None:
    found = asked(
        llama,
        Generate(prompt=IDS, max_tokens=3),
        Read(prompt=IDS, layers=(1,), positions=(2,)),
        Generate(prompt=IDS[:3], max_tokens=3),
    )
    np.testing.assert_array_equal(found[1].arrays[1], read(llama.net, IDS, (1,), (2,))[1])
    assert found[1].prompt_ids == IDS and found[1].cost.prompt_tokens == len(IDS)


def test_edits_add_set_and_project_out(model: Model) -> None:
    vector = DRAW.normal(size=32).astype(np.float32)
    plain = read(model.net, IDS, (0,), None)[0]
    with edited(model.net, (Edit(0, vector),)):
        np.testing.assert_allclose(read(model.net, IDS, (0,), None)[0], plain + vector, atol=1e-5)
    with edited(model.net, (Edit(0, vector, "set", (1, 4)),)):
        changed = read(model.net, IDS, (0,), None)[0]
    others = [place for place in range(len(IDS)) if place not in (1, 4)]
    np.testing.assert_allclose(changed[[1, 4]], np.stack([vector, vector]), atol=1e-6)
    np.testing.assert_allclose(changed[others], plain[others], atol=1e-6)
    with edited(model.net, (Edit(0, vector, "project_out"),)):
        left = read(model.net, IDS, (0,), None)[0]
    np.testing.assert_allclose(left @ vector, 0, atol=1e-3)
    np.testing.assert_array_equal(read(model.net, IDS, (0,), None)[0], plain)


@pytest.mark.parametrize("positions", [None, (0, 3), (9, 11)])
def test_sampling_under_an_edit_is_sampling_from_the_edited_network(
    model: Model, positions: tuple[int, ...] | None
) -> None:
    """Token by token without a cache: the edit is at the same places of the whole text."""
    edit = Edit(1, 3 * DRAW.normal(size=32).astype(np.float32), "add", positions)
    request = Generate(prompt=IDS, max_tokens=4, temperature=0, edits=(edit,))
    (found, plain, again) = asked(model, request, Generate(prompt=IDS, max_tokens=4, temperature=0), request)
    ids = IDS
    for token in found.token_ids:
        with edited(model.net, (edit,)):
            assert int(logits(model, ids)[-1].argmax()) == token
        ids = (*ids, token)
    assert again.token_ids == found.token_ids
    assert plain.token_ids == asked(model, Generate(prompt=IDS, max_tokens=4, temperature=0))[0].token_ids


def test_an_edit_leaves_no_turns_behind(llama: Model) -> None:
    edit = Edit(0, 5 * DRAW.normal(size=32).astype(np.float32))
    engine = LocalEngine(llama)
    heard = []
    for number, edits in enumerate(((edit,), ())):
        engine.submit(number, Generate(prompt=IDS, max_tokens=4, temperature=0, edits=edits), 0)
        heard += engine.poll()
    longer = (*IDS, 7, 7)
    engine.submit(3, Generate(prompt=longer, max_tokens=4, temperature=0, logprobs=True), 0)
    ((_, kept),) = engine.poll()
    (fresh,) = asked(llama, Generate(prompt=longer, max_tokens=4, temperature=0, logprobs=True))
    assert isinstance(kept, Reply) and kept.token_ids == fresh.token_ids
    assert kept.logprobs == pytest.approx(fresh.logprobs, abs=1e-5)


def test_gradients_are_the_slope_towards_a_token(model: Model) -> None:
    """Against a finite difference: move the embedding a little from the token that is there to another."""
    target, place, step = (5, 6), 4, 2e-3
    embed = model.net.get_input_embeddings()
    model.net.set_experts_implementation("eager")  # grouped products take no float64
    ranked = gradients(model.net, IDS, target, (place, -2), 272)
    assert set(ranked) == {place, -2} and ranked[place].shape == (272, 2)
    slopes = {int(token): float(value) for token, value in ranked[place]}
    assert list(slopes.values()) == sorted(slopes.values(), reverse=True)

    def told(amount: float, token: int) -> float:
        with torch.no_grad():
            states = embed(torch.tensor([[*IDS, *target]])).double()
            there, other = states[0, place].clone(), embed(torch.tensor(token)).double()
            states[0, place] = there + amount * (other - there)
            net = model.net.double()
            found = net(inputs_embeds=states, use_cache=False).logits[0, len(IDS) - 1 : -1].log_softmax(-1)
            net.float()
            return float(found[torch.arange(len(target)), torch.tensor(target)].sum())

    for token in (1, 100, 200):
        difference = (told(step, token) - told(-step, token)) / (2 * step)
        assert slopes[token] - slopes[IDS[place]] == pytest.approx(difference, rel=2e-2, abs=2e-3)


def test_the_engine_answers_differentiate(llama: Model) -> None:
    (found,) = asked(llama, Differentiate(prompt=IDS, target=" on", positions=(1, 2), top_k=5))
    assert set(found.arrays) == {1, 2} and found.arrays[1].shape == (5, 2)
