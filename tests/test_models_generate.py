"""Sampling: equal to `model.generate` where that is greedy, to the exact distribution where it is not, in any batch."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from scipy.stats import chi2
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from groma.formats.errors import BadConfig, BadInput, Unservable
from groma.models import decode
from groma.models.draw import Draws, first_above, truncate
from groma.models.generate import Row, Sampled, sample
from groma.models.load import load
from groma.models.model import Model
from groma.models.tiny import ARCHITECTURES, make_tiny
from sampled_rows import PROMPTS, generated, rows_of

TinyModel = Callable[..., Path]


@pytest.fixture(scope="module", params=ARCHITECTURES)
def model(request: pytest.FixtureRequest, tiny_model: TinyModel) -> Model:
    return load(tiny_model(request.param))


@pytest.fixture(scope="module")
def llama(tiny_model: TinyModel) -> Model:
    return load(tiny_model("llama"))


def saying(model: Model, row: Row, text: str) -> Model:
    """The same model, whose network is made to say `text` behind the prompt of `row`."""
    words = model.tokenizer.encode(text, add_special_tokens=False)
    net = deepcopy(model.net)

    def speak(module: object, args: object, kwargs: dict[str, Any], told: Any) -> Any:
        place = len(row.prompt_ids) - 1 if kwargs["position_ids"] is None else int(kwargs["position_ids"][0, -1])
        told.logits[:, -1] = 0
        told.logits[:, -1, words[place - len(row.prompt_ids) + 1]] = 1000
        return told

    net.register_forward_hook(speak, with_kwargs=True)
    return replace(model, net=net)


def plain_logprobs(model: Model, row: Row, drawn: Sampled, temperature: float) -> torch.Tensor:
    """Log-probabilities of the drawn tokens from one plain forward pass without cache or padding."""
    ids = torch.tensor([[*row.prompt_ids, *drawn.token_ids]])
    with torch.no_grad():
        logits = model.net(ids).logits[0, len(row.prompt_ids) - 1 : -1]
    return (logits / temperature).log_softmax(-1).gather(-1, ids[0, len(row.prompt_ids) :, None])[:, 0]


def test_greedy_equals_generate_on_ragged_prompts(model: Model) -> None:
    rows = rows_of(model, temperature=0.0, max_tokens=20)
    drawn = sample(model, rows)
    assert [one.token_ids for one in drawn] == [generated(model, row) for row in rows]
    assert len({one.token_ids for one in drawn}) == len(PROMPTS), (
        "the test needs prompts that lead to different answers"
    )


def test_greedy_equals_generate_when_rows_end_at_different_steps(model: Model) -> None:
    free = sample(model, rows_of(model, temperature=0.0, max_tokens=20))
    ends = {one.token_ids[4 * number] for number, one in enumerate(free[:4])}
    ended = replace(model, eos_ids=tuple(ends))
    rows = rows_of(model, temperature=0.0, max_tokens=20)
    drawn = sample(ended, rows)
    assert [one.token_ids for one in drawn] == [generated(ended, row) for row in rows]
    assert len({len(one.token_ids) for one in drawn}) > 2 and {one.stop for one in drawn} >= {"end"}


def test_a_window_that_an_architecture_has_as_an_option(tiny_model: TinyModel) -> None:
    """Qwen3's plain mask is made by us, unless some of its layers slide."""
    options = {"use_sliding_window": True, "sliding_window": 6, "max_window_layers": 1}
    sliding, plain = load(tiny_model("qwen3", **options)), load(tiny_model("qwen3"))
    rows = rows_of(sliding, temperature=0.0)
    drawn = [one.token_ids for one in sample(sliding, rows)]
    assert drawn == [generated(sliding, row) for row in rows] != [generated(plain, row) for row in rows]


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_logprobs_equal_a_plain_forward_pass(model: Model, temperature: float) -> None:
    rows = rows_of(model, temperature=temperature, top_k=40, top_p=0.9)
    for row, drawn in zip(rows, sample(model, rows), strict=True):
        expected = plain_logprobs(model, row, drawn, temperature)
        torch.testing.assert_close(torch.tensor(drawn.logprobs), expected, atol=1e-5 / temperature, rtol=0)


