"""What PPO learns from, token by token, against the same worked out apart: where pay and KL stand, at which
temperature, what a reply that was cut off costs, how pay is normalised, when updates end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from groma.formats.messages import Message
from groma.formats.requests import Episode, Generate
from groma.formats.task import Posed, Task
from groma.formats.transcript import Transcript
from groma.methods import ppo
from groma.methods.advantages import gae
from groma.methods.online import Loop, Rollout
from groma.methods.pay import ByFunction, Named
from groma.methods.work import Work
from groma.models.load import load
from groma.models.model import Model
from groma.systems.system import System

TASKS = tuple(Task(f"t{number}", Posed((Message("user", f"say {number}"),)), {}, "say") for number in range(8))
WARM, PENALTY, COEFFICIENT = 0.7, 0.5, 0.3


def twice(posed: Posed, *, temperature: float = WARM) -> Episode:
    """Two replies, of which the second goes on from the first."""
    messages = posed.messages
    for asked in ("and?", ""):
        stop = () if asked else tuple("aeiount")  # so that some replies end, and some are cut off
        reply = yield Generate(prompt=messages, max_tokens=5, temperature=temperature, stop=stop)
        messages = (*messages, Message("assistant", reply.text), *([Message("user", asked)] if asked else []))
    return Transcript(messages, reply.text, stop=reply.stop)


def paid(task: Task, transcript: Transcript) -> float:
    return float(len(transcript.answer) % 3)


WORK = Work(System("twice", twice), TASKS, [Named("length", ByFunction(paid))])


@pytest.fixture
def model(tiny_model: Callable[..., Path]) -> Model:
    return load(tiny_model("llama"))


class Seen:
    """The batch of every step, what was handed to GAE in it, and the critic's values."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rollouts: list[Rollout] = []
        self.given: list[tuple[Tensor, ...]] = []
        whole = ppo.Ppo.learn

        def learn(own: ppo.Ppo, loop: Loop, rollout: Rollout) -> dict[str, float]:
            self.rollouts.append(rollout)
            return whole(own, loop, rollout)

        def spied(rewards: Tensor, values: Tensor, there: Tensor, gamma: float, lam: float) -> Tensor:
            self.given.append((rewards.clone(), values.clone(), there.clone()))
            return gae(rewards, values, there, gamma, lam)

        monkeypatch.setattr(ppo.Ppo, "learn", learn)
        monkeypatch.setattr(ppo, "gae", spied)


def logprobs(net: torch.nn.Module, ids: list[int], temperature: float) -> np.ndarray:
    """Of each token but the first, by the plain network and softmax."""
    with torch.no_grad():
        logits = net(torch.tensor([ids])).logits[0, :-1].double() / temperature
    return torch.log_softmax(logits, -1).gather(1, torch.tensor(ids[1:])[:, None])[:, 0].numpy()


def options(**more: Any) -> ppo.Config:
    given = {"batch_size": 8, "max_steps": 3, "learning_rate": 3e-3, "epochs": 1, "kl_coef": COEFFICIENT}
    return ppo.Config(**{**given, "missing_eos_penalty": PENALTY, "kl_limit": None, **more})


def test_pay_stands_on_the_last_action_and_kl_on_every_one(
    model: Model, tiny_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, start = Seen(monkeypatch), load(tiny_model("llama")).net
    told = [step.metrics for step in ppo.train(model, WORK, options())]
    assert abs(told[0]["objective/kl"]) < 1e-5 and told[0]["policy/sampling_gap"] < 1e-4
    assert abs(told[2]["objective/kl"]) > 1e-3  # else nothing of what follows is seen
    rollout, (rewards_ET, values_ET, there_ET) = seen.rollouts[2], seen.given[2]
    kinds = set()
    for number, trace in enumerate(rollout.batch.traces):
        old = [value for turn in trace.turns for value in turn.logprobs]
        reference = []
        for turn in trace.turns:
            ids = [*turn.prompt_ids, *turn.token_ids]
            reference += logprobs(start, ids, WARM)[-len(turn.token_ids) :].tolist()
        expected = [-COEFFICIENT * (one - other) for one, other in zip(old, reference, strict=True)]
        expected[-1] += trace.pay.total - PENALTY * trace.turns[-1].cut
        kinds.add(trace.turns[-1].cut)
        assert there_ET[number].sum() == len(expected)
        assert rewards_ET[number, : len(expected)].tolist() == pytest.approx(expected, abs=1e-4)
        assert not rewards_ET[number, len(expected) :].any()
    assert kinds == {True, False}
    assert values_ET[there_ET].abs().max() > 0  # after two steps the critic says something


def test_the_critic_begins_at_zero(model: Model) -> None:
    first = next(iter(ppo.train(model, WORK, options())))
    assert first.metrics["val/mean"] == 0.0


def test_kl_as_a_part_of_the_loss_is_no_part_of_the_pay(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Seen(monkeypatch)
    list(ppo.train(model, WORK, options(kl_in="loss", kl_estimator="k3")))
    rewards_ET, _, there_ET = seen.given[2]
    lengths = there_ET.sum(1)
    for number, length in enumerate(lengths.tolist()):
        assert not rewards_ET[number, : length - 1].any()


def test_pay_is_normalised_by_all_of_it_so_far_and_then_clipped(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Seen(monkeypatch)
    config = options(normalise_pay=True, pay_clip=0.8, missing_eos_penalty=None, max_steps=2)
    list(ppo.train(model, WORK, config))
    past: list[float] = []
    for rollout in seen.rollouts:
        pay = [trace.pay.total for trace in rollout.batch.traces]
        past += pay
        expected = np.clip((np.array(pay) - np.mean(past)) / np.std(past), -0.8, 0.8)
        assert rollout.earned.scores_E.tolist() == pytest.approx(expected.tolist(), abs=1e-5)
    assert {round(value, 5) for value in seen.rollouts[1].earned.scores_E.tolist()} & {0.8, -0.8}


def test_updates_end_once_the_policy_is_far_from_the_one_that_drew(model: Model) -> None:
    config = options(epochs=4, minibatches=2, max_steps=1, learning_rate=1e-2)
    far = replace(config, update_kl=1e-6)
    whole, early = (next(iter(ppo.train(model, WORK, one))).metrics["policy/updates"] for one in (config, far))
    assert whole == 8 and early < 8


def test_what_is_no_longer_what_sampling_said_is_noticed_before_anything_moves(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trainer's own pass is off by a little: the weights stay as they were."""
    before, plain = [one.detach().clone() for one in model.net.parameters()], Loop.forward
    monkeypatch.setattr(Loop, "forward", lambda own, part, **also: plain(own, part, **also) + 0.05)

    def steps() -> Iterator[Any]:
        return ppo.train(model, WORK, options(max_steps=1))

    with pytest.raises(ppo.BadConfig, match="sampling and training differ"):
        list(steps())
    assert all(map(torch.equal, before, model.net.parameters()))
