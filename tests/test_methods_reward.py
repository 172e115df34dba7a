"""Reward models: the loss by hand and as in TRL, where a reward is read, and what a folder keeps."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from trl import RewardTrainer

from groma.commands.reward_report import report
from groma.formats.errors import BadConfig, BadInput
from groma.formats.examples import Preference
from groma.formats.messages import Message
from groma.methods import reward, tokens
from groma.methods.checkpoint import load_state, save_reward, save_state
from groma.models.load import Model, load
from groma.models.reward import RewardModel, load_reward
from groma.models.scalar import last_scalars, with_head
from groma.models.shared import lay
from groma.models.template import completion_spans, encode


def preference(prompt: str, chosen: str, rejected: str, **more: Any) -> Preference:
    sides = (Message("user", prompt),), (Message("assistant", chosen),), (Message("assistant", rejected),)
    return Preference(*sides, **more)


PAIRS = [
    preference("what is it", "the thing", "no", group="A"),
    preference("and", "yes, it is a long answer in the end", "it is not", group="A"),
    preference("the other one is a longer question", "in", "on the other hand, no", group="B"),
    preference("x", "yes", "no", group="B"),
    preference("hello there", "hello, the one", "what", group="B"),
]


@pytest.fixture
def model(tiny_model: Callable[..., Path]) -> Model:
    return load(tiny_model("llama"))


def config(**options: Any) -> reward.Config:
    return reward.Config(**{"batch_size": 2, "learning_rate": 1e-2, "max_steps": 6, "bucket": None, **options})


class TestLoss:
    """One pair by hand: rewards 1.2 and 0.5, so that the gap is 0.7."""

    @pytest.mark.parametrize(
        ("options", "margin", "probability", "expected"),
        [
            ({}, 0.0, 1.0, math.log1p(math.exp(-0.7))),
            ({}, 0.5, 1.0, math.log1p(math.exp(-0.2))),
            ({"margin_scale": 2.0}, 0.5, 1.0, math.log1p(math.exp(0.3))),
            ({"label_smoothing": 0.1}, 0.0, 1.0, 0.9 * math.log1p(math.exp(-0.7)) + 0.1 * math.log1p(math.exp(0.7))),
            ({}, 0.0, 0.6, 0.6 * math.log1p(math.exp(-0.7)) + 0.4 * math.log1p(math.exp(0.7))),
            # Smoothing a soft label: 0.8 * 0.6 + 0.2 * 0.4 = 0.56.
            ({"label_smoothing": 0.2}, 0.0, 0.6, 0.56 * math.log1p(math.exp(-0.7)) + 0.44 * math.log1p(math.exp(0.7))),
            # A margin is asked of either side in turn.
            ({}, 0.5, 0.5, 0.5 * math.log1p(math.exp(-0.2)) + 0.5 * math.log1p(math.exp(1.2))),
            ({"centring": 0.1}, 0.0, 1.0, math.log1p(math.exp(-0.7)) + 0.1 * 1.7**2),
        ],
    )
    def test_by_hand(self, options: dict[str, Any], margin: float, probability: float, expected: float) -> None:
        told = torch.tensor([[1.2, 0.5]]), torch.tensor([margin]), torch.tensor([probability])
        assert float(reward.loss(*told, config(**options))[0]) == pytest.approx(expected, abs=1e-6)

    @pytest.mark.parametrize("centring", [None, 0.01])
    @pytest.mark.parametrize("margins", [False, True])
    def test_loss_and_gradient_are_those_of_trl(self, centring: float | None, margins: bool) -> None:
        draw = torch.Generator().manual_seed(0)
        rewards, margin = torch.randn(6, 2, generator=draw), torch.rand(6, generator=draw)
        ours, theirs = rewards.clone().requires_grad_(), rewards.clone().requires_grad_()
        zero = margin if margins else torch.zeros(6)
        loss = reward.loss(ours, zero, torch.ones(6), config(centring=centring)).mean()
        told = _trl_loss(theirs, margin if margins else None, centring)
        assert float(loss) == pytest.approx(float(told), abs=1e-5)
        loss.backward()
        told.backward()
        torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-6, rtol=1e-5)


def _trl_loss(rewards: torch.Tensor, margin: torch.Tensor | None, centring: float | None) -> Any:
    """TRL's RewardTrainer.compute_loss over a network that says these rewards, chosen ones first."""
    said = torch.cat([rewards[:, 0], rewards[:, 1]])[:, None]
    gather = SimpleNamespace(gather_for_metrics=lambda value: value, gather=lambda value: value)
    trainer = SimpleNamespace(
        args=SimpleNamespace(center_rewards_coefficient=centring),
        accelerator=gather,
        model=SimpleNamespace(training=True),
        _metrics={"train": defaultdict(list)},
        _total_train_tokens=0,
        _tp_size=1,
    )
    inputs = {"input_ids": torch.zeros(len(said), 1), "attention_mask": torch.ones(len(said), 1)}
    inputs |= {} if margin is None else {"margin": margin}
    return RewardTrainer.compute_loss(trainer, lambda **given: SimpleNamespace(logits=said), inputs)


