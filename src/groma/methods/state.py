"""Steps, and the state at each: what a method hands to its caller, and all that a run needs to go on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from groma.formats.errors import BadConfig, BadInput
from groma.methods.config import Learning


@dataclass(frozen=True, slots=True)
class Best:
    """The lowest evaluation loss so far, where it was reached, and the weights there (empty when they are not kept)."""

    step: int
    loss: float
    weights: Mapping[str, Tensor] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class State:
    """Everything that a run needs to go on after step `step`. Copies, on the CPU: training on does not change them.

    The step is also the data cursor and the place in the schedule. `start`: digest of the frozen weights under
    adapters, or "". `kept`: what the method keeps (the reference log-probabilities of DPO).
    """

    method: str
    config: Mapping[str, Any]
    data: str
    step: int
    weights: Mapping[str, Tensor] = field(repr=False)
    optimiser: Mapping[str, Any] = field(repr=False)
    start: str = ""
    best: Best | None = None
    kept: Mapping[str, Tensor] = field(default_factory=dict, repr=False)

    def check(self, method: str, config: Learning, data: str, what: str = "examples, evaluation examples") -> None:
        """Refuse to go on with another method, other options or other data than the run began with. what: the data."""
        if method != self.method:
            raise BadConfig(f"the saved state is one of {self.method}; it cannot be resumed as {method}")
        given = config.to_dict()
        changed = [name for name in sorted({*given, *self.config}) if given.get(name) != self.config.get(name)]
        if changed:
            named = "; ".join(f"{name} was {self.config.get(name)!r} and is {given.get(name)!r}" for name in changed)
            raise BadConfig(f"the saved state belongs to other options: {named}\n  resume with the same, or begin anew")
        if data != self.data:
            raise BadInput(
                f"the {what} and tokenizer have the digest {data}, those of the saved state {self.data}",
                expected="the same as when the run began",
            )


class Diverged(BadConfig):
    """A run that left the ground it can stand on. When it is raised, the model has the last good weights."""


@dataclass(frozen=True, slots=True)
class Step:
    """One optimiser step. `metrics` are of the batch before the update; `evaluation` of the weights after it, or None.

    `notes`: what was done to the examples before the run began (name → examples), the same at every step.
    """

    number: int
    of: int
    metrics: Mapping[str, float]
    evaluation: Mapping[str, float] | None
    best: Best | None
    capture: Callable[[int], State] = field(repr=False)
    notes: Mapping[str, int] = field(default_factory=dict, repr=False)

    @property
    def state(self) -> State:
        """A copy of the run's state at this moment. RuntimeError once the next step has been asked for."""
        return self.capture(self.number)

    @property
    def is_best(self) -> bool:
        """Whether this step's evaluation is the best so far."""
        return self.best is not None and self.best.step == self.number
