"""What `groma run` and `groma survey` share: which systems, which suite, and the run folder, begun or gone on with."""

from __future__ import annotations

import datetime
import importlib
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import tyro

from groma.commands.console import check_sampling, err, no_effect, out, told_anew
from groma.commands.measuring import adversary_of, measures_of
from groma.commands.players import budgets, players
from groma.commands.preflight import check_users, preflight
from groma.commands.rehearsal import check_cast, check_copies
from groma.commands.tools import Tools, tooled
from groma.formats.errors import BadConfig, BudgetSpent
from groma.formats.run_folder import UNANSWERED, RunFolder, unanswered_note
from groma.measures import MEASURES
from groma.measures.outcomes import OUTCOMES
from groma.methods.keeping import stoppable
from groma.play import Purse
from groma.report.page import write_page
from groma.report.table import glance, sentences, tables
from groma.studies.matrix import PLAYER, Plan, versions
from groma.suites import library
from groma.suites.suite import Suite
from groma.systems import System, find
from groma.worlds.vale import VALE, WEEKS

NARROW = 32
"""Episodes at a time where the survey may end early: an unfinished one has cost, and counts for nothing."""


@dataclass(frozen=True, kw_only=True)
class Surveyed:
    """Options of everything that surveys."""

    as_: Annotated[str, tyro.conf.arg(name="as")] = "trivial,completion,chat"
    """Systems to embody every model as, with commas: trivial, completion, chat, agent (with tools), planner,
    planning_agent, best_of_n, self_consistency, beam, search, critique, monitored, conversation, days, or
    path/to/file.py:function. With other parameters: NAME@FILE.json, conversation@ pushes_back, impatient, wrong or
    step_by_step (simulated users), or one of vale's variants: agent@order, agent@chaos, critique@charter,
    best_of_n@verified, days@sealed, days@reflecting.
    """
    on: str = "vale"
    """What to survey on: vale, vale_weeks (days of an agent whose acts change itself), a public suite (truthfulqa,
    xstest, ifeval, advbench, harmbench, risk, sycophancy, statements), or the path of a .jsonl or .csv file of prompts.
    """
    data: str | None = None
    """Where a named suite's files lie: a file or folder, or hub: for the Hub. None: the folder that GROMA_DATA
    names.
    """
    kind: str | None = None
    """Only this kind of task: of vale ask, how, follow, count, speak, errand or choose. None: all."""
    split: str = "held_out"
    """Which tasks: of vale train, held_out or shifted."""
    items: int = 1200
    """How many tasks each system is given; where properties are measured, for each of them."""
    properties: str = "none"
    """Which properties to measure, with commas: instructions, harmlessness, honesty, robustness, values; each on items
    of its own and their other forms (mistyped, pressed, watched, alone …). all: all five; none: the items as they are.
    """
    adversary: str | None = None
    """Who looks for the worst case. resample:N asks every item N more times; exhaustive asks it in every other form
    that the suite has (with --temperature 0), exhaustive:FILE in those of a file, a line each, with "{asked}".
    """
    temperature: float = 1.0
    """Of every system. 1: the model's own distribution; 0: greedy."""
    max_tokens: int | None = None
    """Longest reply. None: what the suite says is enough."""
    seed: int = 0
    """Of tasks, samples and training."""
    player: Annotated[tuple[str, ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="NAME=WHAT")] = ()
    """NAME=WHAT, once for each player: who plays a role (assistant, user, or whom a system names as its critic or
    scorer). WHAT is a model (a reward model, too), http://HOST:PORT/v1#MODEL (any OpenAI-compatible server; the key is
    read from OPENAI_API_KEY), replay:LOG.jsonl (of a run's calls/), fake:TEXT, fake:FILE.py:FUNCTION, or person (you,
    here). What is named twice is loaded once.
    """
    budget: Annotated[tuple[str, ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="NAME=LIMITS")] = ()
    """NAME=calls:N,tokens:N,seconds:S: what a player may spend in this whole run. Then it stops; the page shows what is
    finished, and --resume goes on.
    """
    episode_budget: Annotated[tuple[str, ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="NAME=LIMITS")] = ()
    """The same for a player in one episode: what is asked beyond it is refused, and the episode goes on as it can."""
    resume: bool = False
    """Go on with an interrupted run of the same --out and the same options."""
    fresh: bool = False
    """Remove an earlier run in --out first."""
    trust_remote_code: bool = False
    """Run Python code that a model's folder brings along. Off unless you trust it."""