class TestReading:
    @pytest.mark.parametrize("architecture", ["llama", "qwen3", "gemma3", "gpt2"])
    def test_it_is_read_at_the_last_real_token_whatever_the_padding(
        self, tiny_model: Callable[..., Path], architecture: str
    ) -> None:
        """A batch padded with the very token that ends the rows says what each row says alone."""
        net = with_head(load(tiny_model(architecture)), 1.0, seed=3).net
        rows = [np.array([5, 9, 4, 260]), np.array([7, 260]), np.array([5, 9, 9, 8, 3, 260])]
        together = last_scalars(net, lay([[row] for row in rows]), [len(row) for row in rows])
        alone = [net.base_model(torch.tensor(row)[None]).last_hidden_state[0, -1] for row in rows]
        expected = torch.cat([net.score(one[None])[:, 0] for one in alone])
        torch.testing.assert_close(together, expected, atol=1e-5, rtol=1e-5)

    def test_both_sides_of_a_pair_say_the_same_in_one_row(self, model: Model) -> None:
        net = with_head(model, 1.0, seed=3).net
        pair = tokens.preferences(model, PAIRS, config(), whole=True).rows[1]
        texts = [row.ids for row in pair.rows]
        shared = last_scalars(net, lay([texts]), [len(text) for text in texts])
        apart = last_scalars(net, lay([[text] for text in texts]), [len(text) for text in texts])
        torch.testing.assert_close(shared, apart, atol=1e-5, rtol=1e-5)

    def test_a_reply_that_was_cut_off_is_read_without_an_end(self, model: Model) -> None:
        made = reward.begin(model)
        said = (Message("user", "a"), Message("assistant", "the"))
        whole, cut = made.row(said), made.row(said, ended=False)
        assert whole[-1] == model.end_id and whole[: len(cut)] == cut and model.end_id not in cut[-1:]

    def test_what_a_template_writes_behind_the_last_word_is_read(self, tiny_model: Callable[..., Path]) -> None:
        """As transformers and others do, who tokenise the whole rendering."""
        model = load(tiny_model("llama"))
        model.tokenizer.chat_template = str(model.tokenizer.chat_template).replace("<end>", "<end>\n")
        said = (Message("user", "a"), Message("assistant", "the"))
        turns = [one.to_dict() for one in said]
        expected = model.tokenizer.apply_chat_template(turns, tokenize=True, return_dict=False)
        assert reward.begin(model).row(said) == list(expected)

    def test_a_conversation_that_is_too_long_is_refused(self, model: Model) -> None:
        with pytest.raises(BadInput, match="the context"):
            reward.begin(model).rewards([[1] * (int(model.context or 0) + 1)])


