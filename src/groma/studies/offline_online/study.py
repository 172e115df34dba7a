"""The study as `groma study offline_online` runs it: six methods and best-of-n under one rater, who then changes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from groma.formats.examples import Preference
from groma.formats.study import Summary
from groma.studies.lab import Lab
from groma.studies.offline_online import page
from groma.studies.offline_online.config import BEST, METHODS, Config
from groma.studies.offline_online.measuring import Row, clusters, held_out, measured, searched
from groma.studies.offline_online.results import Results, assembled
from groma.studies.offline_online.training import PROCESSOR, SECONDS, compared, spent, stage, trained, turned
from groma.studies.progress import Progress

SHIPPED = Config()
MEMORY = "groma.studies.offline_online.memory"


def run(seed: int, parts: Path, config: Config = SHIPPED) -> Iterator[Progress | Results]:
    """Progress, and the results last."""
    lab = Lab(parts, seed, demonstrated=config.demonstrated, tuning=config.tuning)
    start = yield from lab.tuned()
    examples = yield from _sampled(lab, config)
    for method in METHODS:
        yield from trained(lab, method, config, examples)
    for method in config.turned:
        yield from turned(lab, method, config)
    tasks = held_out(config.held_out, seed)
    rows: dict[str, Row] = {}
    for name in stages(config):
        rows[name] = yield from measured(lab, name, tasks, start)
    best = yield from searched(lab, tasks[: config.searched], config.best_of)
    memory: dict[str, Row] = {}
    for place, method in enumerate(config.weighed, 1):
        yield Progress("memory", place, len(config.weighed), method)
        memory[method] = lab.plain(f"memory-{method}", partial(weigh, lab, method, config))
    costs = {
        "threads": torch.get_num_threads(),
        "comparisons": len(examples),
        "pairs": config.pairs,
        "sampling": lab.plain("sampling", dict),
        "training": {method: spent(lab, method) for method in METHODS},
        "memory": memory,
        "measured steps": config.measured_steps,
    }
    yield assembled(config, rows, best, clusters(tasks), costs)


def summary(results: Mapping[int, Results]) -> Summary:
    """What the seeds found together; a criterion is met where every seed meets it."""
    return page.summary(results)


def stages(config: Config) -> list[str]:
    """Every model that is measured."""
    found = ["sft", *(stage(config, method, step) for method in METHODS for step in config.steps_at(method))]
    for method in config.turned:
        steps = [step for step in config.steps_at(method) if step > config.half(method)]
        found += [stage(config, method, step, turned=True) for step in steps]
    return found


def _sampled(lab: Lab, config: Config) -> Generator[Progress, None, Sequence[Preference]]:
    """The comparisons for the offline methods, and how long it took to sample and to compare."""
    clock, used = time.perf_counter(), time.process_time()
    examples = yield from compared(lab, config.pairs)
    took = {SECONDS: time.perf_counter() - clock, PROCESSOR: time.process_time() - used}
    lab.plain("sampling", lambda: took)
    return examples


def weigh(lab: Lab, method: str, config: Config) -> Row:
    """The memory that a few of the method's steps take in a process of their own; see `memory.py`."""
    told: Row = {"seed": lab.seed, "pairs": config.pairs, "replies": config.best_of[-1]}
    if method != BEST:
        few = replace(config.options(method, lab.seed), max_steps=config.measured_steps, warmup_steps=0)
        told["options"] = few.to_dict()
    command = [sys.executable, "-m", MEMORY, method, str(lab.folder.path), json.dumps(told)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[1:4])} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    found: Row = json.loads(done.stdout.splitlines()[-1])
    return found
