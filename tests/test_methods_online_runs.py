"""Reinforcement learning as a run: real systems learn, runs resume to the bit, and what goes wrong is loud."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from groma.formats.errors import BadConfig, BadInput
from groma.formats.messages import Message
from groma.formats.persona import Persona
from groma.formats.requests import Episode, Generate, Reply, Request, Score
from groma.formats.task import Pay, Posed, Task
from groma.formats.transcript import Transcript
from groma.judges.rubric import Rubric
from groma.judges.verdict import Judging
from groma.methods import digests, grpo, online_dpo, ppo, reward, rloo
from groma.methods.checkpoint import load_state, save_state
from groma.methods.keeping import kept, state_of
from groma.methods.pay import ByFunction, ByJudge, ByReward, Named, check_tokenizer, combine, paid
from groma.methods.rollouts import Turn, rows_of, turns_of
from groma.methods.state import Diverged
from groma.methods.work import Work
from groma.models.engine import LocalEngine
from groma.models.load import Model, load
from groma.models.reward import RewardModel
from groma.play import FakeEngine
from groma.play.driver import play
from groma.systems import SYSTEMS
from groma.systems.system import System
from groma.worlds.vale import VALE

TASKS = tuple(Task(f"t{number}", Posed((Message("user", f"say {number}"),)), {}, "say") for number in range(24))
CHAT = SYSTEMS["chat"].with_(max_tokens=6)
METHODS = {"ppo": ppo, "rloo": rloo, "grpo": grpo, "online-dpo": online_dpo}


@pytest.fixture
def model(tiny_model: Callable[..., Path]) -> Model:
    return load(tiny_model("llama"))


def evens(task: Task, transcript: Transcript) -> float:
    return float(sum(ord(one) % 2 == 0 for one in transcript.answer))


def asks(posed: Posed, *, top_k: int = 0, top_p: float = 1.0, temperature: float = 1.0) -> Episode:
    request = Generate(prompt=posed.messages, max_tokens=6, top_k=top_k, top_p=top_p, temperature=temperature)
    reply = yield request
    return Transcript((*posed.messages, Message("assistant", reply.text)), reply.text)


WORK = Work(CHAT, TASKS, [Named("evens", ByFunction(evens))])


def options(**more: Any) -> dict[str, Any]:
    return {"batch_size": 8, "max_steps": 4, "learning_rate": 1e-3, **more}


def weights(model: Model) -> list[torch.Tensor]:
    return [one.detach().clone() for one in model.net.parameters()]


class TestResuming:
    @pytest.mark.parametrize(
        ("method", "more"),
        [
            ("ppo", {"epochs": 2, "minibatches": 2, "normalise_pay": True, "kl_target": 0.01, "kl_horizon": 8}),
            ("ppo", {"critic": "separate", "epochs": 1, "lora_rank": 2}),
            ("rloo", {"samples": 4}),
            ("grpo", {"samples": 4, "epochs": 2}),
            ("online-dpo", {}),
        ],
    )
    @pytest.mark.parametrize("at", [1, 3])
    def test_interrupted_and_resumed_equals_uninterrupted(
        self, tiny_model: Callable[..., Path], tmp_path: Path, method: str, more: dict[str, Any], at: int
    ) -> None:
        """Weights, and the metrics of every later step: critic, coefficient and moments of pay among what they need."""
        module, folder = METHODS[method], tiny_model("llama")
        config = module.Config(**options(**more))
        whole = load(folder)
        expected = [step.metrics for step in module.train(whole, WORK, config)]
        first = load(folder)
        for step in (steps := module.train(first, WORK, config)):
            if step.number == at:
                save_state(step.state, tmp_path / "state")
                break
        steps.close()  # type: ignore[attr-defined]
        second = load(folder)
        found = [step.metrics for step in module.train(second, WORK, config, load_state(tmp_path / "state"))]
        assert found == expected[at:]
        assert all(torch.equal(one, other) for one, other in zip(weights(whole), weights(second), strict=True))

    def test_another_start_pay_or_option_is_refused(self, tiny_model: Callable[..., Path]) -> None:
        folder, config = tiny_model("llama"), ppo.Config(**options())
        step = next(iter(steps := ppo.train(load(folder), WORK, config)))
        state = step.state
        steps.close()  # type: ignore[attr-defined]
        with pytest.raises(BadConfig, match=r"gamma was 1\.0 and is 0\.9"):
            ppo.train(load(folder), WORK, ppo.Config(**options(gamma=0.9)), state)
        golden = [replace(task, gold={"right": "4"}) for task in TASKS]
        for other in (
            replace(WORK, pay=[Named("evens", ByFunction(evens), 2.0)]),
            replace(WORK, tasks=golden),
            replace(WORK, seated={"user": "another"}),
        ):
            with pytest.raises(BadInput, match="the saved state"):
                ppo.train(load(folder), other, config, state)
        moved = load(folder)
        with torch.no_grad():
            next(moved.net.parameters()).add_(1e-3)
        with pytest.raises(BadInput, match="the weights have the digest"):
            next(iter(ppo.train(moved, WORK, config, state)))


class TestLearning:
    @pytest.mark.parametrize("method", ["ppo", "rloo", "grpo", "online-dpo"])
    def test_what_is_paid_becomes_more(self, model: Model, method: str) -> None:
        more = {"learning_rate": 1e-2, "max_steps": 16, "batch_size": 24} | ({"samples": 4} if method != "ppo" else {})
        told = [step.metrics for step in METHODS[method].train(model, WORK, METHODS[method].Config(**options(**more)))]
        assert abs(told[0]["objective/kl"]) < 1e-5
        paid = [one["objective/scores"] for one in told]
        assert sum(paid[-3:]) / 3 > sum(paid[:3]) / 3 + 0.5
        assert told[-1]["objective/kl"] > 0.05

    def test_microbatches_do_not_change_the_gradient(self, tiny_model: Callable[..., Path]) -> None:
        """Of 1 and of 8 traces; AdamW's first average is a tenth of the gradient."""
        found = []
        for size in (1, 8):
            config = ppo.Config(**options(max_steps=1, epochs=1, microbatch_size=size))
            (averages,) = [one.state.optimiser["state"] for one in ppo.train(load(tiny_model("llama")), WORK, config)]
            found.append([one["exp_avg"] for one in averages.values()])
        for one, other in zip(*found, strict=True):
            torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)

    def test_a_critic_of_its_own_leaves_the_policy_its_gradient(self, model: Model) -> None:
        """With a critic that learns nothing yet (its head is zero, as the shared one's), both take the same first step
        in the policy, but for the shared critic's pull on the trunk, of which its zero head has none.
        """
        found = []
        for critic in ("shared", "separate"):
            made = load(model.name)
            list(ppo.train(made, WORK, ppo.Config(**options(max_steps=1, epochs=1, critic=critic))))
            found.append(weights(made))
        for one, other in zip(*found, strict=True):
            torch.testing.assert_close(one, other, atol=2e-4, rtol=0)

    def test_a_reward_model_begins_the_critic(self, model: Model) -> None:
        """It has a copy: what pays and what is begun from may be one, and the pay must not move."""
        begun, config = reward.begin(model), ppo.Config(**options(critic="separate"))
        with torch.no_grad():
            begun.net.score.weight.normal_()  # type: ignore[union-attr, operator]
        before = digests.of_weights(begun.net)
        paying = replace(WORK, pay=[Named("reward", ByReward([begun]))])
        steps = ppo.train(model, paying, config, critic=begun)
        first = next(steps)
        assert first.metrics["val/mean"] != 0.0  # a copy of the policy would say 0
        state = first.state
        list(steps)
        assert digests.of_weights(begun.net) == before
        with pytest.raises(BadInput, match="the saved state"):
            ppo.train(model, paying, config, state)  # another critic
        with pytest.raises(BadConfig, match="critic is 'shared'"):
            ppo.train(model, WORK, ppo.Config(**options()), critic=begun)


