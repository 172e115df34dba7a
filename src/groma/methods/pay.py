"""What reinforcement learning is paid by: sources of pay, and a weighted sum of named ones, each told apart.

A source is shown finished episodes and says, for each, what its players are paid, or that it could not say (an
exception, as data). It is never the objective under that name: a rater, a reward model or an ensemble of them, a
function or a verifier of the user's, a judge that is a system itself. What is not a number stops the run at once; an
episode whose pay failed teaches nothing and is counted, and more than a stated share of those stops the run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

from groma.formats.errors import BadConfig, BadInput
from groma.formats.task import Pay, Task
from groma.formats.transcript import Played, Transcript
from groma.judges.verdict import Judging
from groma.models.model import Model
from groma.models.reward import RewardModel
from groma.play.driver import play
from groma.play.engine import Engine

Answer = Pay | Sequence[Pay] | float | bool
"""What a function of pay may return: a number (true is 1) for the player that learns, or Pay of each player."""
Function = Callable[[Task, Transcript], Answer]
Ensemble = Literal["mean", "worst", "uncertain"]


class Source(Protocol):
    """Pays finished episodes (all have a transcript): for each the pay of its players, or why there is none."""

    def __call__(self, episodes: Sequence[Played]) -> Sequence[Answer | Exception]: ...


@dataclass(frozen=True, slots=True)
class Named:
    """A source under the name by which it is logged, and what it counts in the sum.

    identity: tells it from another source (a digest, say): a run goes on only with the same one.
    """

    name: str
    source: Source
    weight: float = 1.0
    identity: str = ""

    def __post_init__(self) -> None:
        if not math.isfinite(self.weight) or self.weight == 0:
            raise BadConfig(f"the pay {self.name!r} has the weight {self.weight}: give a finite one that is not 0")


@dataclass(frozen=True, slots=True)
class Paid:
    """What became of some episodes: for each the pay by player, or None where a source failed.

    parts: source → its own pay, unweighted and summed over calls, of the episodes that were paid. failed: why, in the
    order of the episodes.
    """

    pay: tuple[Mapping[str, Pay] | None, ...]
    parts: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    failed: tuple[str, ...] = ()


def paid(sources: Sequence[Named], episodes: Sequence[Played], learner: str) -> Paid:
    """The weighted sum of all sources for each episode. A bare number is the `learner`'s.

    Episodes without a transcript failed, too. BadInput for pay that is not a finite number, naming source and task.
    """
    told = [(place, one) for place, one in enumerate(episodes) if one.transcript is not None]
    sums: dict[int, dict[str, Pay]] = {place: {} for place, _ in told}
    why: dict[int, str] = {
        place: f"{one.task.id}: {one.failure}" for place, one in enumerate(episodes) if one.transcript is None
    }
    each: dict[str, dict[int, float]] = {}
    for named in sources:
        for (place, one), answer in zip(told, named.source([one for _, one in told]), strict=True):
            if isinstance(answer, Exception):
                why.setdefault(place, f"{one.task.id}: pay {named.name}: {type(answer).__name__}: {answer}")
                continue
            pays = _pays(answer, learner)
            for pay in pays:
                _check(named.name, one.task, pay)
                sums[place][pay.player] = _added(sums[place].get(pay.player), pay, named)
            each.setdefault(named.name, {})[place] = sum(
                pay.total + sum(pay.calls) for pay in pays if pay.player == learner
            )
    kept = [place for place, _ in told if place not in why]
    parts = {name: tuple(values[place] for place in kept) for name, values in each.items()}
    found = tuple(sums[place] if place in sums and place not in why else None for place in range(len(episodes)))
    return Paid(found, parts, tuple(why[place] for place in sorted(why)))


def _pays(answer: Answer, learner: str) -> Sequence[Pay]:
    if isinstance(answer, Pay):
        return [answer]
    if isinstance(answer, (bool, int, float, np.floating, np.integer)):
        return [Pay(float(answer), learner)]
    if isinstance(answer, Sequence) and all(isinstance(one, Pay) for one in answer):
        return answer
    raise BadInput(
        f"a pay function returned {answer!r:.80}", expected="a number, true or false, Pay, or Pay of each player"
    )


def _check(name: str, task: Task, pay: Pay) -> None:
    if not all(math.isfinite(one) for one in (pay.total, *pay.calls)):
        what = f"the pay {name} of the episode {task.id} is {pay.total}, by reply {pay.calls}"
        raise BadInput(what, expected="finite numbers: mend the source of pay; nothing was learned from this batch")


def _added(before: Pay | None, pay: Pay, named: Named) -> Pay:
    """The sum so far and another source's pay, by its weight."""
    calls = tuple(named.weight * one for one in pay.calls)
    if before is None:
        return Pay(named.weight * pay.total, pay.player, {named.name: pay.total}, calls)
    if before.calls and calls and len(before.calls) != len(calls):
        what = f"the pay {named.name} counts {len(calls)} replies of {pay.player}, other sources {len(before.calls)}"
        raise BadInput(what, expected="pay for each reply, or for none")
    both = tuple(a + b for a, b in zip(before.calls, calls, strict=True)) if before.calls and calls else ()
    parts = {**before.parts, named.name: pay.total}
    return Pay(before.total + named.weight * pay.total, pay.player, parts, both or before.calls or calls)