def suite_from(on: str, data: str | None) -> Suite:
    """The suite or world that --on names."""
    for world in (VALE, WEEKS):
        if on == world.name:
            if data is not None:
                raise no_effect("data", data, f"{on} needs none")
            return world
    if "/" not in on and "." not in on and on not in library.SUITES:
        raise BadConfig(
            f"--on {on}: choose vale, vale_weeks, {', '.join(library.SUITES)}, "
            "or the path of a .jsonl or .csv file of prompts"
        )
    # `datasets` takes seconds to import, so its one module is imported only where the Hub is asked for.
    from_hub = (data or "").startswith(library.FROM_HUB)
    return library.find(on, data, importlib.import_module("groma.suites.hub").rows if from_hub else None)


def plan_of(options: Surveyed, tools: Tools | None = None) -> Plan:
    """The systems with their parameters, the tasks (which offer `tools`, where some are named), and who plays beside
    the assistant: not loaded yet.
    """
    check_sampling(options.temperature, options.max_tokens)
    check_seed(options.seed)
    suite = suite_from(options.on, options.data)
    if options.items < 1:
        raise BadConfig(f"--items {options.items}: choose at least 1")
    names = [name.strip() for name in options.as_.split(",") if name.strip()]
    if len(set(names)) < len(names) or not names:
        raise BadConfig(f"--as {options.as_!r}: name one or more systems, each once")
    given = {"temperature": options.temperature, "max_tokens": options.max_tokens or suite.max_tokens}
    systems = []
    for name in names:
        systems.append(with_settings(name, suite, given))
    called = [system.name for system in systems]
    if alike := next((name for name in called if called.count(name) > 1), None):
        raise BadConfig(f"--as: two systems are called {alike!r}; rename a file, so that they can be told apart")
    suite = suite if tools is None else tooled(suite, tools, systems)
    measures = measures_of(options.properties)
    adversary = adversary_of(options.adversary, suite)
    if adversary is not None:
        systems = [adversary.against(system) for system in systems]
    tasks = suite.tasks(options.kind, options.split, options.items, options.seed)
    preflight(systems, tasks)
    if tools is not None and not tools.repeatable:
        check_copies(systems, tasks)
    return Plan(
        systems,
        suite,
        options.split,
        options.kind,
        options.items,
        options.seed,
        pay=VALE.pay if suite is VALE else None,
        pay_of_others=VALE.pay_of_others if suite is VALE and MEASURES["robustness"] in measures else None,
        measures=measures,
        adversary=adversary,
        budget=budgets(options.episode_budget, "episode-budget"),
        purse=Purse(budgets(options.budget, "budget")) if options.budget else None,
    )


def with_settings(name: str, suite: Suite, given: Mapping[str, Any]) -> System:
    """The system with the run's settings, but for those that its variant sets itself."""
    system, plain = find(name, suite.variants), find(name.partition("@")[0])
    own = {one for one in given if system.parameters.get(one) != plain.parameters.get(one)}
    return system.given(**{one: value for one, value in given.items() if one not in own})


def seated(plan: Plan, others: Mapping[str, str], assistants: Sequence[str], trust_remote_code: bool) -> Plan:
    """The plan with its other players, loaded. A person is asked one episode after the other, and where there is a
    budget for the whole few are begun before others are finished.
    """
    check_budgets(plan, {PLAYER, *others})
    check_users(plan.systems, {PLAYER, *others})
    tasks = plan.suite.tasks(plan.kind, plan.split, plan.n, plan.seed)
    for what in assistants:
        check_cast(plan.systems, tasks, {PLAYER: what, **others})
    width = 1 if "person" in (*others.values(), *assistants) else NARROW if plan.purse else plan.width
    return replace(plan, others=players(others, trust_remote_code), width=width)


def check_seed(seed: int) -> None:
    if seed < 0:
        raise BadConfig(f"--seed {seed}: choose 0 or more")


