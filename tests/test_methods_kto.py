"""KTO: hand-computed losses and reference points, equality with TRL and with a run written out, resuming, refusals."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import perturbed
from groma.formats.errors import BadConfig, BadInput
from groma.formats.examples import Labelled
from groma.formats.messages import Message
from groma.methods import kto, mismatched, processes
from groma.methods.batches import Batches
from groma.methods.checkpoint import load_state, save_state
from groma.methods.processes import Processes
from groma.methods.state import State, Step
from groma.methods.tokens import Row
from groma.models.load import Model, load


def labelled(prompt: str, completion: str, label: bool) -> Labelled:
    return Labelled((Message("user", prompt),), (Message("assistant", completion),), label)


SAID = [
    ("what is it", "the thing", True),
    ("and", "yes, it is a long answer in the end", True),
    ("the other one is a longer question", "in", True),
    ("x", "no", False),
    ("hello there", "hello, the one", True),
    ("who is in", "nobody at all, on and on", False),
    ("say the hour", "an hour", False),
]
EXAMPLES = [labelled(*one) for one in SAID]


@pytest.fixture
def model(tiny_model: Callable[..., Path]) -> Model:
    return load(tiny_model("llama"))


noisy = partial(perturbed.noisy, seed=4)


def weights(model: Model) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in model.net.named_parameters()}


def run(model: Model, examples: Sequence[Labelled], state: State | None = None, **options: Any) -> list[Step]:
    return list(kto.train(model, examples, kto.Config(**options), state))


def answers(model: Model, joined: Sequence[Sequence[int]], config: kto.Config) -> kto.Answers:
    """The objective over all examples in their order, its reference the model as it is."""
    found = kto._tokenised(model, EXAMPLES, config).rows
    order = sorted(range(len(SAID)), key=lambda number: not SAID[number][2])  # the desirable ones first, as they come
    objective = kto.Answers([found[order.index(number)] for number in range(len(SAID))], joined, None, config)
    objective.reference_n2 = objective.scored(model.net, [[list(range(len(SAID)))]], None)
    return objective


def plain_logprob(model: Model, prompt: str, completion: str) -> Tensor:
    """Summed log-probability of a completion and its end, written out as text and read by the network's own forward."""
    read = [f"<bos><user>{prompt}<end><assistant>", f"{completion}<end>"]
    before, after = (model.tokenizer(text, add_special_tokens=False)["input_ids"] for text in read)
    logps = model.net(torch.tensor([before + after])).logits[0, len(before) - 1 : -1].log_softmax(-1)
    return logps[range(len(after)), after].sum()


class TestLoss:
    """Log-ratios +0.6 (desirable) and -0.4 (undesirable), z 0.2, beta 0.5: values sigmoid(0.2) and sigmoid(0.3)."""

    config = kto.Config(beta=0.5, desirable_weight=2.0, undesirable_weight=3.0)
    ref, labels = torch.tensor([-2.6, -3.0]), torch.tensor([True, False])
    values = 1 / (1 + math.exp(-0.2)), 1 / (1 + math.exp(-0.3))

    def test_by_hand(self) -> None:
        found = kto.loss(torch.tensor([-2.0, -3.4]), self.ref, self.labels, 0.2, self.config)
        assert found.tolist() == pytest.approx([2 * (1 - self.values[0]), 3 * (1 - self.values[1])], abs=1e-6)

    def test_gradient_by_hand(self) -> None:
        """The derivative of the sigmoid s is s (1 - s): up for the desirable one, down for the other."""
        policy = torch.tensor([-2.0, -3.4], requires_grad=True)
        kto.loss(policy, self.ref, self.labels, 0.2, self.config).sum().backward()
        one, other = (value * (1 - value) for value in self.values)
        assert policy.grad is not None
        assert policy.grad.tolist() == pytest.approx([-2 * 0.5 * one, 3 * 0.5 * other], abs=1e-6)

    def test_of_the_reference_itself_is_half_the_weight(self) -> None:
        assert kto.loss(self.ref, self.ref, self.labels, 0.0, self.config).tolist() == [1.0, 1.5]

    def test_a_larger_reference_point_asks_more_of_the_desirable(self) -> None:
        low, high = (kto.loss(self.ref, self.ref, self.labels, kl, self.config) for kl in (0.0, 4.0))
        assert high[0] > low[0] and high[1] < low[1]


