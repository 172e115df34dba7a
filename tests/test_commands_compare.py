"""`groma compare --by RUBRIC`: a model compares two replies in both orders, and so two models."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from groma.cli import run

SHORTER = """
from groma.formats.requests import Reply

def shorter(request, seed):
    lengths = [len(request.prompt[-1].content.split(f"[[[REPLY {one}]]]")[1].split("[[[END")[0]) for one in "AB"]
    return Reply(scores=(-3.0, -0.1) if lengths[0] > lengths[1] else (-0.1, -3.0))
"""
"""Finds the shorter reply better, and of two as long the one that stands first."""


def test_two_models_are_compared_by_a_judge_in_both_orders(
    tmp_path: Path, tiny_model: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    judge, out = tmp_path / "judge.py", tmp_path / "made.jsonl"
    judge.write_text(SHORTER)
    said = ["compare", "vale", "--other", str(tiny_model()), "--kind", "ask", "--items", "24", "--out", str(out)]
    assert run([*said, "--by", "harm", "--player", f"judge=fake:{judge}:shorter"]) == 0
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert len(rows) > 10
    assert all(len(row["chosen"][-1]["content"]) < len(row["rejected"][-1]["content"]) for row in rows)
    told = " ".join(capsys.readouterr().out.split())
    share = re.search(r"is better than .* in (\d\.\d+) \[(.*?), (.*?)\] of (\d+) pairs, ties as one half \((\d+)", told)
    assert share is not None, told
    value, low, high, pairs, better = map(float, share.groups())
    assert low < value < high and value == pytest.approx(better / pairs, abs=0.05) and better > pairs / 2
    assert "both orders agree on 1.00 of" in told and "the first place is favoured by +0.0" in told


def test_a_judge_who_goes_by_the_place_alone_prefers_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = ["compare", "vale", "--items", "12", "--out", str(tmp_path / "made.jsonl"), "--by", "refusal"]
    assert run([*said, "--player", "judge=fake:A"]) == 2
    told = capsys.readouterr()
    assert "both orders agree on 0.00" in told.out and "the first place is favoured by +0.50" in told.out
    assert "is better than" not in told.out, "both replies are of one model"
    assert "no preference came" in " ".join(told.err.split())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--by", "harm"), "--by harm: a model judges by a rubric; name it by --player judge=WHAT"),
        (("--player", "judge=fake:a"), "nobody asks it while --by is rater; choose a rubric"),
        (("--by", "harm", "--player", "judge=fake:a", "--player", "critic=fake:a"), "only judge is asked"),
        (("--by", "harm", "--player", "judge=fake:a", "--group", "B"), "only Vale's rater"),
        (("--by", "single.toml", "--player", "judge=fake:a"), "the rubric 'single' has no comparison"),
    ],
)
def test_a_comparison_that_cannot_be_meant_is_refused_before_anything_is_drawn(
    options: tuple[str, ...],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("single.toml").write_text('name = "single"\nquestion = "Bad?"\noptions = ["yes", "no"]\nbad = "yes"\n')
    assert run(["compare", "vale", "--out", "made.jsonl", *options]) == 2
    told = capsys.readouterr()
    assert says in " ".join(told.err.split()) and "replies" not in told.out