@dataclass(frozen=True, slots=True)
class ByFunction:
    """Paid by a function of task and transcript: the world's rater, a verifier, or the user's own."""

    function: Function

    def __call__(self, episodes: Sequence[Played]) -> list[Answer | Exception]:
        return [self._one(one) for one in episodes]

    def _one(self, one: Played) -> Answer | Exception:
        assert one.transcript is not None
        try:
            return self.function(one.task, one.transcript)
        except Exception as error:  # the user's code may raise anything, and one episode is not the run
            return error


def combine(rewards: np.ndarray, how: Ensemble, coefficient: float) -> np.ndarray:
    """What an ensemble pays: (members, episodes) → (episodes,). Coste et al. 2023, arXiv:2310.02743.

    mean; worst: the least of the members; uncertain: the mean minus `coefficient` times the members' variance.
    """
    if how == "worst":
        return np.asarray(rewards.min(0))
    mean = rewards.mean(0)
    return np.asarray(mean - coefficient * rewards.var(0) if how == "uncertain" else mean)


@dataclass(frozen=True, slots=True)
class ByReward:
    """Paid by reward models: by the one, or by an ensemble of them. Each reads the conversation by its own template; a
    reply that was cut off is read as far as it came.
    """

    models: Sequence[RewardModel]
    how: Ensemble = "mean"
    coefficient: float = 0.5

    def __post_init__(self) -> None:
        if not self.models:
            raise BadConfig("an ensemble without a reward model")
        if len(self.models) == 1 and self.how != "mean":
            raise BadConfig(f"an ensemble of one has no {self.how} of several: give more reward models")
        if not 0 < self.coefficient < math.inf:
            raise BadConfig(f"the coefficient of the ensemble's variance is {self.coefficient}: above 0, and finite")

    def __call__(self, episodes: Sequence[Played]) -> list[Answer | Exception]:
        rows: dict[int, list[list[int]]] = {}
        failed: dict[int, Exception] = {}
        for place, one in enumerate(episodes):
            try:
                rows[place] = [self._row(model, one) for model in self.models]
            except BadInput as error:  # a template that refuses its roles, a conversation longer than the context
                failed[place] = error
        told = [model.rewards([rows[place][number] for place in rows]) for number, model in enumerate(self.models)]
        values = (
            dict(zip(rows, combine(np.array(told), self.how, self.coefficient).tolist(), strict=True)) if rows else {}
        )
        return [failed[place] if place in failed else values[place] for place in range(len(episodes))]

    def _row(self, model: RewardModel, one: Played) -> list[int]:
        assert one.transcript is not None
        row = model.row(one.transcript.messages, ended=one.transcript.stop != "length")
        if model.model.context is not None and len(row) > model.model.context:
            expected = f"at most {model.model.context} tokens, the context of {model.name}"
            raise BadInput(f"the conversation {one.task.id} has {len(row)} tokens", expected=expected)
        return row


def check_tokenizer(reward: RewardModel, policy: Model, *, critic: bool = False) -> None:
    """BadConfig where a reward model reads with another tokenizer or template than the policy writes with. critic: it
    is to read the policy's own tokens, and not as text.
    """
    ours, theirs = reward.tokenizer, policy.tokenizer
    if ours.get_vocab() != theirs.get_vocab() or ours.chat_template != theirs.chat_template:
        which = "tokenizer" if ours.get_vocab() != theirs.get_vocab() else "chat template"
        mend = "it can read what is said as text, through its own: ask for that (retokenise), or take one of the same"
        if critic:
            mend = (
                "a critic reads the policy's own tokens: take one of the same, or let it begin as a copy of the policy"
            )
        raise BadConfig(f"the reward model {reward.name} has another {which} than {policy.name}\n  {mend}")


@dataclass(frozen=True, slots=True)
class ByJudge:
    """Paid by a judge that is a system: the probability that the reply is not bad by its rubric; by words, 1 or 0."""

    judging: Judging
    players: Mapping[str, Engine]
    seed: int = 0

    def __call__(self, episodes: Sequence[Played]) -> list[Answer | Exception]:
        told = [(one.task, one.transcript) for one in episodes if one.transcript is not None]
        tasks = [self.judging.task(task, transcript) for task, transcript in told]
        return [self._one(one) for one in play(self.judging.system, tasks, self.players, seed=self.seed)]

    def _one(self, one: Played) -> Answer | Exception:
        if one.transcript is None:
            return BadInput(str(one.failure))
        verdict = self.judging.verdict(one.transcript)
        if verdict.bad is None:
            return BadInput(verdict.why)
        if not verdict.probabilities:
            return 0.0 if verdict.bad else 1.0
        return sum(value for name, value in verdict.probabilities.items() if name not in self.judging.rubric.bad)