class TestRotation:
    def test_where_prompts_differ_each_takes_the_next(self) -> None:
        assert mismatched.rotated([5, 2, 7], "abcdefgh") == {5: 2, 2: 7, 7: 5}

    def test_no_prompt_gets_an_answer_to_itself(self) -> None:
        prompts = "aabbbc"
        found = mismatched.rotated([0, 2, 1, 3, 5, 4], prompts)
        assert sorted(found) == sorted(found.values()) == [0, 1, 2, 3, 4, 5]
        assert all(prompts[one] != prompts[other] for one, other in found.items())

    @pytest.mark.parametrize("prompts", ["aaaa", "aaab"])
    def test_nobody_gets_its_own_completion(self, prompts: str) -> None:
        found = mismatched.rotated([3, 1, 0, 2], prompts)
        assert sorted(found.values()) == [0, 1, 2, 3]
        assert all(one != other for one, other in found.items())

    def test_a_pair_is_one_prompt_and_anothers_completion_within_the_limit(self) -> None:
        one, other = (
            Row(np.array(ids), np.array(learned, dtype=np.bool_), 1, 1)
            for ids, learned in (([1, 2, 3, 4], [0, 0, 0, 1]), ([1, 7, 8, 9], [0, 1, 0, 1]))
        )
        pair = mismatched.joined(one, other, None)
        assert pair.ids.tolist() == [1, 2, 3, 7, 8, 9] and pair.learned.tolist() == [False] * 3 + [True, False, True]
        assert mismatched.joined(one, other, 4).ids.tolist() == [1, 2, 3, 7]
        assert mismatched.joined(one, other, 4).learned.tolist() == [False, False, False, True]