def check_budgets(plan: Plan, names: Set[str]) -> None:
    """Refuse a budget for nobody."""
    for option, given in (("budget", plan.purse.limits if plan.purse else {}), ("episode-budget", plan.budget)):
        if inert := sorted(set(given) - names - ({"environment"} if option == "episode-budget" else set())):
            raise BadConfig(f"--{option} {inert[0]}=…: nobody plays {inert[0]}; players: {', '.join(sorted(names))}")


@contextmanager
def surveying(folder: RunFolder) -> Iterator[Callable[[], bool]]:
    """Inside, a survey is played and may be stopped. Then the page shows what was finished, and says so."""
    begun, before = time.monotonic(), folder.manifest()["notes"]
    try:
        with stoppable() as stopped:
            yield stopped
    except (KeyboardInterrupt, BudgetSpent) as stop:
        why = str(stop) or "stopped by the user"
        if folder.records():
            finish(folder, time.monotonic() - begun, stopped=why)
        raise
    finish(folder, time.monotonic() - begun)
    manifest = folder.manifest()
    for note in (*manifest["notes"], *unanswered_note(manifest)):
        if note not in before:
            err.print(f"note: {note}", markup=False)


def run_folder(
    options: Any, command: str, arguments: Sequence[str], settings: dict[str, Any], stages: Sequence[Any], model: str
) -> RunFolder:
    """The run folder: made, or, with --resume, the one that was interrupted, if its options are the same. stages: their
    names, or objects with `name` and `from`.
    """
    if options.resume and options.fresh:
        raise BadConfig("--resume and --fresh contradict each other: go on, or begin anew")
    shared = {"as", "on", "kind", "split", "items", "temperature", "max_tokens", "seed", "properties", "adversary"}
    settings |= {name: getattr(options, "as_" if name == "as" else name) for name in sorted(shared)}
    settings |= {"player": list(options.player), "episode_budget": list(options.episode_budget)}
    manifest = {
        "command": shlex.join(["groma", command, *(one for one in arguments if one not in ("--resume", "--fresh"))]),
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "seed": options.seed,
        "model": model,
        "stages": list(stages),
        "systems": [name.strip() for name in options.as_.split(",")],
        "suites": [suite_from(options.on, options.data).name],
        "notes": [],
        "settings": settings,
        "outcomes": {name: {"title": one.title, "explanation": one.explanation} for name, one in OUTCOMES.items()},
        "measures": {one.name: one.told() for one in measures_of(options.properties)},
        "done": False,
    }
    if options.resume and not options.out.exists():
        told_anew(options.out)
    if not (options.resume and options.out.exists()):
        return RunFolder.create(options.out, manifest, fresh=options.fresh)
    folder = RunFolder.open(options.out)
    before = folder.manifest()
    check_same(options.out, before.get("settings", {}), settings)
    if before.get("done"):
        raise BadConfig(
            f"--resume: the run in {options.out} is finished; look at {options.out / 'report.html'}, "
            "or begin anew with --fresh"
        )
    return folder


def check_same(out: Path, before: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Refuse to go on in a folder that was begun with other settings."""
    if changed := [name for name in settings if before.get(name) != settings[name]]:
        said = "; ".join(f"{name} was {before.get(name)!r} and is {settings[name]!r}" for name in changed)
        raise BadConfig(f"--resume: {out} was begun with other options: {said}")


def finish(folder: RunFolder, seconds: float, stopped: str = "") -> None:
    """Write the page and print the matrix. stopped: why the survey ended before its last task. What nobody was there to
    answer leaves it unfinished, too.
    """
    manifest = folder.manifest()
    manifest |= {"done": not (stopped or manifest.get(UNANSWERED)), "stopped": stopped}
    manifest["seconds"] = manifest.get("seconds", 0.0) + seconds
    folder.write_json("manifest.json", manifest)
    page = write_page(folder.path)
    order = {"stages": manifest["stages"], "systems": manifest["systems"]}
    measures = manifest["measures"]
    shown = glance(folder.records(), measures, manifest["outcomes"], **order)
    for table in shown or [
        one for case in ("average", "worst") for one in tables(folder.records(), case=case, **order)
    ]:
        out.print(table)
    for sentence in sentences(folder.records(), **order):
        out.print(sentence, markup=False)
    out.print(f"{seconds:.0f} s. The page: {Path(page).resolve()}")
