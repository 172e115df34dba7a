"""What a command refuses before it works, and what is kept of a person's work."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from groma.cli import run


def groma(*arguments: object) -> int:
    return run([str(one) for one in arguments])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("run", "--seed", "-1"), "--seed -1: choose 0 or more"),
        (("run", "--compared", "-5"), "--compared -5: choose at least 10"),
        (("run", "--demonstrated", "0"), "--demonstrated 0: choose at least 1"),
        (("survey", "fake:x", "--seed", "-1"), "--seed -1: choose 0 or more"),
        (("survey", "fake:x", "--stage", ""), "choose a name of one to 80 letters"),
        (("survey", "fake:x", "--stage", "a" * 81), "choose a name of one to 80 letters"),
        (("compare", "vale", "--items", "2", "--resume"), "only a person's choices"),
        (("align", "sft", "--model", "vale", "--data", "x.jsonl", "--seed", "-1"), "seed is -1; it must be 0 or more"),
        (("align", "sft", "--model", "vale", "--data", "x.jsonl", "--learning-rate", "inf"), "learning_rate is inf"),
        (("align", "dpo", "--model", "vale", "--data", "x.jsonl", "--beta", "inf"), "beta is inf"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    arguments: tuple[str, ...], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.jsonl"
    assert groma(*arguments, "--out", out) == 2
    assert told in capsys.readouterr().err and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("out", ["pairs.txt", "file/pairs.jsonl"])
def test_an_out_that_cannot_be_written_is_refused_before_anything_is_drawn(out: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert groma("compare", "vale", "--items", "4", "--out", tmp_path / out) == 2
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_a_resume_of_nothing_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "mistyped"
    assert groma("survey", "fake:x", "--as", "chat", "--items", 7, "--resume", "--out", out) == 0
    assert "there is nothing to resume" in capsys.readouterr().err


def test_a_stage_may_be_called_anything(tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert groma("survey", "fake:x", "--as", "chat", "--items", 7, "--stage", "a/../<b>", "--out", out) == 0
    assert {one["stage"] for one in json.loads((out / "records.json").read_text())} == {"a/../<b>"}
    assert [one.name for one in (out / "transcripts").iterdir()] == ["a---b-__chat__vale.jsonl"]


def test_a_persons_choices_outlive_ctrl_c(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def says(*lines: str) -> Callable[..., str]:
        given: Iterator[str] = iter(lines)

        def read(*_: object) -> str:
            try:
                return next(given)
            except StopIteration:
                raise KeyboardInterrupt from None

        return read

    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    command = ("compare", "vale", "--by", "person", "--items", "6", "--kind", "speak", "--out")
    monkeypatch.setattr("builtins.input", says("1", "s", "2"))
    assert groma(*command, one) == 130 and "--resume" in capsys.readouterr().err
    assert groma(*command, one) == 2 and "add --resume to go on" in capsys.readouterr().err
    monkeypatch.setattr("builtins.input", says(*"1111"))
    assert groma(*command, one, "--resume") == 0
    monkeypatch.setattr("builtins.input", says("1", "s", "2", *"1111"))
    assert groma(*command, two) == 0
    assert one.read_text() == two.read_text() and sorted(tmp_path.iterdir()) == [one, two]
