"""Does the memory of a training step grow with vocabulary times positions? Peak memory of SFT and DPO at 128k words.

    python benchmarks/loss_memory.py [--bound 64] [--vocabulary 131072]

Each figure is of a fresh process: what one step (forward, backward, no optimiser) adds at its peak to what the process
held before it, for a small and a large batch of learned tokens, with the bound of `loss_megabytes` and without. The
gradient of the embedding, which is as large as the vocabulary, is there in both; a bounded step may need twice that
while it adds up slices, and no more however long the batch is. Writes benchmarks/results/loss_memory.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from parts import speed_data
from parts.machine import command, machine, versions

from groma.methods import dpo, sft
from groma.methods.tokens import Pair, Row

RESULT = Path(__file__).parent / "results" / "loss_memory.json"
SIZES = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 1, "num_attention_heads": 4}
EXAMPLES = {"small": 1, "large": 4}
LEARNED = 96
"""Tokens of each of a pair's two answers; supervised fine-tuning learns both, too."""


def peak() -> float:
    """The most memory that this process has held, in megabytes."""
    unit = 2**20 if platform.system() == "Darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def row(random: np.random.Generator, prompt: np.ndarray, vocabulary: int) -> Row:
    ids = np.concatenate([prompt, random.integers(speed_data.FIRST, vocabulary, LEARNED)])
    return Row(ids, np.arange(len(ids)) >= len(prompt), 1, 0)


def step(method: str, examples: int, bound: float | None, vocabulary: int) -> float:
    """Megabytes that a step over all `examples` at once adds at its peak."""
    torch.set_num_threads(1)
    random = np.random.default_rng(0)
    net = speed_data.net(vocab_size=vocabulary, **SIZES)
    prompts = [random.integers(speed_data.FIRST, vocabulary, 32) for _ in range(examples)]
    pairs = [Pair(row(random, prompt, vocabulary), row(random, prompt, vocabulary)) for prompt in prompts]
    objective: dpo.Pairs | sft.Answers
    if method == "dpo":
        objective = dpo.Pairs(pairs, dpo.Config(loss_megabytes=bound))
        objective.lay(shared=True)
        objective.reference_n2 = torch.zeros(len(pairs), 2)
    else:
        objective = sft.Answers([one for pair in pairs for one in pair.rows], sft.Config(loss_megabytes=bound))
    before = psutil.Process().memory_info().rss / 2**20
    objective.sums(net, range(len(objective.tokens)))["loss"][0].backward()
    return peak() - before


def fresh(method: str, size: str, bound: float | None, vocabulary: int) -> dict[str, Any]:
    """The same in a process of its own."""
    asked = ["--step", method, "--examples", str(EXAMPLES[size]), "--vocabulary", str(vocabulary)]
    asked += ["--bound", str(bound)] if bound is not None else ["--bound", "0"]
    # Freed blocks go back to the system at once: what is measured is what is held, not what the allocator keeps.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": str(2**20), "OMP_NUM_THREADS": "1"}
    told = subprocess.run(
        [sys.executable, __file__, *asked], check=True, capture_output=True, text=True, env=environment
    ).stdout
    learned = 2 * EXAMPLES[size] * LEARNED
    return {"method": method, "learned tokens": learned, "bound": bound, "megabytes": round(float(told), 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bound", type=float, default=64.0, help="megabytes")
    parser.add_argument("--vocabulary", type=int, default=2**17)
    parser.add_argument("--step", choices=("sft", "dpo"), help=argparse.SUPPRESS)
    parser.add_argument("--examples", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        print(step(given.step, given.examples, given.bound or None, given.vocabulary))
        return
    found = []
    for method in ("sft", "dpo"):
        for bound in (given.bound, None):
            for size in EXAMPLES:
                found.append(fresh(method, size, bound, given.vocabulary))
                print(json.dumps(found[-1]), flush=True)
    about = {"command": command(), "machine": machine(), "versions": versions(), "vocabulary": given.vocabulary}
    RESULT.write_text(json.dumps({**about, "runs": found}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
