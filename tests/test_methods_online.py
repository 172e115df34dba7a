"""Reinforcement learning by hand and by enumeration: advantages, losses, KL, and the optimum of a tabular bandit."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from groma.formats.errors import BadConfig, BadInput
from groma.formats.examples import Preference
from groma.formats.messages import Message
from groma.formats.requests import Failure, Generate, Reply, Request
from groma.formats.task import Posed, Task
from groma.formats.transcript import Transcript
from groma.methods import advantages, dpo, grpo, ppo, rloo, surrogate
from groma.methods.divergence import Coefficient, estimate
from groma.methods.pay import ByFunction, Named
from groma.methods.updates import kl_loss
from groma.methods.work import Work
from groma.models.load import Model, assemble
from groma.models.prepare import prepare
from groma.systems import SYSTEMS


class TestAdvantages:
    def test_gae_by_hand(self) -> None:
        """gamma 0.9, lam 0.5, so that 0.45 is carried. Values 1, 2, 3; rewards 0, 0, 10.

        d = (0 + 1.8 - 1, 0 + 2.7 - 2, 10 - 3) = (0.8, 0.7, 7); A3 = 7, A2 = 0.7 + 3.15 = 3.85, A1 = 0.8 + 1.7325.
        """
        told = torch.tensor([[0.0, 0, 10]]), torch.tensor([[1.0, 2, 3]]), torch.ones(1, 3, dtype=torch.bool)
        torch.testing.assert_close(advantages.gae(*told, 0.9, 0.5), torch.tensor([[2.5325, 3.85, 7.0]]))

    def test_gae_steps_over_what_others_said(self) -> None:
        """The same actions with two tokens of a tool between them, and one behind: the same advantages."""
        acted = torch.tensor([[True, False, False, True, True, False]])
        rewards, values = torch.tensor([[0.0, 9, 9, 0, 10, 9]]), torch.tensor([[1.0, 7, 7, 2, 3, 7]])
        expected = torch.tensor([[2.5325, 0, 0, 3.85, 7.0, 0]])
        torch.testing.assert_close(advantages.gae(rewards, values, acted, 0.9, 0.5), expected)

    def test_gae_with_lambda_1_is_the_return_minus_the_value(self) -> None:
        draw = torch.Generator().manual_seed(0)
        rewards, values = (torch.randn(3, 7, generator=draw) for _ in range(2))
        found = advantages.gae(rewards, values, torch.ones(3, 7, dtype=torch.bool), 1.0, 1.0)
        torch.testing.assert_close(found, rewards.flip(1).cumsum(1).flip(1) - values)

    def test_rloo_and_grpo_by_hand(self) -> None:
        pay = torch.tensor([[1.0, 2, 6], [4, 4, 4]])
        torch.testing.assert_close(advantages.rloo(pay), torch.tensor([[-3.0, -1.5, 4.5], [0, 0, 0]]))
        deviation = math.sqrt(7)
        expected = torch.tensor([[-2 / deviation, -1 / deviation, 3 / deviation], [0, 0, 0]])
        torch.testing.assert_close(advantages.grpo(pay), expected, atol=1e-6, rtol=1e-6)
        torch.testing.assert_close(advantages.grpo(pay, divide=False), torch.tensor([[-2.0, -1, 3], [0, 0, 0]]))

    def test_a_group_of_one_has_nothing_to_be_compared_with(self) -> None:
        for function in (advantages.rloo, advantages.grpo):
            with pytest.raises(BadInput, match="at least two"):
                function(torch.ones(3, 1))

    def test_whitening_by_hand(self) -> None:
        values, scale = torch.tensor([1.0, 2, 6]), math.sqrt(14 / 3)
        centred = torch.tensor([-2 / scale, -1 / scale, 3 / scale])
        torch.testing.assert_close(advantages.whiten(values), centred)
        torch.testing.assert_close(advantages.whiten(values, shift=False), centred + 3)


class TestLosses:
    def test_clipped_by_hand(self) -> None:
        ratio, gain = torch.tensor([1.5, 1.5, 0.5, 0.5, 5.0]), torch.tensor([1.0, -1.0, 1.0, -1.0, -1.0])
        expected = torch.tensor([-1.2, 1.5, -0.5, 0.8, 5.0])
        torch.testing.assert_close(surrogate.clipped(ratio, gain, 0.2, 0.2), expected)
        expected[-1] = 3.0
        torch.testing.assert_close(surrogate.clipped(ratio, gain, 0.2, 0.2, dual=3.0), expected)
        assert surrogate.is_clipped(ratio, gain, 0.2, 0.2).tolist() == [True, False, False, True, False]

    def test_where_it_is_clipped_it_has_no_gradient(self) -> None:
        ratio = torch.tensor([1.5, 1.5, 0.5, 0.5, 1.0], requires_grad=True)
        gain = torch.tensor([1.0, -1.0, 1.0, -1.0, 2.0])
        surrogate.clipped(ratio, gain, 0.2, 0.2).sum().backward()
        assert ratio.grad is not None and ratio.grad.tolist() == [0.0, 1.0, -1.0, 0.0, -2.0]

    def test_at_ratio_1_the_gradient_is_the_policy_gradient(self) -> None:
        """Against finite differences of the expected pay of a softmax policy over four actions."""
        pay, logits = torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=torch.float64), torch.randn(4, dtype=torch.float64)
        logits = logits.requires_grad_()
        logprobs = logits.log_softmax(-1)
        loss = surrogate.clipped(surrogate.ratio(logprobs, logprobs.detach()), pay, 0.2, 0.2)
        (found,) = torch.autograd.grad((logprobs.detach().exp() * loss).sum(), logits)

        def value(at: Tensor) -> float:
            return float((at.softmax(-1) * pay).sum())

        step = 1e-6 * torch.eye(4, dtype=torch.float64)
        at = logits.detach()
        expected = torch.tensor([(value(at + one) - value(at - one)) / 2e-6 for one in step], dtype=torch.float64)
        torch.testing.assert_close(-found, expected, atol=1e-8, rtol=1e-6)

    def test_value_loss_by_hand(self) -> None:
        """Value 1, before 0, return 0.5: errors 0.5 and, held to 0.2, -0.3; and one that did not move far."""
        now, was, due = torch.tensor([1.0, 0.1]), torch.tensor([0.0, 0.0]), torch.tensor([0.5, 0.5])
        torch.testing.assert_close(surrogate.value_loss(now, was, due, 0.2), torch.tensor([0.125, 0.08]))
        torch.testing.assert_close(surrogate.value_loss(now, was, due, None), torch.tensor([0.125, 0.08]))
        far = surrogate.value_loss(torch.tensor([0.6]), torch.tensor([0.0]), torch.tensor([0.6]), 0.2)
        torch.testing.assert_close(far, torch.tensor([0.08]))

    def test_weights_of_tokens(self) -> None:
        of = torch.tensor([4, 4, 4, 9])
        assert surrogate.weights(of, "token").tolist() == [0.25] * 4
        torch.testing.assert_close(surrogate.weights(of, "sequence"), torch.tensor([1 / 6] * 3 + [0.5]))
        torch.testing.assert_close(surrogate.weights(of, "constant", 5), torch.full((4,), 0.1))


class TestKl:
    def test_estimators_by_hand(self) -> None:
        here, there = torch.tensor([-1.0, -1.0]), torch.tensor([-1.5, -0.5])
        torch.testing.assert_close(estimate(here, there, "k1"), torch.tensor([0.5, -0.5]))
        torch.testing.assert_close(estimate(here, there, "k2"), torch.tensor([0.125, 0.125]))
        expected = torch.tensor([math.exp(-0.5) - 0.5, math.exp(0.5) - 1.5])
        torch.testing.assert_close(estimate(here, there, "k3"), expected)

    @staticmethod
    def _policies() -> tuple[Tensor, Tensor, Tensor]:
        draw = torch.Generator().manual_seed(2)
        policy, reference, drew = (torch.randn(5, generator=draw, dtype=torch.float64) for _ in range(3))
        return policy.requires_grad_(), reference.log_softmax(-1), drew.log_softmax(-1)

    def _slope_of_kl(self) -> Tensor:
        policy, reference, _ = self._policies()
        logprobs = policy.log_softmax(-1)
        return torch.autograd.grad((logprobs.exp() * (logprobs - reference)).sum(), policy)[0]

    @pytest.mark.parametrize("kind", ["k1", "k3"])
    def test_k1_and_k3_are_unbiased_in_value(self, kind: Any) -> None:
        policy, reference, _ = self._policies()
        logprobs = policy.log_softmax(-1)
        exact = (logprobs.exp() * (logprobs - reference)).sum()
        torch.testing.assert_close((logprobs.exp() * estimate(logprobs, reference, kind)).sum(), exact)

    @pytest.mark.parametrize("kind", ["k2", "k3"])
    def test_in_the_loss_corrected_its_gradient_is_that_of_kl_though_the_policy_moved(self, kind: Any) -> None:
        """The expectation over actions of another policy that drew them, exactly."""
        policy, reference, drew = self._policies()
        logprobs = policy.log_softmax(-1)
        config = grpo.Config(kl_estimator=kind)
        loss = kl_loss(logprobs, reference, surrogate.ratio(logprobs, drew), config)
        (found,) = torch.autograd.grad((drew.exp() * loss).sum(), policy)
        torch.testing.assert_close(found, self._slope_of_kl())

    def test_where_estimators_would_mislead_they_are_refused(self) -> None:
        """k1 in the loss has the gradient 0; k3 in it, uncorrected, that of the KL the other way round."""
        policy, reference, _ = self._policies()
        logprobs = policy.log_softmax(-1)
        (none,) = torch.autograd.grad((logprobs.detach().exp() * estimate(logprobs, reference, "k1")).sum(), policy)
        torch.testing.assert_close(none, torch.zeros_like(none), atol=1e-12, rtol=0)
        for options in ({"kl_in": "loss", "kl_estimator": "k1"}, {"kl_in": "reward", "kl_estimator": "k3"}):
            with pytest.raises(BadConfig, match="choose k"):
                ppo.Config(**options)

    def test_the_coefficient_follows_its_target(self) -> None:
        assert Coefficient(0.2, 6.0, 10_000).after(9.0, 100).value == pytest.approx(0.2 * (1 + 0.2 * 100 / 10_000))
        assert Coefficient(0.2, 6.0, 10_000).after(5.7, 100).value == pytest.approx(0.2 * (1 - 0.05 * 100 / 10_000))
        assert Coefficient(0.2).after(900.0, 100).value == 0.2


ARMS = tuple("abcdefgh")
ASKED = (Message("user", "x"),)
BANDIT = tuple(Task(f"pull {number}", Posed(ASKED), {}, "bandit") for number in range(128))
BETA = 0.5


class Enumerating:
    """An engine that leaves little to chance: of n requests for one token, each token gets its share, as nearly as n
    allows, and on average over steps exactly.
    """

    steps = 0

    def __init__(self, model: Model) -> None:
        self.model = model
        self.asked: list[tuple[int, Request]] = []
        Enumerating.steps += 1

    def submit(self, ticket: int, request: Request, seed: int) -> None:
        self.asked.append((ticket, request))

    def poll(self) -> list[tuple[int, Reply | Failure]]:
        prompt = prepare(self.model, self.asked[0][1], 0).prompt_ids
        logprobs = _distribution(self.model).log()
        offset = (Enumerating.steps * (math.sqrt(5) - 1) / 2) % 1
        cuts = (torch.arange(len(self.asked)).double() + offset) / len(self.asked)
        drawn = torch.searchsorted(logprobs.exp().cumsum(0), cuts).clamp(max=len(logprobs) - 1)
        answered: list[tuple[int, Reply | Failure]] = [
            (ticket, Reply(str(token), prompt_ids=prompt, token_ids=(token,), logprobs=(float(logprobs[token]),)))
            for (ticket, _), token in zip(self.asked, drawn.tolist(), strict=True)
        ]
        self.asked = []
        return answered

    def close(self) -> None:
        pass


@pytest.fixture
def model() -> Model:
    """A network of a few words, drawn wide."""
    words = ["<pad>", "<eos>", "x", *ARMS]
    raw = Tokenizer(WordLevel({word: number for number, word in enumerate(words)}, unk_token="<pad>"))
    raw.pre_tokenizer = WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", eos_token="<eos>")
    tokenizer.chat_template = (
        "{% for one in messages %} {{ one.content }}{% if one.role == 'assistant' %} <eos>{% endif %}{% endfor %}"
    )
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = LlamaConfig(vocab_size=len(words), initializer_range=0.3, pad_token_id=0, eos_token_id=1, **sizes)
        net = LlamaForCausalLM(config)
    return assemble(net, tokenizer, "bandit", "bandit")


def _distribution(model: Model) -> Tensor:
    prompt = prepare(model, Generate(prompt=ASKED), 0).prompt_ids
    with torch.no_grad():
        return model.net(torch.tensor([prompt])).logits[0, -1].double().softmax(-1)


def _payoffs(model: Model) -> Tensor:
    return torch.randn(model.vocabulary, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def _bandit(payoffs: Tensor) -> Work:
    def pay(task: Task, transcript: Transcript) -> float:
        return float(payoffs[int(transcript.answer)])

    system = SYSTEMS["chat"].with_(max_tokens=1)
    return Work(system, BANDIT, [Named("arm", ByFunction(pay))], engine=Enumerating, width=len(BANDIT))


class TestBandit:
    """A model that says one token: what it should become is known, pi ~ ref * exp(pay / beta)."""

    @pytest.mark.parametrize("method", ["ppo", "rloo", "grpo"])
    def test_the_optimum_is_reached(self, model: Model, method: str) -> None:
        payoffs, start = _payoffs(model), _distribution(model)
        best = start * torch.exp(payoffs / BETA)
        best /= best.sum()
        shared: dict[str, Any] = {
            "batch_size": 128, "microbatch_size": 128, "max_steps": 80, "learning_rate": 3e-2, "kl_coef": BETA,
        }  # fmt: skip
        work = _bandit(payoffs)
        if method == "ppo":
            # Whitening would blow up what is left of the advantages as they go to zero.
            options = {"epochs": 1, "whiten_advantages": False, "vf_coef": 1.0}
            steps = ppo.train(model, work, ppo.Config(**shared, **options))
        elif method == "rloo":
            steps = rloo.train(model, work, rloo.Config(**shared, samples=128))
        else:
            options = {"samples": 128, "variant": "dr_grpo", "most_tokens": 1}
            steps = grpo.train(model, work, grpo.Config(**shared, **options))
        first = next(iter(steps))
        assert abs(first.metrics["objective/kl"]) < 1e-5
        for _ in steps:
            pass
        apart = 0.5 * float((_distribution(model) - best).abs().sum())
        assert 0.5 * float((start - best).abs().sum()) > 0.3 and apart < 1e-2

    def test_dpo_reaches_the_same_optimum(self, model: Model) -> None:
        """Over all pairs of some answers, each labelled by how often raters of that pay would prefer it."""
        ids = [model.tokenizer.convert_tokens_to_ids(word) for word in ARMS]
        payoffs = _payoffs(model)[ids]
        best = _with_end(model, ids) * torch.exp(payoffs / BETA)
        pairs = [
            Preference(
                ASKED, (Message("assistant", ARMS[one]),), (Message("assistant", ARMS[other]),),
                probability=float(torch.sigmoid(payoffs[one] - payoffs[other])),
            )
            for one in range(len(ARMS)) for other in range(one)
        ]  # fmt: skip
        config = dpo.Config(batch_size=28, max_steps=150, learning_rate=2e-2, beta=BETA)
        for _ in dpo.train(model, pairs, config):
            pass
        found = _with_end(model, ids) / _with_end(model, ids).sum()
        assert 0.5 * float((found - best / best.sum()).abs().sum()) < 1e-2


def _with_end(model: Model, ids: list[int]) -> Tensor:
    """The probabilities of these one-token answers with their end, which DPO compares."""
    prompt = prepare(model, Generate(prompt=ASKED), 0).prompt_ids
    rows = torch.tensor([[*prompt, one] for one in ids])
    with torch.no_grad():
        logprobs = model.net(rows).logits.double().log_softmax(-1)
    return (logprobs[range(len(ids)), -2, ids] + logprobs[:, -1, model.end_id]).exp()
