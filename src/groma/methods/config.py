"""The options that all training methods share, frozen; unknown, contradictory and inert ones are refused.

Two numbers describe the batch: `batch_size` examples make one optimiser step, `microbatch_size` of them (and at most
`microbatch_tokens` tokens) go through the network at once. The second changes memory and speed, never the result (up to
rounding).
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self, get_args, get_type_hints

from groma.formats.errors import BadConfig

Truncation = Literal["error", "drop", "keep_start", "keep_end"]
Schedule = Literal["constant", "linear", "cosine"]
Precision = Literal["float32", "bfloat16"]

KNOWN_ELSEWHERE: Mapping[str, str] = {
    "per_device_train_batch_size": "microbatch_size",
    "max_tokens_per_gpu": "microbatch_tokens",
    "group_by_length": "bucket",
    "gradient_accumulation_steps": "batch_size (examples per optimiser step; microbatch_size divides it)",
    "num_train_epochs": "epochs",
    "lr": "learning_rate",
    "lr_scheduler_type": "schedule",
    "warmup_ratio": "warmup_steps",
    "truncation_mode": "truncation",
    "eval_steps": "evaluate_every",
    "bf16": "precision",
    "lora_r": "lora_rank",
    "lora_target_modules": "lora_targets",
    "loss": "loss_type",
    "load_best_model_at_end": "keep",
}
"""Names of other libraries, and ours: named in the error about an unknown option."""


@dataclass(frozen=True, kw_only=True)
class Learning:
    """What every method needs to know that takes gradient steps. Methods add their own fields; nothing is accepted and
    then ignored.
    """

    learning_rate: float = 2e-5
    """Peak step size of AdamW, reached after the warm-up."""
    batch_size: int = 32
    """Examples (pairs, for preferences) per optimiser step; the last batch of an epoch may be smaller."""
    microbatch_size: int | None = None
    """Examples that go through the network at once; divides batch_size. None: as many of like length as
    microbatch_tokens allows or, without that, the largest divisor up to 8 (larger groups are padded more)."""
    microbatch_tokens: int | None = None
    """Tokens that go through the network at once, padding among them: long rows then come in smaller groups, and memory
    is bounded whatever their length. None: no bound."""
    loss_megabytes: float | None = 512.0
    """Memory that logits and their gradients may take at a time (about; it grows with the vocabulary). What needs more
    is computed in slices, and again in the backward pass: a third more work in the head. None: all at once."""
    max_steps: int | None = None
    """Number of optimiser steps, instead of epochs."""
    warmup_steps: int = 0
    """Steps over which the step size rises linearly from zero."""
    schedule: Schedule = "linear"
    """After the warm-up: constant, linear to zero, or cosine to zero."""
    weight_decay: float = 0.0
    """AdamW's decoupled decay, on matrices only (not on biases, norms and other vectors)."""
    betas: tuple[float, float] = (0.9, 0.999)
    """AdamW's two averages."""
    max_grad_norm: float | None = 1.0
    """The gradient is scaled down to this norm. None: never."""
    seed: int = 0
    """Orders the examples, and draws fresh adapters."""
    precision: Precision | None = None
    """Of the arithmetic; trained weights are float32. None: bfloat16 where a GPU has it, else float32."""
    lora_rank: int | None = None
    """Train low-rank adapters of this rank instead of all weights. None: all weights."""
    lora_alpha: float | None = None
    """Scale of the adapters: alpha / rank multiplies their output. None: twice the rank."""
    lora_targets: tuple[str, ...] = ()
    """Names of the layers that get an adapter (`q_proj`). Empty: every linear layer but the head."""

    def __post_init__(self) -> None:
        _choices(self)
        self.must(
            ("learning_rate", 0 < self.learning_rate < math.inf, "above 0, and finite"),
            ("batch_size", self.batch_size >= 1, "at least 1"),
            ("microbatch_tokens", _least(self.microbatch_tokens, 2), "at least 2, or None for no bound"),
            ("loss_megabytes", _positive(self.loss_megabytes), "above 0, and finite, or None for no bound"),
            ("max_steps", self.max_steps is None or self.max_steps >= 1, "at least 1"),
            ("warmup_steps", self.warmup_steps >= 0, "0 or more"),
            ("weight_decay", 0 <= self.weight_decay < math.inf, "0 or more, and finite"),
            ("betas", len(self.betas) == 2 and all(0 <= beta < 1 for beta in self.betas), "two numbers in [0, 1)"),
            ("max_grad_norm", self.max_grad_norm is None or self.max_grad_norm > 0, "above 0, or None for no clipping"),
            ("seed", self.seed >= 0, "0 or more"),
            ("lora_rank", self.lora_rank is None or self.lora_rank >= 1, "at least 1, or None for all weights"),
            ("lora_alpha", self.lora_alpha is None or self.lora_alpha > 0, "above 0"),
        )
        micro = self.microbatch_size
        require(
            micro is None or (micro >= 1 and self.batch_size % micro == 0),
            f"microbatch_size {micro} does not divide batch_size {self.batch_size}",
        )
        require(
            self.max_steps is None or self.warmup_steps <= self.max_steps,
            f"warmup_steps {self.warmup_steps} is more than max_steps {self.max_steps}",
        )
        inert(self, "lora_alpha", "lora_rank is not set: there is no adapter to scale", self.lora_rank is None)
        inert(self, "lora_targets", "lora_rank is not set: there is no adapter to place", self.lora_rank is None)

    def must(self, *rules: tuple[str, bool, str]) -> None:
        """Raise BadConfig for the first field whose rule does not hold, naming its value and what it must be."""
        for name, holds, expected in rules:
            require(holds, f"{name} is {getattr(self, name)!r}; it must be {expected}")

    @property
    def microbatch(self) -> int:
        """Examples that go through the network at once: small groups of like length pad little, need little memory."""
        default = max(size for size in range(1, 9) if self.batch_size % size == 0)
        return self.microbatch_size or (self.batch_size if self.microbatch_tokens is not None else default)

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        """From a mapping of names to values. An unknown name is an error that names the nearest one and the choices."""
        names = [one.name for one in fields(cls)]
        for name in options:
            if name not in names:
                near = difflib.get_close_matches(name, names, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                hint = f"; here it is called {KNOWN_ELSEWHERE[name]}" if name in KNOWN_ELSEWHERE else hint
                raise BadConfig(f"unknown option {name!r}{hint}\n  options: {', '.join(names)}")
        given: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in options.items()}
        return cls(**given)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for manifests and for the comparison when a run is resumed."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


