"""What the study is told: sizes, the marks at which models are measured, and the options of every method.

Every method is given the same number of replies by the fine-tuned model or by itself: online `max_steps` times
`batch_size` of them, offline two for each of `pairs` tasks. Pairs of equal replies say nothing and are dropped, so that
the rater compares fewer; and an offline method goes over its comparisons several times, an online one over its replies
once (PPO twice).

Step sizes of 3e-4 and 1e-3 were tried at seed 0 on tasks of the training split, and held to what the rater paid less
.05 for a nat of KL, which is what PPO and RLOO maximise; the truth played no part, and no held-out task. PPO and DPO
have kept the options of the main job, and KTO their step size. RLOO gained least with groups of 4; groups of 8, as GRPO
has them, were better (four updates a step were better still, at twice the cost, and are left out for it).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from groma.formats.errors import BadConfig
from groma.methods import dpo, grpo, kto, online_dpo, ppo, rloo, sft
from groma.studies.recipes import DEMONSTRATED, DPO_ON_VALE, PPO_ON_VALE, SFT_ON_VALE

OFFLINE = {"dpo": "DPO", "kto": "KTO"}
ONLINE = {"online-dpo": "online DPO", "ppo": "PPO", "rloo": "RLOO", "grpo": "GRPO"}
METHODS: Mapping[str, str] = {**OFFLINE, **ONLINE}
"""Name of a part -> name on the page."""
BEST = "best-of-n"
HALF = 0.5
STEPS = 48

DPO = replace(DPO_ON_VALE, max_steps=2 * STEPS)
KTO = kto.Config(learning_rate=3e-4, batch_size=64, max_steps=128, warmup_steps=10, beta=0.2)
ONLINE_DPO = online_dpo.Config(learning_rate=1e-3, batch_size=128, max_steps=STEPS, samples=2, beta=0.1)
PPO = replace(PPO_ON_VALE, max_steps=STEPS)
RLOO = rloo.Config(learning_rate=1e-3, batch_size=128, max_steps=STEPS, samples=8, kl_coef=0.05)
GRPO = grpo.Config(learning_rate=1e-3, batch_size=128, max_steps=STEPS, samples=8, kl_coef=0.05)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Sizes and options of one seed."""

    demonstrated: int = DEMONSTRATED
    """Demonstrations from which the start learns."""
    tuning: sft.Config = SFT_ON_VALE
    """How it learns them."""
    pairs: int = 64 * STEPS
    """Tasks to which the start replies twice, for the offline methods."""
    dpo: dpo.Config = DPO
    kto: kto.Config = KTO
    online_dpo: online_dpo.Config = ONLINE_DPO
    ppo: ppo.Config = PPO
    rloo: rloo.Config = RLOO
    grpo: grpo.Config = GRPO
    marks: tuple[float, ...] = (1 / 12, 1 / 6, 1 / 4, HALF, 3 / 4, 1.0)
    """Shares of a method's steps after which it is measured. At the half the rater changes; the last is the end."""
    turned: tuple[str, ...] = ("online-dpo", "ppo")
    """Online methods that also go on from the half under the changed rater."""
    held_out: int = 400
    """Tasks on which everything is measured."""
    searched: int = 200
    """Of these tasks, how many are played for best-of-n."""
    best_of: tuple[int, ...] = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
    """Each n of best-of-n; the last is how often each of its tasks is played."""
    weighed: tuple[str, ...] = (*METHODS, BEST)
    """Whose memory is measured, each in a process of its own."""
    measured_steps: int = 2
    """Steps of each method while its memory is measured."""

    def __post_init__(self) -> None:
        for name, least in (("marks", 0), ("best_of", 1)):
            values = getattr(self, name)
            rising = all(one < other for one, other in pairwise(values))
            _require(len(values) > 1 and rising and values[0] >= least, f"{name} are {values!r}; they must rise")
        _require(self.best_of[0] == 1, f"best_of begins with {self.best_of[0]}; it must begin with 1, the start itself")
        _require(HALF in self.marks and self.marks[-1] == 1, "among the marks are a half, and 1 at the end")
        unknown = sorted(set(self.turned) - set(ONLINE))
        _require(not unknown, f"{', '.join(unknown)} cannot be paid by a changed rater; choose of {', '.join(ONLINE)}")
        _require(bool(self.turned), "no method goes on under the changed rater; name one at least")
        _require(1 < self.searched <= self.held_out, f"searched is {self.searched}; choose 2 to {self.held_out}")
        for method in METHODS:
            steps = self.steps_at(method)
            _require(all(one < other for one, other in pairwise((0, *steps))), f"two marks of {method} are one step")

    def options(self, method: str, seed: int) -> Any:
        """The method's own options, with the seed of the run."""
        return replace(self._options(method), seed=seed)

    def steps_at(self, method: str) -> tuple[int, ...]:
        """The step of each mark."""
        of = self._options(method).max_steps
        return tuple(round(share * of) for share in self.marks)

    def half(self, method: str) -> int:
        """The step after which the rater changes."""
        return self.steps_at(method)[self.marks.index(HALF)]

    def replies(self, method: str) -> int:
        """How many replies are drawn for the method."""
        return (
            2 * self.pairs if method in OFFLINE else self._options(method).max_steps * self._options(method).batch_size
        )

    def _options(self, method: str) -> Any:
        return getattr(self, method.replace("-", "_"))


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise BadConfig(message)
