"""Reward models from comparisons: Bradley and Terry 1952, as in Ouyang et al. 2022, eq. 1, and Llama 2, eq. 2:

    -log sigmoid(r(chosen) - r(rejected) - margin)

and with it what peers have in parts: `label_smoothing` e, (1 - e) L(chosen better) + e L(rejected better); soft labels
(the `probability` column), of which smoothing is the constant case; and centring, + c (r(chosen) + r(rejected))^2
(Eisenstein et al. 2023), which keeps rewards about zero, where comparisons say nothing of their sum. Under a soft label
the margin is asked of either side in turn.

The reward is the one output of a sequence classifier at the last real token of the row, told by its length. We differ
from common trainers: no pad token is ever searched for; both sides of a pair go through the network in one row where it
allows that, so that their prompt is read once; rows that are too long follow the stated policy instead of being dropped
always; and a trained model is set against the policy it will pay (`normalise`), in its own folder.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from groma.formats.errors import BadConfig, BadInput
from groma.formats.examples import Preference, Text
from groma.formats.messages import Message
from groma.methods import batches, digests, processes, tokens, training
from groma.methods import config as options
from groma.methods.config import inert
from groma.methods.paired import Paired, share
from groma.methods.state import State, Step
from groma.methods.tokens import Pair
from groma.methods.training import Job, Sums
from groma.models.generate import Row, sample
from groma.models.model import Model
from groma.models.reward import RewardModel
from groma.models.scalar import last_scalars, tell_last, with_head
from groma.models.shared import lay
from groma.models.template import encode, render

log = logging.getLogger(__name__)
METHOD = "reward"


@dataclass(frozen=True, kw_only=True)
class Config(options.Config):
    """Options of reward modelling, beside those that all methods share."""

    margin_scale: float = 1.0
    """Times the data's column `margin`, where it has one, is subtracted from the difference of rewards. 0: never."""
    label_smoothing: float = 0.0
    """Share of the labels taken to be wrong."""
    centring: float | None = None
    """Weight of the squared sum of both rewards (0.01 is usual). None: rewards may drift."""
    prompts: Literal["shared", "apart"] = "shared"
    """shared: what both answers begin with is read once, where that pays and the network gives the same for it; apart:
    once for each answer."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.must(
            ("margin_scale", 0 <= self.margin_scale < math.inf, "0 or more, and finite"),
            ("label_smoothing", 0 <= self.label_smoothing < 0.5, "in [0, 0.5)"),
            ("centring", self.centring is None or 0 < self.centring < math.inf, "above 0, and finite, or None"),
        )


def loss(rewards_B2: Tensor, margins_B: Tensor, probability_B: Tensor, config: Config) -> Tensor:
    """The loss of each pair (B,). Column 0 of the rewards is the chosen answer, 1 the rejected.

    margins_B: by which the better one should lead; probability_B: that it is the chosen one, before smoothing.
    """
    gap_B, margins_B = rewards_B2[:, 0] - rewards_B2[:, 1], config.margin_scale * margins_B
    right_B = (1 - config.label_smoothing) * probability_B + config.label_smoothing * (1 - probability_B)
    losses_B = -right_B * functional.logsigmoid(gap_B - margins_B)
    losses_B = losses_B - (1 - right_B) * functional.logsigmoid(-gap_B - margins_B)
    return losses_B if config.centring is None else losses_B + config.centring * rewards_B2.sum(1) ** 2


def begin(model: Model, seed: int = 0) -> RewardModel:
    """A reward model to train: the network of a language model, its head replaced by one number, weights of which are
    drawn with standard deviation 1 / sqrt(width + 1) (Stiennon et al. 2020).
    """
    width = model.net.config.get_text_config().hidden_size
    return RewardModel(with_head(model, 1 / math.sqrt(width + 1), seed))


def train(
    reward: RewardModel,
    examples: Sequence[Preference],
    config: Config,
    state: State | None = None,
    evaluation: Sequence[Preference] = (),
) -> Iterator[Step]:
    """Train `reward.net` in place on preferences; it is left a plain network, see `training.steps`.

    Metrics, means over the batch's pairs: `loss`; `rewards/{chosen,rejected,margins}`; `rewards/accuracies` (a tie
    counts as wrong); and `tokens`, `learning_rate`, `grad_norm` as in SFT.
    Errors: BadConfig and BadInput, for the options and the examples, when `train` is called.
    """
    training.check_evaluation(config, evaluation)
    if processes.here().shards:
        raise BadConfig("reward models are trained with whole weights in every process: launch with --multi_gpu")
    marked = sum(one.margin is not None for one in examples)
    inert(config, "margin_scale", "no example has a margin", not marked)
    learn = tokens.preferences(reward.model, examples, config, whole=True)
    held_out = tokens.preferences(reward.model, evaluation, config, whole=True) if evaluation else tokens.Tokenised()
    rows = [row.ids for pair in (*learn.rows, *held_out.rows) for row in pair.rows]
    told = np.array([(pair.margin or 0.0, pair.sure) for pair in (*learn.rows, *held_out.rows)])
    data = digests.of_arrays([*rows, told])
    batches.total_steps(len(learn.rows), config)
    if state is not None:
        state.check(METHOD, config, data)
    asked = {"have a margin, which is asked for": marked} if marked and config.margin_scale else {}
    notes = learn.beside(held_out) | asked
    other = Compared(held_out.rows, config) if held_out.rows else None
    return _steps(reward.net, Job(METHOD, config, data, Compared(learn.rows, config), other, notes), state)


def _steps(net: nn.Module, job: Job[Compared], state: State | None) -> Iterator[Step]:
    training.prepare(net, job.config)
    notes = dict(job.notes)
    if job.objective.config.prompts == "shared":
        notes |= share(net, job.objective, job.evaluation, tell_last)
    yield from training.steps(net, replace(job, notes=notes), state)


class Compared(Paired):
    """The objective: pairs of rows, and the reward at the end of both."""

    def __init__(self, pairs: Sequence[Pair], config: Config) -> None:
        super().__init__(pairs)
        self.config = config
        self.margins, self.probabilities = [pair.margin or 0.0 for pair in pairs], [pair.sure for pair in pairs]

    def sums(self, net: nn.Module, indices: Sequence[int]) -> Sums:
        rewards_B2 = self._rewards(net, [self.pairs[index] for index in indices])
        margins_B, probability_B = (
            rewards_B2.new_tensor([told[index] for index in indices]) for told in (self.margins, self.probabilities)
        )
        losses_B = loss(rewards_B2, margins_B, probability_B, self.config)
        rewards_B2, count = rewards_B2.detach(), len(indices)
        gaps_B = rewards_B2[:, 0] - rewards_B2[:, 1]
        return {
            "loss": (losses_B.sum(), count),
            "rewards/chosen": (rewards_B2[:, 0].sum(), count),
            "rewards/rejected": (rewards_B2[:, 1].sum(), count),
            "rewards/margins": (gaps_B.sum(), count),
            "rewards/accuracies": ((gaps_B > 0).sum(), count),
        }

    def _rewards(self, net: nn.Module, pairs: Sequence[Pair]) -> Tensor:
        """Of both sides of some pairs (pairs, 2)."""
        groups = [pair.rows for pair in pairs] if self.shared else [(row,) for pair in pairs for row in pair.rows]
        lengths = [row.length for pair in pairs for row in pair.rows]
        return last_scalars(net, lay([[row.ids for row in group] for group in groups]), lengths).view(-1, 2)


def normalise(reward: RewardModel, drawn: Sequence[float]) -> RewardModel:
    """The same, so scaled and shifted that `drawn`, its rewards of replies by the policy that training will start from,
    have mean 0 and standard deviation 1 (Ziegler et al. 2019). What it is scaled by goes into the weights of its head,
    in place; the shift is its `offset`. BadInput for fewer than two rewards, and for rewards that are all equal.
    """
    values = np.asarray(drawn, dtype=np.float64)
    if len(values) < 2 or not np.isfinite(values).all() or values.std() < 1e-8:
        what = f"{len(values)} rewards with the standard deviation {values.std() if len(values) else 0:.3g}"
        raise BadInput(what, expected="at least two finite ones that differ, to be set to mean 0 and deviation 1")
    gain = 1 / float(values.std())
    head: Any = reward.net.score
    with torch.no_grad():
        head.weight.mul_(gain)
        if head.bias is not None:
            head.bias.mul_(gain)
    return RewardModel(reward.model, float(gain * (reward.offset - values.mean())))


def against(
    reward: RewardModel, policy: Model, prompts: Sequence[Text], count: int, *, max_tokens: int = 256, seed: int = 0
) -> RewardModel:
    """The reward model, normalised over replies of `policy` to `count` of the prompts, taken evenly; to all of them
    where there are fewer.
    """
    some = prompts[:: max(1, len(prompts) // count)][:count]
    told = rewards_of(reward, policy, some, max_tokens=max_tokens, seed=seed)
    finite = [one for one in told if math.isfinite(one)]
    if len(finite) < len(told):
        log.warning("%d of %d prompts are too long to be normalised on", len(told) - len(finite), len(told))
    return normalise(reward, finite)


def rewards_of(
    reward: RewardModel, policy: Model, prompts: Sequence[Text], *, max_tokens: int = 256, seed: int = 0
) -> list[float]:
    """The rewards of one sampled reply of `policy` to each prompt; one that was cut off is read as far as it came. nan
    where the prompt leaves no room for a reply in the policy's context, or the dialogue is too long for the reward's.
    """
    coded = [tuple(encode(policy, one) if isinstance(one, str) else render(policy, one)) for one in prompts]
    room = [max_tokens if policy.context is None else min(max_tokens, policy.context - len(ids)) for ids in coded]
    asked = [number for number, left in enumerate(room) if left > 0]
    rows = [Row(coded[number], room[number], seed=seed + number) for number in asked]
    read = []
    for number, said in zip(asked, sample(policy, rows), strict=True):
        prompt, ended = prompts[number], said.stop != "length"
        if isinstance(prompt, str):
            read.append(reward.row_of_text(prompt, said.text, ended))
        else:
            read.append(reward.row((*prompt, Message("assistant", said.text)), ended))
    told = dict(zip(asked, reward.rewards_that_fit(read), strict=True))
    return [told.get(number, math.nan) for number in range(len(prompts))]
