"""`groma constitution`: what is right is shown as models will be sent it, what is wrong is refused; answers revised."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from groma.cli import run

PLAIN = """name = "mine"
[[principles]]
name = "harm"
critique = "Does it harm?"
revision = "Say it without harm."
weight = 3
[[principles]]
name = "truth"
comparison = "Which is truer, A or B?"
"""


def test_what_models_are_sent_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.toml").write_text(PLAIN)
    assert run(["constitution", "check", str(tmp_path / "c.toml"), "--prompt", "how?", "--answer", "[b]so"]) == 0
    told = capsys.readouterr().out
    assert "2 principles, 0 examples: mine is right" in told and "100%" in told
    assert "user: how?\n  assistant: [b]so\n  user: Does it harm?" in told
    assert "Say it without harm." in told and "Which is truer" not in told
    assert run(["constitution", "check", str(tmp_path / "c.toml"), "--principle", "truth"]) == 0
    told = capsys.readouterr().out
    first, second = told.split("The judge is sent")[1:]
    assert first.index("Try the back door") < first.index("Ask her for a key")
    assert second.index("Ask her for a key") < second.index("Try the back door")
    for shipped in ("default", "vale"):
        assert run(["constitution", "check", shipped]) == 0
        assert f"{'default' if shipped == 'default' else 'the principles of vale'} is right" in capsys.readouterr().out


def test_what_is_wrong_is_refused_with_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "c.toml"
    file.write_text(PLAIN + 'colour = "red"\n')
    assert run(["constitution", "check", str(file)]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert f"{file}:10: principle 2 has the unknown key 'colour'" in said.replace(f"{tmp_path} /", f"{tmp_path}/")
    file.write_text(PLAIN)
    assert run(["constitution", "check", str(file), "--principle", "love"]) == 2
    assert "--principle love: choose one of harm, truth" in capsys.readouterr().err
    assert run(["constitution", "check", "deafult"]) == 2 and "default" in capsys.readouterr().err
    assert run(["constitution", "chek"]) == 2 and "one of check, red-team, revise, label" in capsys.readouterr().err


CRITIC = """
import pathlib


def critic(request, seed):
    asked = request.prompt[-1].content
    if asked == "Does it harm?":
        return "No." if "water" in request.prompt[-2].content else ("Yes, it would." if seed % 5 else "")
    return "water it" if asked == "Say it without harm." else "burn it"


def dies(request, seed):
    dead = pathlib.Path(__file__).with_name("dead")
    if request.prompt[-1].content == "Does it harm?" and not dead.exists():
        dead.touch()
        raise KeyboardInterrupt
    return critic(request, seed)
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "c.toml").write_text(PLAIN.replace('name = "mine"', 'name = "mine"\nfails = ["yes"]'))
    (tmp_path / "prompts.jsonl").write_text("".join(json.dumps({"prompt": f"how, {n}?"}) + "\n" for n in range(12)))
    (tmp_path / "who.py").write_text(CRITIC)
    return tmp_path


def revising(files: Path, out: str, *more: str, who: str = "critic") -> int:
    given = ("--constitution", str(files / "c.toml"), "--on", str(files / "prompts.jsonl"), "--items", "12")
    return run(["constitution", "revise", f"fake:{files / 'who.py'}:{who}", "--out", str(files / out), *given, *more])


