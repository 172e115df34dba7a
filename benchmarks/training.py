"""Training held against TRL and against a loop by hand: tokens and pairs a second, and peak memory.

    python benchmarks/training.py [--repeats 3] [--batches 24] [--only SIDE ...]

The model and the data are those of parts/speed_data.py. Every side trains in a process of its own, one after the
other, all of them `--repeats` times over; a ratio is the median of those of one round. Reference log-probabilities
count as training, but where a side is called cached or precomputed; TRL's `wrapped` cuts examples in two and lets them
see each other across their borders, which ours never do. The bare loops are the floors: what torch and transformers
give to who writes the loop for these data alone. Writes benchmarks/results/training.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from parts.machine import command, machine, spread, versions
from parts.speed_data import saved

HERE = Path(__file__).parent
WORKER = HERE / "parts" / "training_worker.py"
RESULT = HERE / "results" / "training.json"


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
    Against("dpo", "dpo, TRL by eights", 0.0),
    Against("dpo", "dpo, TRL by eights", 0.6, "peak_mb"),
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


def ratio(one: Against, sides: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    pairs = zip(sides[one.ours], sides[one.other], strict=True)
    figure = spread([mine[one.what] / other[one.what] for mine, other in pairs])
    return {"ours": one.ours, "other": one.other, "what": one.what, "aim": one.least, "ratio": figure}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--batches", type=int, default=24)
    parser.add_argument("--only", nargs="+", metavar="SIDE", choices=sorted({one.ours for one in TARGETS}))
    options = parser.parse_args()
    wanted = [one for one in TARGETS if not options.only or one.ours in options.only]
    measuring = dict.fromkeys(side for one in wanted for side in (one.ours, one.other))
    sides: dict[str, list[dict[str, Any]]] = {side: [] for side in measuring}
    with tempfile.TemporaryDirectory() as place:
        folder = saved(Path(place) / "model")
        for number in range(options.repeats):
            for side in measuring:
                sides[side].append(measured(side, folder, options.batches))
                print(f"round {number + 1}: {side}: {sides[side][-1]}", flush=True)
    found = {
        "command": command(),
        "machine": machine(),
        "versions": versions(),
        "peer": version("trl"),
        "batches": options.batches,
        "sides": sides,
        "ratios": [ratio(one, sides) for one in wanted],
    }
    if options.only and RESULT.is_file():
        known = json.loads(RESULT.read_text(encoding="utf-8"))
        if (known["batches"], known["versions"]) != (found["batches"], found["versions"]):
            raise SystemExit("what is known was measured with other batches or versions: measure all of it again")
        kept = [one for one in known["ratios"] if one["ours"] not in options.only]
        found = {**known, "ratios": [*kept, *found["ratios"]], "again": [*known.get("again", []), found]}
    RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for row in found["ratios"]:
        print(f"{row['ours']} / {row['other']}, {row['what']}: {row['ratio']['median']:.2f} (aim {row['aim']:g})")


if __name__ == "__main__":
    main()
