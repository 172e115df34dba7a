"""What the workers of benchmarks/training.py and benchmarks/reinforcement.py share: the peer's clock and settings."""

from __future__ import annotations

import json
import logging
import resource
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from parts.speed_data import preferences, text
from transformers import TrainerCallback

RATE = 1e-5


class Timed(NamedTuple):
    """seconds of training; units: of what is counted (tokens that are no padding, pairs, episodes, completions);
    preparing: seconds before it (a reference, where it is counted apart).
    """

    seconds: float
    units: int
    preparing: float = 0.0


Side = Callable[[Path, int], Timed]


class Clock(TrainerCallback):
    """When the peer's loop began and ended."""

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.begun = time.perf_counter()

    def on_train_end(self, *_: Any, **__: Any) -> None:
        self.seconds = time.perf_counter() - self.begun


def pairs(count: int) -> list[tuple[str, str, str]]:
    return [(text(asked), text(good), text(bad)) for asked, good, bad in preferences(count)]


def plain(name: str) -> dict[str, Any]:
    """The peer's trainer at one step size on a processor: nothing is saved, told or recomputed."""
    return {
        "output_dir": tempfile.mkdtemp(prefix=name),
        "num_train_epochs": 1,
        "learning_rate": RATE,
        "lr_scheduler_type": "constant",
        "gradient_checkpointing": False,
        "bf16": False,
        "use_cpu": True,
        "report_to": [],
        "save_strategy": "no",
        "logging_strategy": "no",
        "disable_tqdm": True,
    }


def tell(sides: Mapping[str, Side], side: str, folder: Path, batches: int, threads: int = 1) -> None:
    """Run a side, after a short run of itself that is not timed, and print its time and peak memory as JSON."""
    logging.disable(logging.WARNING)
    torch.set_num_threads(threads)
    sides[side](folder, 2)
    timed = sides[side](folder, batches)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**timed._asdict(), "rate": timed.units / timed.seconds, "peak_mb": round(peak)}))