class TestTraining:
    @pytest.mark.parametrize("prompts", ["shared", "apart"])
    def test_it_learns_who_was_preferred(self, model: Model, prompts: str) -> None:
        made = reward.begin(model)
        last = [*reward.train(made, PAIRS, config(max_steps=40, prompts=prompts))][-1]
        assert last.metrics["rewards/accuracies"] == 1.0
        for one in PAIRS:
            chosen, rejected = made.score_texts([(one.prompt, one.chosen), (one.prompt, one.rejected)])
            assert chosen > rejected

    def test_the_language_model_it_began_from_is_left_alone(self, model: Model) -> None:
        before = [weight.clone() for weight in model.net.parameters()]
        list(reward.train(reward.begin(model), PAIRS, config()))
        assert all(torch.equal(one, other) for one, other in zip(before, model.net.parameters(), strict=True))

    @pytest.mark.parametrize("options", [{}, {"lora_rank": 2}])
    def test_interrupted_and_resumed_equals_uninterrupted(
        self, model: Model, tmp_path: Path, options: dict[str, Any]
    ) -> None:
        whole = reward.begin(model)
        list(reward.train(whole, PAIRS, config(**options)))
        first = reward.begin(model)
        for step in (steps := reward.train(first, PAIRS, config(**options))):
            if step.number == 3:
                save_state(step.state, tmp_path / "state")
                break
        del steps
        second = reward.begin(model)
        list(reward.train(second, PAIRS, config(**options), load_state(tmp_path / "state")))
        for one, other in zip(whole.net.parameters(), second.net.parameters(), strict=True):
            assert torch.equal(one, other)

    def test_gradients_are_those_of_the_whole_batch(self, model: Model) -> None:
        made = [reward.begin(model) for _ in range(2)]
        for one, micro in zip(made, (1, 4), strict=True):
            small = config(batch_size=4, microbatch_size=micro, max_steps=2, learning_rate=1e-3)
            list(reward.train(one, PAIRS[:4], small))
        for one, other in zip(*(one.net.parameters() for one in made), strict=True):
            torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)

    def test_adapters_leave_the_head_whole(self, model: Model) -> None:
        made = reward.begin(model)
        head = made.net.score.weight.clone()
        list(reward.train(made, PAIRS, config(lora_rank=2)))
        assert not torch.equal(head, made.net.score.weight)

    def test_margins_that_nobody_gave_have_no_effect(self, model: Model) -> None:
        with pytest.raises(BadConfig, match=r"margin_scale 2\.0 would have no effect"):
            reward.train(reward.begin(model), PAIRS, config(margin_scale=2.0))

    def test_a_margin_pushes_the_rewards_apart(self, model: Model) -> None:
        gaps = []
        for margin in (None, 8.0):
            made, pairs = reward.begin(model), [preference("x", "yes", "no", margin=margin)] * 2
            gaps.append([*reward.train(made, pairs, config(max_steps=30))][-1].metrics["rewards/margins"])
        assert gaps[1] > gaps[0] + 1


