"""One method in a process of its own: how much memory a few of its steps take at their peak.

    python -m groma.studies.offline_online.memory METHOD FOLDER TOLD

FOLDER holds the parts of a seed ("sft", the comparisons); TOLD is JSON: `seed`, `pairs`, the method's `options`, and
`replies`, which is how many best-of-n plays. It prints the megabytes (1e6 bytes) that the process had taken at most
before the first step, everything loaded, and after the last: `before` and `after`.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from groma.methods import dpo, grpo, kto, online_dpo, ppo, rloo
from groma.models.engine import LocalEngine
from groma.play.driver import play
from groma.studies.lab import CHAT, Lab
from groma.studies.matrix import PLAYER
from groma.studies.offline_online.config import BEST, OFFLINE
from groma.studies.offline_online.training import compared, learning
from groma.studies.pairing import drawn
from groma.studies.progress import Progress

CONFIGS: dict[str, Any] = {
    "dpo": dpo.Config,
    "kto": kto.Config,
    "online-dpo": online_dpo.Config,
    "ppo": ppo.Config,
    "rloo": rloo.Config,
    "grpo": grpo.Config,
}
STATUS = Path("/proc/self/status")
UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes of what `getrusage` counts: bytes on macOS, kilobytes elsewhere."""


def taken() -> float:
    """The most memory that this process ever had, in megabytes. On Linux not by `getrusage`: what that tells begins
    with the memory of the process that this one was started from.
    """
    if STATUS.exists():
        (line,) = [one for one in STATUS.read_text(encoding="utf-8").splitlines() if one.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT / 1e6


def main(arguments: Sequence[str]) -> None:
    method, folder, text = arguments
    told = json.loads(text)
    lab = Lab(Path(folder), told["seed"])
    model = lab.model("sft")
    going: Iterator[object]
    if method == BEST:
        tasks = [replace(task, id=f"{task.id}#{n}") for task in drawn(16, lab.seed) for n in range(told["replies"])]
        going = play(CHAT, tasks, {PLAYER: LocalEngine(model)}, seed=lab.seed)
    else:
        examples = _last(compared(lab, told["pairs"])) if method in OFFLINE else ()
        going = learning(method, CONFIGS[method].of(told["options"]), lab, examples)(model, None)
    before = taken()
    for _ in going:
        pass
    sys.stdout.write(json.dumps({"before": before, "after": taken()}) + "\n")


def _last(going: Any) -> Any:
    """What a generator returns; its progress goes nowhere."""
    while True:
        try:
            one = next(going)
            assert isinstance(one, Progress)
        except StopIteration as end:
            return end.value


if __name__ == "__main__":
    main(sys.argv[1:])
