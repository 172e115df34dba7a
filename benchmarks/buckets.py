"""Do batches of like length train as well as batches drawn from the whole epoch? Held-out loss after 500 steps.

    python benchmarks/buckets.py [--steps 500] [--seeds 3]

Data made to be hard on buckets: lengths as in the speed benchmarks, and what there is to learn depends on the length
(short and long completions follow different transition tables, four successors a token, so that the best loss is
ln 4 = 1.386 nats). A small Llama, supervised fine-tuning, each seed with and without buckets: what they differ by is to
be held against what seeds differ by. Writes benchmarks/results/buckets.json.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import torch
from parts import speed_data
from parts.machine import command, machine, versions

from groma.methods import sft, training
from groma.methods.batches import Batches
from groma.methods.tokens import Row

RESULT = Path(__file__).parent / "results" / "buckets.json"
VOCABULARY, SUCCESSORS, LONG = 256, 4, 34
SIZES = {"hidden_size": 64, "intermediate_size": 172, "num_hidden_layers": 2, "num_attention_heads": 4}
ROWS, HELD_OUT = 2400, 400


def rows(count: int, seed: int) -> list[Row]:
    """Rows whose completions follow one of two tables, as they are short or long; the first token tells which."""
    tables = np.random.default_rng(0).integers(speed_data.FIRST, VOCABULARY, (2, VOCABULARY, SUCCESSORS))
    random = np.random.default_rng((seed, 2))
    made = []
    for _ in range(count):
        before, after = speed_data.prompt_length(random), speed_data.completion_length(random)
        table = tables[int(after > LONG)]
        ids = [int(after > LONG), int(random.integers(speed_data.FIRST, VOCABULARY))]
        while len(ids) < before + after:
            ids.append(int(table[ids[-1], random.integers(SUCCESSORS)]))
        made.append(Row(np.array([*ids, speed_data.END]), np.arange(before + after + 1) >= before, 1, 1))
    return made


def run(seed: int, bucket: int | None, steps: int) -> dict[str, Any]:
    """One training: the loss on held-out rows, the share of padding, and seconds."""
    config = sft.Config(
        batch_size=speed_data.BATCH,
        max_steps=steps,
        learning_rate=3e-3,
        warmup_steps=20,
        seed=seed,
        bucket=bucket,
    )
    learn, held_out = sft.Answers(rows(ROWS, seed=100), config), sft.Answers(rows(HELD_OUT, seed=101), config)
    net = speed_data.net(seed, vocab_size=VOCABULARY, **SIZES)
    began = time.perf_counter()
    for _ in training.steps(net, training.Job(sft.METHOD, config, "", learn)):
        pass
    seconds = time.perf_counter() - began
    batches = Batches(learn.lengths, config)
    groups = [[learn.lengths[one] for one in group] for step in range(steps) for group in batches.of_step(step)]
    padded = sum(max(group) * len(group) for group in groups)
    loss = training.measure(net, held_out, config)["loss"]
    return {"seed": seed, "bucket": bucket, "loss": loss, "padding": 1 - sum(map(sum, groups)) / padded, "s": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    runs = []
    for seed in range(given.seeds):
        for bucket in (sft.Config().bucket, None):
            runs.append(run(seed, bucket, given.steps))
            print(json.dumps(runs[-1]), flush=True)
    with_them = [one["loss"] for one in runs if one["bucket"] is not None]
    without = [one["loss"] for one in runs if one["bucket"] is None]
    summary = {
        "steps": given.steps,
        "mean loss with buckets": mean(with_them),
        "mean loss without": mean(without),
        "difference by seed": [one - other for one, other in zip(with_them, without, strict=True)],
        "standard deviation over seeds, without": stdev(without) if len(without) > 1 else None,
    }
    print(json.dumps(summary, indent=1))
    whole = {"command": command(), "machine": machine(), "versions": versions(), **summary, "runs": runs}
    RESULT.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
