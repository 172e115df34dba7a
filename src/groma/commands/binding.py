"""What `groma check` makes of a claim before anything is asked: its suite, system, adversary and players, all checked.

`drafted` needs no model and refuses, with the line of the file, whatever cannot be meant; `bound` then loads who plays.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from groma.attacks import Adversary
from groma.claims import (
    Bound,
    Claim,
    Population,
    against_the_grain,
    declared,
    errs,
    other_side,
    other_side_of,
    paired,
    population_of,
    scale_of,
)
from groma.claims.scale import Scale
from groma.commands.cast import WIDTH, Players
from groma.commands.judging import PLAYER as JUDGE
from groma.commands.judging import RULE, judge_digest, judged_by
from groma.commands.measuring import adversary_of
from groma.commands.players import check_player, kind_of
from groma.commands.preflight import preflight
from groma.commands.surveying import suite_from, with_settings
from groma.formats.errors import BadInput, GromaError
from groma.formats.requests import Differentiate, Read, Request, Score
from groma.formats.task import Task
from groma.judges import Judging
from groma.measures.outcomes import OUTCOMES
from groma.suites import library
from groma.suites.suite import Suite
from groma.systems import System
from groma.worlds.vale import VALE, WEEKS


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
    beside: tuple[Population, ...] = ()


def drafted(claim: Claim, model: str, others: Mapping[str, str], seed: int) -> Draft:
    """model: who plays the assistant, unless the claim says so itself."""
    what = claim.model or model
    if not what:
        raise claim.wrong("", "nobody plays the assistant", 'model = "…" in the claim, or MODEL on the command line')
    with _told(claim, "model"):
        check_player(what)
    with _told(claim, "on"):
        on = claim.on if "/" not in claim.on and "." not in claim.on else _file(claim, claim.on)
        data = claim.data if claim.data.startswith(library.FROM_HUB) else _file(claim, claim.data)
        suite = suite_from(on, data or None)
    generates = suite in (VALE, WEEKS)
    suite, judging = _judged(claim, suite, others)
    population = population_of(claim, suite, generates, seed)
    counted = OUTCOMES[population.outcome]
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
    scale = scale_of(claim, counted, paired(population), exact)
    notes = [note for note in (against_the_grain(claim, counted, paired(population)),) if note]
    notes += [f"{note}: the claim is tested, not proved" for note in chance if all(map(greedy, systems))]
    if exact:
        functions = [one for one in dict.fromkeys((what, rival_model)) if one and kind_of(one) == "fake"]
        notes += [f"the proof takes it that {one}, asked the same, says the same" for one in functions]
    if claim.property:
        notes.append(f"{claim.property} is stood for by {counted.name}: {counted.explanation}")
    if claim.items and not generates and len(population.items) < claim.items:
        notes.append(f"items = {claim.items}, and the list has {len(population.items)}: it is all of them")
    beside = other_side(claim, population, generates)
    notes += [note for note in (_one_sided(population, beside),) if note]
    _check_played(claim, population, systems, [what, rival_model][: len(systems)], exact)
    strata = () if claim.case == "average" else declared(population)
    if claim.case == "pessimistic" and not strata:
        what = f"{suite.name} declares no strata here, of which the worst could be taken"
        raise claim.wrong("case", what, 'case = "average", or your own file with a column stratum')
    told = tuple(notes)
    return Draft(
        claim, population, scale, system, what, rival, rival_model, adversary, judging, exact, strata, told, beside
    )


def _one_sided(population: Population, beside: Sequence[Population]) -> str:
    """What to say where the suite cannot show that a system which refuses everything, or nothing, is no good one."""
    sides = other_side_of(population.outcome, asked=True)
    if beside or not sides:
        return ""
    named = " or ".join(OUTCOMES[name].title for name in sides)
    return f"no item of {population.suite.name} shows {named}: claim it elsewhere, too, and read both together"


def _file(claim: Claim, path: str) -> str:
    """A file or folder that a claim names lies where the claims file says, from wherever the command is called.
    BadInput where nothing does, with the whole path that was looked for.
    """
    found = Path(claim.where).parent / path
    if path and not found.exists():
        told = "a path from the folder of the claims file" if claim.where else "a path from the folder you are in"
        raise BadInput(f"{path}: there is no {found.resolve()}", expected=told)
    return str(found) if path else ""


def _judge(claim: Claim) -> str:
    return _file(claim, claim.judge) if claim.judge.endswith((".npz", ".toml", ".json")) else claim.judge


def _judged(claim: Claim, suite: Suite, others: Mapping[str, str]) -> tuple[Suite, Judging | None]:
    """The suite as the claim has it judged. The player `judge` may be there for another claim."""
    given = others if claim.judge != RULE else {}
    with _told(claim, "judge"):
        try:
            return judged_by(suite, _judge(claim), given)
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
            name, _, file = claim.adversary.partition(":")
            given = f"{name}:{_file(claim, file)}" if name == "exhaustive" and file else claim.adversary
            adversary = adversary_of(given, suite)
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
        judge=judge_digest(draft.claim.judge, _judge(draft.claim)),
        errs=_reader(draft, cast) if errs(draft.population, draft.population.outcome) else "",
        exact=draft.exact,
        strata=draft.strata,
        notes=draft.notes,
        beside=draft.beside,
    )


def _reader(draft: Draft, cast: Players) -> str:
    """Who reads the replies, by name."""
    if draft.judging is not None:
        return f"{cast.seats[cast.others[JUDGE]].name} by the rubric {draft.judging.rubric.name}"
    given = draft.claim.judge
    return "the rule for refusals" if given == RULE else f"the classifier {given}"