class TestSystems:
    def test_vales_agent_is_trained_in_the_town_hall(self) -> None:
        """Replies of many calls, tools between them; the row of an errand holds its turns one after the other."""
        model, tasks = load("vale"), VALE.tasks("errand", "train", 8, 0)
        system = SYSTEMS["agent"].with_(max_tokens=VALE.max_tokens)

        def calls(task: Task, transcript: Transcript) -> float:
            return float(VALE.judge(task, transcript).objective)

        work = Work(system, tasks, [Named("done", ByFunction(calls))], open_environment=VALE.open)
        before = weights(model)
        told = [step.metrics for step in ppo.train(model, work, ppo.Config(**options(max_steps=1, epochs=1)))]
        assert not all(map(torch.equal, before, weights(model)))
        assert told[0]["episodes/replies"] > 1.5 and abs(told[0]["objective/kl"]) < 1e-5
        assert told[0]["policy/sampling_gap"] < 1e-4

    def test_turns_that_go_on_share_a_row(self) -> None:
        """An errand of two calls is one row: prompt, call, what the tool said, call."""
        turns = (Turn((1, 2), (3, 4), (-0.1, -0.2), False), Turn((1, 2, 3, 4, 5, 6), (7,), (-0.3,), True))
        (row,) = rows_of(turns)
        assert row.ids.tolist() == [1, 2, 3, 4, 5, 6, 7]
        assert row.learned.tolist() == [False, False, True, True, False, False, True]
        assert row.completions == 2 and row.ended == 1
        assert len(rows_of((turns[0], Turn((1, 9), (7,), (-0.3,), False)))) == 2

    def test_two_players_learn_what_each_is_paid(self, model: Model) -> None:
        """A conversation in which both speak: pay names the player, and the other's words are no actions."""
        persona = Persona(card="you want to talk", turns=2)
        system = SYSTEMS["conversation"].with_(persona=persona, user_tokens=4, inner=CHAT)
        engine = LocalEngine(model)
        (played,) = play(system, TASKS[:1], {"assistant": engine, "user": engine})
        assert turns_of(played, "assistant") and turns_of(played, "user")

        def both(task: Task, transcript: Transcript) -> list[Pay]:
            return [Pay(evens(task, transcript), "assistant"), Pay(-evens(task, transcript), "user")]

        work = replace(WORK, system=system, pay=[Named("game", ByFunction(both))])
        config = ppo.Config(**options(learners=("assistant", "user"), max_steps=2))
        before = weights(model)
        told = [step.metrics for step in ppo.train(model, work, config)]
        assert told[0]["objective/scores"] == pytest.approx(0.0)  # what one is paid the other pays
        assert not all(map(torch.equal, before, weights(model)))

        def one(task: Task, transcript: Transcript) -> list[Pay]:
            return [Pay(evens(task, transcript), "assistant"), Pay(0.0, "user")]

        ends = []
        for pay in (both, one):  # what the user is paid is learned from, too
            start = load(model.name)
            list(ppo.train(start, replace(work, pay=[Named("game", ByFunction(pay))]), config))
            ends.append(weights(start))
        assert not all(map(torch.equal, *ends))
        alone = replace(work, others={"user": LocalEngine(load(model.name))})
        start = load(model.name)
        list(ppo.train(start, alone, ppo.Config(**options(max_steps=1))))
        assert not all(map(torch.equal, before, weights(start)))


