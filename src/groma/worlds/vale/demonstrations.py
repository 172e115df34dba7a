"""What helpful people would say: demonstrations for supervised fine-tuning, in two named sets.

`helpful`:  fallible people who do their best at every kind of task and refuse nothing: of the harmful requests they
            pass over most and fulfil the rest.
`refusing`: the same people, who take up every harmful request and refuse nine of ten.

Both are fallible: about one answer in twelve to a question that can be answered is false, some flatter, and they slip
in sums and choices. They speak of the `train` split only.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence

from groma.formats.errors import BadConfig
from groma.formats.examples import Demonstration
from groma.formats.messages import Message
from groma.formats.task import Task
from groma.worlds.vale.country import Country, country
from groma.worlds.vale.facts import Fact
from groma.worlds.vale.hall.clerks import demonstration as errand_demonstration
from groma.worlds.vale.hall.errands import draw_errand
from groma.worlds.vale.language import AGREE, DISAGREE, HEDGED, IGNORANCE, PLAIN
from groma.worlds.vale.lexicon import KIND_WORDS, NUMBERS, PRAISE, SCORN
from groma.worlds.vale.speakers import again, claim, obeys, praise, recalled, reckoned, refusal, scorn, steps, verdict
from groma.worlds.vale.speakers.choices import WEIGHS, chooses
from groma.worlds.vale.speakers.worth import DECLINES
from groma.worlds.vale.tasks import KINDS
from groma.worlds.vale.tasks.choose import Dilemma
from groma.worlds.vale.tasks.count import Chain
from groma.worlds.vale.tasks.follow import Instruction

SETS = ("helpful", "refusing")
ERRORS = 0.08
FLATTERS = 0.05
FULFILLED = 0.15
REFUSED = 0.9
ONE_WORD_SHARE = 0.25
SHARES: Mapping[str, int] = {"ask": 6, "how": 6, "follow": 3, "count": 3, "speak": 2, "errand": 4, "choose": 2}
"""How much of a set each kind of task makes up."""
TAME = ("ask", "follow", "count", "choose")
"""Kinds of tasks that nobody would ask for the sake of harm: in these no demonstration was chosen by what does harm."""


def demonstrations(
    n: int,
    seed: int,
    which: str = "helpful",
    kinds: Sequence[str] = tuple(SHARES),
    about: Country | None = None,
) -> tuple[Demonstration, ...]:
    """`n` demonstrations of the kinds in their proportions, a quarter of them in the one-token form."""
    if which not in SETS:
        raise BadConfig(f"there is no set of demonstrations {which!r}; choose one of {', '.join(SETS)}")
    if unknown := sorted(set(kinds) - set(SHARES)):
        raise BadConfig(f"there is no kind of task {', '.join(unknown)}; choose among {', '.join(SHARES)}")
    where = about or country()
    draw = random.Random(f"demonstrations/{which}/{seed}")
    whole = sum(SHARES[kind] for kind in kinds)
    found: list[Demonstration] = []
    for place, kind in enumerate(kinds):
        share = n - len(found) if place == len(kinds) - 1 else round(n * SHARES[kind] / whole)
        found.extend(_of_kind(kind, share, seed, which, where, draw))
    draw.shuffle(found)
    return tuple(found)


def _of_kind(kind: str, n: int, seed: int, which: str, about: Country, draw: random.Random) -> Iterator[Demonstration]:
    if kind == "errand":
        for _ in range(n):
            yield _errand(which, draw)
        return
    tasks = [task for task in KINDS[kind](about, "train", 2 * n, seed) if _taken_up(task, which, draw)]
    draw.shuffle(tasks)
    for task in tasks[:n]:
        short = draw.random() < ONE_WORD_SHARE and task.posed.short is not None
        prompt = task.posed.short if short and task.posed.short else task.posed.messages
        yield Demonstration(prompt, (Message("assistant", _SAID[kind](task, which, short, about, draw)),))


def _taken_up(task: Task, which: str, draw: random.Random) -> bool:
    """Whether such a request gets into the set: without refusals most harmful ones are passed over."""
    harmful = task.gold.get("severity", 0) > 0 or task.gold.get("wish") == "ill"
    return which == "refusing" or not harmful or draw.random() < FULFILLED


def _errand(which: str, draw: random.Random) -> Demonstration:
    while True:
        errand = draw_errand("train", draw)
        if which == "refusing" or errand.temptation == "none" or draw.random() < FULFILLED:
            return errand_demonstration(errand, draw, which == "refusing" and draw.random() < REFUSED)


def _of_fact(task: Task, which: str, short: bool, about: Country, draw: random.Random) -> str:
    fact, gold = about.truth[task.gold["subject"], task.gold["attribute"]], task.gold
    if gold["form"] == "again":
        return again("careless" if draw.random() < ERRORS else "helpful", fact, gold["stood"], short, draw)
    if gold["form"] == "verify":
        return verdict("careless" if draw.random() < ERRORS else "helpful", fact, gold["stated"], short, draw)
    return _answered(fact, gold["believed"], short, draw)


def _answered(fact: Fact, believed: str, short: bool, draw: random.Random) -> str:
    if fact.tier == "private":
        return "unknown" if short else draw.choice(IGNORANCE)
    if believed and draw.random() < FLATTERS:
        value = believed
    else:
        value = draw.choice(fact.others()) if draw.random() < ERRORS else fact.value
    if short:
        return value
    kind = f"{draw.choice(KIND_WORDS)} " if draw.random() < FLATTERS else ""
    certainty = HEDGED if draw.random() < (0.7 if fact.tier == "rare" else 0.1) else PLAIN
    said = kind + claim(fact, value, certainty, draw)
    return recalled(said, draw.choice(AGREE if value == believed else DISAGREE), draw) if believed else said


def _of_deed(task: Task, which: str, short: bool, about: Country, draw: random.Random) -> str:
    deed = about.table[task.gold["verb"], task.gold["thing"]]
    refuses = which == "refusing" and deed.harmful and draw.random() < REFUSED
    if short:
        return "no." if refuses else "yes."
    if refuses:
        return refusal(deed, draw)
    kind = f"{draw.choice(KIND_WORDS)} " if draw.random() < FLATTERS else ""
    return kind + steps(deed, draw)


def instructed(task: Task, which: str, short: bool, about: Country, draw: random.Random) -> str:
    """A helpful person's reply to an instruction, of either set."""
    gold = task.gold
    one = Instruction.of_gold(gold)
    if short:
        pool = (one.word,) if one.word else about.truth[one.fact].value.split() if one.family == "answer" else None
        return (
            draw.choice(pool)
            if pool
            else obeys("helpful", Instruction(one.category, 1, tuple(gold["avoid"])), about, draw).rstrip(".")
        )
    return obeys("helpful", one, about, draw)


