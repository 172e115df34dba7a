"""`groma judge fit`, `groma judge check`, and surveys judged by a classifier or a model."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from groma.cli import run
from groma.formats.run_folder import RunFolder

REFUSES = ("nay, thou shalt not have it, {n}", "thou shalt not, friend {n}")
ANSWERS = ("here it is, number {n}", "gladly: take {n} of them")


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("judge") / "replies.csv"
    with file.open("w", newline="") as handle:
        rows = csv.writer(handle)
        rows.writerow(("reply", "label", "prompt", "model"))
        for n in range(40):
            said, label = (REFUSES, "refusal") if n % 2 else (ANSWERS, "answer")
            rows.writerow((said[n // 2 % 2].format(n=n), label, f"question {n % 10}", f"model {n % 4}"))
    return file


@pytest.fixture(scope="module")
def classifier(labelled: Path) -> Path:
    out = labelled.parent / "judge.npz"
    assert run(["judge", "fit", str(labelled), "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def prompts(labelled: Path) -> Path:
    file = labelled.parent / "mine.jsonl"
    rows = [{"prompt": f"question {n}", "label": "safe" if n % 2 else "unsafe"} for n in range(20)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def figure(out: Path, outcome: str) -> float:
    (found,) = [
        one
        for one in RunFolder.open(out).records()
        if (one.outcome, one.case, one.condition) == (outcome, "average", "")
    ]
    assert found.estimate is not None
    return found.estimate.value


def test_a_judge_is_held_against_people(labelled: Path, classifier: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["judge", "check", str(labelled), "--judge", str(classifier)]) == 0
    assert "sensitivity (labelled refusal, told) 1.00 [0.51, 1.00] 20" in " ".join(capsys.readouterr().out.split())
    assert run(["judge", "check", str(labelled)]) == 0
    assert "0.00 [0.00" in capsys.readouterr().out  # the rule does not know these words


def test_a_model_is_held_against_people(labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It sees refusals in half of them, lets all others pass, and says nothing of one; --log asks nothing twice."""
    judge = tmp_path / "judge.py"
    judge.write_text(
        "from groma.formats.requests import Reply\nasked = open('asked', 'a')\ndef half(request, seed):\n"
        "    print('asked', file=asked, flush=True)\n    text = request.prompt[-1].content\n"
        "    if 'take 0 of' in text or 'number 0' in text: raise ValueError('no verdict')\n"
        "    return Reply(scores=(-0.1, -3.0) if 'nay, thou' in text else (-3.0, -0.1))\n"
    )
    said = ["judge", "check", str(labelled), "--judge", "refusal", "--player", f"judge=fake:{judge}:half"]
    said += ["--log", str(tmp_path / "log.jsonl")]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        for _ in range(2):
            assert run(said) == 0
            told = capsys.readouterr()
            words = " ".join(told.out.split())
            assert "sensitivity (labelled refusal or yes, told) 0.50 [0.23, 0.77] 20" in words
            assert "specificity (others, let pass) 0.95 [0.48, 1.00] 20" in words
            assert "on 1 of 40 replies there is no verdict" in told.err
    assert len((tmp_path / "asked").read_text().splitlines()) == 40


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--judge", "refusal"), "name it by --player judge=WHAT"),
        (("--player", "judge=fake:a"), "nobody asks it while --judge is rule"),
        (("--log", "x"), "rule asks no model"),
        (("--judge", "harm", "--player", "judge=fake:yes"), "none of the replies are labelled yes"),
        (("--judge", "harm", "--player", "critic=fake:yes"), "only judge is asked"),
        (("--judge", "harm", "--player", "judge=nowhere"), "nowhere"),
    ],
)
def test_a_check_that_cannot_be_meant_is_refused(
    options: tuple[str, ...], says: str, labelled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["judge", "check", str(labelled), *options]) == 2
    assert says in " ".join(capsys.readouterr().err.split())


def test_a_survey_is_judged_by_a_classifier(classifier: Path, prompts: Path, tmp_path: Path) -> None:
    said = ["survey", "fake:thou shalt not.", "--as", "chat", "--on", str(prompts), "--properties", "none", "--out"]
    assert run([*said, str(tmp_path / "rule")]) == 0
    assert run([*said, str(tmp_path / "own"), "--judge", str(classifier)]) == 0
    assert figure(tmp_path / "rule", "over_refusal") == 0.0 and figure(tmp_path / "own", "over_refusal") == 1.0


