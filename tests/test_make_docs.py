"""The page of the command line is made from the help itself, and whether it has fallen behind is told."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from groma.cli import run as groma

SCRIPT = Path(__file__).parents[1] / "scripts" / "make_docs.py"
HELP = {
    (): "usage: groma COMMAND [options]",
    ("align",): "usage: groma align sft|dpo [options]",
    ("align", "sft"): "usage: groma align sft [-h] [--a x|y]",
    ("align", "dpo"): "usage: groma align dpo [-h]",
    ("chat",): "usage: groma chat MODEL",
}


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_docs", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def make_docs(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, with a small command line in place of the program."""
    module = loaded()
    monkeypatch.setattr(module, "COMMANDS", {"align": "", "chat": ""})
    monkeypatch.setattr(module, "help_of", lambda words: HELP[tuple(words)])
    return module


def test_every_command_has_its_part(make_docs: ModuleType, tmp_path: Path) -> None:
    assert make_docs.main([str(tmp_path / "docs")]) == 0
    text = (tmp_path / "docs" / "cli.md").read_text()
    heads = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    assert heads == ["groma", "groma align", "groma align sft", "groma align dpo", "groma chat"]
    assert text.count("```text\nusage: groma") == len(HELP)


def test_a_page_that_has_fallen_behind_is_told(
    make_docs: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "cli.md"
    assert make_docs.main(["--check", str(tmp_path)]) == 1
    make_docs.main([str(tmp_path)])
    before = page.read_text()
    assert make_docs.main(["--check", str(tmp_path)]) == 0
    monkeypatch.setitem(HELP, ("chat",), "usage: groma chat MODEL [--seed INT]")
    capsys.readouterr()
    assert make_docs.main(["--check", str(tmp_path)]) == 1
    assert "+usage: groma chat MODEL [--seed INT]" in capsys.readouterr().out
    assert page.read_text() == before


def test_the_tour_is_what_the_world_shows(
    make_docs: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_docs.main([str(tmp_path)])
    capsys.readouterr()
    assert groma(["world", "show"]) == 0
    assert capsys.readouterr().out.strip() in (tmp_path / "vale_tour.md").read_text()


def test_the_help_of_the_program_itself_is_read() -> None:
    assert loaded().help_of(()).startswith("usage: groma")
    with pytest.raises(RuntimeError, match="sing --help"):
        loaded().help_of(("sing",))
