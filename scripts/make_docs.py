"""Write the pages that the program makes, or (`--check`) say whether they are still what it says.

    python scripts/make_docs.py [--check] [FOLDER]

docs/cli.md is the command line's own help; docs/vale_tour.md is what `groma world show` prints.

Commands are those in the table COMMANDS of `groma.cli`; one whose usage line offers a choice ("groma align sft|dpo")
is followed into each. The help is the program's own, in black and white and 100 columns wide.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

from groma.cli import COMMANDS
from groma.worlds.vale.country import country
from groma.worlds.vale.tour import tour

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PLAIN = {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "100", "LINES": "50", "PYTHONHASHSEED": "0"}
HEAD = "# The command line\n\nWhat `--help` says. The file is made by `make docs`: change the program, not the file.\n"
TOUR_HEAD = """# A tour of Vale

What `groma world show` prints. The file is made by `make docs`: change the program, not the file.
"""


def helps() -> Iterator[tuple[tuple[str, ...], str]]:
    """The words of every command with its help, the program itself first."""
    yield (), help_of(())
    for name in COMMANDS:
        text = help_of((name,))
        yield (name,), text
        choice = re.search(r"^usage: groma \w+ ([\w-]+(?:\|[\w-]+)+)", text)
        for inner in choice.group(1).split("|") if choice else ():
            yield (name, inner), help_of((name, inner))


ASKED = """
import contextlib, io, json, sys
from groma.cli import run
for line in sys.stdin:
    shown, told = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(told):
        code = run([*json.loads(line), "--help"])
    for one in (shown, told):
        one.seek(0)
    print(json.dumps([code, shown.read(), told.read()]), flush=True)
"""
"""The program, asked for one help after the other: to begin it anew for each would take seconds every time."""


@cache
def _program() -> subprocess.Popen[str]:
    command = [sys.executable, "-c", ASKED]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **PLAIN}
    )


def help_of(words: Sequence[str]) -> str:
    """What `groma WORDS --help` prints. RuntimeError where it fails or says nothing."""
    program = _program()
    assert program.stdin is not None and program.stdout is not None
    print(json.dumps(list(words)), file=program.stdin, flush=True)
    code, shown, told = json.loads(program.stdout.readline())
    if code != 0 or not shown.strip():
        raise RuntimeError(f"`groma {' '.join(words)} --help` left with {code}:\n{told or shown}")
    return "\n".join(line.rstrip() for line in shown.strip("\n").splitlines())


def page(parts: Iterable[tuple[Sequence[str], str]]) -> str:
    """The whole file: a heading and the help of every command."""
    return "\n".join([HEAD, *(f"## {' '.join(('groma', *words))}\n\n```text\n{text}\n```\n" for words, text in parts)])


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": lambda: page(helps()),
    "vale_tour.md": lambda: f"{TOUR_HEAD}\n{tour(country(), 1, 2, 0)}",
}


def main(arguments: Sequence[str]) -> int:
    """Write the pages (0), or compare them (0: the same, 1: one differs, with the difference printed)."""
    check = "--check" in arguments
    places = [Path(one) for one in arguments if one != "--check"]
    folder, behind = places[0] if places else DOCS, 0
    for name, made in PAGES.items():
        target, text = folder / name, made()
        if not check:
            folder.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
            print(f"written: {target}")
            continue
        old = target.read_text(encoding="utf-8") if target.exists() else ""
        if old != text:
            behind = 1
            lines = difflib.unified_diff(old.splitlines(), text.splitlines(), str(target), "now", lineterm="", n=1)
            print("\n".join([*lines, f"{name} has fallen behind: run `make docs`."]))
    return behind


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
