"""What the simulator is told: one frozen value, from which every number of a run follows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import pairwise

import torch

from groma.formats.errors import BadConfig

FITTED_UP_TO = 1000
"""The forms are fitted on best-of-n up to this n, and predict the rest (Gao et al. 2022: 1,000, and 60,000)."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """The world, the proxies that are trained in it, and how hard they are optimised."""

    seed: int = 0
    """Of everything: the gold, the comparisons, the networks, the samples."""

    prompt_features: int = 8
    """Numbers that describe a prompt, standard normal."""
    response_features: int = 24
    """Numbers that describe a response, standard normal under the initial policy."""
    manner_features: int = 12
    """How many of the response's numbers are its manner, of which too much does harm."""
    hidden: int = 64
    """Units of the gold's network."""
    gain: float = 2.0
    """Spread of what goes into these units, where tanh bends beyond 1: how far the gold is from linear."""
    decay: float = 0.5
    """The power with which the weights of the units fall, from the first on: what is worth learning first, and last."""
    leak: float = 0.6
    """How strongly the network reads the manner, against the rest: what makes proxies ask for more of it."""
    penalty: float = 1.5
    """What a unit of the manner's length costs, in standard deviations of the network within a prompt."""

    widths: tuple[int, ...] = (2, 4, 8, 16, 32, 64, 128, 256)
    """Hidden units of the proxies whose size is varied."""
    width: int = 64
    """Hidden units of all other proxies."""
    sizes: tuple[int, ...] = (250, 500, 1000, 2000, 4000, 8000, 16000, 32000)
    """Comparisons of the proxies whose data are varied."""
    pairs: int = 16000
    """Comparisons of all other proxies with clean labels."""
    repeats: int = 3
    """Proxies of each width and of each size, each with comparisons of its own."""
    learning_rate: float = 3e-3
    """First step size of Adam; it falls to zero along one pass over the comparisons."""
    batch: int = 32
    """Comparisons in a step."""

    noise: float = 0.25
    """Share of the labels that are flipped for the ensembles."""
    noisy_pairs: int = 1000
    """Comparisons that a member of an ensemble learns from."""
    members: int = 5
    """Proxies of an ensemble."""
    ensembles: int = 4
    """How many ensembles are averaged, of either kind: with comparisons in common, and with each member's own."""
    uncertainties: tuple[float, ...] = (0.5, 4.0)
    """lambdas of UWO: mean less lambda times the variance over the members, whose own variance is 1. Coste et al. take
    0.5, of reward models that are not set to a variance."""

    prompts: int = 28
    """Held-out prompts with a pool of samples each."""
    pool: int = 65536
    """Samples of each of them."""
    best_of: tuple[int, ...] = (*(2**k for k in range(10)), FITTED_UP_TO, 2000, 4000, 8000, 16000, 32000, 60000)
    """Each n of best-of-n."""

    kl_coefs: tuple[float, ...] = (0.0, 0.02, 0.05, 0.1)
    """Coefficients of the KL penalty; the first is 0, against which the others are held."""
    runs: int = 8
    """Proxies, and a policy for each, in the sweep of the penalty and in the rounds."""
    distance: float = 10.0
    """Where a policy stops, in square roots of nats."""
    steps: int = 400
    """After how many steps it stops, however far it is."""
    step_size: float = 0.1
    """Of plain gradient ascent."""
    rollout_prompts: int = 64
    """Fresh prompts a step."""
    rollouts: int = 16
    """Samples a prompt and step; their mean is the baseline."""
    rounds: tuple[int, ...] = (1, 2, 4)
    """Into how many rounds, each with a fresh proxy, one distance is divided."""
    rounds_distance: float = 4.0
    """That distance, in square roots of nats."""

    def __post_init__(self) -> None:
        low = {"seed": 0, "leak": 0, "penalty": 0, "decay": 0}
        least = dict.fromkeys(("prompt_features", "manner_features", "hidden", "width", "batch"), 1)
        least |= dict.fromkeys(("pairs", "noisy_pairs", "ensembles", "rollout_prompts", "steps"), 1)
        least |= dict.fromkeys(("runs", "rollouts", "repeats", "members"), 2) | {"prompts": 10}
        for name, bound in (low | least).items():
            _require(getattr(self, name) >= bound, f"{name} is {getattr(self, name)!r}; choose {bound} or more")
        for name in ("gain", "learning_rate", "step_size", "distance", "rounds_distance"):
            _require(getattr(self, name) > 0, f"{name} is {getattr(self, name)!r}; choose a number above 0")
        for name in ("widths", "sizes", "best_of", "rounds", "kl_coefs", "uncertainties"):
            values = getattr(self, name)
            rising = len(values) > 1 and all(one < other for one, other in pairwise(values))
            _require(rising and values[0] >= 0, f"{name} are {values!r}; choose two or more, rising, none below 0")
        _require(min(self.widths[0], self.sizes[0]) > 0, "a width or a number of comparisons is 0; choose 1 or more")
        _require(0 <= self.noise < 0.5, f"noise is {self.noise!r}; choose a share in [0, 0.5)")
        own = f"manner_features is {self.manner_features!r}"
        _require(self.manner_features < self.response_features, f"{own}; choose fewer than response_features")
        for name, first in (("best_of", 1), ("rounds", 1), ("kl_coefs", 0)):
            _require(getattr(self, name)[0] == first, f"{name} begin with {getattr(self, name)[0]}, not with {first}")
        inside = [n for n in self.best_of if 1 < n <= FITTED_UP_TO]
        _require(len(inside) > 1, f"best_of are {self.best_of!r}; choose two or more from 2 to {FITTED_UP_TO}, to fit")
        last = f"the last of best_of is {self.best_of[-1]}; choose one beyond {FITTED_UP_TO}, to predict, and at most"
        _require(FITTED_UP_TO < self.best_of[-1] <= self.pool, f"{last} the pool of {self.pool}")


def generator(seed: int, *of: object) -> torch.Generator:
    """A source of random numbers for one thing, `of` the seed: what one thing draws changes no other."""
    digest = hashlib.blake2b(repr((seed, *of)).encode(), digest_size=7).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "big"))


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise BadConfig(message)