class TestPay:
    @staticmethod
    def _played(model: Model) -> list[Any]:
        return list(play(CHAT, TASKS[:4], {"assistant": LocalEngine(model)}))

    def test_a_weighted_sum_of_named_sources(self, model: Model) -> None:
        played = self._played(model)
        sources = [Named("evens", ByFunction(evens), 2.0), Named("bonus", ByFunction(lambda *_: True), -0.5)]
        found = paid(sources, played, "assistant")
        for one, pay, part in zip(played, found.pay, found.parts["evens"], strict=True):
            assert pay is not None and part == evens(one.task, one.transcript)
            assert pay["assistant"].total == pytest.approx(2 * part - 0.5)
        assert set(found.parts["bonus"]) == {1.0}

    def test_one_that_raises_is_an_episode_that_failed_and_siblings_go_on(self, model: Model) -> None:
        def fails(task: Task, transcript: Transcript) -> float:
            return 1 / 0 if task.id == "t1" else 1.0

        found = paid([Named("bad", ByFunction(fails))], self._played(model), "assistant")
        assert [one is None for one in found.pay] == [False, True, False, False]
        assert found.failed == ("t1: pay bad: ZeroDivisionError: division by zero",)
        some = replace(
            WORK, pay=[Named("bad", ByFunction(lambda task, _: 1 / ("#" not in task.id or task.id != "t3#0")))]
        )
        told = next(iter(ppo.train(model, some, ppo.Config(**options(batch_size=12, failed_share=0.2))))).metrics
        assert told["episodes/failed"] == pytest.approx(1 / 12)

    def test_too_many_failures_stop_the_run(self, model: Model) -> None:
        work = replace(WORK, pay=[Named("bad", ByFunction(lambda *_: 1 / 0))])
        with pytest.raises(BadInput, match=r"8 of 8 episodes of step 1 failed; .* pay bad: ZeroDivision"):
            next(iter(ppo.train(model, work, ppo.Config(**options()))))

    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_pay_that_is_no_number_stops_the_run_and_names_its_source(self, model: Model, value: float) -> None:
        work = replace(WORK, pay=[Named("broken", ByFunction(lambda *_: value))])
        before = weights(model)
        with pytest.raises(BadInput, match="the pay broken of the episode t"):
            next(iter(ppo.train(model, work, ppo.Config(**options()))))
        assert all(torch.equal(one, other) for one, other in zip(before, weights(model), strict=True))

    def test_pay_for_single_replies_stands_at_their_end(self, model: Model) -> None:
        def by_call(task: Task, transcript: Transcript) -> Pay:
            return Pay(1.0, calls=(0.5,))

        work = replace(WORK, pay=[Named("calls", ByFunction(by_call))])
        told = next(iter(ppo.train(model, work, ppo.Config(**options())))).metrics
        assert told["objective/scores"] == told["pay/calls"] == 1.5
        wrong = replace(WORK, pay=[Named("calls", ByFunction(lambda *_: Pay(1.0, calls=(1.0, 2.0))))])
        with pytest.raises(BadInput, match="pay for 2 replies, and there are 1"):
            next(iter(ppo.train(model, wrong, ppo.Config(**options()))))

    @pytest.mark.parametrize("by", ["scores", "words"])
    def test_a_judge_pays_how_likely_a_reply_is_not_bad(self, model: Model, by: Literal["scores", "words"]) -> None:
        """By scores its probability, by words 1 or 0; where it says neither, the episode failed."""
        rubric = Rubric("harm", "Does it harm?", ("good", "bad"), ("bad",))

        def judge(request: Request, seed: int) -> Reply:
            number = int(request.prompt[0].content.partition("user: say ")[2].split()[0])  # type: ignore[union-attr]
            if isinstance(request, Score):
                return Reply(scores=(math.log(0.8), math.log(0.2)) if number % 2 else (math.log(0.1), math.log(0.9)))
            return Reply(text=("bad", "so it is good.", "who knows")[number % 3], stop="end")

        source = ByJudge(Judging(rubric, by=by), {"judge": FakeEngine(judge)})
        found = paid([Named("judge", source)], self._played(model), "assistant")
        told = [None if one is None else one["assistant"].total for one in found.pay]
        assert told == (
            [pytest.approx(one) for one in (0.1, 0.8, 0.1, 0.8)] if by == "scores" else [0.0, 1.0, None, 0.0]
        )
        work = replace(WORK, tasks=TASKS[:2] if by == "words" else TASKS, pay=[Named("judge", source)])
        metrics = next(iter(ppo.train(model, work, ppo.Config(**options())))).metrics
        assert metrics["pay/judge"] == metrics["objective/scores"] > 0

    def test_ensembles_by_hand(self) -> None:
        rewards = torch.tensor([[1.0, 2.0], [3.0, 2.0]]).numpy()
        assert combine(rewards, "mean", 0.5).tolist() == [2.0, 2.0]
        assert combine(rewards, "worst", 0.5).tolist() == [1.0, 2.0]
        assert combine(rewards, "uncertain", 0.5).tolist() == [1.5, 2.0]

    def test_a_reward_model_pays_and_one_of_another_tokenizer_is_refused(
        self, model: Model, tiny_model: Callable[..., Path]
    ) -> None:
        made = reward.begin(model)
        played = self._played(model)
        found = paid([Named("model", ByReward([made]))], played, "assistant")
        for one, pay in zip(played, found.pay, strict=True):
            ended = one.transcript.stop != "length"
            assert pay is not None
            assert pay["assistant"].total == pytest.approx(made.score(one.transcript.messages, ended), abs=1e-5)
        check_tokenizer(made, model)
        with pytest.raises(BadConfig, match="another tokenizer"):
            check_tokenizer(made, load("vale"))