def test_greedy_logprobs_are_at_temperature_one(llama: Model) -> None:
    rows = rows_of(llama, temperature=0.0)
    for row, drawn in zip(rows, sample(llama, rows), strict=True):
        torch.testing.assert_close(
            torch.tensor(drawn.logprobs), plain_logprobs(llama, row, drawn, 1.0), atol=1e-5, rtol=0
        )


def test_a_row_is_the_same_in_any_batch(model: Model) -> None:
    rows = rows_of(model, max_tokens=16)
    together = sample(model, rows)
    assert [sample(model, [row])[0].token_ids for row in rows] == [one.token_ids for one in together]
    backwards = sample(model, rows[::-1], max_batch=3)[::-1]
    assert [one.token_ids for one in backwards] == [one.token_ids for one in together]
    assert together[1].token_ids != together[-1].token_ids, "equal prompts with different seeds must differ"


def test_exact_does_not_depend_on_the_batch_to_the_last_bit(llama: Model) -> None:
    rows = rows_of(llama)
    together = sample(llama, rows, exact=True)
    assert [sample(llama, [row], exact=True)[0] for row in rows] == together
    assert [one.token_ids for one in together] == [one.token_ids for one in sample(llama, rows)]


def test_exact_needs_float32(tiny_model: TinyModel) -> None:
    with pytest.raises(BadConfig, match="float32"):
        sample(load(tiny_model("llama"), dtype="bfloat16"), [Row((1, 2))], exact=True)


