"""The engine: requests in, replies out, whatever else is asked at the same time; what cannot be served is told."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch

from groma.formats.errors import BadConfig, Unservable
from groma.formats.messages import Message
from groma.formats.requests import Act, Differentiate, Edit, Failure, Fork, Generate, Read, Reply, Request, Score, Tool
from groma.models.decode import Decoder
from groma.models.engine import LocalEngine
from groma.models.load import load
from groma.models.model import Model
from groma.models.score import answer_logprobs
from groma.models.template import encode, render

TinyModel = Callable[..., Path]

ASKED = (Message("user", "hello"),)


@pytest.fixture(scope="module")
def model(tiny_model: TinyModel) -> Model:
    return load(tiny_model("llama"))


@pytest.fixture(scope="module")
def bare(tiny_model: TinyModel) -> Model:
    return load(tiny_model("llama", chat_template=False))


def answer(model: Model, *requests: Request, seed: int = 0, **options: int | bool) -> list[Reply | Failure]:
    """The answers to requests that are submitted together."""
    engine = LocalEngine(model, **options)  # type: ignore[arg-type]
    for ticket, request in enumerate(requests):
        engine.submit(ticket, request, seed + ticket)
    found: dict[int, Reply | Failure] = {}
    while answered := engine.poll():
        assert not set(found) & {ticket for ticket, _ in answered}
        found.update(answered)
    return [found[ticket] for ticket in range(len(requests))]


def reply(model: Model, request: Request, **options: int | bool) -> Reply:
    found = answer(model, request, **options)[0]
    assert isinstance(found, Reply), found
    return found


# -- generating


def test_messages_text_and_token_ids_are_fed_as_they_are(model: Model) -> None:
    for prompt, ids in (
        (ASKED, render(model, ASKED)),
        ("in the end", encode(model, "in the end")),
        ((5, 6, 7), [5, 6, 7]),
    ):
        found = reply(model, Generate(prompt=prompt, max_tokens=6, temperature=0.0))
        assert found.prompt_ids == tuple(ids)
        told = torch.tensor([[*ids, *found.token_ids]])
        greedy = model.net(told).logits[0, len(ids) - 1 : -1].argmax(-1)
        assert tuple(greedy.tolist()) == found.token_ids
        assert (found.cost.prompt_tokens, found.cost.completion_tokens, found.cost.calls) == (len(ids), 6, 1)
        assert found.cost.seconds > 0 and found.stop == "length" and found.logprobs == ()


def test_a_prefill_is_fed_and_not_repeated(model: Model, bare: Model) -> None:
    for one, lead in ((model, ""), (bare, " ")):
        found = reply(one, Generate(prompt=ASKED, prefill="the one", max_tokens=4))
        assert found.prompt_ids == tuple(render(one, ASKED, prefill="the one"))
        assert one.tokenizer.decode(found.prompt_ids).endswith(f"{lead}the one")
        assert one.tokenizer.decode(found.token_ids, skip_special_tokens=True).startswith(found.text)
    assert reply(model, Generate(prompt=(5, 6), prefill="the", max_tokens=1)).prompt_ids[:2] == (5, 6)


def test_logprobs_come_when_asked_for(model: Model) -> None:
    found = reply(model, Generate(prompt="hello", max_tokens=5, logprobs=True))
    assert len(found.logprobs) == len(found.token_ids) and max(found.logprobs) <= 0


def test_without_a_template_an_answer_ends_where_the_next_turn_begins(bare: Model) -> None:
    """The network is told what to say: " yes", then the opening of the user's next turn."""
    said = bare.tokenizer.encode(" yes\nUser: no", add_special_tokens=False)
    net = bare.net.__class__(bare.net.config).eval()
    start = len(render(bare, ASKED))

    def speak(module: object, args: object, kwargs: dict[str, torch.Tensor], output: torch.Tensor) -> torch.Tensor:
        place = int(kwargs["position_ids"][0, -1]) if kwargs["position_ids"] is not None else start - 1
        output.logits[:, -1] = 0
        output.logits[:, -1, said[place - start + 1]] = 100
        return output

    net.register_forward_hook(speak, with_kwargs=True)
    found = reply(replace(bare, net=net), Generate(prompt=ASKED, max_tokens=30))
    assert (found.text, found.stop) == ("yes", "stop")


def test_a_reply_does_not_depend_on_what_else_is_asked(model: Model) -> None:
    requests = [
        Generate(prompt="the " * (1 + n % 4) + "one", max_tokens=4 + n, stop=("e",) if n % 3 else ()) for n in range(12)
    ]
    alone = [answer(model, one, seed=ticket)[0] for ticket, one in enumerate(requests)]
    for options in ({}, {"max_batch": 1}, {"max_batch": 5}, {"exact": True}):
        together = answer(model, *requests, **options)
        assert [(one.text, one.token_ids, one.stop) for one in together] == [
            (one.text, one.token_ids, one.stop) for one in alone
        ]


