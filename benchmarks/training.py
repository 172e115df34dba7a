"""Training held against TRL and against a loop by hand: tokens and pairs a second, and peak memory.

    python benchmarks/training.py [--repeats 3] [--batches 24]

The model and the data are those of parts/speed_data.py. Every side trains in a process of its own, one after the
other, all of them `--repeats` times over; a ratio is the median of those of one round. Reference log-probabilities
count as training, but where a side is called cached or precomputed; TRL's `wrapped` cuts examples in two and lets them
see each other across their borders, which ours never do. The bare loops are the floors: what torch and transformers
give to who writes the loop for these data alone. Writes benchmarks/results/training.json and docs/training_speed.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from parts.machine import command, machine, spread, versions
from parts.speed_data import saved

HERE = Path(__file__).parent
WORKER = HERE / "parts" / "training_worker.py"
RESULT = HERE / "results" / "training.json"
PAGE = HERE.parent / "docs" / "training_speed.md"


@dataclass(frozen=True)
class Against:
    """One row of the table: `what` of our side, divided by the same of another; `least` (or, of memory, at most)."""

    ours: str
    other: str
    least: float
    what: str = "rate"


TARGETS = (
    Against("sft", "sft, TRL padded", 2.0),
    Against("sft", "sft, TRL wrapped", 1.35),
    Against("sft", "sft, TRL bfd", 0.0),
    Against("sft", "sft, bare packed loop", 0.9),
    Against("dpo", "dpo, TRL", 3.0),
    Against("dpo, cached", "dpo, TRL precomputed", 3.5),
    Against("dpo", "dpo, bare loop", 0.8),
    Against("dpo", "dpo, TRL", 0.6, "peak_mb"),
    Against("sft, two threads", "sft", 1.7),
)
SIDES = tuple(dict.fromkeys(side for one in TARGETS for side in (one.ours, one.other)))
TWO = ", two threads"


def measured(side: str, folder: Path, batches: int) -> dict[str, Any]:
    threads = 2 if side.endswith(TWO) else 1
    given = [sys.executable, str(WORKER), side.removesuffix(TWO), str(folder), str(batches), str(threads)]
    environment = {**os.environ, "PYTHONPATH": str(HERE), "OMP_NUM_THREADS": str(threads)}
    ended = subprocess.run(given, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(f"{side} failed:\n{ended.stderr[-2000:]}")
    return dict(json.loads(ended.stdout.strip().splitlines()[-1]))


def page(found: dict[str, Any]) -> str:
    lines = [
        "# How fast training is",
        "",
        "Made by `python benchmarks/training.py`; every number is in `benchmarks/results/training.json`, and what was",
        "measured stands at the head of the script. A Llama of 5.4 million parameters, batches of 16, float32, one",
        f"thread but where two are named; TRL {found['peer']}. A ratio is the median of {found['repeats']} rounds, in",
        "brackets the least and the most; above 1 Groma is faster (of memory: takes less where it is below).",
        "",
        "| Groma | against | what | ratio | aim |",
        "|---|---|---|---|---|",
    ]
    for row in found["ratios"]:
        ratio = row["ratio"]
        aim = "–" if not row["aim"] else f"{'≤' if row['what'] == 'peak_mb' else '≥'} {row['aim']:g}"
        what = {"rate": "speed", "peak_mb": "peak memory"}[row["what"]]
        middle = f"{ratio['median']:.2f} [{ratio['low']:.2f}, {ratio['high']:.2f}]"
        lines.append(f"| {row['ours']} | {row['other']} | {what} | {middle} | {aim} |")
    lines += ["", "| side | a second | peak memory, MB |", "|---|---|---|"]
    for side, runs in found["sides"].items():
        rate, peak = spread([one["rate"] for one in runs]), spread([one["peak_mb"] for one in runs])
        unit = "tokens" if side.startswith("sft") else "pairs"
        lines.append(f"| {side} | {rate['median']:.3g} {unit} | {peak['median']:.0f} |")
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--batches", type=int, default=24)
    options = parser.parse_args()
    sides: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    with tempfile.TemporaryDirectory() as place:
        folder = saved(Path(place) / "model")
        for number in range(options.repeats):
            for side in SIDES:
                sides[side].append(measured(side, folder, options.batches))
                print(f"round {number + 1}: {side}: {sides[side][-1]}", flush=True)
    ratios = [
        {
            "ours": one.ours,
            "other": one.other,
            "what": one.what,
            "aim": one.least,
            "ratio": spread(
                [a[one.what] / b[one.what] for a, b in zip(sides[one.ours], sides[one.other], strict=True)]
            ),
        }
        for one in TARGETS
    ]
    found = {
        "command": command(),
        "machine": machine(),
        "versions": versions(),
        "peer": version("trl"),
        "repeats": options.repeats,
        "batches": options.batches,
        "sides": sides,
        "ratios": ratios,
    }
    RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(found), encoding="utf-8")
    print(page(found))


if __name__ == "__main__":
    main()
