"""Log-probabilities: equal to the plain forward pass, whatever is shared, padded, capped or wrapped; gradients, too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn

from groma.formats.errors import BadConfig, BadInput
from groma.models import head, score
from groma.models.agree import TOLERANCES, agreement
from groma.models.generate import Row, sample
from groma.models.load import load
from groma.models.model import Model
from groma.models.score import answer_logprobs, token_logprobs
from groma.models.tiny import ARCHITECTURES

TinyModel = Callable[..., Path]

# Prompts with several answers, of one token and of many, longer than the sliding window.
PAIRS = [
    ("the hero went on and on in the rain", ("yes", " no, the hero", "x")),
    ("is it true?", ("a", " the one in the rain and on and on")),
    ("the hero went on and on in the rain", (" on and on",)),
    ("hello", ("!",)),
]


@pytest.fixture(scope="module", params=ARCHITECTURES)
def model(request: pytest.FixtureRequest, tiny_model: TinyModel) -> Model:
    return load(tiny_model(request.param))


@pytest.fixture
def llama(tiny_model: TinyModel) -> Model:
    return load(tiny_model("llama"))


def pairs_of(model: Model) -> tuple[list[list[int]], list[list[int]]]:
    told = [(prompt, answer) for prompt, answers in PAIRS for answer in answers]
    prompts = [list(model.tokenizer.encode(prompt)) for prompt, _ in told]
    return prompts, [list(model.tokenizer.encode(answer, add_special_tokens=False)) for _, answer in told]


def plain(net: nn.Module, prompt: list[int], answer: list[int], temperature: float = 1.0) -> Tensor:
    ids = torch.tensor([[*prompt, *answer]])
    with torch.no_grad():
        logits = net(ids).logits[0, len(prompt) - 1 : -1]
    return (logits / temperature).log_softmax(-1).gather(-1, ids[0, len(prompt) :, None])[:, 0]


def assert_plain(model: Model, found: list[Tensor], temperature: float = 1.0) -> None:
    for prompt, answer, values in zip(*pairs_of(model), found, strict=True):
        torch.testing.assert_close(
            values, plain(model.net, prompt, answer, temperature), atol=1e-5 / temperature, rtol=0
        )


def padded(texts: list[list[int]], *, left: bool = False) -> tuple[Tensor, Tensor]:
    width = max(map(len, texts))
    fill = [width - len(text) for text in texts]
    ids = [[3] * n + t if left else t + [3] * n for t, n in zip(texts, fill, strict=True)]
    mask = [[0] * n + [1] * len(t) if left else [1] * len(t) + [0] * n for t, n in zip(texts, fill, strict=True)]
    return torch.tensor(ids), torch.tensor(mask)


def test_answers_equal_the_plain_forward_pass(model: Model) -> None:
    assert_plain(model, answer_logprobs(model, *pairs_of(model)))


def test_small_batches_and_temperature_change_nothing_else(llama: Model) -> None:
    assert_plain(llama, answer_logprobs(llama, *pairs_of(llama), temperature=0.5, max_batch=2), temperature=0.5)


def test_without_a_cache_that_can_be_shared_the_answers_are_the_same(
    llama: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score, "compacts", lambda config: False)
    assert_plain(llama, answer_logprobs(llama, *pairs_of(llama)))


def test_a_prompt_is_read_once_for_all_its_answers(llama: Model) -> None:
    read = 0

    def count(module: nn.Module, args: Any, kwargs: dict[str, Any], output: Any) -> None:
        nonlocal read
        read += (args[0] if args else kwargs["input_ids"]).numel()

    prompts, answers = pairs_of(llama)
    handle = llama.net.register_forward_hook(count, with_kwargs=True)
    answer_logprobs(llama, prompts[:1] * 50, [answer[:1] for answer in answers[:2]] * 25)
    handle.remove()
    assert read == len(prompts[0])


def test_exact_scores_do_not_depend_on_the_others(llama: Model) -> None:
    prompts, answers = pairs_of(llama)
    together = answer_logprobs(llama, prompts, answers, exact=True)
    for prompt, answer, values in zip(prompts, answers, together, strict=True):
        assert answer_logprobs(llama, [prompt], [answer], exact=True)[0].equal(values)
    assert_plain(llama, together)


def test_exact_scores_need_float32(tiny_model: TinyModel) -> None:
    with pytest.raises(BadConfig, match="float32"):
        answer_logprobs(load(tiny_model("llama"), dtype="bfloat16"), [[1]], [[2]], exact=True)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_sampled_logprobs_agree_with_scoring(model: Model, tiny_model: TinyModel, dtype: str) -> None:
    """At several temperatures, and with rows that join others at work."""
    same = model if dtype == "float32" else load(model.name, dtype=dtype)
    rows = [Row(tuple(one), 3 + n, (0.8, 0.0, 1.0)[n % 3], seed=n) for n, one in enumerate(pairs_of(same)[0])]
    drawn = sample(same, rows, max_batch=4)
    found = agreement(same, rows, drawn)
    assert found.tokens == sum(len(one.token_ids) for one in drawn)
    assert found.tolerance == TOLERANCES[same.net.dtype] / 0.8
    assert found.holds and found.mean <= found.largest


def test_other_probabilities_do_not_agree(llama: Model) -> None:
    rows = [Row((1, 2, 3), 4, seed=1), Row((4, 5), 4, 0.5, seed=2)]
    drawn = sample(llama, rows)
    moved = (drawn[0].logprobs[0] - 0.01, *drawn[0].logprobs[1:])
    found = agreement(llama, rows, [replace(drawn[0], logprobs=moved), drawn[1]])
    tokens = sum(len(one.token_ids) for one in drawn)
    assert not found.holds and found.largest == pytest.approx(0.01, abs=1e-4)
    assert found.mean == pytest.approx(0.01 / tokens, abs=1e-4) and found.tolerance == 2e-4
    with pytest.raises(BadInput, match="1 results for 2 rows"):
        agreement(llama, rows, drawn[:1])


def test_empty_and_overlong_pairs_are_refused(llama: Model) -> None:
    with pytest.raises(BadInput, match="empty"):
        answer_logprobs(llama, [[1]], [[]])
    with pytest.raises(BadInput, match=r"of 4 tokens(.|\n)*at most 3"):
        answer_logprobs(replace(llama, context=3), [[1, 2]], [[3, 4]])


# -- the differentiable primitive


@pytest.mark.parametrize("left", [False, True])
def test_token_logprobs_equal_the_plain_forward_pass(model: Model, left: bool) -> None:
    prompts, answers = pairs_of(model)
    texts = [prompt + answer for prompt, answer in zip(prompts, answers, strict=True)]
    ids, mask = padded(texts, left=left)
    targets = torch.zeros_like(ids, dtype=torch.bool)
    spans = []
    for row, (prompt, text) in enumerate(zip(prompts, texts, strict=True)):
        start = (ids.shape[1] - len(text) if left else 0) + len(prompt)
        spans.append(slice(start, start + len(text) - len(prompt)))
        targets[row, spans[-1]] = True
    values = token_logprobs(model.net, ids, mask, targets)
    assert values.dtype == torch.float32 and not values[~targets].any()
    assert_plain(model, [row[span] for row, span in zip(values, spans, strict=True)])


def test_the_head_sees_the_targets_alone(model: Model) -> None:
    ids, targets = torch.arange(20).reshape(2, 10), torch.zeros(2, 10, dtype=torch.bool)
    targets[0, 4], targets[1, 7:] = True, True
    token_logprobs(model.net, ids, None, targets)  # the first call also tries whether the short way holds
    seen = []
    handle = model.net.get_output_embeddings().register_forward_hook(
        lambda module, args, output: seen.append(output.shape)
    )
    token_logprobs(model.net, ids, None, targets)
    handle.remove()
    assert [shape[:-1].numel() for shape in seen] == [4]


def test_gradients_equal_those_of_the_plain_loss(model: Model) -> None:
    ids = torch.arange(24).reshape(2, 12)
    targets = torch.zeros_like(ids, dtype=torch.bool)
    targets[0, 5:], targets[1, 2:4] = True, True

    def gradients(values: Tensor) -> list[Tensor]:
        return list(torch.autograd.grad(values.sum(), list(model.net.parameters())))

    found = gradients(token_logprobs(model.net, ids, None, targets))
    logprobs = model.net(ids).logits[:, :-1].log_softmax(-1).gather(-1, ids[:, 1:, None])[..., 0]
    for one, other in zip(found, gradients(logprobs[targets[:, 1:]]), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_a_network_whose_head_is_not_last_is_computed_plainly(llama: Model) -> None:
    class Doubled(nn.Module):
        """Its logits depend on the number of positions, so that handing the head a few of them is wrong."""

        def __init__(self, net: nn.Module) -> None:
            super().__init__()
            self.net = net

        def forward(self, **inputs: Any) -> Any:
            told = self.net(**inputs)
            told.logits = told.logits * told.logits.shape[1]
            return told

    ids, targets = torch.arange(12).reshape(2, 6), torch.zeros(2, 6, dtype=torch.bool)
    targets[:, 3:] = True
    net = Doubled(llama.net)
    values = token_logprobs(net, ids, None, targets)
    expected = (llama.net(ids).logits[:, :-1] * 6).log_softmax(-1).gather(-1, ids[:, 1:, None])[..., 0]
    torch.testing.assert_close(values[targets], expected[targets[:, 1:]], atol=1e-5, rtol=0)
    assert not head._FAST[net]


def test_adapters_are_scored_through(tiny_model: TinyModel) -> None:
    llama = load(tiny_model("llama", tie_word_embeddings=False))
    adapted = get_peft_model(
        llama.net, LoraConfig(target_modules=["q_proj", "lm_head"], init_lora_weights=False)
    ).eval()
    ids, targets = torch.arange(12).reshape(2, 6), torch.zeros(2, 6, dtype=torch.bool)
    targets[:, 2:] = True
    values = token_logprobs(adapted, ids, None, targets)
    expected = adapted(ids).logits[:, :-1].log_softmax(-1).gather(-1, ids[:, 1:, None])[..., 0]
    torch.testing.assert_close(values[targets], expected[targets[:, 1:]], atol=1e-5, rtol=0)
    assert head._FAST[adapted]


def test_the_trial_leaves_training_modes_alone(llama: Model) -> None:
    llama.net.train()
    llama.net.get_output_embeddings().eval()
    before = [module.training for module in llama.net.modules()]
    targets = torch.tensor([[False, True, True]])
    token_logprobs(llama.net, torch.tensor([[1, 2, 3]]), None, targets)
    assert [module.training for module in llama.net.modules()] == before


def test_a_first_token_cannot_be_a_target(llama: Model) -> None:
    with pytest.raises(ValueError, match="first token"):
        token_logprobs(llama.net, torch.tensor([[1, 2]]), None, torch.tensor([[True, True]]))
