"""What the tests of several processes train: by one when it is imported, by each of two when it is launched.

As a script: `together.py FOLDER`. It does all of it first with whole weights (DDP), then with shards (FSDP2), which
saves the launch of another pair, and leaves a file for each process.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from groma.formats.errors import BadInput
from groma.formats.examples import Demonstration, Labelled, Preference
from groma.formats.messages import Message
from groma.methods import dpo, kto, processes, sft
from groma.methods.checkpoint import load_state, save_state
from groma.methods.state import State
from groma.models.load import load

WORDS = ("the", "hello there", "it is in the end", "no", "on and on and on, the answer", "yes", "what", "an hour")
SHOWN = [Demonstration((Message("user", f"say {word}"),), (Message("assistant", word),)) for word in WORDS]
PREFERRED = [
    Preference((Message("user", f"say {one}"),), (Message("assistant", one),), (Message("assistant", other),))
    for one, other in itertools.pairwise(WORDS)
]
LABELLED = [
    Labelled((Message("user", f"say {one}"),), (Message("assistant", other),), one == other)
    for one, other in zip(WORDS, WORDS[:5] + WORDS[6:] + WORDS[5:6], strict=True)
]
SHARED = {"learning_rate": 3e-4, "max_steps": 4, "evaluate_every": 2}
CASES: dict[str, tuple[Any, list[Any], dict[str, Any]]] = {
    # Five and three microbatches, so that one process repeats one; the head in slices of two positions.
    "sft": (sft, SHOWN, {"batch_size": 5, "microbatch_size": 1, "loss_megabytes": 0.01}),
    # One microbatch, which is halved.
    "dpo": (dpo, PREFERRED, {"batch_size": 7, "microbatch_size": 7}),
    # What is learned rests on the whole batch, of which a process sees a part.
    "kto": (kto, LABELLED, {"batch_size": 6, "microbatch_size": 2}),
    "lora": (sft, SHOWN, {"batch_size": 4, "microbatch_size": 2, "lora_rank": 2, "keep": "last"}),
}
SAVED = 2
"""The step whose state is kept."""


def trained(case: str, model: Path, resume: State | None = None, keep: Path | None = None) -> dict[str, Any]:
    """The metrics of all steps, evaluations among them, and the weights that the network is left with."""
    method, examples, options = CASES[case]
    loaded = load(model, device="cpu")
    cache = {"cache": model.parent / f"cache-{case}"} if method in (dpo, kto) else {}
    config = method.Config(**SHARED, **options)
    steps, best = [], None
    for step in method.train(loaded, examples, config, resume, examples[:3], **cache):
        steps.append({**step.metrics, **{f"eval/{name}": value for name, value in (step.evaluation or {}).items()}})
        best = step.best
        if step.number == SAVED and keep is not None:
            state = step.state
            if processes.here().first:
                save_state(state, keep)
    weights: dict[str, Tensor] = {name: weight.clone() for name, weight in loaded.net.state_dict().items()}
    return {"steps": steps, "weights": weights, "best": best and best.step}


def failures() -> list[str]:
    """What this process is told where another fails, where the first does, and where they differ."""
    here = processes.here()

    def fail() -> None:
        raise BadInput("the first")

    def alone() -> None:
        with here.failing():
            if not here.first:
                raise BadInput("the second")

    return [
        _failure(alone),
        _failure(lambda: here.from_first(fail)),
        _failure(lambda: here.agree("ranks", f"{here.rank}")),
    ]


def _failure(function: Callable[[], object]) -> str:
    try:
        function()
    except (BadInput, SystemExit) as error:
        return f"{type(error).__name__} {error}"
    return "nothing"


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    processes.begin("cpu")
    told: dict[str, Any] = {"failures": failures()}
    for kind, sharded in (("ddp", "false"), ("fsdp", "true")):
        os.environ["ACCELERATE_USE_FSDP"] = sharded
        assert processes.here().shards == (kind == "fsdp")
        for case in CASES:
            told[f"{kind} {case}"] = trained(case, folder / "model", keep=folder / f"{kind} {case}.state")
            state = load_state(folder / f"one {case}.state")
            told[f"{kind} {case} resumed"] = trained(case, folder / "model", state)
    torch.save(told, folder / f"{processes.here().rank}.pt")
    processes.end()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