def test_generating_and_scoring_are_answered_side_by_side(model: Model) -> None:
    mixed = [
        Generate(prompt="a", max_tokens=2),
        Score(prompt="a", answers=("b",)),
        Generate(prompt="a b", max_tokens=2),
    ]
    assert [bool(one.scores) for one in answer(model, *mixed)] == [False, True, False]


def test_the_longest_waiting_request_is_in_the_next_batch(model: Model) -> None:
    engine = LocalEngine(model, max_batch=2)
    for ticket, words in enumerate((1, 30, 1, 1, 1)):
        engine.submit(ticket, Generate(prompt="on " * words, max_tokens=1), 0)
    answered = [sorted(ticket for ticket, _ in engine.poll()) for _ in range(3)]
    assert 0 in answered[0] and 1 in answered[1] and sorted(chain.from_iterable(answered)) == [0, 1, 2, 3, 4]
    assert engine.poll() == []


def test_places_are_filled_again_from_one_poll_to_the_next(model: Model) -> None:
    """Four places: a long reply is at work in all polls, beside short ones that were submitted after it had begun."""
    long, short = Generate(prompt="a b c", max_tokens=40), [Generate(prompt="on", max_tokens=n) for n in (1, 2, 3)]
    requests = [long, *(short * 3)]
    alone = [answer(model, one, seed=ticket)[0] for ticket, one in enumerate(requests)]
    engine, told, waiting = LocalEngine(model, max_batch=4), dict[int, Reply | Failure](), list(enumerate(requests))
    polls = list[list[int]]()
    while waiting or len(told) < len(requests):
        while waiting and waiting[0][0] - len(told) < 4:
            ticket, request = waiting.pop(0)
            engine.submit(ticket, request, ticket)
        answered = engine.poll()
        polls.append([ticket for ticket, _ in answered])
        told.update(answered)
    assert [told[ticket].token_ids for ticket in range(len(requests))] == [one.token_ids for one in alone]
    assert polls[-1] == [0] and len(polls) > 3, "the long one was at work while the others came and went"


def test_new_weights_between_polls_begin_replies_again(tiny_model: TinyModel) -> None:
    model = load(tiny_model("llama"))
    requests = [Generate(prompt="a b c", max_tokens=30), Generate(prompt="on", max_tokens=1)]
    engine = LocalEngine(model)
    for ticket, request in enumerate(requests):
        engine.submit(ticket, request, ticket)
    assert [ticket for ticket, _ in engine.poll()] == [1]
    with torch.no_grad():
        for one in model.net.parameters():
            one.mul_(1.5)
    (found,) = engine.poll()
    assert isinstance(found[1], Reply) and found[1].token_ids == answer(model, requests[0])[0].token_ids


def test_close_forgets_what_is_pending(model: Model) -> None:
    engine = LocalEngine(model)
    engine.submit(0, Generate(prompt="a", max_tokens=1), 0)
    engine.close()
    assert engine.poll() == []


# -- scoring


def test_scores_are_sums_behind_the_same_prompt(model: Model) -> None:
    answers = (" the one", " on and on and on", "!")
    found = reply(model, Score(prompt="in the end", answers=answers))
    ids = encode(model, "in the end")
    told = [model.tokenizer.encode(one, add_special_tokens=False) for one in answers]
    expected = [float(one.sum()) for one in answer_logprobs(model, [ids] * 3, told)]
    assert found.scores == pytest.approx(expected, abs=1e-5) and found.prompt_ids == tuple(ids)
    assert found.cost.prompt_tokens == len(ids) + sum(map(len, told))


def test_scoring_messages_is_scoring_the_assistants_next_turn(model: Model, bare: Model) -> None:
    for one, lead in ((model, ""), (bare, " ")):
        ids = render(one, ASKED)
        turn = one.tokenizer.encode(f"{lead}the one", add_special_tokens=False)
        open_, ended = (
            reply(one, Score(prompt=ASKED, answers=("the one",), ended=ended)).scores[0] for ended in (False, True)
        )
        expected = answer_logprobs(one, [ids], [[*turn, one.end_id or 0]])[0]
        assert open_ == pytest.approx(float(expected[:-1].sum()), abs=1e-4)
        assert ended == pytest.approx(float(expected.sum()), abs=1e-4)


def test_one_token_answers_have_the_next_tokens_distribution(model: Model) -> None:
    letters = tuple("abcdefghijklmnopqrstuvwxyz")
    scores = reply(model, Score(prompt=(1, 2, 3), answers=letters)).scores
    ids = [model.tokenizer.convert_tokens_to_ids(letter) for letter in letters]
    with torch.no_grad():
        expected = model.net(torch.tensor([[1, 2, 3]])).logits[0, -1].log_softmax(-1)[ids]
    assert scores == pytest.approx(expected.tolist(), abs=1e-5)


