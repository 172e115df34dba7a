"""How much better an action was than expected: pure functions from rewards to advantages.

gae      Schulman et al. 2016 (arXiv:1506.02438), eq. 16: A_t = sum_l (gamma lam)^l d_{t+l},
         d_t = r_t + gamma V_{t+1} - V_t. Tokens that are not the player's (what a tool said) are stepped over: the next
         action's value follows the last one's, whatever stands between.
rloo     Ahmadian et al. 2024 (arXiv:2402.14740): of k replies to one prompt, the pay of each minus the mean of the
         others'.
grpo     Shao et al. 2024 (arXiv:2402.03300), eq. 21: the pay minus the group's mean, over its standard deviation;
         without the division it is Dr. GRPO's (Liu et al. 2025, arXiv:2503.20783), which names the bias: a group that
         is nearly always right, or nearly never, counts most.
whiten   Ziegler et al. 2019: mean 0, deviation 1, over real tokens alone, of the whole batch whatever the microbatches.
"""

from __future__ import annotations

import torch
from torch import Tensor

from groma.formats.errors import BadInput

SMALL = 1e-8
"""Added to variances, and to the deviation of a group: one of equal pay has advantage 0."""


def gae(rewards_ET: Tensor, values_ET: Tensor, acted_ET: Tensor, gamma: float, lam: float) -> Tensor:
    """Advantages (episodes, time); 0 where nothing was done. Behind the last action the value is 0: episodes end.

    Worked example, gamma 1 and lam 0.5: rewards 0, 1 and values 0.5, 0.5 give -0 + 0.5 * 0.5 = 0.25 and 0.5.
    """
    advantages_ET = torch.zeros_like(values_ET)
    following_E, carried_E = torch.zeros_like(values_ET[:, 0]), torch.zeros_like(values_ET[:, 0])
    for time in reversed(range(values_ET.shape[1])):
        acted_E, value_E = acted_ET[:, time], values_ET[:, time]
        now_E = rewards_ET[:, time] + gamma * following_E - value_E + gamma * lam * carried_E
        carried_E = torch.where(acted_E, now_E, carried_E)
        following_E = torch.where(acted_E, value_E, following_E)
        advantages_ET[:, time] = torch.where(acted_E, now_E, 0.0)
    return advantages_ET


def rloo(pay_GK: Tensor) -> Tensor:
    """Advantages (groups, k) of k replies to each prompt. Worked example: pay 1, 2, 6 gives -3, -1.5, 4.5.

    BadInput for groups of one.
    """
    k = _several(pay_GK)
    return (pay_GK - pay_GK.mean(1, keepdim=True)) * k / (k - 1)


def grpo(pay_GK: Tensor, *, divide: bool = True) -> Tensor:
    """Advantages (groups, k). divide: by the group's standard deviation (of the sample, k - 1, as in TRL).

    Worked example: pay 1, 2, 6 has the mean 3 and the deviation 7^(1/2): -2, -1, 3, each over 2.6458.
    """
    _several(pay_GK)
    apart_GK = pay_GK - pay_GK.mean(1, keepdim=True)
    return apart_GK / (pay_GK.std(1, keepdim=True) + SMALL) if divide else apart_GK


def whiten(values_N: Tensor, *, shift: bool = True) -> Tensor:
    """Deviation 1 (of the population), and mean 0, or with `shift` off the mean they had. One value alone is as it is.

    Worked example: 1, 2, 6 has the mean 3 and the variance 14 / 3: -2, -1, 3, each over 2.1602.
    """
    if len(values_N) < 2:
        return values_N
    mean = values_N.mean()
    scaled_N = (values_N - mean) * torch.rsqrt(values_N.var(unbiased=False) + SMALL)
    return scaled_N if shift else scaled_N + mean


def _several(pay_GK: Tensor) -> int:
    if pay_GK.ndim != 2 or pay_GK.shape[1] < 2:
        raise BadInput(f"pay of the shape {tuple(pay_GK.shape)}", expected="(groups, k) with at least two replies each")
    return pay_GK.shape[1]
