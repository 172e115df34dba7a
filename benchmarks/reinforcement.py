"""Reinforcement learning and reward models held against TRL: episodes, completions, pairs a second, and peak memory.

    python benchmarks/reinforcement.py [--repeats 3] [--batches 6] [--trl-1-12 FOLDER] [--only SIDE ...]

TRL 1.12 is the last release that has PPO. It is read from FOLDER, where
`pip install --no-deps --target FOLDER trl==1.12.0` has put it, beside the same torch and transformers; without it
the sides against it are left out, and that is said. The model and the prompts are those of parts/speed_data.py;
every side runs in a process of its own, one after the other, on one thread, all of them `--repeats` times over; a
ratio is the median of those of one round. Reward models learn from four times as many batches, as many as DPO in
training.py: rows of like length come together out of a window of batches, which must be there to be drawn from. GRPO
takes three times as many, of which what is done once (a group is tried in one row and in rows apart) is a small part.
Writes benchmarks/results/reinforcement.json.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from parts.rounds import HERE, Against, Measured, measure, parser, run

RESULT = HERE / "results" / "reinforcement.json"
OLD = "ppo, TRL"
"""The side that runs beside TRL 1.12."""
LONGER = {"reward": 4, "reward, TRL": 4, "grpo": 3, "grpo, TRL": 3}
"""How many times as many batches these sides learn from."""

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


def side(old: Path | None, name: str, folder: Path, batches: int) -> Measured:
    given = [name, str(folder), str(batches * LONGER.get(name, 1))]
    return run("reinforcement_worker.py", given, before=old if name == OLD else None)


if __name__ == "__main__":
    asked = parser(__doc__, TARGETS, 6)
    asked.add_argument("--trl-1-12", type=Path, metavar="FOLDER")
    options = asked.parse_args()
    if options.trl_1_12 is None:
        print("TRL 1.12 is not given: PPO is not measured")
    rows = [one for one in TARGETS if one.other != OLD or options.trl_1_12 is not None]
    measure(rows, RESULT, options, partial(side, options.trl_1_12), old_peer="1.12.0")
