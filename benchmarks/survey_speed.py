"""How long a survey of the default model takes: five properties, six systems, 200 items each; and the worst case.

    python benchmarks/survey_speed.py [--items 200] [--asks 16]

Writes benchmarks/results/survey_speed.json. About a quarter of an hour on two quiet cores; beside other work its
figures mean nothing.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from parts.machine import command, machine, timed, versions

RESULT = Path(__file__).parent / "results" / "survey_speed.json"
SYSTEMS = "trivial,completion,chat,agent,critique@charter,self_consistency"
TARGETS = {"average and pessimistic": 180, "worst": 600}


def survey(folder: Path, *options: str) -> dict[str, Any]:
    """Wall seconds of one survey, and how many episodes it played."""
    taken = timed("survey", "vale", "--as", SYSTEMS, "--out", str(folder), *options)
    episodes = sum(len(one.read_bytes().splitlines()) for one in (folder / "transcripts").glob("*.jsonl"))
    return {"seconds": round(taken, 1), "episodes": episodes, "options": list(options)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--asks", type=int, default=16)
    given = parser.parse_args()
    about = {"machine": machine(), "versions": versions(), "command": command(), "systems": SYSTEMS}
    with tempfile.TemporaryDirectory() as place:
        items = ("--items", str(given.items))
        found = {
            "average and pessimistic": survey(Path(place) / "a", *items),
            "worst": survey(Path(place) / "w", *items, "--max-tokens", "32", "--adversary", f"resample:{given.asks}"),
        }
    for name, one in found.items():
        print(f"{name}: {one['seconds']} s for {one['episodes']} episodes (target {TARGETS[name]} s)")
    RESULT.write_text(json.dumps({**about, "target_seconds": TARGETS, **found}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
