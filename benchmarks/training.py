"""Training held against TRL and against a loop by hand: tokens and pairs a second, and peak memory.

    python benchmarks/training.py [--repeats 3] [--batches 24] [--only SIDE ...]

The model and the data are those of parts/speed_data.py. Every side trains in a process of its own, one after the
other, all of them `--repeats` times over; a ratio is the median of those of one round. Reference log-probabilities
count as training, but where a side is called cached or precomputed; TRL's `wrapped` cuts examples in two and lets them
see each other across their borders, which ours never do. The bare loops are the floors: what torch and transformers
give to who writes the loop for these data alone. Writes benchmarks/results/training.json.
"""

from __future__ import annotations

from pathlib import Path

from parts.rounds import HERE, Against, Measured, measure, parser, run

RESULT = HERE / "results" / "training.json"
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
TWO = ", two threads"


def side(name: str, folder: Path, batches: int) -> Measured:
    threads = 2 if name.endswith(TWO) else 1
    given = [name.removesuffix(TWO), str(folder), str(batches), str(threads)]
    return run("training_worker.py", given, threads=threads)


if __name__ == "__main__":
    measure(TARGETS, RESULT, parser(__doc__, TARGETS, 24).parse_args(), side)
