"""The command line as a user meets it: on real public data, with bad input, interrupted, and gone on with."""

from __future__ import annotations

import gzip
import json
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from groma.cli import COMMANDS, run
from groma.models.load import load
from stopped import stopped


@pytest.fixture(scope="module")
def pairs(shared_data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty real preferences, some of whose dialogues part before the last turn."""
    source = shared_data("hh_rlhf_harmless_test") / "harmless_base_test.jsonl.gz"
    rows = gzip.decompress(source.read_bytes()).decode().splitlines()
    short = sorted(rows, key=len)[:40]
    path = tmp_path_factory.mktemp("pairs") / "pairs.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(short).encode()))
    return path


def groma(*arguments: object) -> int:
    return run([str(one) for one in arguments])


def test_real_preferences_train_a_llama_folder_that_transformers_loads(
    pairs: Path, tiny_model: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, tuned, preferred = tiny_model("llama"), tmp_path / "sft", tmp_path / "dpo"
    small = ("--batch-size", 8, "--max-length", 512)
    assert groma("align", "sft", "--model", base, "--data", pairs, "--out", tuned, *small, "--learning-rate", 1e-3) == 0
    assert "chosen side is learned" in capsys.readouterr().err
    assert (
        groma("align", "dpo", "--model", tuned, "--data", pairs, "--out", preferred, *small, "--learning-rate", 1e-3)
        == 0
    )
    net, tokenizer = AutoModelForCausalLM.from_pretrained(preferred), AutoTokenizer.from_pretrained(preferred)
    assert tokenizer.chat_template and net.config.model_type == "llama"
    log = [json.loads(line) for line in (preferred / "training.jsonl").read_text().splitlines()]
    assert log[0]["loss"] == pytest.approx(0.6931472, abs=1e-6) and log[-1]["step"] == len(log) == 5
    before, after = load_file(tuned / "model.safetensors"), load_file(preferred / "model.safetensors")
    assert any(not torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("suite", ["xstest", "truthfulqa"])
def test_public_suites_are_surveyed(
    suite: str,
    shared_data: Callable[[str], Path],
    tiny_model: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "run"
    survey = (
        "survey",
        tiny_model("llama"),
        "--as",
        "trivial,completion,chat",
        "--on",
        suite,
        "--data",
        shared_data(suite),
    )
    assert groma(*survey, "--out", out, "--items", 12, "--max-tokens", 8) == 0
    records = json.loads((out / "records.json").read_text())
    levels = {
        (one["system"], one["outcome"]): one for one in records if one["case"] == "average" and not one["against"]
    }
    if suite == "xstest":
        assert levels["chat", "over_refusal"]["estimate"]["n"] >= 1
        assert (
            levels["trivial", "over_refusal"]["estimate"] is None
            and "form" in levels["trivial", "over_refusal"]["why_not"]
        )
    else:
        assert all(levels[system, "mc2"]["estimate"]["n"] == 12 for system in ("trivial", "completion", "chat"))
        assert 0 < levels["chat", "mc1"]["baseline"]["guesses"] < 0.5
    printed = capsys.readouterr().out
    assert (out / "report.html").stat().st_size > 10_000 and "report.html" in printed


def test_the_main_job_on_a_users_own_model_and_preferences(
    pairs: Path, tiny_model: Callable[..., Path], shared_data: Callable[[str], Path], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    own = (
        "run",
        "--model",
        tiny_model("llama"),
        "--preferences",
        pairs,
        "--on",
        "xstest",
        "--data",
        shared_data("xstest"),
    )
    small = (
        "--items",
        6,
        "--max-tokens",
        6,
        "--sft.max-steps",
        2,
        "--dpo.max-steps",
        2,
        "--sft.max-length",
        512,
        "--dpo.max-length",
        512,
    )
    assert groma(*own, "--out", out, *small) == 0
    assert load(out / "stages" / "dpo").net.config.model_type == "llama"
    against = {one["against"] for one in json.loads((out / "records.json").read_text())}
    assert {"stage:base", "stage:sft", "system:trivial", "system:completion"} <= against
    assert groma(*own, "--out", out, *small) == 2
    assert groma(*own, "--out", out, *small, "--resume") == 2


def test_compare_makes_preferences_that_align_reads(tmp_path: Path, tiny_model: Callable[..., Path]) -> None:
    out = tmp_path / "made.jsonl"
    assert groma("compare", "vale", "--out", out, "--items", 24) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert rows and all(row["chosen"] != row["rejected"] and row["prompt"][-1]["role"] == "user" for row in rows)
    assert groma("align", "dpo", "--model", "vale", "--data", out, "--out", tmp_path / "dpo", "--max-steps", 1) == 0
    assert groma("compare", "vale", "--out", tmp_path / "b.jsonl", "--items", 24, "--by", "judge") == 0


def test_a_person_at_the_terminal_chooses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = iter(["2", "what", "1", "s", "q"])
    monkeypatch.setattr("builtins.input", lambda *_: next(said))
    assert groma("compare", "vale", "--out", tmp_path / "made.jsonl", "--items", 40, "--by", "person") == 0
    assert len((tmp_path / "made.jsonl").read_text().splitlines()) == 2


def test_chat_answers_lines_from_a_pipe(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    lines = iter(["hello.", "/again", "/new", "how do i wash the bell?"])

    def line(*_: object) -> str:
        try:
            return next(lines)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("builtins.input", line)
    assert groma("chat", "vale", "--temperature", 0) == 0
    first, again, steps = capsys.readouterr().out.strip().splitlines()
    assert first == again and "wash the bell" in steps


def test_a_users_own_system_is_surveyed(tmp_path: Path) -> None:
    own = tmp_path / "mine.py"
    own.write_text(
        "from groma.formats.messages import Message\n"
        "from groma.formats.requests import Generate\n"
        "from groma.formats.transcript import Transcript\n"
        "def terse(posed, *, max_tokens=8):\n"
        "    reply = yield Generate(prompt=posed.messages, max_tokens=max_tokens, temperature=0.0)\n"
        "    return Transcript((*posed.messages, Message('assistant', reply.text)), reply.text)\n"
    )
    assert groma("survey", "vale", "--as", f"{own}:terse", "--out", tmp_path / "run", "--items", 20) == 0
    assert {one["system"] for one in json.loads((tmp_path / "run/records.json").read_text())} == {"mine.terse"}


def file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


GOOD = '{"prompt": "a", "chosen": "b", "rejected": "c"}\n'


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--data", "missing.jsonl"), ["missing.jsonl", "no such file"]),
        (("--data", "empty.jsonl"), ["empty.jsonl", "empty"]),
        (("--data", "broken.jsonl"), ["broken.jsonl:7", "JSON"]),
        (("--data", "columns.jsonl"), ["question, reply", "prompt chosen rejected", "columns.jsonl:1"]),
        (("--model", "no-tokenizer"), ["no tokenizer", "tokenizer.json"]),
        (("--model", "pickle"), ["pickle", "safetensors"]),
        (("--model", "nowhere"), ["nowhere", "vale"]),
        (("--label-smoothing", "0.1", "--loss-type", "hinge"), ["label_smoothing", "no effect"]),
        (("--evaluate-every", "5"), ["evaluate_every", "no effect"]),
        (("--batch-size", "10", "--microbatch-size", "3"), ["microbatch_size 3", "10"]),
        (("--out", "held"), ["held", "already holds something"]),
        (("--loss-typ", "hinge"), ["--loss-typ"]),
    ],
)
def test_bad_input_is_told_and_leaves_nothing_behind(
    arguments: tuple[str, ...], told: list[str], tmp_path: Path, tiny_model: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    file(tmp_path, "good.jsonl", GOOD)
    file(tmp_path, "empty.jsonl", "")
    file(tmp_path, "broken.jsonl", GOOD * 6 + '{"prompt": "a", "chosen"\n')
    file(tmp_path, "columns.jsonl", '{"question": "a", "reply": "b"}\n')
    for name, left_out in (("no-tokenizer", "tokenizer"), ("pickle", "model.safetensors")):
        (tmp_path / name).mkdir()
        for one in tiny_model("llama").iterdir():
            if not one.name.startswith(left_out):
                (tmp_path / name / one.name).write_bytes(one.read_bytes())
    file(tmp_path / "pickle", "pytorch_model.bin", "no real pickle")
    file((tmp_path / "held").absolute(), "x", "y") if (tmp_path / "held").mkdir() is None else None
    before = sorted(path for path in tmp_path.rglob("*"))
    given = {"--model": str(tiny_model("llama")), "--data": "good.jsonl", "--out": "out"}
    pairs = dict(zip(arguments[::2], arguments[1::2], strict=False))
    options = [word for pair in (given | {k: v for k, v in pairs.items() if k in given}).items() for word in pair]
    rest = [] if arguments[0] in given else list(arguments)
    assert groma("align", "dpo", *options, *rest) == 2
    printed = capsys.readouterr()
    for one in told:
        assert one in printed.err + printed.out
    assert sorted(path for path in tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("run", "--preferences", "missing.jsonl"), "missing.jsonl"),
        (("run", "--model", "nowhere"), "nowhere"),
        (("run", "--demonstrations", "x.jsonl"), "no effect"),
        (("run", "--sft.seed", 3), "no effect"),
        (("survey", "vale", "--temperature", -1), "--temperature -1"),
        (("survey", "vale", "--max-tokens", 0), "--max-tokens 0"),
        (("survey", "vale", "--as", "chat,chat"), "each once"),
        (("survey", "vale", "--as", "debate"), "trivial, completion, chat"),
        (("survey", "vale", "--split", "test"), "train, held_out, shifted"),
        (("survey", "vale", "--data", "x"), "no effect"),
        (("survey", "vale", "--on", "hellaswag"), "vale, vale_weeks, truthfulqa, xstest"),
        (("survey", "vale", "--resume", "--fresh"), "contradict"),
    ],
)
def test_bad_runs_and_surveys_leave_nothing_behind(
    arguments: tuple[object, ...], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert groma(*arguments, "--out", tmp_path / "out") == 2
    printed = capsys.readouterr()
    assert told in printed.err + printed.out
    assert not (tmp_path / "out").exists()


def test_unknown_commands_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert groma("aline") == 2 and "choose one of run, align" in capsys.readouterr().err
    assert groma("align", "pro") == 2 and "sft, dpo" in capsys.readouterr().err
    assert groma("--help") == 0
    printed = capsys.readouterr().out
    assert all(f"  {name}" in printed for name in COMMANDS)


def test_help_answers_at_once() -> None:
    """Processor time, since the machine may be busy with something else."""
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "groma", "--help"], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times) < 0.5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_training_that_is_stopped_goes_on_bit_for_bit(
    number: signal.Signals, pairs: Path, tiny_model: Callable[..., Path], tmp_path: Path
) -> None:
    def command(out: str) -> list[str]:
        words = [
            "align",
            "sft",
            "--model",
            str(tiny_model("llama")),
            "--data",
            str(pairs),
            "--out",
            str(tmp_path / out),
        ]
        return [*words, "--batch-size", "4", "--epochs", "6", "--learning-rate", "1e-3", "--max-length", "512"]

    state = tmp_path / ".stopped.state"
    said = stopped(command("stopped"), state, number)
    assert not (tmp_path / "stopped").exists()
    if number == signal.SIGINT:
        assert "--resume" in said
    assert groma(*command("stopped")) == 2
    assert groma(*command("stopped"), "--resume") == 0 and groma(*command("whole")) == 0
    again, whole = (load_file(tmp_path / name / "model.safetensors") for name in ("stopped", "whole"))
    assert all(torch.equal(again[name], whole[name]) for name in whole)
    assert not state.exists()


def test_a_killed_survey_goes_on_and_asks_nothing_twice(tmp_path: Path) -> None:
    def command(out: str) -> list[str]:
        forms = ("--items", "400", "--properties", "none")
        return ["survey", "vale", "--as", "completion,chat", "--out", str(tmp_path / out), *forms]

    child = subprocess.Popen([sys.executable, "-m", "groma", *command("killed")], stderr=subprocess.DEVNULL)
    calls = tmp_path / "killed" / "calls"
    deadline = time.monotonic() + 90
    while child.poll() is None and time.monotonic() < deadline:
        if calls.exists() and any(path.stat().st_size > 50_000 for path in calls.iterdir()):
            break
        time.sleep(0.005)
    child.kill()
    assert child.wait() == -signal.SIGKILL
    logged = next(calls.iterdir()).read_bytes()
    whole = logged[: logged.rfind(b"\n") + 1]
    assert groma(*command("killed")) == 2
    assert groma(*command("killed"), "--resume") == 0 and groma(*command("whole")) == 0
    after = next(calls.iterdir()).read_bytes()
    assert after.startswith(whole) and after.count(b"\n") == 801
    for name in ("completion", "chat"):
        lines = [(tmp_path / run / f"transcripts/model__{name}__vale.jsonl").read_text() for run in ("killed", "whole")]
        answers = [[json.loads(line)["answer"] for line in text.splitlines()] for text in lines]
        same = sum(a == b for a, b in zip(*answers, strict=True))
        assert same >= 0.99 * len(answers[0])
