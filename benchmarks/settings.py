"""What the settings of a device are worth: microbatch, allocator, threads, bfloat16; and what bfloat16 costs on Vale.

    python benchmarks/settings.py [--repeats 3] [--batches 12] [--steps 400]

Speed: supervised fine-tuning of the model and data of parts/speed_data.py, each side in a process of its own, in turn;
a ratio is the median over rounds of tokens a second, divided by those of the setting that is chosen of itself. Quality:
fine-tuning of Vale's default base on its demonstrations, in float32 and in bfloat16 arithmetic, with two seeds: the
loss on demonstrations held out. Writes benchmarks/results/settings.json.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from parts.machine import command, machine, spread, versions
from parts.speed_data import saved
from parts.training_worker import ours_sft

from groma.methods import sft
from groma.models.load import load
from groma.studies.recipes import DEMONSTRATED, SFT_ON_VALE
from groma.worlds.vale import demonstrations

RESULT = Path(__file__).parent / "results" / "settings.json"
CHOSEN = "chosen"
SIDES: dict[str, dict[str, Any]] = {
    CHOSEN: {},
    "microbatch 4": {"microbatch_size": 4},
    "microbatch 16": {"microbatch_size": 16},
    "1024 tokens at a time": {"microbatch_tokens": 1024},
    "buckets of 32": {"bucket": 32},
    "no buckets": {"bucket": None},
    "bfloat16": {"precision": "bfloat16"},
    "memory kept": {"kept": True},
    "two threads": {"threads": 2},
}
"""Options of a side; kept: freed memory stays with the process (glibc's mmap and trim thresholds out of reach)."""
HELD_OUT = 1500
MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1


def side(name: str, folder: Path, batches: int) -> float:
    """Tokens a second."""
    options = dict(SIDES[name])
    torch.set_num_threads(options.pop("threads", 1))
    if options.pop("kept", False):
        libc = ctypes.CDLL(None)
        if not (libc.mallopt(MMAP_THRESHOLD, 2**30) and libc.mallopt(TRIM_THRESHOLD, 2**31 - 1)):
            raise SystemExit("mallopt refused the thresholds")
    ours_sft(folder, 4, **options)
    timed = ours_sft(folder, batches, **options)
    return timed.units / timed.seconds


def fresh(name: str, folder: Path, batches: int) -> float:
    """The same in a process of its own."""
    threads = str(SIDES[name].get("threads", 1))
    asked = [sys.executable, __file__, "--side", name, "--folder", str(folder), "--batches", str(batches)]
    environment = {**os.environ, "OMP_NUM_THREADS": threads}
    told = subprocess.run(asked, check=True, capture_output=True, text=True, env=environment).stdout
    return float(told.strip().splitlines()[-1])


def quality(precision: str, seed: int, steps: int) -> dict[str, Any]:
    """Held-out loss of Vale's base after fine-tuning."""
    model = load("vale")
    shown, held_out = demonstrations(DEMONSTRATED, seed), demonstrations(HELD_OUT, 999)
    config = replace(SFT_ON_VALE, seed=seed, precision=precision, max_steps=steps, evaluate_every=steps, keep="last")
    *_, last = sft.train(model, shown, config, evaluation=held_out)
    assert last.evaluation is not None
    return {"precision": precision, "seed": seed, "loss": last.evaluation["loss"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--batches", type=int, default=12)
    parser.add_argument("--steps", type=int, default=400, help="of fine-tuning, for the quality")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        print(side(given.side, given.folder, given.batches))
        return
    rates: dict[str, list[float]] = {name: [] for name in SIDES}
    with tempfile.TemporaryDirectory() as place:
        folder = saved(Path(place) / "model")
        for number in range(given.repeats):
            for name in SIDES:
                rates[name].append(fresh(name, folder, given.batches))
                print(f"round {number + 1}: {name}: {rates[name][-1]:.0f} tokens a second", flush=True)
    ratios = {
        name: spread([one / chosen for one, chosen in zip(some, rates[CHOSEN], strict=True)])
        for name, some in rates.items()
    }
    torch.set_num_threads(1)
    losses = []
    for seed in (0, 1):
        for precision in ("float32", "bfloat16"):
            losses.append(quality(precision, seed, given.steps))
            print(json.dumps(losses[-1]), flush=True)
    found = {"command": command(), "machine": machine(), "versions": versions(), "rates": rates, "ratios": ratios}
    RESULT.write_text(json.dumps({**found, "vale": losses}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
