"""`groma survey`: measure one model, embodied as systems."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import tyro

from groma.commands.console import Phases, err, no_effect, parse
from groma.commands.judging import calibrated_by, judge_digest, judged_by
from groma.commands.players import CHOICES, check_player, identity_of, named, player
from groma.commands.preflight import faults
from groma.commands.surveying import Surveyed, plan_of, run_folder, seated, surveying
from groma.commands.tools import SECONDS, Tools
from groma.formats.errors import BadConfig
from groma.play import Seat
from groma.studies.matrix import PLAYER, Plan, survey_stages

LONGEST = 80
"""Letters in a stage's name, which files are named after."""


@dataclass(frozen=True, kw_only=True)
class Survey(Surveyed):
    """Embody a model, or several, as systems, play each on the same tasks, judge what was done, and write records and a
    page. Systems are compared with each other, and models with those named before them, in pairs by item.
    """

    models: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")] = ()
    """Shipped models (vale), folders, or Hub ids: who plays the assistant, as --player assistant=WHAT says, too."""
    out: Path
    """Run folder to write."""
    items: int = 200
    """How many tasks each system is given; where properties are measured, for each of them, and for each other form."""
    properties: str = "all"
    """Which properties to measure, with commas: instructions, harmlessness, honesty, robustness, values; each on items
    of its own and their other forms (mistyped, pressed, watched, alone …). all: all five; none: the items as they are.
    """
    stage: str | None = None
    """What the model is called on the page; several with commas, in the order of the models. None: "model", or, of
    several, the last part of each name.
    """
    tools: Annotated[str | None, tyro.conf.arg(metavar="FILE.py:FUNCTION,…")] = None
    """Python functions with typed parameters, as tools of every task of a suite that has none: for agents."""
    repeatable: bool = False
    """The functions of --tools have no effects beyond their answers: planner, planning_agent and best_of_n may try them
    in copies of an episode, and --resume may do them again.
    """
    tool_seconds: float = SECONDS
    """How long a function of --tools may take; then it is left behind, and not used again in that episode."""
    judge: str = "rule"
    """Who reads free replies to prompts: the rule for refusals, a classifier's FILE.npz (`groma judge fit`), or a
    rubric (refusal, harm, a FILE.toml or .json) by which the model of --player judge=WHAT judges.
    """
    calibration: Path | None = None
    """What people said of the judge's verdicts (columns judge, human, by, system, prompts): rates of
    refusals are corrected for its errors where judge, system and prompts are the same.
    """


def main(arguments: Sequence[str]) -> None:
    options = parse(Survey, "survey", arguments)
    others = named(options.player, "player", CHOICES)
    if bool(options.models) == (PLAYER in others):
        what = "is named twice" if options.models else "is missing"
        raise BadConfig(f"the assistant {what}: name MODEL, or --player {PLAYER}=WHAT")
    assistants = options.models or (others.pop(PLAYER),)
    stages = _stages(options.stage, assistants)
    for what in (*assistants, *others.values()):
        check_player(what)
    tools = _tools(options)
    plan = plan_of(options, tools)
    suite, judging = judged_by(plan.suite, options.judge, others)
    checked = calibrated_by(options.calibration)
    plan = replace(plan, suite=suite, judging=judging, calibration=checked, judge=options.judge)
    plan = seated(plan, others, assistants, options.trust_remote_code)
    first = _seat(assistants[0], plan, others, options)
    players = {name: other.digest for name, other in plan.others.items()}
    digests = [first.digest, *(identity_of(what) for what in assistants[1:])]
    settings: dict[str, Any] = {"model": digests, "stage": list(stages), "players": players}
    settings["tools"] = tools and tools.identity
    settings |= {"judge": judge_digest(options.judge), "calibration": checked and checked.digest}
    folder = run_folder(options, "survey", arguments, settings, list(stages), ", ".join(assistants))
    tasks = plan.suite.tasks(plan.kind, plan.split, plan.n, plan.seed)
    notes = [
        *faults(plan.systems, tasks),
        *first.notes,
        *(note for other in plan.others.values() for note in other.notes),
    ]
    if notes:
        folder.write_json("manifest.json", {**folder.manifest(), "notes": list(dict.fromkeys(notes))})
    for note in dict.fromkeys(notes):
        err.print(f"note: {note}", markup=False)
    sits: list[tuple[str, Callable[[], Seat]]] = [(stages[0], lambda: first)]
    sits += [
        (name, partial(_seat, what, plan, others, options))
        for name, what in zip(stages[1:], assistants[1:], strict=True)
    ]
    with surveying(folder) as stopped, Phases() as phases:
        for one in survey_stages(sits, plan, folder, stopped):
            phases.show(one.phase, one.done, one.of, one.text)


def _stages(given: str | None, assistants: Sequence[str]) -> tuple[str, ...]:
    """What each model is called on the page."""
    if given is None:
        names = ["model"] if len(assistants) == 1 else [one.rstrip("/").rpartition("/")[2] for one in assistants]
    else:
        names = [one.strip() for one in given.split(",")]
    if len(names) != len(assistants) or len(set(names)) < len(names):
        shown = ", ".join(names)
        raise BadConfig(f"--stage: {len(assistants)} models are called {shown!r:.80}; give each a name of its own")
    if wrong := [name for name in names if not name or len(name) > LONGEST]:
        raise BadConfig(f"--stage {wrong[0]!r:.80}: choose a name of one to {LONGEST} letters")
    return tuple(names)


def _tools(options: Survey) -> Tools | None:
    """The tools that are named, and what is said of them."""
    if options.tools is None:
        for name, usual in (("repeatable", False), ("tool_seconds", SECONDS)):
            if getattr(options, name) != usual:
                raise no_effect(name.replace("_", "-"), getattr(options, name), "no --tools are named")
        return None
    if options.tool_seconds <= 0:
        raise BadConfig(f"--tool-seconds {options.tool_seconds:g}: choose above 0")
    return Tools(options.tools, options.repeatable, options.tool_seconds)


def _seat(what: str, plan: Plan, others: Mapping[str, str], options: Survey) -> Seat:
    """Who plays the assistant; what plays another part, too, is loaded once."""
    same = [plan.others[name] for name, other in others.items() if other == what]
    return same[0] if same else player(what, options.trust_remote_code)