# -- what cannot be served


@pytest.mark.parametrize(
    ("request_", "part"),
    [
        (Act(tool="ledger"), "Act(player='environment')"),
        (Fork(branch="a"), "Fork"),
        (Generate(prompt=(Message("user", "a"),), tools=(Tool("ledger"),)), "does not show them"),
    ],
)
def test_requests_of_a_kind_that_is_never_served(model: Model, request_: Request, part: str) -> None:
    engine = LocalEngine(model)
    with pytest.raises(Unservable) as caught:
        engine.submit(0, request_, 0)
    assert part in str(caught.value) and engine.poll() == []


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (Generate(prompt="a", tools=(Tool("ledger"),)), "beside a prompt of plain text"),
        (Generate(prompt="a", edits=(Edit(2, np.zeros(32)),)), "no layer 2.*0 to 1"),
        (Generate(prompt="a", edits=(Edit(0, np.zeros(2)),)), "shape .2,.*.32,."),
        (Generate(prompt="a", edits=(Edit(0, np.zeros(32), "add", (-1,)),)), "positions .-1,."),
        (Generate(prompt="a", edits=(Edit(0, np.zeros(32), "project_out"),)), "vector of zeros"),
        (Read(prompt=(1, 2), layers=(0, 7)), "no layer 7"),
        (Read(prompt=(1, 2), layers=(0,), positions=(2,)), "no position 2 in 2 tokens"),
        (Differentiate(prompt=(1, 2), target="b", positions=(-3,)), "no position -3"),
    ],
)
def test_what_the_model_has_not_is_a_failure_that_names_it(model: Model, request_: Request, says: str) -> None:
    found, sibling = answer(model, request_, Generate(prompt=(1, 2), max_tokens=2))
    assert isinstance(found, Failure) and found.kind == "bad_request" and re.search(says, found.message, re.DOTALL)
    assert isinstance(sibling, Reply)


@pytest.mark.parametrize(
    "request_", [Generate(prompt=tuple(range(12))), Score(prompt=tuple(range(8)), answers=("x", "12345"))]
)
def test_what_is_too_long_is_a_failure_and_its_siblings_go_on(model: Model, request_: Request) -> None:
    narrow = replace(model, context=12)
    found = answer(narrow, request_, Generate(prompt=(1, 2), max_tokens=2))
    assert isinstance(found[0], Failure) and isinstance(found[1], Reply)
    assert (found[0].boundary, found[0].kind) == ("engine", "too_long") and "holds 12" in found[0].message


@pytest.mark.parametrize("prompt", [(1, 5000), (-1, 2)])
def test_token_ids_outside_the_vocabulary_are_a_failure(model: Model, prompt: tuple[int, ...]) -> None:
    for request in (Generate(prompt=prompt), Score(prompt=prompt, answers=("a",))):
        found = answer(model, request)[0]
        assert isinstance(found, Failure) and found.kind == "bad_request" and "0 to 271" in found.message


def test_an_empty_prompt_is_a_failure_where_nothing_begins_it(model: Model) -> None:
    assert isinstance(answer(model, Generate(prompt="", max_tokens=1))[0], Reply)  # the begin token
    begun = replace(model, tokenizer=type(model.tokenizer)(tokenizer_object=model.tokenizer.backend_tokenizer))
    begun.tokenizer.backend_tokenizer.post_processor = None  # type: ignore[attr-defined]
    for request in (Generate(prompt=""), Score(prompt="", answers=("a",))):
        found = answer(begun, request)[0]
        assert isinstance(found, Failure) and found.kind == "bad_request"


def test_a_batch_that_does_not_fit_into_memory_is_halved(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Decoder.read

    def cramped(self: Decoder, prompts: list[object], *options: object) -> object:
        if len(prompts) + len(self.held) > 2:
            raise torch.OutOfMemoryError("no room")
        return read(self, prompts, *options)  # type: ignore[arg-type]

    requests = [Generate(prompt="a" * (n + 1), max_tokens=3) for n in range(7)]
    expected = [one.token_ids for one in answer(model, *requests)]
    monkeypatch.setattr(Decoder, "read", cramped)
    assert [one.token_ids for one in answer(model, *requests)] == expected


def test_what_never_fits_is_a_failure(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **options: object) -> object:
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(Decoder, "read", full)
    found = answer(model, Generate(prompt="a"), Generate(prompt="b"))
    assert [isinstance(one, Failure) and one.kind for one in found] == ["out_of_memory"] * 2


def test_a_batch_has_at_least_one_row(model: Model) -> None:
    with pytest.raises(BadConfig, match="max_batch is 0"):
        LocalEngine(model, max_batch=0)
