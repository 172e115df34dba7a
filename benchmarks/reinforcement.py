"""Reinforcement learning and reward models held against TRL: episodes, completions, pairs a second, and peak memory.

    python benchmarks/reinforcement.py [--repeats 3] [--batches 8] [--trl-1-12 FOLDER] [--only SIDE ...]

TRL 1.12 is the last release that has PPO. It is read from FOLDER, where
`pip install --no-deps --target FOLDER trl==1.12.0` has put it, beside the same torch and transformers; without it
the sides against it are left out, and that is said. The model and the prompts are those of parts/speed_data.py;
every side runs in a process of its own, one after the other, on one thread, all of them `--repeats` times over; a
ratio is the median of those of one round. Writes benchmarks/results/reinforcement.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from parts.machine import command, machine, spread, versions
from parts.speed_data import saved

HERE = Path(__file__).parent
WORKER = HERE / "parts" / "reinforcement_worker.py"
RESULT = HERE / "results" / "reinforcement.json"
OLD = "ppo, TRL"
"""The side that runs beside TRL 1.12."""


class Against(NamedTuple):
    """One row of the table: `what` of our side, divided by the same of another; `aim`: at least, of memory at most."""

    ours: str
    other: str
    aim: float
    what: str = "rate"


TARGETS = (
    Against("ppo, separate critic", OLD, 1.3),
    Against("ppo, shared trunk", OLD, 2.2),
    Against("ppo, separate critic", OLD, 0.7, "peak_mb"),
    Against("ppo, shared trunk", OLD, 0.7, "peak_mb"),
    Against("grpo", "grpo, TRL", 2.0),
    Against("grpo", "grpo, TRL", 0.7, "peak_mb"),
    Against("reward", "reward, TRL", 2.5),
    Against("reward", "reward, TRL", 0.7, "peak_mb"),
)


def measured(side: str, folder: Path, batches: int, old: Path | None) -> dict[str, Any]:
    path = [str(HERE), *([str(old)] if side == OLD and old is not None else [])]
    given = [sys.executable, str(WORKER), side, str(folder), str(batches)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(reversed(path)), "OMP_NUM_THREADS": "1"}
    environment["TRL_EXPERIMENTAL_SILENCE"] = "1"
    ended = subprocess.run(given, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(f"{side} failed:\n{ended.stderr[-2000:]}")
    return dict(json.loads(ended.stdout.strip().splitlines()[-1]))


def ratio(one: Against, sides: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    pairs = zip(sides[one.ours], sides[one.other], strict=True)
    figure = spread([mine[one.what] / other[one.what] for mine, other in pairs])
    return {**one._asdict(), "ratio": figure}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--batches", type=int, default=8)
    parser.add_argument("--trl-1-12", type=Path, metavar="FOLDER")
    parser.add_argument("--only", nargs="+", metavar="SIDE", choices=sorted({one.ours for one in TARGETS}))
    options = parser.parse_args()
    wanted = [one for one in TARGETS if not options.only or one.ours in options.only]
    if options.trl_1_12 is None:
        print("TRL 1.12 is not given: PPO is not measured")
        wanted = [one for one in wanted if one.other != OLD]
    measuring = dict.fromkeys(side for one in wanted for side in (one.ours, one.other))
    sides: dict[str, list[dict[str, Any]]] = {side: [] for side in measuring}
    with tempfile.TemporaryDirectory() as place:
        folder = saved(Path(place) / "model")
        for number in range(options.repeats):
            for side in measuring:
                sides[side].append(measured(side, folder, options.batches, options.trl_1_12))
                print(f"round {number + 1}: {side}: {sides[side][-1]}", flush=True)
    found = {
        "command": command(),
        "machine": machine(),
        "versions": versions(),
        "peer": {"trl": version("trl"), OLD: "1.12.0"},
        "batches": options.batches,
        "sides": sides,
        "ratios": [ratio(one, sides) for one in wanted],
    }
    RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for row in found["ratios"]:
        print(f"{row['ours']} / {row['other']}, {row['what']}: {row['ratio']['median']:.2f} (aim {row['aim']:g})")


if __name__ == "__main__":
    main()