@dataclass(frozen=True, kw_only=True)
class Config(Learning):
    """What every method needs to know that learns from a fixed set of examples."""

    epochs: int | None = None
    """How often every example is seen. None: once, unless max_steps is given."""
    bucket: int | None = 8
    """Examples are sorted by length over this many batches, and every batch takes groups of like length out of them, of
    short and of long ones: it pads little and stays random. None: every batch is drawn from the whole epoch."""
    max_length: int | None = None
    """Longest row in tokens, prompt and completion together. None: what the model's positions allow."""
    truncation: Truncation = "drop"
    """Longer rows: error, drop (counted), keep_start, or keep_end (of the prompt; the answer stays whole)."""
    evaluate_every: int | None = None
    """Steps between evaluations (and one after the last step); needs evaluation data."""
    keep: Literal["best", "last"] = "best"
    """Weights the model is left with: those of the lowest evaluation loss (if any was measured), or the last."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.must(
            ("epochs", self.epochs is None or self.epochs >= 1, "at least 1"),
            ("bucket", _least(self.bucket, 2), "at least 2, or None for none"),
            ("max_length", self.max_length is None or self.max_length >= 2, "at least 2: one token read, one learned"),
            ("evaluate_every", self.evaluate_every is None or self.evaluate_every >= 1, "at least 1"),
        )
        require(
            self.epochs is None or self.max_steps is None,
            f"epochs {self.epochs} and max_steps {self.max_steps} contradict each other: give one of them",
        )
        inert(self, "keep", "evaluate_every is not set: there is no best to keep", self.evaluate_every is None)


def require(holds: bool, message: str) -> None:
    """Raise BadConfig with `message` unless `holds`."""
    if not holds:
        raise BadConfig(message)


def inert(config: Learning, name: str, why: str, without_effect: bool) -> None:
    """Refuse a field that is not at its default although it would have no effect."""
    default = next(one.default for one in fields(config) if one.name == name)
    given = getattr(config, name)
    require(not without_effect or given == default, f"{name} {given!r} would have no effect: {why}")


def _least(value: int | None, least: int) -> bool:
    return value is None or value >= least


def _positive(value: float | None) -> bool:
    return value is None or 0 < value < math.inf


def _choices(config: Learning) -> None:
    """Every field annotated with a Literal (or one that may be None) holds one of its values."""
    for name, hint in get_type_hints(type(config)).items():
        literals = [one for one in (hint, *get_args(hint)) if getattr(one, "__origin__", None) is Literal]
        allowed = [value for literal in literals for value in get_args(literal)]
        value = getattr(config, name)
        optional = type(None) in get_args(hint)
        if allowed and value not in allowed and not (optional and value is None):
            raise BadConfig(f"{name} is {value!r}; it must be one of {', '.join(map(str, allowed))}")