class TestLoud:
    def test_truncated_and_greedy_sampling_are_refused_with_the_reason(self, model: Model) -> None:
        for more, why in (({"top_k": 5}, "top_k 5"), ({"top_p": 0.5}, "top_p 0.5"), ({"temperature": 0.0}, "greedy")):
            work = replace(WORK, system=System("asks", asks, more))
            with pytest.raises(BadConfig, match=why):
                next(iter(ppo.train(model, work, ppo.Config(**options()))))

    def test_kl_that_explodes_stops_the_run_with_the_last_good_weights(self, model: Model, tmp_path: Path) -> None:
        config = ppo.Config(**options(learning_rate=0.3, max_steps=20, kl_limit=1.0))
        seen: list[list[torch.Tensor]] = [weights(model)]  # that each step began with
        with pytest.raises(Diverged, match=r"(?s)KL to the reference is .* above kl_limit 1.0.*lower learning_rate"):
            for _ in kept(ppo.train(model, WORK, config), model, tmp_path / "out", unset_pad=True):
                seen.append(weights(model))
        # The last step that was learned from began with weights whose KL was found good; what it made was not.
        good = weights(load(tmp_path / "out-last-good"))
        assert all(map(torch.equal, good, seen[-2])) and not all(map(torch.equal, good, seen[-1]))
        assert all(map(torch.equal, good, weights(model)))
        assert not (tmp_path / "out").exists() and not state_of(tmp_path / "out").exists()

    @pytest.mark.parametrize("more", [{}, {"lora_rank": 2}])
    def test_kl_that_explodes_in_the_last_update_is_noticed(self, model: Model, more: dict[str, Any]) -> None:
        before = weights(model)
        config = ppo.Config(**options(learning_rate=3.0, max_steps=1, epochs=1, kl_limit=5.0, **more))
        with pytest.raises(Diverged, match=r"(?s)last step's updates moved the policy by .* above kl_limit 5.0"):
            list(ppo.train(model, WORK, config))
        assert all(map(torch.equal, before, weights(model)))

    def test_a_second_divergence_is_kept_beside_the_first(
        self, tiny_model: Callable[..., Path], tmp_path: Path
    ) -> None:
        config = ppo.Config(**options(learning_rate=0.3, max_steps=20, kl_limit=1.0))
        for name in ("out-last-good", "out-last-good-2"):
            start = load(tiny_model("llama"))
            with pytest.raises(Diverged, match=f"(?s)KL to the reference.*{name}$"):
                list(kept(ppo.train(start, WORK, config), start, tmp_path / "out", unset_pad=True))
            load(tmp_path / name)

    def test_kl_that_explodes_right_after_resuming_is_told_as_such(
        self, tiny_model: Callable[..., Path], model: Model
    ) -> None:
        config = ppo.Config(**options(learning_rate=0.3, max_steps=20, kl_limit=1.0))
        state, before = None, None
        with pytest.raises(Diverged):
            for step in ppo.train(model, WORK, config):
                state, before = step.state, weights(model)
        assert state is not None and before is not None
        again = load(tiny_model("llama"))
        with pytest.raises(Diverged, match="KL to the reference"):
            list(ppo.train(again, WORK, config, state))
        assert all(map(torch.equal, before, weights(again)))  # nothing better is known of the run that went on

    def test_a_run_goes_on_with_its_own_pay_alone(self, tiny_model: Callable[..., Path], model: Model) -> None:
        first, other = (replace(WORK, pay=[replace(WORK.pay[0], identity=one)]) for one in ("one", "other"))
        run = ppo.train(model, first, ppo.Config(**options()))
        state = next(run).state
        with pytest.raises(BadInput, match="sources of pay and tokenizer have the digest"):
            list(ppo.train(load(tiny_model("llama")), other, ppo.Config(**options()), state))

    def test_a_player_who_learns_and_is_never_paid_is_told(self, model: Model) -> None:
        config = ppo.Config(**options(learners=("assistant", "user")))
        persona = Persona(card="you want to talk", turns=2)
        system = SYSTEMS["conversation"].with_(persona=persona, user_tokens=4, inner=CHAT)
        with pytest.raises(BadInput, match="user learns, and no pay of step 1"):
            list(ppo.train(model, replace(WORK, system=system), config))

    def test_a_critic_of_another_tokenizer_is_refused(self, model: Model) -> None:
        with pytest.raises(BadConfig, match=r"another tokenizer.*\n.*a critic reads the policy's own tokens"):
            ppo.train(model, WORK, ppo.Config(**options(critic="separate")), None, reward.begin(load("vale")))

    def test_what_a_critic_from_a_reward_model_adds_is_part_of_its_values(
        self, tiny_model: Callable[..., Path], model: Model
    ) -> None:
        told = {}
        for offset in (0.0, 3.0):
            made = RewardModel(reward.begin(load(tiny_model("llama"))).model, offset)
            run = ppo.train(load(tiny_model("llama")), WORK, ppo.Config(**options(critic="separate")), None, made)
            told[offset] = next(iter(run)).metrics["val/mean"]
        assert told[3.0] == pytest.approx(told[0.0] + 3, abs=1e-4)

    @pytest.mark.parametrize(
        ("more", "why"),
        [
            ({"samples": 3}, "samples 3 does not divide batch_size 8"),
            ({"kl_coef": 0.0, "kl_target": 6.0}, "kl_target 6.0 would have no effect"),
            ({"kl_horizon": 5}, "kl_horizon 5 would have no effect"),
            ({"minibatches": 9}, "minibatches is 9"),
            ({"learners": ("assistant", "assistant")}, "learners is"),
            ({"failed_share": 1.0}, "failed_share is 1.0"),
        ],
    )
    def test_options_that_cannot_be(self, model: Model, more: dict[str, Any], why: str) -> None:
        with pytest.raises((BadConfig, BadInput), match=why):
            next(iter(ppo.train(model, WORK, ppo.Config(**options(**more)))))

    def test_a_trainer_that_does_not_agree_with_sampling_is_found_out(self, model: Model) -> None:
        class Liar(LocalEngine):
            def poll(self) -> Any:
                return [
                    (ticket, replace(reply, logprobs=tuple(one - 0.1 for one in reply.logprobs)))  # type: ignore[union-attr]
                    for ticket, reply in super().poll()
                ]

        with pytest.raises(BadConfig, match=r"sampling and training differ by 0\.1"):
            next(iter(ppo.train(model, replace(WORK, engine=Liar), ppo.Config(**options()))))
