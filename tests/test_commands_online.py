"""`groma align reward|ppo|rloo|grpo|online-dpo|kto` from the command line: they train, resume, and refuse."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from groma.cli import run
from groma.formats.errors import BadInput
from groma.methods import reward
from groma.methods.checkpoint import save_reward
from groma.models.load import load
from groma.models.reward import load_reward
from groma.suites.file import ends_in, from_path
from stopped import stopped


def groma(*arguments: object) -> int:
    return run([str(one) for one in arguments])


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    path = tmp_path / "prompts.jsonl"
    path.write_text("".join(json.dumps({"prompt": f"{n} + 1 =", "answer": str(n + 1)}) + "\n" for n in range(16)))
    return path


@pytest.fixture
def pay(tmp_path: Path) -> str:
    path = tmp_path / "pays.py"
    path.write_text("def short(task, transcript):\n    return -len(transcript.answer) / 10\n")
    return f"{path}:short"


SMALL = ("--max-steps", 2, "--batch-size", 4, "--max-tokens", 4, "--tasks", 16)


@pytest.mark.parametrize(
    "more",
    [
        ("ppo", "--epochs", 1),
        ("ppo", "--critic", "separate", "--epochs", 1),
        ("rloo", "--samples", 2),
        ("grpo", "--samples", 2, "--variant", "dr_grpo"),
        ("online-dpo",),
    ],
)
def test_a_system_is_trained_on_a_file_of_prompts(
    more: tuple[object, ...], prompts: Path, pay: str, tiny_model: Callable[..., Path], tmp_path: Path
) -> None:
    method, *options = more
    out = tmp_path / "out"
    arguments = ("align", method, "--model", tiny_model("llama"), "--on", prompts, "--out", out, *SMALL, *options)
    assert groma(*arguments, "--pay", f"short=2*{pay}", "--pay", "right=verifier") == 0
    load(out)
    rows = [json.loads(line) for line in (out / "training.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2]
    for row in rows:
        assert row["objective/scores"] == pytest.approx(2 * row["pay/short"] + row["pay/right"])


def test_a_reward_model_is_trained_pays_and_begins_the_critic(
    prompts: Path, tiny_model: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {"prompt": f"q{n}", "chosen": f"the {n}", "rejected": "no", "group": "AB"[n % 2], "margin": n / 8}
        for n in range(8)
    ]
    data, judge = tmp_path / "pairs.jsonl", tmp_path / "rm"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    model = tiny_model("llama")
    learn = ("--max-steps", 3, "--batch-size", 4, "--normalise", 4, "--max-tokens", 4, "--members", 2)
    assert groma("align", "reward", "--model", model, "--data", data, "--out", judge, *learn) == 0
    told = json.loads((judge / "accuracy.json").read_text())["pairs.jsonl"]
    assert told["by group"]["A"]["n"] == 4 and len(told["by margin"]) == 3
    one, other = judge / "member-1", judge / "member-2"
    assert (one / "model.safetensors").read_bytes() != (other / "model.safetensors").read_bytes()
    arguments = ("align", "ppo", "--model", model, "--on", prompts, "--out", tmp_path / "out", *SMALL)
    arguments = (*arguments, "--pay", f"model={judge}", "--ensemble", "worst")
    assert groma(*arguments, "--critic", "separate", "--critic-from", one, "--epochs", 1) == 0
    capsys.readouterr()
    again = ("align", "ppo", "--model", "vale", "--kind", "ask", "--out", tmp_path / "vale", *SMALL)
    assert groma(*again, "--pay", f"model={one}") == 2
    assert "another tokenizer than vale" in capsys.readouterr().err
    assert groma(*again, "--pay", f"model={one}", "--retokenise", "--epochs", 1) == 0


@pytest.mark.parametrize("method", ["ppo", "reward"])
def test_what_is_killed_goes_on_bit_for_bit(
    method: str, prompts: Path, pay: str, tiny_model: Callable[..., Path], tmp_path: Path
) -> None:
    told = pairs(tmp_path / "pairs.jsonl", [(f"q{n}", f"the {n}", "no") for n in range(8)])
    data = ("--data", told, "--normalise", 4) if method == "reward" else ("--on", prompts, "--pay", f"short={pay}")

    def command(out: str) -> list[str]:
        given = ("align", method, "--model", tiny_model("llama"), "--out", tmp_path / out, *data)
        return [str(one) for one in (*given, "--max-steps", 40, "--batch-size", 4, "--max-tokens", 4)]

    stopped(command("killed"), tmp_path / ".killed.state", signal.SIGKILL)
    assert not (tmp_path / "killed").exists() and groma(*command("killed")) == 2
    assert groma(*command("killed"), "--resume") == 0 and groma(*command("whole")) == 0
    again, whole = (load_file(tmp_path / name / "model.safetensors") for name in ("killed", "whole"))
    assert all(torch.equal(again[name], whole[name]) for name in whole)
    logs = [(tmp_path / name / "training.jsonl").read_text() for name in ("killed", "whole")]
    assert logs[0] == logs[1] and len(logs[0].splitlines()) == 40


def pairs(path: Path, rows: list[tuple[str, str, str]]) -> Path:
    path.parent.mkdir(exist_ok=True)
    told = [{"prompt": one, "chosen": good, "rejected": bad} for one, good, bad in rows]
    path.write_text("".join(json.dumps(row) + "\n" for row in told))
    return path


def test_evaluation_data_of_the_same_file_name_are_not_learned_from(
    tiny_model: Callable[..., Path], tmp_path: Path
) -> None:
    learn = pairs(tmp_path / "train" / "pairs.jsonl", [(f"q{n}", f"the {n}", "no") for n in range(8)])
    test = pairs(tmp_path / "test" / "pairs.jsonl", [(f"q{n}", "no", f"the {n}") for n in range(6)])
    arguments = ("align", "reward", "--model", tiny_model("llama"), "--batch-size", 4, "--epochs", 1, "--normalise", 0)
    evaluated = ("--evaluation-data", test, "--evaluate-every", 2)
    assert groma(*arguments, "--data", learn, *evaluated, "--out", tmp_path / "both") == 0
    assert groma(*arguments, "--data", learn, "--out", tmp_path / "alone") == 0
    both, alone = (tmp_path / name / "model.safetensors" for name in ("both", "alone"))
    assert both.read_bytes() == alone.read_bytes()
    told = json.loads((tmp_path / "both" / "accuracy.json").read_text())
    assert {Path(name).parent.name: one["pairs"] for name, one in told.items()} == {"train": 8, "test": 6}


def test_pairs_too_long_for_the_context_are_counted_and_lose_no_run(
    tiny_model: Callable[..., Path], tmp_path: Path
) -> None:
    rows = [(f"q{n}", f"the {n}", "no") for n in range(8)]
    context = load(tiny_model("llama")).context
    assert context is not None
    data = pairs(tmp_path / "pairs.jsonl", [*rows, ("the " * (2 * context), "yes", "no")])
    learn = ("--batch-size", 4, "--max-steps", 2, "--normalise", 16, "--max-tokens", 4, "--out", tmp_path / "rm")
    assert groma("align", "reward", "--model", tiny_model("llama"), "--data", data, *learn) == 0
    told = json.loads((tmp_path / "rm" / "accuracy.json").read_text())["pairs.jsonl"]
    assert (told["pairs"], told["too long"], told["of"]) == (8, 1, 9)


def test_members_of_an_ensemble_are_kept_only_where_it_goes_on(
    tiny_model: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = pairs(tmp_path / "pairs.jsonl", [(f"q{n}", f"the {n}", "no") for n in range(8)])
    learn = ("--batch-size", 4, "--max-steps", 1, "--normalise", 0, "--members", 2, "--out", tmp_path / "rm")
    arguments = ("align", "reward", "--model", tiny_model("llama"), "--data", data, *learn)
    assert groma(*arguments) == 0
    capsys.readouterr()
    assert groma(*arguments) == 2 and "already holds something" in capsys.readouterr().err
    assert groma(*arguments, "--resume") == 0


def test_a_reward_folder_without_its_head_is_refused(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    save_reward(reward.begin(load(tiny_model("llama"))), tmp_path / "rm")
    file = tmp_path / "rm" / "model.safetensors"
    weights = {name: one for name, one in load_file(file).items() if not name.startswith("score")}
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(BadInput, match=r"1 weights are missing or of another shape \(score.weight\)"):
        load_reward(tmp_path / "rm")


def test_vales_rater_pays_where_nobody_is_named(tmp_path: Path) -> None:
    arguments = ("align", "rloo", "--model", "vale", "--kind", "how", "--out", tmp_path / "out", *SMALL)
    assert groma(*arguments, "--samples", 2) == 0
    row = json.loads((tmp_path / "out" / "training.jsonl").read_text().splitlines()[0])
    assert row["pay/rater"] == row["objective/scores"]


def test_labelled_completions_are_learned(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    data = tmp_path / "labelled.jsonl"
    rows = [{"prompt": f"q{n}", "completion": f"the {n}", "label": n % 2 == 0} for n in range(8)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = ("--model", tiny_model("llama"), "--data", data, "--out", tmp_path / "out", "--batch-size", 4)
    assert groma("align", "kto", *arguments) == 0
    load(tmp_path / "out")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--pay", "rater=rater"), "know nothing of prompts"),
        ((), "nobody pays"),
        (("--pay", "x=a*verifier"), "'a' is no number"),
        (("--pay", "x=0*verifier"), "has the weight 0"),
        (("--pay", "verifier"), "give NAME=WHAT"),
        (("--pay", "x=verifier", "--pay", "x=verifier"), "given twice"),
        (("--pay", "x=verifier", "--ensemble", "worst"), "no source of pay is an ensemble"),
        (("--pay", "x=verifier", "--retokenise"), "no source of pay is a reward model"),
        (("--pay", "x=judge:refusal"), "name it by --player judge=WHAT"),
        (("--pay", "x=verifier", "--player", "judge=fake:A"), "no source of pay is judge:RUBRIC"),
        (("--pay", "x=verifier", "--player", "assistant=vale"), "assistant learns"),
        (("--pay", "x=verifier", "--critic-from", "vale"), "no reward model"),
        (("--pay", "x=verifier", "--kl-in", "loss"), "choose k2 or k3"),
        (("--pay", "x=verifier", "--temperature", "0"), "temperature 0"),
    ],
)
def test_what_cannot_be_is_refused(
    more: tuple[str, ...], told: str, prompts: Path, tiny_model: Callable[..., Path], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    arguments = ("align", "ppo", "--model", tiny_model("llama"), "--on", prompts, "--out", tmp_path / "out", *SMALL)
    assert groma(*arguments, *more) == 2
    assert told in capsys.readouterr().err.replace("\n", " ")
    assert not (tmp_path / "out").exists()


def test_public_test_sets_are_not_trained_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert groma("align", "ppo", "--model", "vale", "--on", "xstest", "--out", tmp_path / "out") == 2
    assert "a public test set is for testing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("answer", "text", "right"),
    [
        ("7", "So 3 + 4 = 7.", True),
        ("7", "7 is wrong, it is 8", False),
        ("1,000", "it is 1000.0", True),
        ("-3", "the sum is -3", True),
        ("7", "seven", False),
        ("Paris", "It is the capital, paris!", True),
        ("Paris", "Paris is the capital", False),
        ("New York", "in New  York.", True),
    ],
)
def test_a_reply_ends_in_the_answer(answer: str, text: str, right: bool) -> None:
    assert ends_in(answer, text) is right


def test_a_file_with_answers_is_a_suite_that_checks_them(prompts: Path) -> None:
    suite = from_path(prompts)
    assert suite.kinds == ("answer",)
    task = next(one for one in suite.tasks() if one.gold["answer"] == "5")
    said = {text: suite.judge(task, suite.rivals["answers everything"](task)) for text in ("x",)}
    assert said["x"].outcomes["accuracy"] == 0.0
