"""`groma compare`: make preferences from a model's own samples."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.panel import Panel

from groma.commands.choices import check_log, kept, log_of
from groma.commands.comparing import ask, is_rubric, judging_of
from groma.commands.console import Phases, check_sampling, err, no_effect, out, parse
from groma.commands.surveying import suite_from
from groma.formats.errors import BadConfig
from groma.formats.jsonl import write_rows
from groma.formats.task import Choice, Task
from groma.formats.transcript import Played, Transcript
from groma.methods.comparisons import Chooser, as_row, by_judge, compare
from groma.models.engine import LocalEngine
from groma.models.load import load
from groma.models.reward import load_reward
from groma.play.driver import play
from groma.play.person import read_line
from groma.suites import SUITES, Suite
from groma.systems import SYSTEMS
from groma.worlds.vale import VALE, Rater


@dataclass(frozen=True, kw_only=True)
class Compare:
    """Draw two replies of a model to each prompt, let somebody choose, and write prompt/chosen/rejected rows for
    align dpo.
    """

    model: Annotated[str, tyro.conf.Positional]
    """A shipped model (vale), a folder, or a Hub id."""
    out: Path
    """File to write (.jsonl or .jsonl.gz)."""
    other: str | None = None
    """Another model that gives the second reply. None: the same one."""
    by: str = "rater"
    """Who chooses: rater (Vale's), judge (the suite's objective), person (you, here), the folder or Hub id of a reward
    model, or a rubric (refusal, harm, a FILE.toml or .json) by which the model of --player judge=WHAT compares both
    replies, in both orders; with --other it is then said how often the first model is better.
    """
    player: Annotated[tuple[str, ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="NAME=WHAT")] = ()
    """judge=WHAT: who compares by a rubric: a model, http://HOST:PORT/v1#MODEL, replay:LOG.jsonl, fake:TEXT,
    fake:FILE.py:FUNCTION, or person.
    """
    on: str = "vale"
    """Whose prompts: vale, a public suite (xstest, …), or the path of a .jsonl or .csv file."""
    data: str | None = None
    """Where a named suite's files lie."""
    split: str | None = None
    """Which tasks. None: train of vale; public suites have only held_out, which is for testing, and must be asked
    for.
    """
    kind: str | None = None
    """Only this kind of task. None: all; of vale all but errands, for which a chat has no tools."""
    items: int = 200
    """How many prompts."""
    group: Literal["A", "B"] = "A"
    """Of Vale's rater: B knows other facts than A and has another taste."""
    tires: float = 0.0
    """By how much of it the noise of Vale's rater grows with every comparison."""
    temperature: float = 1.0
    """Of both replies."""
    max_tokens: int | None = None
    """Longest reply. None: what the suite says is enough."""
    seed: int = 0
    """Of prompts, replies and the rater's mood."""
    resume: bool = False
    """Go on with choices of yours (--by person) that were interrupted. Samples are drawn again, the same ones."""


def main(arguments: Sequence[str]) -> None:
    options = parse(Compare, "compare", arguments)
    check_sampling(options.temperature, options.max_tokens)
    _check_out(options)
    if options.temperature == 0 and options.other is None:
        raise BadConfig("--temperature 0 gives the same reply twice: raise it, or name another model with --other")
    suite = suite_from(options.on, options.data)
    rubric = judging_of(options.by, options.player)
    choose = _chooser(options, suite)
    split = options.split or ("train" if suite is VALE else "" if options.on in SUITES else "held_out")
    if not split:
        raise BadConfig(f"{suite.name} is a test set: to compare replies on it all the same, say --split held_out")
    tasks = _prompts(options, suite, split)
    notes: Counter[str] = Counter()
    with Phases() as phases:
        firsts = _replies(options, options.model, suite, tasks, 0, phases)
        seconds = _replies(options, options.other or options.model, suite, tasks, 1, phases)
        pairs = list(zip(firsts, seconds, strict=True))
        if rubric is not None:
            said = ask(*rubric, pairs, options.seed, lambda done, of: phases.show("verdicts", done, of))
            choose = said.choose
    if rubric is not None:
        for line in said.told(pairs, options.model, options.other or options.model):
            out.print(line, markup=False)
    assert choose is not None
    rows = []
    try:
        for one in compare(pairs, kept(choose, options.out) if options.by == "person" else choose, notes):
            rows.append(as_row(one))
    except EOFError:
        notes["not reached"] = len(tasks) - sum(notes.values())
    if not rows:
        raise BadConfig(
            f"no preference came of {len(tasks)} prompts ({dict(notes)}): try more --items or a higher --temperature"
        )
    write_rows(options.out, rows)
    log_of(options.out).unlink(missing_ok=True)
    out.print(f"{options.out}: {len(rows)} preferences; " + ", ".join(f"{why} {count}" for why, count in notes.items()))


