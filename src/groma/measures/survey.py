"""The survey: the same tasks, played by each system of a stage, judged, and estimated: levels and paired differences.

`survey` plays one stage (one set of weights in several embodiments), so that only one model need be loaded at a time;
`between_stages` compares what was played at two stages, system by system, on the same tasks. Nothing here knows who
answers the systems' requests: `play` does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial as partial_of
from typing import Any

from groma.attacks.adversary import Adversary
from groma.formats.digest import digest
from groma.formats.errors import BadConfig
from groma.formats.records import Record
from groma.formats.task import Task
from groma.formats.transcript import Played
from groma.judges.calibration import Calibration
from groma.measures.by_judge import by_judge, marked
from groma.measures.calibration import calibrated, reliability
from groma.measures.episodes import Judged, PayOf, Play, episode_row, judged, play_in_order, transcripts_path
from groma.measures.estimates import Arm, Rivals, applying, difference, levels, only_plain, plain
from groma.measures.gaps import gaps
from groma.measures.measure import Measure, draw_items
from groma.measures.worst import tails, worst
from groma.suites.suite import Suite
from groma.systems.system import System

See = Callable[[str, Mapping[str, Any]], None]
"""Is shown each finished episode: the path of its transcripts within the run folder, and its row."""


BOTH = ("objective", "pay")


@dataclass(frozen=True, slots=True)
class Survey:
    """One stage, surveyed. `arms` are its systems in their order; `rivals` what players without a model got; `curves`
    how sure each system was that scored choices, against the truth (see `calibration.reliability`); `judge`: who read
    the replies, where that one may err.
    """

    stage: str
    arms: tuple[Arm, ...]
    rivals: Mapping[str, tuple[Judged, ...]]
    records: tuple[Record, ...]
    curves: Mapping[str, Sequence[Mapping[str, float]]] = field(default_factory=dict)
    judge: str = ""


def survey(
    play: Play,
    systems: Sequence[System],
    suite: Suite,
    *,
    stage: str,
    model: str,
    model_digest: str = "",
    kind: str | None = None,
    split: str = "held_out",
    n: int = 200,
    seed: int = 0,
    pay: PayOf | None = None,
    others: PayOf | None = None,
    measures: Sequence[Measure] = (),
    adversary: Adversary | None = None,
    calibration: Calibration | None = None,
    judge: str = "",
    confidence: float = 0.95,
    versions: Mapping[str, str] | None = None,
    see: See | None = None,
    partial: bool = False,
    everyone: Mapping[str, tuple[Judged, ...]] | None = None,
) -> Survey:
    """Play `n` tasks of the suite with every system of one stage; with `measures`, about `n` for each of them, and
    their other forms; with an adversary, its tries, too.

    Records: of each system and outcome the level and the pessimistic case (n/a where the system has no form for it), of
    each pair of systems the later less the earlier (`against="system:<earlier>"`); then of gaps and of the adversary.

    pay, others: what the raters would pay, and others with other values. judge: the judge's name, where it errs;
    calibration: what people said of it. everyone: what `play_rivals` found on these tasks, where that is known.
    partial: `play` may end before the last task. What it has played is estimated, and two systems are compared on the
    tasks that both have played: the first ones, whose replies were not the shorter for it.
    """
    check_systems(systems)
    tasks = draw_tasks(suite, measures, adversary, kind=kind, split=split, n=n, seed=seed)
    everyone = everyone or play_rivals(suite, tasks, pay, others)
    rivals = {name: plain(some) for name, some in everyone.items()}

    def about(system: System) -> Mapping[str, Any]:
        where = transcripts_path(stage, system.name, suite.name)
        whole = digest(model_digest, system.digest)
        return {"stage": stage, "model": model, "digest": whole, "split": split, "seed": seed, "transcripts": where}

    see_to = partial_of(judged, suite, pay=pay, others=others)
    whole = [
        play_arm(
            play, system, suite, tasks, judge=see_to, see=see, partial=partial, versions=versions or {}, **about(system)
        )
        for system in systems
    ]
    arms = tuple(only_plain(arm) for arm in whole)
    records = [record for arm in arms for record in _levels(arm, rivals, calibration, judge, confidence)]
    for arm, earlier in ((one, other) for place, one in enumerate(arms) for other in arms[:place]):
        records += differences(arm, earlier, rivals, f"system:{earlier.system}", confidence)
    records += [one for arm in whole for one in _forms(arm, everyone, measures, adversary, confidence)]
    records = marked(records, judge, whole)
    curves = {arm.system: rows for arm in whole if measures and (rows := reliability(arm.episodes))}
    return Survey(stage, arms, rivals, tuple(records), curves, judge)


def check_systems(systems: Sequence[System]) -> None:
    """BadConfig where there is none, or two have one name."""
    names = [system.name for system in systems]
    if not names or len(set(names)) < len(names):
        raise BadConfig(f"the systems are {names}; name one or more, each once")


def _levels(arm: Arm, rivals: Rivals, calibration: Calibration | None, judge: str, confidence: float) -> list[Record]:
    found = levels(arm, rivals, confidence=confidence)
    return found if calibration is None else by_judge(found, arm, calibration, judge, confidence)


def _forms(
    arm: Arm, rivals: Rivals, measures: Sequence[Measure], adversary: Adversary | None, confidence: float
) -> list[Record]:
    """What the other forms of the items show: gaps, calibration, and what the adversary found."""
    records = [one for measure in measures for one in gaps(arm, rivals, measure, confidence)]
    records += calibrated(arm, confidence) if measures else []
    if adversary is None:
        return records
    return records + worst(arm, rivals, adversary, confidence) + tails(arm, rivals, adversary, confidence)


def draw_tasks(
    suite: Suite,
    measures: Sequence[Measure],
    adversary: Adversary | None,
    *,
    kind: str | None,
    split: str,
    n: int,
    seed: int,
) -> tuple[Task, ...]:
    """What every system of a survey is given: the plain items first, then their other forms, then the tries."""
    tasks = draw_items(suite, measures, kind, split, n, seed) if measures else suite.tasks(kind, split, n, seed)
    tries = (one for task in tasks if not task.condition for one in (adversary.tries(task) if adversary else ()))
    return (*(one for one in tasks if not one.condition), *(one for one in tasks if one.condition), *tries)


def between_stages(
    later: Survey, earlier: Survey, confidence: float = 0.95, names: Sequence[str] | None = None
) -> list[Record]:
    """Differences of two stages for each system that both embody, on the same tasks (`against="stage:<earlier>"`).

    names: of these outcomes only; None: of all that apply.
    """
    if later.stage == earlier.stage:
        raise BadConfig(f"the stage {later.stage!r} is compared with itself; name the stages apart")
    before = {arm.system: arm for arm in earlier.arms}
    found = [
        record
        for arm in later.arms
        if arm.system in before
        for record in differences(arm, before[arm.system], later.rivals, f"stage:{earlier.stage}", confidence)
        if names is None or record.outcome in names
    ]
    return marked(found, later.judge, later.arms)


def by_kind(whole: Survey, confidence: float = 0.95) -> list[Survey]:
    """The same survey kind by kind (suite "vale/ask"), for objective and pay alone: where does one not follow the
    other?

    Empty where there is only one kind. The other outcomes belong to one kind anyhow.
    """
    kinds = list(dict.fromkeys(one.task.kind for arm in whole.arms for one in arm.episodes))
    if len(kinds) < 2:
        return []
    found = []
    for kind in kinds:
        rivals = {name: tuple(one for one in them if one.task.kind == kind) for name, them in whole.rivals.items()}
        arms = []
        for arm in whole.arms:
            episodes = tuple(one for one in arm.episodes if one.task.kind == kind)
            arms.append(replace(arm, suite=f"{arm.suite}/{kind}", episodes=episodes))
        records = marked([one for arm in arms for one in levels(arm, rivals, BOTH, confidence)], whole.judge, arms)
        found.append(Survey(whole.stage, tuple(arms), rivals, tuple(records), judge=whole.judge))
    return found


def play_arm(
    play: Play,
    system: System,
    suite: Suite,
    tasks: Sequence[Task],
    *,
    judge: Callable[[Played], Judged],
    see: See | None,
    partial: bool = False,
    **about: Any,
) -> Arm:
    """Play one system and judge it; `about` are the remaining fields of `Arm`."""
    begun = time.perf_counter()
    episodes = []
    for played in play_in_order(play, system, tasks, partial):
        episode = judge(played)
        episodes.append(episode)
        if see is not None:
            see(about["transcripts"], episode_row(played, episode.judgement, episode.pay))
    taken = time.perf_counter() - begun
    early = len(episodes) < len(tasks)
    return Arm(
        system=system.name, suite=suite.name, episodes=tuple(episodes), wall_seconds=taken, partial=early, **about
    )


def play_rivals(
    suite: Suite, tasks: Sequence[Task], pay: PayOf | None = None, others: PayOf | None = None
) -> dict[str, tuple[Judged, ...]]:
    """What the suite's rivals get on these tasks, from the same judge."""
    return {
        name: tuple(judged(suite, Played(task, name, rival(task)), pay, others) for task in tasks)
        for name, rival in suite.rivals.items()
    }


def differences(arm: Arm, other: Arm, rivals: Rivals, against: str, confidence: float = 0.95) -> list[Record]:
    """Of what both have played: where one was stopped before its last task, on the first tasks."""
    if arm.partial or other.partial:
        both = min(len(arm.episodes), len(other.episodes))
        arm, other = (replace(one, episodes=one.episodes[:both]) for one in (arm, other))
    return [difference(arm, other, name, rivals, against, confidence) for name in applying(rivals, arm, other)]
