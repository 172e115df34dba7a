"""Write docs/cli.md from the command line's own help, or (`--check`) say whether it is still what the help says.

    python scripts/make_docs.py [--check] [FILE]

Commands are those in the table COMMANDS of `groma.cli`; one whose usage line offers a choice ("groma align sft|dpo")
is followed into each. The help is the program's own, in black and white and 100 columns wide.
"""

from __future__ import annotations

import difflib
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from groma.cli import COMMANDS

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs" / "cli.md"
PLAIN = {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "100", "LINES": "50", "PYTHONHASHSEED": "0"}
HEAD = "# The command line\n\nWhat `--help` says. The file is made by `make docs`: change the program, not the file.\n"


def helps() -> Iterator[tuple[tuple[str, ...], str]]:
    """The words of every command with its help, the program itself first."""
    yield (), help_of(())
    for name in COMMANDS:
        text = help_of((name,))
        yield (name,), text
        choice = re.search(r"^usage: groma \w+ ([\w-]+(?:\|[\w-]+)+)", text)
        for inner in choice.group(1).split("|") if choice else ():
            yield (name, inner), help_of((name, inner))


def help_of(words: Sequence[str]) -> str:
    """What `groma WORDS --help` prints. RuntimeError where it fails or says nothing."""
    program = str(Path(sys.executable).parent / "groma")
    done = subprocess.run(
        [program, *words, "--help"], capture_output=True, text=True, check=False, env={**os.environ, **PLAIN}
    )
    if done.returncode != 0 or not done.stdout.strip():
        raise RuntimeError(
            f"`groma {' '.join(words)} --help` left with {done.returncode}:\n{done.stderr or done.stdout}"
        )
    return "\n".join(line.rstrip() for line in done.stdout.strip("\n").splitlines())


def page(parts: Iterable[tuple[Sequence[str], str]]) -> str:
    """The whole file: a heading and the help of every command."""
    return "\n".join([HEAD, *(f"## {' '.join(('groma', *words))}\n\n```text\n{text}\n```\n" for words, text in parts)])


def main(arguments: Sequence[str]) -> int:
    """Write the file (0), or compare it (0: the same, 1: it differs, with the difference printed)."""
    check = "--check" in arguments
    files = [Path(one) for one in arguments if one != "--check"]
    target = files[0] if files else TARGET
    text = page(helps())
    if not check:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        print(f"written: {target}")
        return 0
    old = target.read_text(encoding="utf-8") if target.exists() else ""
    if old == text:
        return 0
    lines = difflib.unified_diff(old.splitlines(), text.splitlines(), str(target), "groma --help", lineterm="", n=1)
    print("\n".join([*lines, "The command line has changed: run `make docs`."]))
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