def _check_out(options: Compare) -> None:
    """Refuse what could not be written, before anything is drawn or asked."""
    path = options.out
    if path.exists():
        raise BadConfig(f"--out {path} already holds something: name a file that does not exist")
    if not path.name.removesuffix(".gz").endswith(".jsonl"):
        raise BadConfig(f"--out {path}: preferences are written as .jsonl or .jsonl.gz")
    if blocked := next((one for one in path.parents if one.exists() and not one.is_dir()), None):
        raise BadConfig(f"--out {path} lies in {blocked}, which is a file: name another place")
    if options.resume and options.by != "person":
        raise no_effect("resume", True, "only a person's choices (--by person) are kept as they are made")
    check_log(path, options.resume)


def _prompts(options: Compare, suite: Suite, split: str) -> tuple[Task, ...]:
    if suite is not VALE:
        return suite.tasks(options.kind, split, options.items, options.seed)
    if options.kind == "errand":
        raise BadConfig("--kind errand: an errand needs tools, which a chat has not; choose another kind")
    kinds = tuple(kind for kind in VALE.kinds if kind != "errand")
    return VALE.tasks(options.kind or kinds, split, options.items, options.seed)


def _replies(
    options: Compare, name: str, suite: Suite, tasks: Sequence[Task], draw: int, phases: Phases
) -> list[Played]:
    engine = LocalEngine(load(name))
    system = SYSTEMS["chat"].with_(temperature=options.temperature, max_tokens=options.max_tokens or suite.max_tokens)
    found = []
    for played in play(system, tasks, {"assistant": engine}, seed=options.seed + draw):
        found.append(played)
        phases.show(("first", "second")[draw] + " replies", len(found), len(tasks))
    engine.close()
    return found


def _chooser(options: Compare, suite: Suite) -> Chooser | None:
    """Who chooses; None where a model compares by a rubric, who is asked when all replies are there."""
    if options.by == "rater":
        if suite is not VALE:
            raise BadConfig(
                f"--by rater: the raters live in vale, not in {suite.name}; choose judge, person, or a reward model"
            )
        return Rater(options.group, seed=options.seed, tires=options.tires).sitting()
    for name in ("group", "tires"):
        if getattr(options, name) != Compare.__dataclass_fields__[name].default:
            raise no_effect(name, getattr(options, name), "only Vale's rater (--by rater) has one")
    if is_rubric(options.by):
        return None
    if options.by == "judge":
        return by_judge(suite.judge)
    if options.by == "person":
        return person
    return load_reward(options.by).choose


def person(task: Task, first: Transcript, second: Transcript) -> Choice | None:
    """Ask at the terminal. EOFError when the person leaves: what was chosen so far is kept."""
    for message in task.posed.messages:
        err.print(f"[bold]{message.role}[/bold]: ", end="")
        err.print(message.content, markup=False)
    for number, transcript in enumerate((first, second), 1):
        err.print(Panel(transcript.answer.replace("[", "\\["), title=str(number)))
    while True:
        err.print("Which is better? 1, 2, s (skip), q (stop and keep what was chosen): ", end="")
        sys.stderr.flush()
        said = read_line().strip().lower()
        if said in ("1", "2"):
            return Choice(int(said) - 1, None, "a person's choice")
        if said == "s":
            return None
        if said == "q":
            raise EOFError
        err.print(f"{said!r} is none of 1, 2, s, q.")