def test_a_cache_that_cannot_drop_rows_gives_the_same(llama: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_of(llama, max_tokens=16)
    with_rows = sample(llama, rows)
    monkeypatch.setattr(decode, "compacts", lambda config: False)
    assert [one.token_ids for one in sample(llama, rows)] == [one.token_ids for one in with_rows]


def test_a_network_without_keys_and_values_is_refused(llama: Model) -> None:
    class Recurrent(LlamaForCausalLM):
        def forward(self, input_ids: torch.Tensor, cache_params: object = None, **ignored: object) -> object:
            return super().forward(input_ids)

    with pytest.raises(Unservable, match="keeps no keys and values"):
        sample(replace(llama, net=Recurrent(llama.net.config)), rows_of(llama))


def test_a_network_with_adapters_is_sampled_like_one_without(tiny_model: TinyModel) -> None:
    plain, adapted = load(tiny_model("llama")), load(tiny_model("llama"))
    net = get_peft_model(adapted.net, LoraConfig(target_modules=["q_proj"])).eval()  # its adapters start at zero
    rows = rows_of(plain)
    assert [one.token_ids for one in sample(replace(adapted, net=net), rows)] == [
        one.token_ids for one in sample(plain, rows)
    ]


def test_prompts_read_in_several_groups_give_the_same(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_of(model, temperature=0.0)
    whole = sample(model, rows)
    monkeypatch.setattr(decode, "READ_TOKENS", {"cpu": 30})
    assert [one.token_ids for one in sample(model, rows)] == [one.token_ids for one in whole]


# -- the distribution


@pytest.fixture(scope="module")
def worded(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A model of ten words, so that every answer of two can be enumerated."""
    words = ["<pad>", "<end>", *"abcdefgh"]
    tokenizer = Tokenizer(WordLevel({word: number for number, word in enumerate(words)}, unk_token="a"))
    tokenizer.pre_tokenizer = Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<end>")
    return load(make_tiny(tmp_path_factory.mktemp("worded"), "llama", tokenizer=fast))


def kept(logits: torch.Tensor, temperature: float, top_k: int, top_p: float) -> np.ndarray:
    """The truncated distribution, word by word, as its definition says."""
    probabilities = (logits.double() / temperature).softmax(-1).tolist()
    order = sorted(range(len(probabilities)), key=lambda word: -probabilities[word])
    chosen, mass = [], 0.0
    within = order[:top_k] if top_k else order
    total = sum(probabilities[word] for word in within)
    for word in within:
        if mass < top_p * total:
            chosen.append(word)
        mass += probabilities[word]
    result = np.zeros(len(probabilities))
    result[chosen] = [probabilities[word] for word in chosen]
    return result / result.sum()


@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"), [(1.0, 0, 1.0), (0.7, 0, 1.0), (1.5, 4, 1.0), (1.0, 0, 0.8), (1.3, 6, 0.7)]
)
@pytest.mark.parametrize("count", [3000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_sampling_follows_the_exact_distribution(
    worded: Model, temperature: float, top_k: int, top_p: float, count: int
) -> None:
    """With fewer places than rows, so that rows join others at work."""
    start = (2, 5, 7)
    rows = [Row(start, 2, temperature, top_k, top_p, seed=seed) for seed in range(count)]
    seen = Counter(one.token_ids for one in sample(worded, rows, max_batch=count // 3))
    with torch.no_grad():
        first = kept(worded.net(torch.tensor([start])).logits[0, -1], temperature, top_k, top_p)
        expected = {}
        for word in range(len(first)):
            if word in worded.eos_ids:
                expected[(word,)] = first[word]
                continue
            second = kept(worded.net(torch.tensor([[*start, word]])).logits[0, -1], temperature, top_k, top_p)
            expected.update({(word, other): first[word] * second[other] for other in range(len(second))})
    assert abs(sum(expected.values()) - 1) < 1e-9
    assert not [pair for pair in seen if expected[pair] == 0], "a token was drawn that truncation leaves out"
    large = [pair for pair, share in expected.items() if share * count >= 5]
    cells = [(seen[pair], expected[pair] * count) for pair in large]
    cells.append((count - sum(found for found, _ in cells), count - sum(due for _, due in cells)))
    statistic = sum((found - due) ** 2 / due for found, due in cells if due > 1)
    assert chi2.sf(statistic, len(cells) - 1) > 1e-3


def test_the_first_above_by_hand() -> None:
    weights = torch.zeros(6, 200)
    weights[:, 3], weights[:, 70], weights[:, 199] = 1.0, 2.0, 5.0  # three blocks, whose shares end at 1/8, 3/8 and 1
    uniforms = torch.tensor([[0.0], [0.1249], [0.1251], [0.3749], [0.3751], [1 - 2.0**-53]], dtype=torch.float64)
    places, total = first_above(weights, uniforms)
    assert places[:, 0].tolist() == [3, 3, 70, 70, 199, 199] and total[:, 0].tolist() == [8.0] * 6


def test_truncation_by_hand() -> None:
    weights = torch.tensor([[4.0, 1.0, 3.0, 2.0]] * 5, dtype=torch.float64)
    top_k = torch.tensor([[0], [2], [0], [3], [0]])
    top_p = torch.tensor([[1.0], [1.0], [0.7], [0.5], [1e-9]], dtype=torch.float64)
    left = truncate(weights, top_k, top_p) > 0
    assert left.tolist() == [
        [True, True, True, True],
        [True, False, True, False],
        [True, False, True, False],  # 4 of 10 are not yet 0.7, 7 of 10 are
        [True, False, True, False],  # of the nine that top-k leaves, 4 are less than half
        [True, False, False, False],
    ]


def test_ties_at_the_last_place_of_top_k_stay() -> None:
    left = truncate(torch.tensor([[1.0, 2.0, 1.0]]), torch.tensor([[2]]), torch.ones(1, 1, dtype=torch.float64))
    assert left.tolist() == [[1.0, 2.0, 1.0]]


def test_extreme_draws_hit_no_token_of_probability_zero() -> None:
    rows = [Row((1,), seed=seed) for seed in range(2)]
    draws = Draws.of(rows, 1, torch.device("cpu"))
    edges = replace(draws, uniforms=torch.tensor([[0.0], [1.0 - 2.0**-53]], dtype=torch.float64))
    tokens, logprobs = edges.draw(torch.tensor([[-torch.inf, 0.0, 1.0, -torch.inf]] * 2))
    assert tokens.tolist() == [1, 2]
    torch.testing.assert_close(logprobs, torch.tensor([0.0, 1.0]).log_softmax(0))


def test_a_tiny_temperature_is_greedy_and_finite() -> None:
    draws = Draws.of([Row((1,), temperature=1e-38)], 1, torch.device("cpu"))
    tokens, logprobs = draws.draw(torch.tensor([[1.0, 300.0, 2.0]]))
    assert tokens.tolist() == [1] and logprobs.tolist() == [0.0]


def test_streams_of_neighbouring_seeds_are_independent() -> None:
    draws = Draws.of([Row((1,), seed=seed) for seed in range(400)], 40, torch.device("cpu"))
    table = np.corrcoef(draws.uniforms.numpy())
    assert np.abs(table[~np.eye(400, dtype=bool)]).max() < 0.85 and abs(draws.uniforms.mean() - 0.5) < 0.01
    assert len(set(itertools.chain.from_iterable(draws.uniforms.tolist()))) == 400 * 40


# -- ends


def test_a_stop_string_is_cut_off_and_its_tokens_are_kept(llama: Model) -> None:
    row = Row((1, 2, 3), 60, stop=("?", "京 xyz"))
    drawn = sample(saying(llama, row, "ab c京 x, the 京 xyzabc"), [row])[0]
    assert (drawn.text, drawn.stop) == ("ab c京 x, the ", "stop")
    assert llama.tokenizer.decode(drawn.token_ids) == "ab c京 x, the 京 xyz", "the token that completes it is the last"


def test_a_stop_string_ends_its_row_and_no_other(llama: Model) -> None:
    rows = rows_of(llama, temperature=0.0, max_tokens=20)
    plain = sample(llama, rows)
    drawn = sample(llama, [replace(rows[0], stop=(plain[0].text[3],)), *rows[1:]])
    assert drawn[0].stop == "stop" and drawn[1:] == [
        replace(one, logprobs=drawn[n + 1].logprobs) for n, one in enumerate(plain[1:])
    ]


def test_the_end_token_is_kept_in_the_ids_and_left_out_of_the_text(llama: Model) -> None:
    row = rows_of(llama, temperature=0.0)[2]
    whole = sample(llama, [row])[0]
    ended = replace(llama, eos_ids=(whole.token_ids[3],))
    drawn = sample(ended, [row])[0]
    at = whole.token_ids.index(whole.token_ids[3])
    assert drawn.stop == "end" and drawn.token_ids == whole.token_ids[: at + 1]
    assert drawn.text == llama.tokenizer.decode(whole.token_ids[:at])


def test_max_tokens_and_a_full_context_stop_with_length(llama: Model) -> None:
    row = rows_of(llama)[0]
    short = sample(llama, [replace(row, max_tokens=3, temperature=0.0)])[0]
    assert (short.stop, len(short.token_ids)) == ("length", 3)
    narrow = replace(llama, context=len(row.prompt_ids) + 2, eos_ids=())
    full = sample(narrow, [row])[0]
    assert (full.stop, len(full.token_ids)) == ("length", 2)


def test_a_prompt_that_fills_the_context_is_refused(llama: Model) -> None:
    with pytest.raises(BadInput, match=r"a prompt of 4 tokens(.|\n)*fewer than 4"):
        sample(replace(llama, context=4), [Row((1, 2, 3, 4))])


@pytest.mark.parametrize(
    "wrong", [{"max_tokens": 0}, {"temperature": -1.0}, {"top_p": 0.0}, {"top_k": -1}, {"seed": -1}]
)
def test_rows_refuse_bad_values(wrong: dict[str, float]) -> None:
    with pytest.raises(BadInput):
        Row((1,), **wrong)  # type: ignore[arg-type]


def test_logits_that_are_not_numbers_are_an_error(tiny_model: TinyModel) -> None:
    broken = load(tiny_model("llama"))
    with torch.no_grad():
        broken.net.get_input_embeddings().weight[7] = torch.nan
    with pytest.raises(BadInput, match="not numbers"):
        sample(broken, [Row((7, 8))])
