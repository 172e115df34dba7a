"""The command line: find the command, import its module, and turn its errors into messages and exit codes.

`groma --help` imports nothing but this file. Each command parses its own options (tyro, from the dataclasses that the
library uses itself) in a module of `commands/`, imported when it is called: the one exception to "no import inside a
function". Exit codes: 0 done, 2 something the user can mend, 3 stopped since a budget is spent,
130 stopped by Ctrl-C (both with the command that goes on); of `check` 1 where a claim fails, 2 where one is undecided.
"""

from __future__ import annotations

import importlib
import shlex
import sys
from collections.abc import Sequence

from groma import __version__
from groma.formats import launched
from groma.formats.errors import BudgetSpent, GromaError

COMMANDS = {
    "run": "the main job: align the built-in world's base model, survey every stage as several systems, write the page",
    "align": "train a model: on examples (sft, dpo, kto, reward), or by what it is paid (ppo, rloo, grpo, online-dpo)",
    "survey": "measure a model, embodied as one or more systems, on a world, a public suite or a file",
    "check": "decide falsifiable claims about systems, from a file; exit code 0, 1 or 2 for a build server",
    "claims": "write a file of claims to begin with",
    "constitution": "check a constitution, or revise a model's answers by it",
    "chat": "talk to a model in the terminal",
    "compare": "make preferences from a model's own samples",
    "judge": "fit a classifier of labelled replies, hold a judge against people, or say how reliable raters are",
    "world": "build a base model of the world Vale, plant misbehaviour in it, or look around",
    "study": "re-run a published result, and hold it against what the paper requires",
    "report": "write the page of a run folder again",
}

TOGETHER = ("align",)
"""What several processes may do together."""

HELP = """\
usage: groma COMMAND [options]

Tells whether an AI system is aligned: aligns language models, embodies them as systems, surveys each system.

commands:
{commands}

  groma COMMAND --help    the options of a command
  groma --version         the version

Start with `groma run`: it needs no download and takes a few minutes.
A model is a shipped one (vale), a folder with config.json and safetensors, or a Hub id.
"""


def help_text() -> str:
    """What `groma --help` prints."""
    return HELP.format(commands="\n".join(f"  {name:<14}{what}" for name, what in COMMANDS.items()))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave with its exit code."""
    sys.exit(run(sys.argv[1:] if arguments is None else list(arguments)))


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit code."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(help_text())
        return 0
    if arguments[0] in ("--version", "-V"):
        print(f"groma {__version__}")
        return 0
    name, *rest = arguments
    if name not in COMMANDS:
        print(f"error: there is no command {name!r}\n  choose one of {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    rank = launched.rank()
    if launched.count() > 1 and name not in TOGETHER:
        if not rank:
            can = ", ".join(TOGETHER)
            print(f"error: groma {name} is done by one process; launch {can} only, or call it alone", file=sys.stderr)
        return 2
    try:
        code = importlib.import_module(f"groma.commands.{name}").main(rest)
    except GromaError as error:
        print(f"process {rank}: error: {error}" if rank else f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error.strerror or error}{f': {error.filename}' if error.filename else ''}", file=sys.stderr)
        return 2
    except BudgetSpent as spent:
        print(f"\nstopped: {spent}. Nothing is lost: go on with `{_again(arguments)}`", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        if not rank:
            go_on = f" Nothing is lost: go on with `{_again(arguments)}`" if _resumes(name, rest) else ""
            print(f"\nstopped.{go_on}", file=sys.stderr)
        return 130
    except SystemExit as leave:
        return leave.code if isinstance(leave.code, int) else 2
    return code or 0


def _resumes(name: str, rest: Sequence[str]) -> bool:
    by_hand = name == "compare" and any(one in ("person", "--by=person") for one in rest)
    going_on = ("run", "align", "survey", "check", "study")
    return name in going_on or rest[:1] in (["build"], ["organism"]) or by_hand


def _again(arguments: Sequence[str]) -> str:
    """The command that goes on where this one was stopped."""
    kept = [one for one in arguments if one not in ("--resume", "--fresh")]
    return shlex.join(["groma", *kept, "--resume"])
