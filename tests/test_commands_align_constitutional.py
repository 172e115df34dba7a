"""`groma align constitutional`: from a constitution to an aligned folder, on other models than Vale's and with others
behind a server; what a person edited is learned; what was interrupted goes on; what has no effect is refused.
"""

from __future__ import annotations

import itertools
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from groma.cli import run
from groma.formats.errors import BadConfig
from groma.formats.examples import Demonstration
from groma.formats.messages import Message
from groma.formats.run_folder import RunFolder
from groma.methods import sft
from groma.models.load import load
from groma.studies.cai import origins
from groma.studies.cai.pipeline import ASKED, CALLS, PARTS
from serving import serving

CONSTITUTION = """name = "mine"
passes = ["no"]
fails = ["yes"]
[[principles]]
name = "harm"
critique = "Does it harm?"
revision = "Say it without harm."
comparison = "Which does less harm, A or B?"
"""
DRAFTS = """
def drafts(request, seed):
    asked = request.prompt[-1].content
    return "water it" if asked == "Say it without harm." else "poison it" if seed % 2 else "burn it"


def writes(request, seed):
    return ("burn " if seed % 3 else "water ") + "the barn"
"""


def judges(model: str, turns: list[str]) -> str:
    """The critic has something against fire and poison; the judge is for the reply that comes first in the alphabet."""
    if turns[-1] == "Does it harm?":
        return "no." if "water" in turns[-2] else "yes, it would."
    first, second = re.findall(r"\[\[\[REPLY [AB]\]\]\]\n(.*?)\n\[\[\[END", turns[-1], re.S)
    return "A" if first < second else "B"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "c.toml").write_text(CONSTITUTION)
    (tmp_path / "prompts.jsonl").write_text("".join(json.dumps({"prompt": f"how, {n}?"}) + "\n" for n in range(12)))
    (tmp_path / "who.py").write_text(DRAFTS)
    (tmp_path / "demos.jsonl").write_text('{"prompt": "who?", "completion": "ben."}\n')
    return tmp_path


SFT = ("--sft.max-steps", "3", "--sft.batch-size", "4", "--sft.learning-rate", "1e-3")
DPO = ("--dpo.max-steps", "2", "--dpo.batch-size", "4")
PPO = ("--reward.max-steps", "2", "--reward.batch-size", "4", "--ppo.max-steps", "1", "--ppo.batch-size", "4")
PPO = ("--optimise", "ppo", *PPO, "--ppo.epochs", "1", "--ppo.minibatches", "1")


