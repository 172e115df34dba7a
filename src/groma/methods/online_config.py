"""Options that all methods of reinforcement learning share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from groma.methods import config as options
from groma.methods.config import inert, require
from groma.methods.divergence import Estimator


@dataclass(frozen=True, kw_only=True)
class Config(options.Learning):
    """What every method needs that plays, is paid, and learns."""

    learning_rate: float = 1e-5
    """Peak step size of AdamW, reached after the warm-up."""
    batch_size: int = 64
    """Episodes per step."""
    max_steps: int = 100
    """Steps: in each the system is played, paid and learned from once."""
    samples: int = 1
    """How often each task is played in a step; divides batch_size."""
    epochs: int = 1
    """How often a step's batch is learned from before the next is played."""
    minibatches: int = 1
    """Optimiser steps per epoch, each on its part of the batch."""
    learners: tuple[str, ...] = ("assistant",)
    """Players whose replies are learned from; all are the model that is trained."""
    kl_coef: float = 0.05
    """What a nat of KL to the model that the run started from costs. 0: nothing, KL is only told."""
    kl_in: Literal["reward", "loss"] = "reward"
    """Where KL stands: subtracted from the reward token by token, or added to the loss."""
    kl_estimator: Estimator = "k1"
    """How KL is estimated: in the reward k1, in the loss k2 or k3 (methods/divergence.py says why no other)."""
    kl_correction: bool = True
    """In the loss: KL's gradient stays right when the policy has moved since it drew (times the ratio)."""
    kl_target: float | None = None
    """Nats a reply: the coefficient is adapted so that KL comes near it. None: it is fixed."""
    kl_horizon: int = 10_000
    """Episodes over which the coefficient adapts."""
    kl_limit: float | None = 200.0
    """Nats a reply: KL above it stops the run, with the last good weights. None: never."""
    missing_eos_penalty: float | None = None
    """What a reply is paid less that was cut off before its end. None: nothing."""
    normalise_pay: bool = False
    """Pay is set to mean 0 and deviation 1 over all that was paid so far."""
    pay_clip: float | None = None
    """Pay is held to within this of 0 (after normalising). None: it is not."""
    failed_share: float = 0.1
    """Share of a step's episodes that may fail, in playing or in paying; they teach nothing. More stop the run."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.must(
            ("samples", self.samples >= 1, "at least 1"),
            ("epochs", self.epochs >= 1, "at least 1"),
            ("minibatches", self.minibatches >= 1, "at least 1"),
            (
                "learners",
                0 < len(self.learners) == len({*self.learners} - {""}),
                "one or more names of players, all different",
            ),
            ("kl_coef", 0 <= self.kl_coef < math.inf, "0 or more, and finite"),
            ("kl_target", _positive(self.kl_target), "above 0, and finite, or None"),
            ("kl_horizon", self.kl_horizon >= 1, "at least 1"),
            ("kl_limit", _positive(self.kl_limit), "above 0, and finite, or None"),
            ("missing_eos_penalty", _positive(self.missing_eos_penalty), "above 0, and finite, or None"),
            ("pay_clip", _positive(self.pay_clip), "above 0, and finite, or None"),
            ("failed_share", 0 <= self.failed_share < 1, "in [0, 1)"),
        )
        require(
            self.batch_size % self.samples == 0,
            f"samples {self.samples} does not divide batch_size {self.batch_size}: a step plays each task as often",
        )
        most = self.batch_size
        require(self.minibatches <= most, f"minibatches is {self.minibatches}; it must be at most batch_size, {most}")
        fits = {"reward": ("k1",), "loss": ("k2", "k3")}[self.kl_in]
        why = "the gradient would not be that of KL" if self.kl_in == "reward" else "it would hold nothing back"
        require(
            self.kl_estimator in fits,
            f"kl_estimator {self.kl_estimator} in the {self.kl_in}: {why}; choose {' or '.join(fits)}",
        )
        nothing = "kl_coef is 0: KL costs nothing"
        inert(self, "kl_in", nothing, self.kl_coef == 0)
        inert(self, "kl_correction", "kl_in is 'reward'", self.kl_in == "reward")
        inert(self, "kl_target", nothing, self.kl_coef == 0)
        inert(self, "kl_horizon", "kl_target is not set: the coefficient is fixed", self.kl_target is None)

    def inert_at_first(self, *names: str) -> None:
        """Refuse options of clipping where a batch is learned from once: the policy is still the one that drew it."""
        for name in names:
            inert(self, name, "there is one update a step", self.epochs * self.minibatches == 1)

    @property
    def critic_scale(self) -> float:
        """The critic's step size over the policy's."""
        return 1.0


def _positive(value: float | None) -> bool:
    return value is None or 0 < value < math.inf
