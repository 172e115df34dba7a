"""Sides of a benchmark that are held against each other: each runs in a process of its own, round after round, and a
ratio is the median of those of one round.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from parts.machine import command, machine, spread, versions
from parts.speed_data import saved

HERE = Path(__file__).resolve().parents[1]
Measured = dict[str, Any]


class Against(NamedTuple):
    """One row of the table: `what` of our side, divided by the same of another; `aim`: at least, of memory at most."""

    ours: str
    other: str
    aim: float
    what: str = "rate"


def run(worker: str, given: Sequence[str], *, threads: int = 1, before: Path | None = None) -> Measured:
    """What a worker of benchmarks/parts prints last. before: a folder that comes first on its path."""
    path = [str(one) for one in (before, HERE) if one is not None]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path), "OMP_NUM_THREADS": str(threads)}
    environment["TRL_EXPERIMENTAL_SILENCE"] = "1"
    call = [sys.executable, str(HERE / "parts" / worker), *given]
    ended = subprocess.run(call, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(f"{' '.join(given)} failed:\n{ended.stderr[-2000:]}")
    return dict(json.loads(ended.stdout.strip().splitlines()[-1]))


def ratio(one: Against, sides: Mapping[str, Sequence[Measured]]) -> Measured:
    pairs = zip(sides[one.ours], sides[one.other], strict=True)
    figure = spread([mine[one.what] / other[one.what] for mine, other in pairs])
    return {**one._asdict(), "ratio": figure}


def parser(about: str | None, targets: Sequence[Against], batches: int) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--repeats", type=int, default=3)
    made.add_argument("--batches", type=int, default=batches)
    made.add_argument("--only", nargs="+", metavar="SIDE", choices=sorted({one.ours for one in targets}))
    return made


def measure(
    targets: Sequence[Against],
    result: Path,
    options: argparse.Namespace,
    side: Callable[[str, Path, int], Measured],
    **more: Any,
) -> None:
    """Run every side of `targets` that is asked for, and write `result`; what is not asked for stays as it is known."""
    wanted = [one for one in targets if not options.only or one.ours in options.only]
    measuring = dict.fromkeys(name for one in wanted for name in (one.ours, one.other))
    sides: dict[str, list[Measured]] = {name: [] for name in measuring}
    with tempfile.TemporaryDirectory() as place:
        folder = saved(Path(place) / "model")
        for number in range(options.repeats):
            for name in measuring:
                sides[name].append(side(name, folder, options.batches))
                print(f"round {number + 1}: {name}: {sides[name][-1]}", flush=True)
    found = {
        "command": command(), "machine": machine(), "versions": versions(), "peer": version("trl"),
        "batches": options.batches, **more, "sides": sides, "ratios": [ratio(one, sides) for one in wanted],
    }  # fmt: skip
    if options.only and result.is_file():
        known = json.loads(result.read_text(encoding="utf-8"))
        if _settings(known) != _settings(found):
            raise SystemExit("what is known was measured with other batches or versions: measure all of it again")
        kept = [one for one in known["ratios"] if one["ours"] not in options.only]
        found = {**known, "ratios": [*kept, *found["ratios"]], "again": [*known.get("again", []), found]}
    result.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for row in found["ratios"]:
        print(f"{row['ours']} / {row['other']}, {row['what']}: {row['ratio']['median']:.2f} (aim {row['aim']:g})")


def _settings(found: Measured) -> tuple[int, Measured]:
    """What has to be the same where some sides are measured again. The revision need not be: to commit the first
    figures makes another one.
    """
    return found["batches"], {name: one for name, one in found["versions"].items() if name != "revision"}
