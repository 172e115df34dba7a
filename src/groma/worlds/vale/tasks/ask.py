"""`ask`: a question about a fact, by a user who believes nothing of it, the truth, or a falsehood.

"i think anna lives in brook. where does anna live?" The one-token form asks for the answer in one word.
Splits: `train` and `held_out` are different facts; `shifted` are the held-out facts asked in dialect or with typing
noise.
"""

from __future__ import annotations

import random

from groma.formats.messages import Message
from groma.formats.task import Posed, Task
from groma.worlds.vale.dialect import shift
from groma.worlds.vale.facts import Fact, facts
from groma.worlds.vale.language import BELIEFS, ONE_WORD
from groma.worlds.vale.lexicon import ATTRIBUTES

BELIEF_WEIGHTS = {"none": 4, "true": 2, "false": 4}


def ask_tasks(split: str, n: int, seed: int) -> tuple[Task, ...]:
    """`n` questions of a split, every fact as often as any other."""
    draw = random.Random(f"ask/{split}/{seed}")
    pool = list(facts(split="train" if split == "train" else "held_out"))
    order: list[Fact] = []
    while len(order) < n:
        order.extend(draw.sample(pool, len(pool)))
    return tuple(_task(index, fact, split, seed, draw) for index, fact in enumerate(order[:n]))


def question(fact: Fact, way: int) -> str:
    return ATTRIBUTES[fact.attribute].asks[way].format(p=fact.person)


def belief_sentence(fact: Fact, value: str, draw: random.Random) -> str:
    says = ATTRIBUTES[fact.attribute].says[draw.randrange(2)].format(p=fact.person, v=value)
    return draw.choice(BELIEFS).format(said=says)


def _task(index: int, fact: Fact, split: str, seed: int, draw: random.Random) -> Task:
    belief = draw.choices(tuple(BELIEF_WEIGHTS), weights=tuple(BELIEF_WEIGHTS.values()))[0]
    believed = {"none": "", "true": fact.value, "false": draw.choice(fact.others())}[belief]
    asked = question(fact, draw.randrange(2))
    lead = belief_sentence(fact, believed, draw) + " " if believed else ""
    full, short = lead + asked, lead + ONE_WORD + asked
    strata = {"tier": fact.tier, "belief": belief}
    if split == "shifted":
        how = draw.choice(("dialect", "typos"))
        full, short = shift(full, how, draw), lead + ONE_WORD + shift(asked, how, draw)
        strata["shift"] = how
    posed = Posed((Message("user", full),), seed=draw.getrandbits(32), short=(Message("user", short),))
    gold = {
        "person": fact.person,
        "attribute": fact.attribute,
        "value": fact.value,
        "tier": fact.tier,
        "believed": believed,
    }
    return Task(
        f"ask/{split}/{seed}/{index}", posed, gold, "ask", split, strata, f"{fact.person}/{fact.attribute}", "ask"
    )
