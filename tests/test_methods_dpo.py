"""DPO: hand-computed losses, equality with TRL, the reference."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save
from torch import Tensor

import perturbed
from groma.formats.errors import BadInput
from groma.formats.examples import Demonstration, Preference, read_examples
from groma.formats.messages import Message
from groma.formats.whole import write_whole
from groma.methods import adapters, dpo, forward, paired, reference, sft, tokens
from groma.methods.forward import pair_logprobs
from groma.models.load import Model, load


def preference(prompt: str, chosen: str, rejected: str) -> Preference:
    return Preference((Message("user", prompt),), (Message("assistant", chosen),), (Message("assistant", rejected),))


PAIRS = [
    preference("what is it", "the thing", "no"),
    preference("and", "yes, it is a long answer in the end", "it is not"),
    preference("the other one is a longer question", "in", "on the other hand, no"),
    preference("x", "yes", "no"),
    preference("hello there", "hello, the one", "what"),
]


@pytest.fixture
def model(tiny_model: Callable[..., Path]) -> Model:
    return load(tiny_model("llama"))


noisy = partial(perturbed.noisy, seed=1)


class TestLoss:
    """One pair, worked out by hand: log-ratios +0.6 (4 tokens) and -0.4 (2 tokens), margin 1, beta 0.5."""

    policy, ref = torch.tensor([[-2.0, -3.4]]), torch.tensor([[-2.6, -3.0]])
    lengths = torch.tensor([[4.0, 2.0]])

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({}, math.log(1 + math.exp(-0.5))),
            ({"label_smoothing": 0.25}, 0.75 * math.log(1 + math.exp(-0.5)) + 0.25 * math.log(1 + math.exp(0.5))),
            ({"loss_type": "hinge"}, 0.5),
            ({"loss_type": "ipo", "normalisation": "sum"}, (1 - 1) ** 2),
            ({"loss_type": "ipo", "normalisation": "mean"}, (0.15 + 0.2 - 1) ** 2),
            ({"loss_type": "ipo"}, (0.15 + 0.2 - 1) ** 2),
        ],
    )
    def test_by_hand(self, options: dict[str, Any], expected: float) -> None:
        found = dpo.loss(self.policy, self.ref, self.lengths, dpo.Config(beta=0.5, **options))
        assert found.shape == (1,)
        assert float(found) == pytest.approx(expected, abs=1e-6)

    def test_hinge_is_zero_behind_its_margin(self) -> None:
        config = dpo.Config(beta=2.0, loss_type="hinge")
        assert float(dpo.loss(self.policy, self.ref, self.lengths, config)) == 0.0

    def test_label_smoothing_pulls_a_large_margin_back(self) -> None:
        """Conservative DPO has its minimum where sigmoid(beta * margin) = 1 - label_smoothing."""
        best = math.log(0.9 / 0.1)
        policy = torch.tensor([[best, 0.0]], requires_grad=True)
        config = dpo.Config(beta=1.0, label_smoothing=0.1)
        dpo.loss(policy, torch.zeros(1, 2), self.lengths, config).sum().backward()
        assert policy.grad is not None and policy.grad.abs().max() < 1e-6


@pytest.fixture(scope="module")
def trl_trainer(tiny_model: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Any:
    trl = pytest.importorskip("trl", reason="TRL is a test-only dependency")
    datasets = pytest.importorskip("datasets")
    rows = [
        {
            name: [one.to_dict() for one in getattr(example, name)]
            for name in ("prompt", "chosen", "rejected")
        }
        for example in PAIRS
    ]  # fmt: skip
    folder = tiny_model("llama")
    arguments = trl.DPOConfig(
        output_dir=str(tmp_path_factory.mktemp("trl")),
        per_device_train_batch_size=len(PAIRS),
        gradient_checkpointing=False,
        bf16=False,
        use_cpu=True,
        report_to=[],
        max_length=None,
        beta=0.3,
    )
    start = load(folder)
    policy = noisy(load(folder))
    return trl.DPOTrainer(
        model=policy.net,
        ref_model=start.net,
        args=arguments,
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=start.tokenizer,
    )


@pytest.mark.parametrize("kind", ["sigmoid", "hinge", "ipo"])
def test_loss_and_gradients_equal_trl(trl_trainer: Any, model: Model, kind: Any) -> None:
    batch = next(iter(trl_trainer.get_train_dataloader()))
    trl_trainer.loss_types, trl_trainer.loss_weights = [kind], [1.0]
    trl_trainer.model.zero_grad()
    theirs = trl_trainer.compute_loss(trl_trainer.model, dict(batch))
    theirs.backward()

    config = dpo.Config(loss_type=kind, beta=0.3)
    pairs = tokens.preferences(model, PAIRS, config).rows
    objective = dpo.Pairs(pairs, config)
    objective.reference_n2 = reference.logprobs(model.net, pairs, [list(range(len(pairs)))], config)
    policy = noisy(model).net
    total, count = objective.sums(policy, range(len(pairs)))["loss"]
    (total / count).backward()

    assert sum(row.length for pair in pairs for row in pair.rows) == int(batch["attention_mask"].sum())
    assert total.item() / count == pytest.approx(theirs.item(), abs=1e-5)
    gradients = {name: weight.grad for name, weight in trl_trainer.model.named_parameters()}
    largest = max(float(gradient.abs().max()) for gradient in gradients.values())
    assert largest > 1e-3
    for name, weight in policy.named_parameters():
        assert torch.allclose(weight.grad, gradients[name], atol=1e-5 * max(1.0, largest), rtol=1e-5), name


class TestReference:
    def first(self, model: Model, cache: Path | None = None, **options: Any) -> dict[str, float]:
        config = dpo.Config(batch_size=5, microbatch_size=1, max_steps=1, **options)
        return dict(next(dpo.train(model, PAIRS, config, cache=cache)).metrics)

    @pytest.mark.parametrize("architecture", ["llama", "gemma3", "gpt2"])
    def test_the_first_loss_is_ln_2(self, tiny_model: Callable[..., Path], architecture: str) -> None:
        metrics = self.first(load(tiny_model(architecture)))
        assert metrics["loss"] == pytest.approx(math.log(2), abs=1e-6)
        assert metrics["rewards/margins"] == pytest.approx(0, abs=1e-6)
        assert metrics["supervised_eos_fraction"] == 1.0

    def test_in_bfloat16_too(self, model: Model) -> None:
        assert self.first(model, precision="bfloat16")["loss"] == pytest.approx(math.log(2), abs=1e-6)

    def test_of_a_lora_run_is_what_it_started_from(self, model: Model) -> None:
        """After fine-tuning, and with that run's adapters still attached: never the untouched base."""
        shown = [Demonstration(pair.prompt, pair.chosen) for pair in PAIRS]
        list(sft.train(model, shown, sft.Config(lora_rank=4, learning_rate=1e-2, max_steps=3, batch_size=5)))
        assert not adapters.adapted(model.net)
        assert self.first(model, lora_rank=4)["loss"] == pytest.approx(math.log(2), abs=1e-6)
        tuning = sft.train(model, shown, sft.Config(lora_rank=4, learning_rate=1e-2, max_steps=3, batch_size=5))
        next(tuning)
        assert adapters.adapted(model.net)
        assert self.first(model, lora_rank=4)["loss"] == pytest.approx(math.log(2), abs=1e-6)

    def test_cache_is_found_again_by_content(
        self, model: Model, tiny_model: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.first(model, tmp_path)
        groups: list[int] = []
        computed = reference._scored

        def counted(net: Any, pairs: Any, batches: Any, config: Any, shared: bool) -> Any:
            batches = list(batches)
            groups.append(len(batches))
            return computed(net, pairs, batches, config, shared)

        monkeypatch.setattr(reference, "_scored", counted)
        again = self.first(load(tiny_model("llama")), tmp_path)
        assert groups == [1], "only the first batch is computed, to check the file"
        assert again["loss"] == pytest.approx(math.log(2), abs=1e-6)
        self.first(noisy(load(tiny_model("llama"))), tmp_path)
        assert groups[1:] == [5] and len(list(tmp_path.iterdir())) == 2, "other weights have a file of their own"
        self.first(load(tiny_model("llama")), tmp_path, max_length=200)
        assert groups[2:] == [1] and len(list(tmp_path.iterdir())) == 2, "a limit that cuts nothing changes nothing"
        self.first(load(tiny_model("llama")), tmp_path, seed=5)
        assert groups[3:] == [1], "other batches of the same pairs are found, too"

    def test_what_is_new_is_computed_and_kept_beside_the_rest(
        self, model: Model, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        config = dpo.Config()
        pairs = tokens.preferences(model, PAIRS, config).rows
        some = reference.logprobs(model.net, pairs[:3], [[0, 1]], config, tmp_path)
        assert some[2].isnan().all() and not some[:2].isnan().any()
        true = reference.logprobs(model.net, pairs, [[0, 1], [2, 3, 4]], config)
        for _ in range(2):
            found = reference.logprobs(model.net, pairs, [[4, 0], [1], [2, 3]], config, tmp_path)
            torch.testing.assert_close(found, true, atol=1e-5, rtol=1e-5)
        with caplog.at_level(logging.INFO):
            reference.logprobs(model.net, pairs, [[4, 0], [1], [2, 3]], config, tmp_path)
        assert "of 5 pairs read" in caplog.text

    @pytest.mark.parametrize("damage", ["other values", "torn"])
    def test_a_damaged_cache_is_not_believed(
        self, model: Model, tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
    ) -> None:
        config = dpo.Config()
        pairs = tokens.preferences(model, PAIRS, config).rows
        groups = [[0, 1], [2, 3, 4]]
        true = reference.logprobs(model.net, pairs, groups, config, tmp_path)
        (file,) = tmp_path.iterdir()
        if damage == "torn":
            file.write_bytes(file.read_bytes()[:-7])
        else:
            held = load_file(file)
            held["logprobs"][-1] += 1.0  # of the second batch: that the first agrees with the model is not enough
            write_whole(file, save(held))
        with caplog.at_level(logging.WARNING):
            assert torch.equal(reference.logprobs(model.net, pairs, groups, config, tmp_path), true)
        assert "computed anew" in caplog.text


def plain_logprob(model: Model, row: tokens.Row) -> Tensor:
    logps = model.net(torch.from_numpy(row.ids)[None]).logits[0].log_softmax(-1)
    return torch.stack([logps[at - 1, row.ids[at]] for at in range(1, row.length) if row.learned[at]]).sum()


@pytest.mark.parametrize("architecture", ["llama", "qwen3", "gemma3", "mistral", "gpt2"])
def test_log_probabilities_equal_the_plain_forward_pass(tiny_model: Callable[..., Path], architecture: str) -> None:
    model = load(tiny_model(architecture))
    pairs = tokens.preferences(model, PAIRS, dpo.Config()).rows
    expected = torch.stack([torch.stack([plain_logprob(model, row) for row in pair.rows]) for pair in pairs])
    assert torch.allclose(pair_logprobs(model.net, pairs, dpo.Config(), shared=True), expected, rtol=1e-5, atol=1e-5)


def test_training_widens_the_margin(model: Model) -> None:
    steps = list(dpo.train(model, PAIRS, dpo.Config(learning_rate=2e-3, batch_size=5, epochs=8, schedule="constant")))
    assert steps[-1].metrics["loss"] < 0.5 < steps[0].metrics["loss"]
    assert steps[-1].metrics["rewards/accuracies"] == 1.0
    last = steps[-1].metrics
    assert last["rewards/margins"] == pytest.approx(last["rewards/chosen"] - last["rewards/rejected"], abs=1e-5)


def test_learns_from_real_preferences(model: Model, shared_data: Callable[[str], Path]) -> None:
    """The first dialogues of HH-RLHF's harmless test split: two columns with whole dialogues, some over many turns."""
    (file,) = shared_data("hh_rlhf_harmless_test").glob("*.jsonl.gz")
    examples = read_examples(file, Preference).examples[:24]
    config = dpo.Config(batch_size=8, epochs=2, learning_rate=1e-3, max_length=512)
    steps = list(dpo.train(model, examples, config))
    dropped = steps[0].notes["dropped: longer than 512 tokens"]
    assert steps[-1].of == 2 * math.ceil((24 - dropped) / 8)
    assert steps[0].metrics["loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert steps[-1].metrics["loss"] < 0.65 and steps[-1].metrics["supervised_eos_fraction"] == 1.0


def test_margins_are_not_used_silently(model: Model) -> None:
    first = PAIRS[0]
    pairs = [Preference(first.prompt, first.chosen, first.rejected, margin=1.0)]
    step = next(dpo.train(model, pairs, dpo.Config()))
    assert step.notes == {"have a margin, which DPO does not use": 1}


class TestSharedPrompts:
    """Both answers of a pair in one row."""

    def steps(self, model: Model, **options: Any) -> list[Any]:
        config = dpo.Config(**{"batch_size": 4, "learning_rate": 1e-3, "epochs": 2, **options})
        return list(dpo.train(model, PAIRS, config))

    @pytest.mark.parametrize("architecture", ["llama", "gemma3", "gpt2"])
    def test_a_run_equals_one_with_separate_rows(self, tiny_model: Callable[..., Path], architecture: str) -> None:
        shared, apart = (self.steps(load(tiny_model(architecture)), prompts=one) for one in ("shared", "apart"))
        assert len(shared) == len(apart) == 4 and not shared[0].notes
        for one, other in zip(shared, apart, strict=True):
            for name in ("loss", "rewards/margins", "logps/chosen", "logps/rejected", "grad_norm"):
                assert one.metrics[name] == pytest.approx(other.metrics[name], rel=1e-3, abs=1e-4), name
            assert one.metrics["tokens"] < 0.9 * other.metrics["tokens"]

    @pytest.mark.parametrize("options", [{}, {"loss_megabytes": 0.01}, {"microbatch_tokens": 60}, {"lora_rank": 2}])
    def test_the_first_margin_is_zero_to_the_last_bit(self, model: Model, options: dict[str, Any]) -> None:
        first = self.steps(model, batch_size=5, **options)[0].metrics
        assert first["rewards/margins"] == 0.0
        assert first["loss"] == pytest.approx(math.log(2), abs=1e-7)

    def test_evaluation_begins_at_its_own_reference(self, model: Model) -> None:
        config = dpo.Config(batch_size=4, max_steps=1, learning_rate=1e-12, evaluate_every=1)
        (step,) = dpo.train(model, PAIRS[:4], config, evaluation=PAIRS)
        assert step.evaluation is not None and step.evaluation["rewards/margins"] == pytest.approx(0, abs=1e-6)

    def test_where_the_network_does_not_allow_it_the_run_says_so(
        self, model: Model, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(forward, "refusal", lambda net, texts, tell_all: "it is old")
        with caplog.at_level(logging.WARNING, logger=forward.__name__):
            steps = self.steps(model, batch_size=5)
        note = "have their prompt read once for each answer, since it is old"
        assert steps[0].notes == {note: 5}
        assert [one.getMessage() for one in caplog.records] == [f"5 pairs {note}"]
        assert steps[0].metrics["tokens"] == sum(pair.length for pair in tokens.preferences(model, PAIRS, CONFIG).rows)


CONFIG = dpo.Config()


def test_a_resumed_run_reads_prompts_as_it_began(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    config = dpo.Config(batch_size=2, max_steps=3, learning_rate=1e-3)
    steps = dpo.train(model, PAIRS, config)
    state = next(steps).state
    monkeypatch.setattr(paired, "sharing", lambda net, pairs, tell_all: (False, {}))
    with pytest.raises(BadInput, match="read prompts once, and this one would not"):
        next(dpo.train(model, PAIRS, config, state))
