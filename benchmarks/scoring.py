"""Scored answers a second: multiple choice with four options, beside lm-evaluation-harness with its hf backend.

    python benchmarks/scoring.py [--runs 5] [--questions 128] [--batch 64]

A Llama of 5.4 M random parameters in float32 on one thread; questions of 24 to 64 tokens, options of 2 to 12. Both
sides begin with text and end with the log-probability of each option behind its question, in batches of as many
sequences: here `Score` requests to the engine, there `loglikelihood` of `HFLM`. That the figures agree is checked in
every run. The floor is a bare forward pass of the same run over as many tokens as have to be read (each question
once, then its options), in rows of one length without padding, with the head at the options alone.

Runs take turns; told is the median of the ratios of paired runs, with the lowest and highest. It has to run in an
environment that has lm-evaluation-harness (`pip install lm_eval==0.4.13`). Writes benchmarks/results/scoring.json.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from parts.machine import command, machine, spread, versions
from parts.speed_data import FIRST, VOCABULARY, endless

from groma.formats.requests import Reply, Score
from groma.models import LocalEngine, Model

if find_spec("lm_eval") is None:
    raise SystemExit("benchmarks/scoring.py needs lm-evaluation-harness: pip install lm_eval==0.4.13")
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

RESULT = Path(__file__).parent / "results" / "scoring.json"
TARGET, OPTIONS = 2.0, 4
CLOSE = 1e-3


@dataclass(frozen=True)
class Question:
    text: str
    options: tuple[str, ...]


def questions(count: int) -> list[Question]:
    draw = np.random.default_rng(0)

    def words(least: int, most: int) -> str:
        return " ".join(f"w{word}" for word in draw.integers(FIRST, VOCABULARY, draw.integers(least, most + 1)))

    return [Question(words(24, 64), tuple(f" {words(2, 12)}" for _ in range(OPTIONS))) for _ in range(count)]


def ours(model: Model, asked: Sequence[Question], batch: int) -> list[float]:
    engine = LocalEngine(model, max_batch=batch)
    for ticket, one in enumerate(asked):
        engine.submit(ticket, Score(prompt=one.text, answers=one.options), 0)
    found: dict[int, Reply] = {}
    while answered := engine.poll():
        for ticket, reply in answered:
            assert isinstance(reply, Reply), reply
            found[ticket] = reply
    return [score for ticket in range(len(asked)) for score in found[ticket].scores]


def peers(peer: HFLM, asked: Sequence[Question]) -> list[float]:
    pairs = [(one.text, option) for one in asked for option in one.options]
    requests = [Instance("loglikelihood", {}, pair, number) for number, pair in enumerate(pairs)]
    return [score for score, _ in peer.loglikelihood(requests, disable_tqdm=True)]


def floor(model: Model, asked: Sequence[Question], batch: int) -> None:
    """Rows of the mean question and its options, `batch` options at a time."""
    question = round(float(np.mean([len(one.text.split()) for one in asked])))
    options = round(float(np.mean([sum(len(option.split()) for option in one.options) for one in asked])))
    rows = max(batch // OPTIONS, 1)
    ids = torch.randint(2, VOCABULARY, (rows, question + options), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        for _ in range(0, len(asked), rows):
            states = model.net.model(ids, use_cache=False).last_hidden_state
            model.net.lm_head(states[:, question:]).log_softmax(-1)


def timed(way: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    began = time.perf_counter()
    found = way(*arguments)
    return time.perf_counter() - began, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--questions", type=int, default=128)
    parser.add_argument("--batch", type=int, default=64)
    given = parser.parse_args()
    torch.set_num_threads(1)
    model, asked = endless(), questions(given.questions)
    options = {"max_length": 512, "prefix_token_id": 1, "add_bos_token": False}
    peer = HFLM(pretrained=model.net, tokenizer=model.tokenizer, batch_size=given.batch, device="cpu", **options)
    answers, turns = OPTIONS * len(asked), []
    for _ in range(given.runs + 1):
        (mine, said), (theirs, told) = timed(ours, model, asked, given.batch), timed(peers, peer, asked)
        apart = max(abs(one - other) for one, other in zip(said, told, strict=True))
        if apart > CLOSE:
            raise SystemExit(f"the two sides differ by up to {apart} nats: they do not score the same")
        bare, _ = timed(floor, model, asked, given.batch)
        turns.append({"groma": answers / mine, "lm_eval": answers / theirs, "floor": answers / bare})
    turns = turns[1:]  # the first warms up
    ratio = spread([one["groma"] / one["lm_eval"] for one in turns])
    of_floor = spread([one["groma"] / one["floor"] for one in turns])
    found = {
        "command": command(),
        "machine": machine(),
        "versions": {**versions(), "lm_eval": version("lm_eval")},
        "settings": {"questions": given.questions, "options": OPTIONS, "batch": given.batch, "dtype": "float32"},
        "target": TARGET,
        **{name: spread([one[name] for one in turns]) for name in turns[0]},
        "ratio": ratio,
        "of_floor": of_floor,
    }
    print(
        f"{found['groma']['median']:.0f} answers/s, {ratio['median']:.2f} of lm-evaluation-harness"
        f" ({ratio['low']:.2f} to {ratio['high']:.2f}; target {TARGET}), {of_floor['median']:.2f} of the floor"
    )
    RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