class TestNormalising:
    def test_rewards_get_mean_0_and_deviation_1(self, model: Model) -> None:
        made = reward.begin(model)
        prompts = [one.prompt for one in PAIRS]
        drawn = reward.rewards_of(made, model, prompts, max_tokens=8, seed=1)
        made = reward.normalise(made, drawn)
        again = reward.rewards_of(made, model, prompts, max_tokens=8, seed=1)
        assert np.mean(again) == pytest.approx(0, abs=1e-5) and np.std(again) == pytest.approx(1, abs=1e-5)
        np.testing.assert_allclose(again, (np.array(drawn) - np.mean(drawn)) / np.std(drawn), atol=1e-4)

    @pytest.mark.parametrize("ended", [True, False])
    def test_a_policy_that_says_nothing_to_a_plain_prompt_is_read_too(self, model: Model, ended: bool) -> None:
        made = reward.begin(model)
        prompt = encode(model, "what is it")
        end = [model.end_id] if ended else []
        assert made.row_of_text("what is it", "", ended) == [*prompt, *end]
        assert math.isfinite(made.rewards([[*prompt, *end]])[0])

    def test_a_reply_that_melts_into_the_opening_of_its_turn_is_read_as_other_software_reads_it(
        self, model: Model
    ) -> None:
        made = reward.begin(model)
        end = made.tokenizer.convert_ids_to_tokens(made.model.end_id)
        made.tokenizer.chat_template = (
            "{% for one in messages %}{{ one['role'] + ': ' + one['content'] }}" + end + "{% endfor %}"
            "{% if add_generation_prompt %}assistant: {% endif %}"
        )
        said = (Message("user", "what is it"), Message("assistant", "the thing"))
        with pytest.raises(BadInput, match="melts the opening"):
            completion_spans(made.model, said)
        whole = made.tokenizer.apply_chat_template([one.to_dict() for one in said], tokenize=True, return_dict=False)
        assert made.row(said) == whole and made.row(said, ended=False) == whole[:-1]

    def test_equal_rewards_cannot_be_normalised(self, model: Model) -> None:
        with pytest.raises(BadInput, match="standard deviation 0"):
            reward.normalise(reward.begin(model), [1.0, 1.0, 1.0])

    def test_a_folder_keeps_it_and_others_read_the_rest(self, model: Model, tmp_path: Path) -> None:
        made = reward.normalise(reward.begin(model), [3.0, 5.0])
        save_reward(made, tmp_path / "rm", {"accuracy.json": "{}"})
        again = load_reward(tmp_path / "rm")
        said = (Message("user", "a"), Message("assistant", "the"))
        assert again.offset == pytest.approx(-4.0)
        assert again.score(said) == pytest.approx(made.score(said), abs=1e-5)
        net = AutoModelForSequenceClassification.from_pretrained(tmp_path / "rm")
        ids = AutoTokenizer.from_pretrained(tmp_path / "rm").apply_chat_template(
            [one.to_dict() for one in said], tokenize=True, return_dict=False
        )
        with torch.no_grad():
            assert float(net(torch.tensor([ids])).logits[0, 0]) - 4.0 == pytest.approx(made.score(said), abs=1e-5)

    def test_other_software_reads_a_padded_batch_as_we_do_where_the_end_is_the_pad(
        self, tiny_model: Callable[..., Path], tmp_path: Path
    ) -> None:
        model = load(tiny_model("llama"))
        model.tokenizer.pad_token = model.tokenizer.eos_token
        model.net.config.pad_token_id = model.tokenizer.eos_token_id
        made = reward.begin(replace(model, pad_id=model.tokenizer.eos_token_id))
        with torch.no_grad():
            made.net.score.weight.normal_()  # type: ignore[union-attr, operator]
        save_reward(made, tmp_path / "rm")
        net, tokenizer = (
            one.from_pretrained(tmp_path / "rm") for one in (AutoModelForSequenceClassification, AutoTokenizer)
        )
        texts = [f"{words}{tokenizer.eos_token}" for words in ("the", "the other one is longer", "it is in")]
        batch = tokenizer(texts, padding=True, return_tensors="pt")
        assert net.config.pad_token_id == tokenizer.pad_token_id not in model.eos_ids
        with torch.no_grad():
            found = net(**batch).logits[:, 0].tolist()
        rows = [ids[there.bool()].tolist() for ids, there in zip(batch.input_ids, batch.attention_mask, strict=True)]
        assert found == pytest.approx(made.rewards(rows), abs=1e-5)


class TestReport:
    def test_accuracy_by_split_group_and_margin(self, model: Model) -> None:
        """Rewards by the number of words: the longer side is preferred in the first two pairs of four."""
        pairs = [
            preference("x", "a b c", "a", group="A", margin=1.0),
            preference("y", "a b", "a", group="A", margin=2.0),
            preference("z", "a", "a b", group="B", margin=3.0),
            preference("w", "a b c", "d e f", group="B", margin=4.0),
        ]

        class ByWords(RewardModel):
            def score_texts(self, said: Any, *, skip: bool = False) -> list[float]:
                return [float(len(turns[0].content.split())) for _, turns in said]

        found = report([ByWords(model)], {"train": pairs})["train"]
        assert found["accuracy"]["estimate"] == pytest.approx(2.5 / 4)  # a tie counts as half
        assert found["by group"]["A"]["estimate"] == 1.0 and found["by group"]["B"]["estimate"] == 0.25
        assert [one["n"] for one in found["by margin"]] == [2, 1, 1]
        assert sum(one["n"] for one in found["calibration"]["bins"]) == 4
        # sigmoid(2) right, sigmoid(1) right once and wrong once, a tie at one half: each in a bin of its own.
        sure = [1 / (1 + math.exp(-gap)) for gap in (2, 1)]
        expected = (abs(sure[0] - 1) + 2 * abs(sure[1] - 0.5) + 0) / 4
        assert found["calibration"]["ece"] == pytest.approx(expected, abs=1e-9)