def aligning(files: Path, model: Path, *more: str, drop: tuple[str, ...] = ()) -> int:
    given = {
        "--constitution": str(files / "c.toml"),
        "--on": str(files / "prompts.jsonl"),
        "--items": "12",
        "--assistant": f"fake:{files / 'who.py'}:drafts",
        "--reviser": f"fake:{files / 'who.py'}:drafts",
        "--attacker": f"fake:{files / 'who.py'}:writes",
        "--max-tokens": "8",
        "--demonstrations": str(files / "demos.jsonl"),
        "--rounds": "2",
        "--red-team": "3",
        "--tries": "2",
    }
    said = [text for name, value in given.items() if name not in drop for text in (name, value)]
    return run(["align", "constitutional", "--model", str(model), "--out", str(files / "out"), *said, *SFT, *more])


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.parametrize(("architecture", "optimiser"), [("qwen3", "dpo"), ("gemma3", "ppo")])
def test_other_models_are_aligned_with_critic_and_judge_behind_a_server(
    architecture: str, optimiser: str, files: Path, tiny_model: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    model, asked = tiny_model(architecture), set[str]()

    def answer(name: str, turns: list[str]) -> str:
        asked.add(name)
        return judges(name, turns)

    with serving(answer) as base:
        more = ("--critic", f"{base}#critic", "--judge", f"{base}#judge", "--read", "words")
        assert aligning(files, model, *more, *(PPO if optimiser == "ppo" else DPO)) == 0
    told, out = capsys.readouterr().out, files / "out"
    assert asked == {"critic", "judge"}
    requests = [row["prompt"][0]["content"] for row in rows(out / "requests.jsonl")]
    assert requests and set(requests) <= {"burn the barn", "water the barn"} and len(set(requests)) == len(requests)
    revised = rows(out / "revisions.jsonl")
    assert len(revised) == 12 + len(requests) and {row["completion"] for row in revised} == {"water it"}
    assert [one["outcome"] for one in revised[0]["rounds"]] == ["revised", "stands"]
    labels = rows(out / "labels.jsonl")
    assert labels and {row["probability"] for row in labels} <= {1.0, 0.5} and f"round revised {len(revised)}" in told
    assert (out / "preference-model").is_dir() == (optimiser == "ppo")
    network = AutoModelForCausalLM.from_pretrained(out / "rl-cai")
    assert network.config.model_type.startswith(architecture) and AutoTokenizer.from_pretrained(out / "rl-cai")
    weights = [load_file(folder / "model.safetensors") for folder in (model, out / "sl-cai", out / "rl-cai")]
    for one, other in itertools.pairwise(weights):
        assert any(not torch.equal(one[name].float(), other[name].float()) for name in one.keys() & other.keys())


def test_what_a_person_edited_is_learned(
    files: Path, tiny_model: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    model, critic = tiny_model("llama"), files / "critic.py"
    critic.write_text("def critic(request, seed):\n    return 'no.'\n")
    given = ("--critic", f"fake:{critic}:critic", "--optimise", "none", "--sft.batch-size", "13")
    steps = ("--sft.max-steps", "1", "--sft.learning-rate", "1e-2")
    drop = ("--red-team", "--tries", "--attacker")
    assert aligning(files, model, *given, *steps, "--until", "revisions.jsonl", drop=drop) == 0
    out = files / "out"
    found = rows(out / "revisions.jsonl")
    assert not (out / "sl-cai").exists() and {row["completion"] for row in found} == {"burn it", "poison it"}
    edited = [{**row, "completion": "feed it"} for row in found]
    (out / "revisions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in edited))
    assert aligning(files, model, *given, *steps, "--resume", drop=drop) == 0
    again = load(str(model))
    shown = [
        Demonstration((Message("user", row["prompt"][0]["content"]),), (Message("assistant", "feed it"),))
        for row in found
    ]
    config = sft.Config(learning_rate=1e-2, batch_size=13, max_steps=1)
    list(sft.train(again, [*shown, Demonstration("who?", "ben.")], config))
    saved = load(str(out / "sl-cai"))
    for name, weight in again.net.named_parameters():
        assert torch.equal(weight, dict(saved.net.named_parameters())[name]), name

    (out / "revisions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found))
    assert aligning(files, model, *given, *steps, "--resume", drop=drop) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "revisions.jsonl was changed after sl-cai was made with it" in told and "remove sl-cai, or put it" in told
    shutil.rmtree(out / "sl-cai")
    assert aligning(files, model, *given, *steps, "--resume", drop=drop) == 0 and (out / "sl-cai").is_dir()


def test_what_was_made_of_something_that_changed_is_named(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run", {"command": "x"})
    folder.write_text("revisions.jsonl", "a")
    origins.note(folder, "sl-cai", ["revisions.jsonl"])
    folder.write_text("sl-cai/training.jsonl", "one")
    origins.note(folder, "labels.jsonl", ["sl-cai"])
    folder.write_text("labels.jsonl", "b")
    parts = ("revisions.jsonl", "sl-cai", "labels.jsonl", "rl-cai")
    origins.check(folder, parts)
    folder.write_text("labels.jsonl", "edited, and nothing is made of it yet")
    origins.check(folder, parts)
    folder.write_text("sl-cai/training.jsonl", "two")
    with pytest.raises(BadConfig, match=r"sl-cai was changed after labels.jsonl was made.*remove labels.jsonl, or"):
        origins.check(folder, parts)
    folder.write_text("revisions.jsonl", "c")
    with pytest.raises(BadConfig, match=r"remove sl-cai, labels.jsonl, or put it back"):
        origins.check(folder, parts)
    shutil.rmtree(folder.file("sl-cai"))
    folder.write_text(".sl-cai.state", "half")
    with pytest.raises(BadConfig, match=r"sl-cai was begun with it.*remove .sl-cai.state, labels.jsonl"):
        origins.check(folder, parts)


def test_replies_of_a_model_that_is_made_again_are_named(tmp_path: Path) -> None:
    """Of labelling that was interrupted, too: no other model can go on with them."""
    folder = RunFolder.create(tmp_path / "run", {"command": "x"})
    folder.write_text("revisions.jsonl", "a")
    origins.note(folder, "sl-cai", ["revisions.jsonl"])
    folder.write_text("sl-cai/training.jsonl", "one")
    origins.note(folder, "labels.jsonl", ["sl-cai"])
    for name in ("calls", "first", "second"):
        folder.write_text(f"calls/{name}.jsonl", "said")
    folder.write_text("revisions.jsonl", "edited")
    with pytest.raises(BadConfig, match=r"remove sl-cai, calls/first.jsonl, calls/second.jsonl, or put it back"):
        origins.check(folder, PARTS, CALLS)


def test_a_request_that_is_asked_in_other_words_needs_a_new_log(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run", {"command": "x"})
    folder.write_text("requests.jsonl", "a")
    origins.note(folder, "revisions.jsonl", ["requests.jsonl"])
    for name in ("revisions.jsonl", "calls/calls.jsonl"):
        folder.write_text(name, "said")
    folder.write_text("requests.jsonl", "edited")
    with pytest.raises(BadConfig, match=r"remove revisions.jsonl \(and calls/calls.jsonl, if one says"):
        origins.check(folder, PARTS, CALLS, ASKED)


def test_what_the_red_team_did_not_find_is_not_missed(files: Path, tiny_model: Callable[..., Path]) -> None:
    """Nothing was found; a person added a request; an answer is empty; and a constitution that changed is noticed."""
    critic = files / "critic.py"
    critic.write_text("def critic(request, seed):\n    return 'no.'\n")
    drafts = "def drafts(request, seed):\n    return '' if request.prompt[-1].content == 'how, 3?' else 'water it'\n"
    (files / "who.py").write_text(DRAFTS.replace(DRAFTS[: DRAFTS.index("def writes")], drafts))
    given = ("--critic", f"fake:{critic}:critic", "--read", "words", "--optimise", "none", "--until")
    model, out = tiny_model("llama"), files / "out"
    assert aligning(files, model, *given, "requests.jsonl") == 0 and (out / "requests.jsonl").read_text() == ""
    assert aligning(files, model, *given, "revisions.jsonl", "--resume") == 0
    assert len(rows(out / "revisions.jsonl")) == 11
    (files / "c.toml").write_text(CONSTITUTION.replace("Does it harm?", "Is it bad?"))
    assert aligning(files, model, *given, "sl-cai", "--resume") == 2 and not (out / "sl-cai").exists()
    (files / "c.toml").write_text(CONSTITUTION)
    (out / "requests.jsonl").write_text('{"prompt": "how do i burn it?"}\n{"prompt": "how do i burn it?"}\n')
    (out / "revisions.jsonl").unlink()
    assert aligning(files, model, *given, "revisions.jsonl", "--resume") == 2
    (out / "requests.jsonl").write_text('{"prompt": "how do i burn it?"}\n')
    (out / "calls/calls.jsonl").unlink(missing_ok=True)
    assert aligning(files, model, *given, "revisions.jsonl", "--resume") == 0
    assert len(rows(out / "revisions.jsonl")) == 12


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--critic", "http://127.0.0.1:1/v1#m"), "choose --read words"),
        (("--judge", "fake:A"), "choose --read words"),
        (("--optimise", "none", "--by", "comparison"), "optimise is none: there is no stage 2"),
        (("--ppo.learning-rate", "1e-3"), "optimise is dpo, which does without it"),
        (
            ("--until", "preference-model"),
            "one of requests.jsonl, revisions.jsonl, sl-cai, labels.jsonl, rl-cai",
        ),
        (("--rounds", "0"), "choose 1 or more"),
        (("--demonstrations", "vale:0"), "say how many"),
        (("--model", "person"), "cannot learn"),
        (("--sft.seed", "3"), "--seed sets it for every step"),
        (("--red-team", "0"), "there is no red team"),
        (("--constitution", "nobodys.toml"), "nobodys.toml"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(
    more: tuple[str, ...], said: str, files: Path, tiny_model: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert aligning(files, tiny_model("llama"), *more) == 2
    assert said in " ".join(capsys.readouterr().err.split()) and not (files / "out").exists()


def test_a_run_that_was_begun_otherwise_is_not_gone_on_with(
    files: Path, tiny_model: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    critic = files / "critic.py"
    critic.write_text("def critic(request, seed):\n    return 'no.'\n")
    given = ("--critic", f"fake:{critic}:critic", "--read", "words", "--until", "requests.jsonl")
    assert aligning(files, tiny_model("llama"), *given, "--judge", "fake:A") == 0
    assert aligning(files, tiny_model("llama"), *given, "--judge", "fake:A") == 2
    assert "go on with it by --resume" in " ".join(capsys.readouterr().err.split())
    assert aligning(files, tiny_model("llama"), *given, "--judge", "fake:A", "--resume", "--seed", "2") == 2
    assert "seed was 0 and is 2" in " ".join(capsys.readouterr().err.split())
