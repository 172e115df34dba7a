"""How long the main job takes, from the command to its page: what `make run` does in an environment that is there.

    python benchmarks/main_job.py

Writes benchmarks/results/main_job.json. Six minutes on two quiet cores; beside other work its figure means nothing.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from parts.machine import command, machine, timed, versions

RESULT = Path(__file__).parent / "results" / "main_job.json"
TARGET = 360


def main() -> None:
    about = {"machine": machine(), "versions": versions(), "command": command(), "target_seconds": TARGET}
    with tempfile.TemporaryDirectory() as place:
        taken = timed("run", "--out", f"{place}/run")
        manifest = json.loads(Path(f"{place}/run/manifest.json").read_text(encoding="utf-8"))
    told = {"seconds": round(taken, 1), "stages": [one["name"] for one in manifest["stages"]]}
    RESULT.write_text(json.dumps({**about, **told}, indent=1) + "\n", encoding="utf-8")
    print(f"{taken:.0f} s, interpreter and page included (target {TARGET} s)")


if __name__ == "__main__":
    main()
