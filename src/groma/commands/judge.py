"""`groma judge fit`: fit a text classifier on labelled replies. `groma judge check`: hold a judge against people.
`groma judge raters` (raters.py): who of those who compared replies is how reliable.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.table import Table

from groma.commands import raters
from groma.commands.agreement import agreement
from groma.commands.console import err, out, parse
from groma.commands.players import CHOICES, named
from groma.formats.errors import BadConfig, BadInput
from groma.judges.classifier import fit
from groma.judges.classifier_file import save
from groma.judges.labelled import Labelled, read_labelled
from groma.measures.statistics import estimate
from groma.report.writing import with_interval


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Fit a text classifier (n-grams and a logistic regression) on replies that people labelled, and save it.

    What it says of replies by other models, or to other prompts, than those it was fitted on is less sure: hold it
    against some with `groma judge check`.
    """

    data: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Files of labelled replies: columns reply and label (refusal, answer), if known prompt and model; or XSTest's own
    files of completions.
    """
    out: Path
    """The file to write, by which `groma survey --judge FILE.npz` knows it."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """Say how often a judge agrees with people: sensitivity, specificity and accuracy, with intervals.

    Where a model judges by a rubric, labels are the rubric's options (or, where it says which of them is a refusal,
    refusal and answer). A reply on which it gave no verdict counts as wrong.
    """

    data: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Files of labelled replies that the judge was not made with; see `groma judge fit`. A model is shown the prompt,
    too.
    """
    judge: str = "rule"
    """rule, a classifier's FILE.npz, or a rubric for the player `judge`: refusal, harm, or a FILE.toml or .json."""
    player: Annotated[tuple[str, ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="judge=WHAT")] = ()
    """judge=WHAT: the model that is asked by the rubric; WHAT as in `groma survey`."""
    log: Path | None = None
    """A file that keeps what the model said, so that a check that was interrupted goes on where it was."""
    trust_remote_code: bool = False
    """Run Python code that a model's folder brings along. Off unless you trust it."""


COMMANDS = ("fit", "check", "raters")


def main(arguments: Sequence[str]) -> None:
    name, *rest = arguments or ("--help",)
    if name in ("-h", "--help"):
        out.print("usage: groma judge fit|check|raters [options]\n")
        out.print("  fit      a text classifier, on replies that people labelled\n  check    a judge against people")
        out.print("  raters   who of those who compared replies is how reliable; and soft labels of what all want")
        return
    if name not in COMMANDS:
        raise BadConfig(f"there is no command judge {name!r}; choose one of {', '.join(COMMANDS)}")
    if name == "fit":
        _fit(parse(Fit, "judge fit", rest))
    elif name == "check":
        _check(parse(Check, "judge check", rest))
    else:
        raters.main(parse(raters.Raters, "judge raters", rest))


def _read(files: Sequence[Path]) -> list[Labelled]:
    """All rows; a file without a column for the model stands for one model of its own."""
    if not files:
        raise BadConfig("no file of labelled replies is named")
    return [row for file in files for row in read_labelled(file, model=file.name.split(".")[0])]


def _fit(options: Fit) -> None:
    if options.out.suffix != ".npz":
        raise BadConfig(f"--out {options.out}: name a .npz file")
    rows = _read(options.data)
    known = all(row.prompt for row in rows)
    classifier = fit(
        [row.reply for row in rows],
        [row.label for row in rows],
        [row.prompt for row in rows] if known else None,
        [row.model for row in rows],
    )
    save(classifier, options.out)
    counts = ", ".join(f"{count} {label}" for label, count in sorted(Counter(row.label for row in rows).items()))
    apart = "prompts and models kept apart" if known else "models kept apart; the prompts are not known"
    out.print(f"{options.out}: fitted on {len(rows)} replies ({counts})", markup=False)
    out.print(
        f"cross-validated log loss {classifier.log_loss:.3f} ({apart}); setting {classifier.setting}", markup=False
    )


def _check(options: Check) -> None:
    players = named(options.player, "player", CHOICES)
    judge, rows = agreement(options.judge, players, options.log, options.trust_remote_code), _read(options.data)
    counted = " or ".join(sorted(judge.counted))
    true = [row.label in judge.counted for row in rows]
    if len(set(true)) < 2:
        what = f"{'all' if true[0] else 'none'} of the replies are labelled {counted}"
        raise BadInput(what, where=str(options.data[0]), expected="some that are, and others")
    said = list(judge.said(rows))
    agree = [float(one is right) for one, right in zip(said, true, strict=True)]
    prompts = [row.prompt or f"reply {place}" for place, row in enumerate(rows)]
    hits, passed = (
        [(one, prompt) for one, prompt, right in zip(agree, prompts, true, strict=True) if right is side]
        for side in (True, False)
    )
    table = Table(
        title=f"{options.judge} against people, {len(rows)} replies, clustered by prompt",
        title_justify="left",
        box=None,
    )
    for heading in ("", "figure", "replies"):
        table.add_column(heading)
    for title, found in (
        (f"sensitivity (labelled {counted}, told)", estimate(*zip(*hits, strict=True))),
        ("specificity (others, let pass)", estimate(*zip(*passed, strict=True))),
        ("accuracy", estimate(agree, prompts)),
    ):
        table.add_row(title, with_interval(found), str(found.n))
    out.print(table)
    if missing := said.count(None):
        err.print(f"note: on {missing} of {len(said)} replies there is no verdict; they count as wrong", markup=False)