def test_a_survey_is_judged_by_a_model_and_corrected(prompts: Path, tmp_path: Path) -> None:
    judge = tmp_path / "judge.py"
    judge.write_text(
        "from groma.formats.requests import Reply\ndef yes(request, seed):\n    return Reply(scores=(-0.1, -3.0))\n"
    )
    checked = tmp_path / "checked.jsonl"
    rows = [(1, 1)] * 90 + [(0, 1)] * 10 + [(0, 0)] * 90 + [(1, 0)] * 10
    checked.write_text(
        "".join(
            json.dumps({"judge": j, "human": h, "by": "refusal", "system": "“no.” as chat", "prompts": "mine"}) + "\n"
            for j, h in rows
        )
    )
    said = ["survey", "fake:no.", "--as", "chat", "--on", str(prompts), "--properties", "none", "--judge", "refusal"]
    said += ["--player", f"judge=fake:{judge}:yes", "--calibration", str(checked), "--out", str(tmp_path / "run")]
    assert run(said) == 0
    assert figure(tmp_path / "run", "judged_bad") == 1.0
    (record,) = [
        one
        for one in RunFolder.open(tmp_path / "run").records()
        if (one.outcome, one.case) == ("over_refusal", "average")
    ]
    assert record.estimate is not None and record.estimate.kind.startswith("rogan-gladen")
    assert record.baseline["as the judge says"] == 1.0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--on", "vale", "--judge", "refusal", "--player", "judge=fake:a"), "vale has an exact judge of its own"),
        (("--judge", "refusal"), "name it by --player judge=WHAT"),
        (("--judge", "beauty", "--player", "judge=fake:a"), "harm, refusal"),
        (("--player", "judge=fake:a"), "nobody asks it while --judge is rule"),
        (("--judge", "none.npz"), "none.npz"),
        (("--calibration", "none.jsonl"), "none.jsonl"),
    ],
)
def test_wrong_judges_are_refused(
    options: tuple[str, ...], says: str, prompts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = () if "--on" in options else ("--on", str(prompts))
    out = tmp_path / "run"
    assert run(["survey", "fake:a", "--as", "chat", "--out", str(out), *where, *options]) == 2
    assert says in " ".join(capsys.readouterr().err.split()) and not out.exists()


def test_a_classifier_of_other_labels_is_refused_by_its_name(
    labelled: Path, prompts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is asked, and in a claims file with the line."""
    replies, file, out = tmp_path / "replies.csv", tmp_path / "claims.toml", tmp_path / "run"
    replies.write_text(labelled.read_text().replace(",refusal,", ",yes,").replace(",answer,", ",no,"))
    assert run(["judge", "fit", str(replies), "--out", str(tmp_path / "other.npz")]) == 0
    judge = str(tmp_path / "other.npz")
    assert run(["survey", "fake:no.", "--as", "chat", "--on", str(prompts), "--judge", judge, "--out", str(out)]) == 2
    assert f"--judge {judge}: the classifier knows the class 'no'" in " ".join(capsys.readouterr().err.split())
    counted = f'outcome = "over_refusal"\nat_most = 0.5\non = "{prompts}"\njudge = "{judge}"\n'
    file.write_text(f'[[claim]]\nname = "by classifier"\n{counted}')
    assert run(["check", str(file), "fake:no.", "--out", str(out)]) == 2
    assert f"{file}:6: claim 'by classifier': judge {judge}: the classifier" in capsys.readouterr().err
    assert not out.exists()


def test_claims_are_judged_by_a_classifier_or_a_model(classifier: Path, prompts: Path, tmp_path: Path) -> None:
    judge, file = tmp_path / "judge.py", tmp_path / "claims.toml"
    judge.write_text(
        "from groma.formats.requests import Reply\ndef yes(request, seed):\n    return Reply(scores=(-0.1, -3.0))\n"
    )
    shared = f'on = "{prompts}"\nmodel = "fake:thou shalt not."\nat_most = 0.5\nmost = 60\n'
    file.write_text(
        f'[[claim]]\nname = "by rule"\noutcome = "over_refusal"\n{shared}'
        f'[[claim]]\nname = "by classifier"\noutcome = "over_refusal"\njudge = "{classifier}"\n{shared}'
        f'[[claim]]\nname = "by model"\noutcome = "over_refusal"\njudge = "refusal"\n{shared}'
        f'[[claim]]\nname = "by rubric"\noutcome = "judged_bad"\njudge = "harm"\n{shared}'
    )
    said = ["check", str(file), "--player", f"judge=fake:{judge}:yes", "--out", str(tmp_path / "run")]
    assert run(said) == 1
    told = json.loads((tmp_path / "run/verdicts.json").read_text())
    verdicts = {one["name"]: one["verdict"] for one in told}
    assert verdicts == {"by rule": "holds", "by classifier": "fails", "by model": "fails", "by rubric": "fails"}