def test_answers_are_revised_and_can_be_learned_from(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert revising(files, "r.jsonl", "--rounds", "2", "--critiques", str(files / "c.jsonl")) == 0
    told = capsys.readouterr().out
    rows = [json.loads(line) for line in (files / "r.jsonl").read_text().splitlines()]
    assert f"{len(rows)} revisions" in told and "round revised" in told and "round unreadable" in told
    assert all(one["draft"] == "burn it" and one["rounds"][0]["principle"] == "harm" for one in rows)
    assert {one["completion"] for one in rows} == {"water it"} and 6 <= len(rows) <= 12
    assert {each["outcome"] for one in rows for each in one["rounds"]} <= {"revised", "stands", "unreadable"}
    pairs = [json.loads(line) for line in (files / "c.jsonl").read_text().splitlines()]
    assert len(pairs) == sum(each["outcome"] == "revised" for one in rows for each in one["rounds"])
    assert [one["content"] for one in pairs[0]["completion"]] == ["Yes, it would.", "Say it without harm.", "water it"]
    both = ("--data", str(files / "r.jsonl"), "--data", str(files / "c.jsonl"))
    arguments = ("align", "sft", "--model", "vale", "--out", str(files / "out"), "--max-steps", "2", *both)
    assert run([*arguments, "--batch-size", "4"]) == 0


def test_what_was_interrupted_goes_on_with_what_was_answered(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert revising(files, "r.jsonl", who="dies") == 130
    assert revising(files, "r.jsonl", who="dies") == 2 and "--resume" in capsys.readouterr().err
    assert revising(files, "r.jsonl", "--resume") == 2, "another player than the one that began"
    assert revising(files, "r.jsonl", "--resume", who="dies") == 0 and revising(files, "whole.jsonl", who="dies") == 0
    assert (files / "r.jsonl").read_text() == (files / "whole.jsonl").read_text()
    assert [one.name for one in files.iterdir() if one.name.startswith(".")] == []


def test_critic_and_reviser_may_be_somebody_else(files: Path) -> None:
    (files / "other.py").write_text("def one(request, seed):\n    return 'No, I will cut it.'\n")
    other = f"fake:{files / 'other.py'}:one"
    assert revising(files, "r.jsonl", "--critic", other) == 0
    assert revising(files, "s.jsonl", "--reviser", other, "--rounds", "1") == 0
    said = [
        {json.loads(line)["completion"] for line in (files / name).read_text().splitlines()}
        for name in ("r.jsonl", "s.jsonl")
    ]
    assert said == [{"burn it"}, {"No, I will cut it."}]


def test_what_cannot_be_revised_is_told(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "silent.py").write_text("def silent(request, seed):\n    return 'hm'\n")
    assert revising(files, "r.jsonl", "--critic", f"fake:{files / 'silent.py'}:silent") == 2
    assert "none could be revised" in capsys.readouterr().err and not (files / "r.jsonl").exists()
    for more, said in (
        (("--rounds", "0"), "--rounds 0"),
        (("--kind", "errand"), "errand needs tools"),
        (("--items", "0"), "--items 0"),
        (("--critiques", str(files / "c.txt")), "c.txt"),
    ):
        assert revising(files, "new.jsonl", *more) == 2 and said in capsys.readouterr().err


JUDGE = """
import math
from groma.formats.requests import Generate, Reply


def policy(request, seed):
    return ("water it", "burn it", "")[seed % 3]


def judge(request, seed):
    if isinstance(request, Generate):
        return "because"
    text = " ".join(one.content for one in request.prompt)
    first = 0.5 if "burn it" not in text else 0.9 if text.find("water it") < text.find("burn it") else 0.2
    return Reply(scores=(math.log(first), math.log(1 - first)))
"""


def labelling(files: Path, out: str, *more: str) -> int:
    (files / "judge.py").write_text(JUDGE)
    (files / "c.toml").write_text(PLAIN)
    who = files / "judge.py"
    given = ("--constitution", str(files / "c.toml"), "--on", str(files / "prompts.jsonl"), "--items", "12")
    judge = ("--judge", f"fake:{who}:judge")
    return run(["constitution", "label", f"fake:{who}:policy", "--out", str(files / out), *given, *judge, *more])


def test_replies_are_labelled_and_can_be_learned_from(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert labelling(files, "l.jsonl") == 0
    told = capsys.readouterr().out
    rows = [json.loads(line) for line in (files / "l.jsonl").read_text().splitlines()]
    assert rows and f"{len(rows)} labels" in told and "both orders name the same reply in 100%" in told
    assert "left out: equal replies" in told and "left out: an empty reply" in told and "favoured by +0.05" in told
    for row in rows:
        assert row["probability"] == pytest.approx(0.85) and row["principle"] == "truth" and row["agree"] is True
        assert [row[side][0]["content"] for side in ("chosen", "rejected")] == ["water it", "burn it"]
    out = str(files / "out")
    learn = ("--data", str(files / "l.jsonl"), "--out", out, "--max-steps", "2", "--batch-size", "2")
    assert run(["align", "dpo", "--model", "vale", *learn]) == 0


def test_labels_after_reasons_are_clamped(files: Path) -> None:
    assert labelling(files, "l.jsonl", "--reasons") == 0
    rows = [json.loads(line) for line in (files / "l.jsonl").read_text().splitlines()]
    assert {row["probability"] for row in rows} == {0.6}
    assert labelling(files, "m.jsonl", "--clamp", "0.3", "0.7") == 0
    assert {json.loads(line)["probability"] for line in (files / "m.jsonl").read_text().splitlines()} == {0.7}


def test_vales_base_labels_by_its_own_critiques(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the words of the world: nobody there compares, but critics say yes or no."""
    out = tmp_path / "l.jsonl"
    assert run(["constitution", "label", "vale", "--constitution", "vale", "--items", "60", "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert "the suite's own judge agrees" in told and "expected calibration error" in told
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert all(0.5 <= row["probability"] <= 1 and row["principle"] in ("harm", "honest") for row in rows)
    assert all("agree" not in row for row in rows)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--by", "critique"), "give it passes and fails"),
        (("--clamp", "0.6", "0.4"), "--clamp (0.6, 0.4)"),
        (("--judge", "fake:yes"), "only speaks"),
        (("--by", "critique", "--reasons"), "a critique is its own reason"),
    ],
)
def test_what_cannot_be_labelled_is_refused(
    more: tuple[str, ...], said: str, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert labelling(files, "l.jsonl", *more) == 2 and said in capsys.readouterr().err
    assert not (files / "l.jsonl").exists()


def test_a_red_team_finds_what_is_answered_badly(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "team.py").write_text(
        CRITIC
        + """

def attacker(request, seed):
    return "tell me of " + str(seed % 3)
"""
    )
    given = ("--constitution", str(files / "c.toml"), "--on", str(files / "prompts.jsonl"), "--items", "5")
    who = (f"fake:{files / 'who.py'}:critic", "--attacker", f"fake:{files / 'team.py'}:attacker")
    asked = ["constitution", "red-team", *who, "--out", str(files / "q.jsonl"), *given, "--tries", "2"]
    assert run(asked) == 2 and not (files / "q.jsonl").exists()
    assert "every search of the red team failed: critic gave 0 scores" in capsys.readouterr().err
    assert run([*asked, "--read", "words"]) == 2 and "add --resume" in capsys.readouterr().err
    (files / ".q.jsonl.red-team.jsonl").unlink()
    assert run([*asked, "--read", "words"]) == 0
    told = capsys.readouterr().out
    rows = [json.loads(line) for line in (files / "q.jsonl").read_text().splitlines()]
    said = [row["prompt"][0]["content"] for row in rows]
    assert len(set(said)) == len(said) >= 1 and set(said) <= {f"tell me of {n}" for n in range(3)}
    assert {row["answer"] for row in rows} == {"burn it"} and {row["badness"] for row in rows} == {1.0}
    assert "of 5 searches" in told and "-> 'burn it'" in told


def test_vales_base_finds_what_its_own_answers_do_badly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["constitution", "red-team", "vale", "--constitution", "vale-harm", "--items", "12", "--tries", "4"]
    assert run([*asked, "--out", str(tmp_path / "q.jsonl")]) == 0
    rows = [json.loads(line) for line in (tmp_path / "q.jsonl").read_text().splitlines()]
    assert len(rows) >= 6 and all(row["badness"] > 0.5 for row in rows)
    begins = ("how do i ", "tell me how to ", "what is the way to ")
    assert all(row["prompt"][0]["content"].startswith(begins) for row in rows)
