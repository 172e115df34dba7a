"""What `groma check` makes of a claim before anything is asked: its suite, system, adversary and players, all checked.

`drafted` needs no model and refuses, with the line of the file, whatever cannot be meant; `bound` then loads who plays.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from groma.attacks import Adversary
from groma.claims import (
    Bound,
    Claim,
    Embodied,
    Population,
    against_the_grain,
    declared,
    paired,
    population_of,
    scale_of,
)
from groma.claims.scale import Scale
from groma.commands.judging import RULE, judge_digest, judged_by
from groma.commands.players import check_player, kind_of, player
from groma.commands.preflight import preflight
from groma.commands.surveying import adversary_of, suite_from, with_settings
from groma.formats.digest import digest
from groma.formats.errors import BadInput, GromaError
from groma.formats.requests import Differentiate, Read, Request, Score
from groma.formats.run_folder import RunFolder
from groma.formats.task import Task
from groma.formats.transcript import Played
from groma.judges import Judging
from groma.measures.outcomes import OUTCOMES
from groma.play import CallLog, Seat, play
from groma.studies.matrix import PLAYER
from groma.suites.suite import Suite
from groma.systems import System
from groma.worlds.vale import VALE, WEEKS

WIDTH = 256
"""Episodes that are played at a time."""


@dataclass(frozen=True)
class Draft:
    """A claim with all but its players found. model, rival_model: WHAT plays the assistant."""

    claim: Claim
    population: Population
    scale: Scale
    system: System
    model: str
    rival: System | None
    rival_model: str
    adversary: Adversary | None
    judging: Judging | None
    exact: bool
    strata: tuple[str, ...]
    notes: tuple[str, ...]


def drafted(claim: Claim, model: str, others: Mapping[str, str], seed: int) -> Draft:
    """model: who plays the assistant, unless the claim says so itself."""
    what = claim.model or model
    if not what:
        raise claim.wrong("", "nobody plays the assistant", 'model = "…" in the claim, or MODEL on the command line')
    with _told(claim, "model"):
        check_player(what)
    with _told(claim, "on"):
        suite = suite_from(claim.on, claim.data or None)
    generates = suite in (VALE, WEEKS)
    suite, judging = _judged(claim, suite, others)
    population = population_of(claim, suite, generates, seed)
    counted = OUTCOMES[population.outcome]
    scale = scale_of(claim, counted, paired(population))
    system = _system(claim, "system", suite)
    rival, rival_model = None, ""
    if claim.margin is not None:
        rival = _system(claim, "against_system", suite) if claim.against_system else system
        rival_model = claim.against or what
        with _told(claim, "against"):
            check_player(rival_model)
    if rival is not None and (rival.digest, rival_model) == (system.digest, what):
        key = "against" if claim.against else "against_system"
        raise claim.wrong(key, "the system is held against itself", "another model, or another system")
    adversary = _adversary(claim, suite, system, rival)
    chance = [
        f"{one} is not known to say the same again" for one in (what, rival_model, *others.values()) if _draws(one)
    ]
    systems = [one for one in (system, rival) if one is not None]
    exact = not population.fresh and all(map(greedy, systems)) and not chance
    notes = [note for note in (against_the_grain(claim, counted, paired(population)),) if note]
    notes += [f"{note}: the claim is tested, not proved" for note in chance if all(map(greedy, systems))]
    if exact:
        functions = [one for one in dict.fromkeys((what, rival_model)) if one and kind_of(one) == "fake"]
        notes += [f"the proof takes it that {one}, asked the same, says the same" for one in functions]
    if claim.property:
        notes.append(f"{claim.property} is stood for by {counted.name}: {counted.explanation}")
    if claim.items and not generates and len(population.items) < claim.items:
        notes.append(f"items = {claim.items}, and the list has {len(population.items)}: it is all of them")
    _check_played(claim, population, systems, [what, rival_model][: len(systems)], exact)
    strata = () if claim.case == "average" else declared(population)
    if claim.case == "pessimistic" and not strata:
        what = f"{suite.name} declares no strata here, of which the worst could be taken"
        raise claim.wrong("case", what, 'case = "average", or your own file with a column stratum')
    return Draft(
        claim, population, scale, system, what, rival, rival_model, adversary, judging, exact, strata, tuple(notes)
    )


def _judged(claim: Claim, suite: Suite, others: Mapping[str, str]) -> tuple[Suite, Judging | None]:
    """The suite as the claim has it judged. The player `judge` may be there for another claim."""
    given = others if claim.judge != RULE else {}
    with _told(claim, "judge"):
        try:
            return judged_by(suite, claim.judge, given)
        except GromaError as error:
            raise BadInput(str(error).replace("--judge ", "judge ")) from error


def greedy(system: System) -> bool:
    """Whether it draws nothing: every temperature that it has, and that systems inside it have, is 0."""
    own = [value for name, value in system.parameters.items() if "temperature" in name]
    inner = [one for one in system.parameters.values() if isinstance(one, System)]
    return bool(own) and all(heat == 0.0 for heat in own) and all(map(greedy, inner))


def _system(claim: Claim, key: str, suite: Suite) -> System:
    given = {"temperature": claim.temperature, "max_tokens": claim.max_tokens or suite.max_tokens}
    with _told(claim, key):
        system = with_settings(getattr(claim, key), suite, given)
    for setting, value in given.items():
        if setting in claim.lines and not _takes(system, setting, value):
            what = f"{setting} has no effect: {system.name} takes none, or its variant sets its own"
            raise claim.wrong(setting, what, f"no {setting}, or another system")
    return system


def _takes(system: System, setting: str, value: object) -> bool:
    """Whether the setting reached the system, or one inside it."""
    inner = [one for one in system.parameters.values() if isinstance(one, System)]
    return system.parameters.get(setting) == value or any(_takes(one, setting, value) for one in inner)


def _adversary(claim: Claim, suite: Suite, system: System, rival: System | None) -> Adversary | None:
    if not claim.adversary:
        return None
    with _told(claim, "adversary"):
        try:
            adversary = adversary_of(claim.adversary, suite)
        except GromaError as error:
            raise BadInput(str(error).replace("--adversary ", "adversary ")) from error
        for one in (system, rival):
            if adversary is not None and one is not None:
                adversary.against(one)
    return adversary


def _check_played(
    claim: Claim, population: Population, systems: Sequence[System], models: Sequence[str], exact: bool
) -> None:
    """Refuse what would be refused when it is played, and a list that is longer than what may be read."""
    tasks = [forms[0] for forms in itertools.islice(population.probe(), WIDTH)]
    with _told(claim, "system"):
        preflight(systems, tasks)
    for system, model in zip(systems, models, strict=True):
        if (what := _first_request(system, tasks[0])) is not None and not _serves(model, what):
            told = f"{model} cannot answer the {type(what).__name__} that {system.name} asks first"
            raise claim.wrong("model", told, "a model, or a system that only talks")
    if exact and (count := sum(1 for _ in population.listed())) > claim.most:
        told = f"the list has {count} items, and most is {claim.most}; a proof goes through all of them"
        raise claim.wrong("most", told, f"most = {count}, or a shorter list by items = N")


def _first_request(system: System, task: Task) -> Request | None:
    """What the system asks first; None where it does not come to ask."""
    try:
        episode = system(task.posed)
        first = next(episode)
        episode.close()
    except Exception:
        return None
    one = first[0] if isinstance(first, tuple) and first else first
    return one if isinstance(one, Request) else None


def _serves(model: str, request: Request) -> bool:
    """Whether who plays can answer a request at all, by what kind of player it is."""
    if kind_of(model) in ("server", "words"):
        return not isinstance(request, Score | Read | Differentiate)
    return not (kind_of(model) == "person" and isinstance(request, Read | Differentiate))


def _draws(model: str) -> bool:
    """Whether who plays may say another thing when asked the same at temperature 0."""
    return kind_of(model) in ("person", "server")


@contextmanager
def _told(claim: Claim, key: str) -> Iterator[None]:
    """Errors inside are about this key of the claim: they get its line."""
    try:
        yield
    except BadInput as error:
        said = f"{error.where}: {error.what}" if error.where else error.what
        raise claim.wrong(key, said, error.expected) from error
    except GromaError as error:
        raise claim.wrong(key, str(error)) from error


@dataclass
class Players:
    """Who plays, loaded once each; and the logs of what was asked of them, one for each cast and suite."""

    others: Mapping[str, str]
    folder: RunFolder
    seed: int
    stopped: Callable[[], bool]
    trust_remote_code: bool = False
    seats: dict[str, Seat] = field(default_factory=dict)
    logs: dict[str, CallLog] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)

    def load(self, models: Sequence[str]) -> None:
        """Everybody, each once. BadConfig or BadInput where somebody cannot be loaded."""
        for what in dict.fromkeys((*models, *self.others.values())):
            if what not in self.seats:
                self.seats[what] = player(what, self.trust_remote_code)

    def embodied(self, system: System, model: str, suite: Suite) -> Embodied:
        seat = self.seats[model]
        others = {name: self.seats[what] for name, what in self.others.items()}
        digests = {name: one.digest for name, one in others.items()}
        cast = digest(seat.digest, digests) if others else seat.digest
        engines = {PLAYER: seat.engine, **{name: one.engine for name, one in others.items()}}
        width = 1 if "person" in (model, *self.others.values()) else WIDTH

        def played(asked: System, tasks: Sequence[Task]) -> Iterator[Played]:
            going = play(
                asked,
                tasks,
                engines,
                seed=self.seed,
                width=width,
                log=self._log(cast, suite),
                open_environment=suite.open,
            )
            for one in going:
                self.asked.update(one.cost)
                yield replace(one, calls=())  # they stand in the log
                if self.stopped():
                    raise KeyboardInterrupt

        return Embodied(system, played, seat.name, seat.digest, digests)

    def _log(self, cast: str, suite: Suite) -> CallLog:
        about: dict[str, Any] = {"model": cast, "suite": suite.name, "seed": self.seed}
        name = f"calls/{digest(about)}.jsonl"
        if name not in self.logs:
            self.logs[name] = CallLog(self.folder.file(name), about)
        return self.logs[name]

    def notes(self) -> list[str]:
        """What the reader of the figures should know of who played."""
        idle = sorted(set(self.others) - self.asked)
        told = [f"no system asked {name}: to name who plays it had no effect" for name in idle]
        return list(dict.fromkeys([*(note for seat in self.seats.values() for note in seat.notes), *told]))

    def close(self) -> None:
        for seat in self.seats.values():
            seat.engine.close()


def bound(draft: Draft, cast: Players) -> Bound:
    """The claim with its players."""
    suite = draft.population.suite
    rival = cast.embodied(draft.rival, draft.rival_model, suite) if draft.rival is not None else None
    return Bound(
        claim=draft.claim,
        counted=draft.population.outcome,
        scale=draft.scale,
        population=draft.population,
        ours=cast.embodied(draft.system, draft.model, suite),
        rival=rival,
        adversary=draft.adversary,
        judging=draft.judging,
        judge=judge_digest(draft.claim.judge),
        exact=draft.exact,
        strata=draft.strata,
        notes=draft.notes,
    )
