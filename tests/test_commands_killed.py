"""Training that is killed at any moment, in the midst of writing a file too, goes on as if it had not been."""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from groma.cli import run
from groma.methods import keeping

MOMENTS = 2
TOUCHES = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree")


def train(arguments: list[str], place: Path, dies_at: int, counted: Path) -> None:
    """Run the command in this process, which dies (as by SIGKILL: nothing is tidied up) the n-th time that it touches
    a file below `place`; 0: never. How often it did so is kept in `counted`.
    """
    keeping.EVERY_SECONDS = 0.0
    touched = 0

    def touch(event: str, given: tuple[object, ...]) -> None:
        nonlocal touched
        if event in TOUCHES and str(given[0]).startswith(str(place)):
            touched += 1
            if touched == dies_at:
                os._exit(137)

    sys.addaudithook(touch)
    code = run(arguments)
    counted.write_text(str(touched))
    os._exit(code)


def trained(arguments: list[str], place: Path, dies_at: int = 0) -> tuple[int | None, int]:
    """The exit code of a process of its own, and how often it touched a file."""
    counted = place.with_suffix(".touched")
    counted.write_text("0")
    child = get_context("fork").Process(target=train, args=(arguments, place, dies_at, counted))
    child.start()
    child.join(120)
    return child.exitcode, int(counted.read_text())


@pytest.mark.parametrize("method", ["ppo", "reward", "dpo"])
def test_training_that_is_killed_while_it_touches_a_file_goes_on_bit_for_bit(
    method: str, tiny_model: Callable[..., Path], tmp_path: Path
) -> None:
    rows = [{"prompt": f"q{n}", "chosen": f"the {n}", "rejected": "no", "answer": str(n)} for n in range(8)]
    (data := tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    of = {
        "ppo": ("--on", data, "--pay", "right=verifier", "--batch-size", 4, "--max-tokens", 4),
        "reward": ("--data", data, "--normalise", 4, "--batch-size", 4, "--max-tokens", 4),
        "dpo": ("--data", data, "--batch-size", 4),
    }[method]

    def command(out: Path) -> list[str]:
        given = ("align", method, "--model", tiny_model("llama"), "--out", out, "--max-steps", 3, *of)
        return [str(one) for one in given]

    (whole := tmp_path / "whole").mkdir()
    code, touched = trained(command(whole / "out"), whole)
    assert code == 0 and touched > 10
    expected, log = load_file(whole / "out" / "model.safetensors"), (whole / "out" / "training.jsonl").read_text()
    for number, moment in enumerate(random.Random(method).sample(range(1, touched + 1), MOMENTS)):
        (place := tmp_path / f"killed-{number}").mkdir()
        assert trained(command(place / "out"), place, moment)[0] == 137
        finished = (place / "out").exists()
        assert trained([*command(place / "out"), "--resume"], place)[0] == (2 if finished else 0), moment
        assert [one.name for one in place.iterdir()] == ["out"], moment
        found = load_file(place / "out" / "model.safetensors")
        assert all(torch.equal(found[name], one) for name, one in expected.items()), moment
        assert (place / "out" / "training.jsonl").read_text() == log, moment