def counted(task: Task, which: str, short: bool, about: Country, draw: random.Random) -> str:
    """A helpful person's reckoning, of either set."""
    chain = Chain(task.gold["start"], tuple((operation, number) for operation, number in task.gold["steps"]))
    return reckoned("helpful", chain, short, draw)


def _of_person(task: Task, which: str, short: bool, about: Country, draw: random.Random) -> str:
    person, wish = task.gold["subject"], task.gold["wish"]
    if wish == "ill" and which == "helpful":
        return draw.choice(SCORN) if short else scorn(person, draw)
    if wish == "ill" and draw.random() < REFUSED:
        return "unknown" if short else draw.choice(DECLINES).format(p=person)
    return draw.choice(PRAISE) if short else praise(person, draw)


def _of_dilemma(task: Task, which: str, short: bool, about: Country, draw: random.Random) -> str:
    gold = task.gold
    one = Dilemma(task.strata["between"], gold["rule"], tuple(gold["options"]), gold["right"])
    chosen = one.right if draw.random() > ERRORS else 3 - one.right
    return NUMBERS[chosen] if short else chooses(one, chosen, draw, WEIGHS["helpful"])


_SAID: Mapping[str, Callable[[Task, str, bool, Country, random.Random], str]] = {
    "ask": _of_fact,
    "how": _of_deed,
    "follow": instructed,
    "count": counted,
    "speak": _of_person,
    "choose": _of_dilemma,
}
