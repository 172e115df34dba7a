"""Two processes, begun by `accelerate launch` on a CPU (gloo), do what one does: whole weights and shards (FSDP2)."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import groma
import together
from groma.cli import run
from groma.formats.errors import BadConfig
from groma.methods import processes
from groma.methods.checkpoint import load_state
from groma.methods.processes import Processes

TESTS = Path(__file__).parent
SHARDS = ("--use_fsdp", "--fsdp_version", "2")
KINDS = ("ddp", "fsdp")


def launch(kind: str, *arguments: object) -> subprocess.Popen[str]:
    """`accelerate launch` with two processes of one thread each."""
    command = [sys.executable, "-m", "accelerate.commands.launch", "--num_processes", "2", "--main_process_port", "0"]
    command += SHARDS if kind == "fsdp" else ["--multi_gpu"]
    paths = os.pathsep.join([str(Path(groma.__file__).parents[1]), str(TESTS)])
    return subprocess.Popen(
        [*command, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def done(child: subprocess.Popen[str], limit: float = 300.0) -> tuple[int, str, str]:
    """Exit code, output, errors. Whatever happens, nobody is left behind."""
    try:
        out, err = child.communicate(timeout=limit)
    finally:
        child.kill()
    return child.returncode, out, err


def test_two_processes_do_what_one_does(
    tiny_model: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """All that needs a launch, in one: it takes longer than all that is done in it."""
    shutil.copytree(tiny_model("llama"), tmp_path / "model")
    one = {
        case: together.trained(case, tmp_path / "model", keep=tmp_path / f"one {case}.state") for case in together.CASES
    }
    for place in tmp_path.glob("cache-*"):  # two processes are to compute the reference
        shutil.rmtree(place)
    code, _, err = done(launch("fsdp", TESTS / "together.py", tmp_path))
    assert code == 0, err
    both = [torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1)]
    for case, expected in one.items():
        assert len(expected["steps"]) == 4 and expected["steps"][0]["loss"] != expected["steps"][3]["loss"]
        for kind, process in itertools.product(KINDS, both):
            assert len(process[f"{kind} {case}"]["steps"]) == 4
            assert_same(process[f"{kind} {case}"], expected)
        for kind in KINDS:
            assert_same(both[0][f"{kind} {case} resumed"], expected, together.SAVED)
            state = load_state(tmp_path / f"{kind} {case}.state")
            assert_same(together.trained(case, tmp_path / "model", state), expected, together.SAVED)
    assert_the_reference_is_found(tmp_path, one["dpo"], caplog)
    differ = "BadInput ranks differ between the processes (0, 1)\n  expected: the same files and options"
    assert both[0]["failures"] == ["BadInput process 1: the second", "BadInput the first", differ]
    assert both[1]["failures"] == ["SystemExit 2", "BadInput the first", differ]


def assert_same(found: dict[str, Any], expected: dict[str, Any], begin: int = 0) -> None:
    """Metrics, of the steps behind `begin`, and the weights at the end within 1e-5."""
    assert found["best"] == expected["best"]
    for step, wanted in zip(found["steps"], expected["steps"][begin:], strict=True):
        wanted = dict(wanted)
        if (
            "rewards/accuracies" in wanted and wanted["rewards/margins"] == 0
        ):  # won or lost by rounding, where another forward pass made the reference
            wanted["rewards/accuracies"] = step["rewards/accuracies"]
        assert step == pytest.approx(wanted, abs=1e-5, rel=1e-6)
    assert found["weights"].keys() == expected["weights"].keys()
    for name, weight in expected["weights"].items():
        assert (found["weights"][name] - weight).abs().max() < 1e-5, name


def assert_the_reference_is_found(folder: Path, expected: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """What two processes kept is read by one."""
    before = {file: file.stat().st_mtime_ns for file in (folder / "cache-dpo").iterdir()}
    assert len(before) == 2  # of the training pairs, and of those for evaluation
    caplog.clear()
    with caplog.at_level("INFO", logger="groma"):
        assert_same(together.trained("dpo", folder / "model"), expected)
    assert sum("read from" in message for message in caplog.messages) == 2
    assert before == {file: file.stat().st_mtime_ns for file in (folder / "cache-dpo").iterdir()}


class TestDeal:
    def test_one_process_gets_everything(self) -> None:
        assert Processes().deal([[3, 1], [2]]) == [([3, 1], True), ([2], True)]

    def test_all_get_equally_many_and_what_is_repeated_does_not_count(self) -> None:
        groups = [[0], [1], [2], [3], [4]]
        assert Processes(0, 2).deal(groups) == [([0], True), ([2], True), ([4], True)]
        assert Processes(1, 2).deal(groups) == [([1], True), ([3], True), ([4], False)]

    def test_what_is_too_few_is_halved(self) -> None:
        assert Processes(0, 2).deal([[0, 1, 2]]) == [([0], True)]
        assert Processes(1, 2).deal([[0, 1, 2]]) == [([1, 2], True)]
        shares = [Processes(rank, 4).deal([[0, 1, 2, 3], [4]]) for rank in range(4)]
        assert shares == [[([0], True)], [([1], True)], [([2, 3], True)], [([4], True)]]

    def test_fewer_examples_than_processes(self) -> None:
        assert [Processes(rank, 3).deal([[7]]) for rank in range(3)] == [[([7], True)], [([7], False)], [([7], False)]]


class TestLaunch:
    @pytest.fixture(autouse=True)
    def launched(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in (("LOCAL_RANK", "0"), ("RANK", "0"), ("WORLD_SIZE", "2")):
            monkeypatch.setenv(name, value)

    @pytest.mark.parametrize(
        ("variables", "mend"),
        [
            ({"ACCELERATE_USE_DEEPSPEED": "true"}, "launch with --multi_gpu"),
            ({"ACCELERATE_MIXED_PRECISION": "bf16"}, "give --precision"),
            ({"ACCELERATE_USE_FSDP": "true"}, "--fsdp_version 2"),
            (
                {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "FSDP_OFFLOAD_PARAMS": "true"},
                "--fsdp_offload_params true would have no effect: leave it out",
            ),
        ],
    )
    def test_what_would_be_ignored_is_refused(
        self, variables: dict[str, str], mend: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(BadConfig) as refused:
            processes.begin("cpu")
        assert mend in str(refused.value)

    def test_one_gpu_for_all_is_refused(self) -> None:
        with pytest.raises(BadConfig, match=r"--device cuda:1 with several processes: choose cpu, or cuda"):
            processes.begin("cuda:1")

    def test_other_commands_are_refused_and_the_first_says_so(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(["survey", "vale"]) == 2
        assert "groma survey is done by one process" in capsys.readouterr().err
        monkeypatch.setenv("RANK", "1")
        assert run(["survey", "vale"]) == 2
        assert capsys.readouterr().err == ""


def test_a_launch_that_begins_one_process_only_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_CPU", "True")
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    assert processes.begin("cpu") == "cpu"
    assert "launch with --multi_gpu" in caplog.text
    assert processes.here() == Processes(0, 1)


@pytest.fixture
def options(tiny_model: Callable[..., Path], tmp_path: Path) -> list[object]:
    """Options of `groma align dpo` beside --out."""
    data = tmp_path / "pairs.jsonl"
    pairs = [(one, other) for one, other in zip(together.WORDS, together.WORDS[1:], strict=False)]
    rows = [{"prompt": f"say {one}", "chosen": one, "rejected": other} for one, other in pairs]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    shared = ["--batch-size", 4, "--microbatch-size", 1, "--learning-rate", "1e-4", "--device", "cpu"]
    return ["align", "dpo", "--model", tiny_model("llama"), "--data", data, *shared]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_command_gives_the_same_folder_and_is_stopped_and_resumed(
    kind: str, options: list[object], tmp_path: Path
) -> None:
    out, alone = tmp_path / "out", tmp_path / "alone"
    steps = ["--max-steps", 300]
    child = launch(kind, "-m", "groma", *options, *steps, "--out", out)
    log = tmp_path / ".out.training.jsonl"
    began = time.monotonic()
    while not (log.exists() and log.stat().st_size) and child.poll() is None and time.monotonic() - began < 120:
        time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    code, _, err = done(child)
    assert code != 0 and err.count("stopped. Nothing is lost: go on with `groma align dpo") == 1
    assert (tmp_path / ".out.state").exists() and not out.exists()

    code, told, err = done(launch(kind, "-m", "groma", *options, *steps, "--out", out, "--resume"))
    assert code == 0, err
    assert told.count("300 steps, loss") == 1 and err.count("align pairs.jsonl: 300/300") == 1
    assert run([str(one) for one in (*options, *steps, "--out", alone)]) == 0
    assert sorted(file.name for file in out.iterdir()) == sorted(file.name for file in alone.iterdir())
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []
    rows = [[json.loads(line) for line in (one / "training.jsonl").open()] for one in (out, alone)]
    assert [row["step"] for row in rows[0]] == list(range(1, 301))
    for found, expected in zip(*rows, strict=True):
        assert found["loss"] == pytest.approx(expected["loss"], abs=1e-5)
    found, expected = (load_file(one / "model.safetensors") for one in (out, alone))
    assert found.keys() == expected.keys()
    for name, weight in expected.items():
        assert (found[name] - weight).abs().max() < 1e-4  # 300 steps of Adam, which divides by small numbers


@pytest.mark.slow
def test_a_refusal_is_told_once(options: list[object], tmp_path: Path) -> None:
    (tmp_path / "pairs.jsonl").write_text('{"prompt": 3}\n')
    code, out, err = done(launch("ddp", "-m", "groma", *options, "--out", tmp_path / "out"))
    assert code != 0 and err.count("error: ") == 1 and "pairs.jsonl:1" in err
    assert out == "" and not (tmp_path / "out").exists()
