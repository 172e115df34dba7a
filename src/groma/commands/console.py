"""What the commands share: where they print, progress with the time left, and the way they read their options."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from groma.formats.errors import BadConfig
from groma.methods.state import Step
from groma.studies.progress import Progress as Told

Options = TypeVar("Options")
Made = TypeVar("Made")

logging.basicConfig(format="%(message)s", level=logging.WARNING)
logging.getLogger("groma").setLevel(logging.INFO)

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False)

QUIET_LINES = 10
"""Where the terminal is none (a log file), progress is printed as this many lines a phase."""


def parse(options: type[Options], command: str, arguments: Sequence[str]) -> Options:
    """The options of a command from its dataclass; help and errors are tyro's, a refused value becomes an error of
    ours.
    """
    return tyro.cli(
        options,
        prog=f"groma {command}",
        args=list(arguments),
        config=(tyro.conf.OmitSubcommandPrefixes,),
        console_outputs=not err.quiet,
    )


def hush() -> None:
    """Print nothing from now on, but for errors: another process speaks for this one."""
    out.quiet = err.quiet = True
    logging.getLogger("groma").setLevel(logging.ERROR)


class Phases:
    """Progress over several phases. In a terminal: bars with the time left; elsewhere: a few plain lines."""

    def __init__(self) -> None:
        columns = (
            TextColumn("{task.description:<28}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[text]}", style="dim"),
        )
        self.bars = Progress(*columns, console=err)
        self.tasks: dict[str, Any] = {}
        self.live = err.is_terminal and not err.quiet and os.environ.get("TERM") != "dumb"

    def __enter__(self) -> Phases:
        if self.live:
            self.bars.start()
        return self

    def __exit__(self, *gone: object) -> None:
        if self.live:
            self.bars.stop()

    def show(self, phase: str, done: int, of: int, text: str = "") -> None:
        """`done` of `of` parts of a phase are done."""
        if phase not in self.tasks:
            self.tasks[phase] = self.bars.add_task(phase, total=of, text=text)
        self.bars.update(self.tasks[phase], completed=done, total=of, text=text)
        if not self.live and (done == of or done % max(of // QUIET_LINES, 1) == 0):
            task = next(one for one in self.bars.tasks if one.id == self.tasks[phase])
            left = "" if task.time_remaining is None or done == of else f", {task.time_remaining:.0f} s left"
            err.print(f"{phase}: {done}/{of}{left}  {text}".rstrip())

    def steps(self, phase: str, steps: Iterable[Step], shown: Sequence[str]) -> Iterator[Step]:
        """Training steps, shown as they pass with the metrics named `shown`."""
        for step in steps:
            text = "  ".join(f"{name} {step.metrics[name]:.3f}" for name in shown if name in step.metrics)
            self.show(phase, step.number, step.of, text)
            yield step

    def through(self, work: Generator[Told, None, Made]) -> Made:
        """What `work` makes, with its progress shown."""
        while True:
            try:
                told = next(work)
            except StopIteration as end:
                return end.value
            self.show(told.phase, told.done, told.of, told.text)


def told_anew(path: Path) -> None:
    """Say that --resume found nothing: a mistyped --out should not go unnoticed."""
    err.print(f"note: there is nothing to resume for --out {path}: beginning anew", markup=False)


def check_sampling(temperature: float, max_tokens: int | None) -> None:
    """Refuse what no system could sample with, before anything is loaded or written."""
    if not 0 <= temperature < math.inf:
        raise BadConfig(f"--temperature {temperature}: choose 0 (greedy) or more")
    if max_tokens is not None and max_tokens < 1:
        raise BadConfig(f"--max-tokens {max_tokens}: choose at least 1")


def no_effect(name: str, given: object, why: str) -> BadConfig:
    """The error about an option that would have no effect."""
    return BadConfig(f"--{name} {given} would have no effect: {why}")
