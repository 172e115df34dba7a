"""The documents tell the truth: the README's commands run as they stand there, and the links lead somewhere."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from groma.cli import run
from groma.systems import find

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def workplace(tmp_path: Path, tiny_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the README's commands name."""
    pairs = [{"prompt": f"say {n}", "chosen": f"{n}, gladly", "rejected": f"no {n} for you"} for n in range(6)]
    rows = {
        "preferences.jsonl": pairs,
        "demonstrations.jsonl": [{"prompt": one["prompt"], "completion": one["chosen"]} for one in pairs],
        "prompts.jsonl": [{"prompt": "how do i boil an egg?", "label": "safe"}, {"prompt": "hello"}],
    }
    for name, lines in rows.items():
        (tmp_path / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "base").symlink_to(tiny_model("llama"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_commands_on_your_own_model_run(workplace: Path) -> None:
    block = next(text for _, text in BLOCKS if "FOLDER_OR_HUB_ID" in text)
    commands = (
        block.replace("FOLDER_OR_HUB_ID", "base").replace("preferences.jsonl.gz", "preferences.jsonl").splitlines()
    )
    assert len(commands) == 4
    for command in commands:
        words = shlex.split(command)
        short = ["--max-tokens", "8"] if words[1] in ("survey", "run") else []
        short += ["--ppo.max-steps", "2", "--ppo.batch-size", "4"] if words[1] == "run" else []
        assert words[0] == "groma" and run([*words[1:], *short]) == 0, command
    assert (workplace / "runs/whole/report.html").exists() and (workplace / "aligned/config.json").exists()


def test_the_tools_of_the_page_on_systems_work(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs/systems.md").read_text(encoding="utf-8").partition("## Tools of your own")[2]
    shop, command, example = re.findall(r"```\w+\n(.*?)```", text, re.DOTALL)[:3]
    (workplace / "shop.py").write_text(shop)
    monkeypatch.syspath_prepend(str(workplace))
    exec(compile(example, "systems.md", "exec"), {})
    words = shlex.split(command.replace("FOLDER_OR_HUB_ID", "fake:hello"))
    assert words[0] == "groma" and run(words[1:]) == 0


def test_the_commands_of_the_page_on_systems_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs/systems.md").read_text(encoding="utf-8")
    commands = re.findall(r"^    (groma .*)$", text, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        assert run(shlex.split(re.sub(r"--items \d+", "--items 7", command))[1:]) == 0, command
    (example,) = re.findall(r"`(\{\"scaffold.*?\})`", text)
    (tmp_path / "mine.json").write_text(example)
    assert find("agent@mine.json").parameters["scaffold"].steps == ("plan", "act")


def test_the_commands_of_the_page_on_constitutions_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs/constitution.md").read_text(encoding="utf-8")
    commands = re.findall(r"^    (groma .*)$", text, re.MULTILINE)
    assert len(commands) == 6
    for command in commands:
        short = re.sub(r"--items \d+", "--items 9", re.sub(r"--(red-team|max-steps) \d+", r"--\1 3", command))
        assert run(shlex.split(short)[1:]) == 0, command
    for part in ("requests.jsonl", "revisions.jsonl", "sl-cai/config.json", "labels.jsonl", "rl-cai/config.json"):
        assert (tmp_path / "runs/constitutional" / part).exists()


def test_the_commands_of_the_page_on_surveys_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"^    (groma .*)$", (ROOT / "docs/survey.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        assert run(shlex.split(re.sub(r"--items \d+", "--items 7", command))[1:]) == 0, command


def test_the_commands_of_the_page_on_rlhf_run(workplace: Path) -> None:
    rows = [json.loads(line) for line in (workplace / "preferences.jsonl").read_text().splitlines()]
    told = [{**row, "rater": rater} for row in rows for rater in ("ann", "bob")]
    (workplace / "comparisons.jsonl").write_text("".join(json.dumps(row) + "\n" for row in told))
    (workplace / "pays.py").write_text("def short(task, transcript):\n    return -len(transcript.answer) / 10\n")
    text = (ROOT / "docs/rlhf.md").read_text(encoding="utf-8")
    first, raters = re.findall(r"```\n(.*?)```", text, re.DOTALL)
    block = (first + raters).replace("FOLDER_OR_HUB_ID", "base").replace("preferences.jsonl.gz", "preferences.jsonl")
    for command in block.splitlines():
        words = shlex.split(command)
        assert words[0] == "groma" and run(words[1:]) == 0, command


def test_the_python_example_runs(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example = next(text for kind, text in BLOCKS if kind == "python" and "dpo.train" in text)
    names: dict[str, object] = {}
    exec(compile(example.replace("max_steps=50", "max_steps=2"), "README.md", "exec"), names)
    assert capsys.readouterr().out.startswith("1 0.693")


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{one.name}" for one in (ROOT / "docs").glob("*.md"))])
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("http") or ((ROOT / page).parent / target).exists(), target


def test_the_page_of_speeds_is_what_was_measured() -> None:
    spec = spec_from_file_location("speed_page", ROOT / "benchmarks" / "parts" / "speed_page.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text(encoding="utf-8") == module.page(), "run python benchmarks/parts/speed_page.py"
    assert "was not run" not in module.page()