class TestReferencePoint:
    def test_is_the_mean_over_the_mismatched_rows(self, tiny_model: Callable[..., Path]) -> None:
        policy, start = noisy(load(tiny_model("llama"))), load(tiny_model("llama"))
        config = kto.Config(batch_size=6, microbatch_size=2)
        objective = answers(start, [[4, 0, 2, 5], [6, 3, 1]], config)
        batch = [1, 2, 5, 6]
        partners = {1: 6, 2: 5, 5: 4, 6: 3}
        with torch.no_grad():
            objective.begin(policy.net, batch)
            expected = [
                plain_logprob(policy, SAID[one][0], SAID[other][1]) - plain_logprob(start, SAID[one][0], SAID[other][1])
                for one, other in partners.items()
            ]
        mean = sum(map(float, expected)) / 4
        assert mean > 0.05, "the case is one where nothing is cut at zero"
        assert objective.kl == pytest.approx(mean, abs=1e-5)

    def test_is_never_below_zero(self, tiny_model: Callable[..., Path]) -> None:
        """Where policy and reference change places, the mean changes its sign."""
        config = kto.Config()
        other = answers(noisy(load(tiny_model("llama"))), [[4, 0, 2, 5], [6, 3, 1]], config)
        with torch.no_grad():
            other.begin(load(tiny_model("llama")).net, [1, 2, 5, 6])
        assert other.kl == 0.0

    def test_processes_share_it(self, tiny_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
        """Three microbatches for two processes: one repeats a microbatch that does not count."""
        policy = noisy(load(tiny_model("llama")))
        objective = answers(load(tiny_model("llama")), [range(7)], kto.Config(batch_size=6, microbatch_size=2))
        told: list[list[float]] = []

        @dataclass(frozen=True)
        class Told(Processes):
            def sums(self, values: Sequence[float]) -> list[float]:
                told.append(list(values))
                return list(values)

        with torch.no_grad():
            objective.begin(policy.net, range(6))
            alone = objective.kl
            for rank in (0, 1):
                monkeypatch.setattr(processes, "here", lambda rank=rank: Told(rank, 2))
                objective.begin(policy.net, range(6))
        assert alone > 0.05 and [count for _, count in told] == [4.0, 2.0]
        assert sum(total for total, _ in told) / 6 == pytest.approx(alone, abs=1e-6)


@pytest.fixture(scope="module")
def trl_trainer(tiny_model: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Any:
    trl = pytest.importorskip("trl", reason="TRL is a test-only dependency")
    datasets = pytest.importorskip("datasets")
    rows = [
        {
            "prompt": [one.to_dict() for one in example.prompt],
            "completion": [one.to_dict() for one in example.completion],
            "label": example.label,
        }
        for example in EXAMPLES
    ]  # fmt: skip
    arguments = trl.KTOConfig(
        output_dir=str(tmp_path_factory.mktemp("trl")),
        per_device_train_batch_size=len(EXAMPLES),
        gradient_checkpointing=False,
        bf16=False,
        use_cpu=True,
        report_to=[],
        max_length=None,
        beta=0.3,
        desirable_weight=1.5,
        undesirable_weight=0.7,
    )
    start = load(tiny_model("llama"))
    return trl.KTOTrainer(
        model=noisy(load(tiny_model("llama"))).net,
        ref_model=start.net,
        args=arguments,
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=start.tokenizer,
    )


def test_loss_gradients_and_metrics_equal_trl(trl_trainer: Any, model: Model, tiny_model: Callable[..., Path]) -> None:
    batch = next(iter(trl_trainer.get_train_dataloader()))
    trl_trainer.model.zero_grad()
    trl_trainer.model.eval()
    theirs = trl_trainer.compute_loss(trl_trainer.model, dict(batch))
    theirs.backward()

    config = kto.Config(beta=0.3, desirable_weight=1.5, undesirable_weight=0.7)
    everything = range(len(EXAMPLES))
    objective = answers(model, [everything[::-1]], config)  # TRL rotates the other way round
    policy = noisy(load(tiny_model("llama"))).net
    with torch.no_grad():
        objective.begin(policy, everything)
    sums = objective.sums(policy, everything)
    (sums["loss"][0] / sums["loss"][1]).backward()

    metrics = {name: float(total.detach()) / count for name, (total, count) in sums.items()}
    assert metrics["kl"] > 0.05, "the case is one where the reference point is above zero"
    assert metrics["loss"] == pytest.approx(theirs.item(), abs=1e-5)
    for name in ("kl", "rewards/chosen", "rewards/rejected", "rewards/margins"):
        assert metrics[name] == pytest.approx(trl_trainer._metrics["eval"][name][-1], abs=1e-5), name
    for name in ("logps/chosen", "logps/rejected"):
        assert metrics[name] == pytest.approx(trl_trainer._metrics["eval"][name][-1], rel=1e-5), name
    gradients = {name: weight.grad for name, weight in trl_trainer.model.named_parameters()}
    largest = max(float(gradient.abs().max()) for gradient in gradients.values())
    assert largest > 1e-3
    for name, weight in policy.named_parameters():
        assert torch.allclose(weight.grad, gradients[name], atol=1e-5 * max(1.0, largest), rtol=1e-5), name


def test_a_run_equals_one_that_is_written_out(tiny_model: Callable[..., Path]) -> None:
    """Two epochs of two batches by plain forward passes, autograd over the whole batch and torch's AdamW.

    The second epoch has other batches and keeps the mismatched pairs of the first.
    """
    model, start, mine = (load(tiny_model("llama")) for _ in range(3))
    options: dict[str, Any] = {"beta": 0.5, "desirable_weight": 1.5, "learning_rate": 1e-3, "schedule": "constant"}
    config = kto.Config(batch_size=4, microbatch_size=2, epochs=2, bucket=None, max_grad_norm=None, **options)
    steps = list(kto.train(model, EXAMPLES, config))
    said = sorted(SAID, key=lambda one: not one[2])
    drawn = Batches([1] * 7, config)  # without buckets, lengths do not order the examples
    partners = {}
    for batch in (drawn.whole(0), drawn.whole(1)):
        partners |= dict(zip(batch, [*batch[1:], batch[0]], strict=True))
    optimiser, seen = torch.optim.AdamW(mine.net.parameters(), lr=1e-3, weight_decay=0.0), set()
    for number, step in enumerate(steps):
        losses, ratios, batch = [], [], drawn.whole(number)
        with torch.no_grad():
            for index in batch:
                pair = said[index][0], said[partners[index]][1]
                ratios.append(float(plain_logprob(mine, *pair) - plain_logprob(start, *pair)))
        kl = max(0.0, sum(ratios) / len(batch))
        for index in batch:
            prompt, completion, desirable = said[index]
            ratio = plain_logprob(mine, prompt, completion) - plain_logprob(start, prompt, completion).detach()
            value = torch.sigmoid(0.5 * (ratio - kl if desirable else kl - ratio))
            losses.append((1.5 if desirable else 1.0) * (1 - value))
        mean = torch.stack(losses).mean()
        optimiser.zero_grad()
        mean.backward()
        optimiser.step()
        assert step.metrics["loss"] == pytest.approx(mean.item(), abs=1e-4)
        assert step.metrics["kl"] == pytest.approx(kl, abs=1e-3)
        seen.add(kl > 0.01)
    assert seen == {True, False} and len(steps) == 4
    for name, weight in weights(model).items():
        assert (dict(mine.net.named_parameters())[name] - weight).abs().max() < 1e-4, name


@pytest.mark.parametrize("options", [{"microbatch_size": 1}, {"microbatch_tokens": 40}])
def test_microbatches_do_not_change_the_result(tiny_model: Callable[..., Path], options: dict[str, Any]) -> None:
    """Two epochs, so that the reference point comes from a policy that has moved, with rows of unequal lengths."""
    shared: dict[str, Any] = {"batch_size": 6, "epochs": 2, "learning_rate": 3e-5, "schedule": "constant"}
    found = []
    for some in ({"microbatch_size": 6}, options):
        model = load(tiny_model("llama"))
        steps = run(model, EXAMPLES, beta=0.5, **shared, **some)
        found.append(([dict(step.metrics) for step in steps], weights(model)))
    (big, big_weights), (metrics, trained) = found
    assert len(big) == 4 and big[3]["kl"] > 0.01
    for step, expected in zip(metrics, big, strict=True):
        assert step == pytest.approx(expected, abs=1e-4, rel=1e-4)
    for name, weight in big_weights.items():
        assert (trained[name] - weight).abs().max() < 1e-6, name


@pytest.mark.parametrize("options", [{}, {"lora_rank": 2}], ids=["full", "lora"])
def test_resumed_equals_uninterrupted_bit_for_bit(
    tiny_model: Callable[..., Path], tmp_path: Path, options: dict[str, Any]
) -> None:
    config: dict[str, Any] = {"batch_size": 3, "epochs": 2, "learning_rate": 1e-3, "evaluate_every": 2, **options}
    whole, fresh = load(tiny_model("llama")), load(tiny_model("llama"))
    uninterrupted = list(kto.train(whole, EXAMPLES, kto.Config(**config), evaluation=EXAMPLES[:4]))
    stopped = kto.train(load(tiny_model("llama")), EXAMPLES, kto.Config(**config), evaluation=EXAMPLES[:4])
    for step in stopped:
        if step.number == 4:
            save_state(step.state, tmp_path / "state")
            break
    stopped.close()
    state = load_state(tmp_path / "state")
    rest = list(kto.train(fresh, EXAMPLES, kto.Config(**config), state, EXAMPLES[:4]))
    assert [step.number for step in rest] == [5, 6]
    assert [(step.metrics, step.evaluation) for step in rest] == [
        (step.metrics, step.evaluation) for step in uninterrupted[4:]
    ]
    expected = weights(whole)
    assert all(torch.equal(weight, expected[name]) for name, weight in weights(fresh).items())


class TestFirstStep:
    @pytest.mark.parametrize("options", [{}, {"microbatch_size": 1}, {"lora_rank": 2}, {"precision": "bfloat16"}])
    def test_starts_at_the_reference_to_the_last_bit(self, model: Model, options: dict[str, Any]) -> None:
        (step,) = run(model, EXAMPLES[1:], batch_size=6, desirable_weight=1.5, undesirable_weight=0.5, **options)
        metrics = step.metrics
        assert metrics["loss"] == 0.5 * (3 * 1.5 + 3 * 0.5) / 6
        assert metrics["kl"] == metrics["rewards/chosen"] == metrics["rewards/rejected"] == 0.0
        assert metrics["rewards/margins"] == 0.0 and metrics["supervised_eos_fraction"] == 1.0

    @pytest.mark.parametrize("architecture", ["gemma3", "gpt2"])
    def test_with_other_architectures(self, tiny_model: Callable[..., Path], architecture: str) -> None:
        (step,) = run(load(tiny_model(architecture)), EXAMPLES, batch_size=7)
        assert step.metrics["loss"] == pytest.approx(0.5, abs=1e-6)

    def test_metrics_are_means_over_their_kind(self, model: Model) -> None:
        logps = [float(plain_logprob(model, *one[:2]).detach()) for one in SAID]
        good = [logp for logp, one in zip(logps, SAID, strict=True) if one[2]]
        (step,) = run(model, EXAMPLES, batch_size=7, microbatch_size=1)
        assert step.metrics["logps/chosen"] == pytest.approx(sum(good) / 4, rel=1e-5)
        assert step.metrics["logps/rejected"] == pytest.approx((sum(logps) - sum(good)) / 3, rel=1e-5)

    def test_a_batch_of_one_kind_leaves_out_the_other(self, model: Model) -> None:
        """Two of each kind, in batches of two: with this seed the first epoch parts them, and the second does not."""
        examples = [EXAMPLES[number] for number in (3, 5, 0, 2)]
        kinds = []
        for step in run(model, examples, batch_size=2, epochs=2, seed=1):
            names = {name for name in step.metrics if name.startswith(("rewards/", "logps/"))}
            sides = {name.partition("/")[2] for name in names}
            kinds.append(tuple(sorted(sides)))
            assert all(math.isfinite(value) for value in step.metrics.values())
        assert kinds == [
            ("chosen",),
            ("rejected",),
            ("chosen", "margins", "rejected"),
            ("chosen", "margins", "rejected"),
        ]


def test_training_parts_the_kinds(model: Model) -> None:
    before = [float(plain_logprob(model, *one[:2]).detach()) for one in SAID]
    options: dict[str, Any] = {"learning_rate": 2e-3, "batch_size": 7, "epochs": 8, "schedule": "constant"}
    steps = run(model, EXAMPLES, beta=0.5, **options)
    assert steps[-1].metrics["loss"] < 0.35 < steps[0].metrics["loss"]
    for one, logp in zip(SAID, before, strict=True):
        now = float(plain_logprob(model, *one[:2]).detach())
        assert now > logp if one[2] else now < logp, one
    last = steps[-1].metrics
    assert last["rewards/chosen"] > 0 > last["rewards/rejected"]
    assert last["rewards/margins"] == pytest.approx(last["rewards/chosen"] - last["rewards/rejected"], abs=1e-4)


class TestEvaluation:
    def test_begins_at_its_own_reference(self, model: Model) -> None:
        config = kto.Config(batch_size=4, max_steps=1, learning_rate=1e-12, evaluate_every=1)
        (step,) = kto.train(model, EXAMPLES[:4], config, evaluation=EXAMPLES[3:])
        assert step.evaluation is not None
        assert step.evaluation["loss"] == pytest.approx(0.5, abs=1e-6)
        assert step.evaluation["kl"] == pytest.approx(0.0, abs=1e-6)

    def test_has_the_reference_point_of_all_its_examples(self, tiny_model: Callable[..., Path]) -> None:
        """Of three desirable ones, whose order is kept: each prompt with the completion of the next."""
        model, start = load(tiny_model("llama")), load(tiny_model("llama"))
        config = kto.Config(
            batch_size=4, microbatch_size=1, max_steps=3, learning_rate=3e-3, evaluate_every=3, keep="last"
        )
        held_out = [labelled("the " + one[0], one[1], True) for one in SAID[:3]]
        step = list(kto.train(model, EXAMPLES, config, evaluation=held_out))[-1]
        ratios = []
        for one, other in ((0, 1), (1, 2), (2, 0)):
            pair = "the " + SAID[one][0], SAID[other][1]
            ratios.append(float((plain_logprob(model, *pair) - plain_logprob(start, *pair)).detach()))
        assert step.evaluation is not None and sum(ratios) > 0.1
        assert step.evaluation["kl"] == pytest.approx(sum(ratios) / 3, abs=1e-3)
        assert "rewards/rejected" not in step.evaluation and "rewards/margins" not in step.evaluation


class TestReference:
    def test_is_found_again_by_content(
        self, tiny_model: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        config = kto.Config(batch_size=4)
        first = list(kto.train(load(tiny_model("llama")), EXAMPLES, config, cache=tmp_path))
        assert len(list(tmp_path.iterdir())) == 2, "of the rows, and of the mismatched rows"
        with caplog.at_level(logging.INFO):
            again = list(kto.train(load(tiny_model("llama")), EXAMPLES, config, cache=tmp_path))
        assert caplog.text.count("of 7 rows read") == 2
        assert [step.metrics for step in again] == [step.metrics for step in first]

    def test_stands_in_the_state(self, model: Model) -> None:
        """Of the one step that the run has, and of nothing that it never sees."""
        steps = kto.train(model, EXAMPLES, kto.Config(batch_size=4, max_steps=1))
        state = next(steps).state
        assert state.kept["train"].shape == (7, 2)
        assert int(state.kept["train"].isnan().all(1).sum()) == 3


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "says"),
        [
            ({"batch_size": 1}, "batch_size is 1; it must be at least 2"),
            ({"beta": 0.0}, "beta is 0.0; it must be above 0"),
            ({"desirable_weight": 0.0}, "desirable_weight is 0.0; it must be above 0"),
            ({"undesirable_weight": -1.0}, "undesirable_weight is -1.0; it must be above 0"),
            ({"undesirable_weight": math.inf}, "it must be above 0, and finite"),
        ],
    )
    def test_wrong_options(self, options: dict[str, Any], says: str) -> None:
        with pytest.raises(BadConfig, match=says):
            kto.Config(**options)

    def test_one_example_has_no_other(self, model: Model) -> None:
        with pytest.raises(BadInput, match="1 is left of the examples"):
            kto.train(model, EXAMPLES[:1], kto.Config())
        with pytest.raises(BadInput, match="1 is left of the evaluation examples"):
            kto.train(model, EXAMPLES, kto.Config(evaluate_every=1), evaluation=EXAMPLES[:1])

    def test_a_last_batch_of_one_is_no_trouble(self, model: Model) -> None:
        """Its prompt is joined to a completion of the batch before: to its own, z would be its own log-ratio."""
        config = kto.Config(batch_size=3)
        joined = kto._epoch(kto._tokenised(model, EXAMPLES, config).rows, config)
        assert [len(batch) for batch in joined] == [3, 4]
        assert sorted(index for batch in joined for index in batch) == list(range(7))
        assert len(run(model, EXAMPLES, batch_size=3)) == 3

    def test_a_bad_example_is_named(self, model: Model) -> None:
        config = kto.Config(max_length=12, truncation="error")
        with pytest.raises(BadInput, match=r"example \d+: it takes \d+ tokens"):
            kto.train(model, [EXAMPLES[3], labelled("y", "no", True), EXAMPLES[5]], config)
        with pytest.raises(BadInput, match="no example is left"):
            kto.train(model, [], config)

    def test_a_mismatched_row_longer_than_a_microbatch(self, model: Model) -> None:
        """Either example fits, the long prompt with the long completion does not."""
        examples = [labelled("a question that is long, very long indeed", "no", True), EXAMPLES[1]]
        rows = kto._tokenised(model, examples, kto.Config()).rows
        most = max(one.row.length for one in rows)
        with pytest.raises(
            BadConfig, match=f"microbatch_tokens is {most}, and a prompt with the completion of another"
        ):
            kto.train(model, examples, kto.Config(batch_size=2, microbatch_tokens=most))
        (step,) = run(model, examples, batch_size=2, microbatch_tokens=most, max_length=most)
        assert step.metrics["loss"] == 0.5

    def test_other_labels_are_other_data(self, model: Model) -> None:
        """The rows of both kinds stand in the same order: only the labels tell the runs apart."""
        config = kto.Config(batch_size=2)
        good = [labelled(prompt, completion, True) for prompt, completion, _ in SAID]
        steps = kto.train(model, good, config)
        state = next(steps).state
        with pytest.raises(BadInput, match="digest"):
            kto.train(model, [labelled(prompt, completion, False) for prompt, completion, _ in SAID], config, state)


class TestNotes:
    def notes(self, model: Model, examples: Sequence[Labelled], **options: Any) -> dict[str, int]:
        return dict(next(kto.train(model, examples, kto.Config(**options))).notes)

    def test_one_kind_alone_is_told(self, model: Model) -> None:
        good = [one for one in EXAMPLES if one.label]
        assert self.notes(model, good) == {
            "are desirable, and none is undesirable: nothing is learned of the difference": 4
        }

    def test_weights_that_do_not_balance_the_kinds(self, model: Model) -> None:
        """Two desirable to three undesirable ones, these of weight 2: a third, where 1 to 1.5 is advised."""
        ((note, count),) = self.notes(model, EXAMPLES[2:], undesirable_weight=2.0).items()
        assert count == 2 and "weigh 0.333 times what the undesirable ones do" in note
        assert "1 to 1.5 is advised: a desirable_weight from 3 to 4.5" in note

    @pytest.mark.parametrize("weight", [3.0, 4.0, 4.5])
    def test_weights_that_do(self, model: Model, weight: float) -> None:
        assert self.notes(model, EXAMPLES[2:], desirable_weight=weight, undesirable_weight=2.0) == {}

    def test_what_is_dropped_is_counted_over_both_kinds(self, model: Model) -> None:
        long = "on and on, " * 8
        examples = [*EXAMPLES[:4], labelled("x", long, True), labelled("x", long, False), labelled("y", long, False)]
        notes = self.notes(model, examples, max_length=60)
        assert notes["dropped: longer than 60 tokens"] == 3
