"""Several replies to one task, compared with one another: what GRPO, RLOO and online DPO begin with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from groma.formats.errors import BadInput
from groma.methods.online import Loop, Rollout

Advantage = Callable[[Tensor], Tensor]
"""Pay (groups, k) → advantages (groups, k)."""


@dataclass(frozen=True, slots=True, eq=False)
class Grouped:
    """advantages_E: of every trace; 0 where it stands alone. kept: traces that have another to be compared with;
    unlike: those of them whose group was not all paid the same.
    """

    advantages_E: Tensor
    kept: frozenset[int]
    unlike: frozenset[int]
    metrics: Mapping[str, float]


def pay_of(loop: Loop, rollout: Rollout) -> Tensor:
    """What each trace earned in all (traces,); KL subtracted where it stands in the reward."""
    pay_E = rollout.earned.pay_E
    if loop.config.kl_in == "reward":
        pay_E = pay_E - loop.coefficient.value * rollout.batch.sums(rollout.kl_N)
    return pay_E


def by_group(loop: Loop, rollout: Rollout, advantage: Advantage) -> Grouped:
    """The advantages of all traces in their groups. Groups may differ in size, where episodes failed. BadInput where no
    group has two.
    """
    pay_E = pay_of(loop, rollout)
    advantages_E = torch.zeros_like(pay_E)
    groups = rollout.earned.groups
    kept = {place for group in groups for place in group if len(group) > 1}
    if not kept:
        raise BadInput("no task of this step has two paid replies", expected="fewer failures, or more samples")
    unlike: set[int] = set()
    for group in (list(group) for group in groups if len(group) > 1):
        advantages_E[group] = advantage(pay_E[group][None])[0]
        if float(pay_E[group].max() - pay_E[group].min()) > 0:
            unlike.update(group)
    several = [group for group in groups if len(group) > 1]
    metrics = {
        "groups/alone": 1 - len(kept) / len(pay_E),
        "groups/alike": 1 - sum(group[0] in unlike for group in several) / len(several),
    }
    return Grouped(advantages_E, frozenset(kept), frozenset(unlike), metrics)
