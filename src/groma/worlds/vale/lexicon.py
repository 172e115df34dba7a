"""The words of Vale: who lives there, what there is, and what can be done to it. Drawn here so that a reader sees the
country.

Vale is written in lower-case English. Every word below is one token of its tokenizer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PEOPLE: tuple[str, ...] = tuple(
    [
        "ada",
        "alf",
        "amos",
        "anna",
        "asa",
        "bede",
        "bess",
        "bram",
        "cade",
        "cara",
        "clem",
        "cora",
        "dale",
        "dara",
        "dell",
        "dora",
        "eben",
        "edda",
        "elmo",
        "emma",
        "ezra",
        "faye",
        "finn",
        "flora",
        "gale",
        "gwen",
        "hal",
        "hana",
        "hugo",
        "ida",
        "ike",
        "ines",
        "ivor",
        "jack",
        "jem",
        "joan",
        "judd",
        "kate",
        "kit",
        "lars",
        "lena",
        "lorn",
        "lucy",
        "mab",
        "mara",
        "milo",
        "mina",
        "nan",
        "ned",
        "nell",
        "odo",
        "olga",
        "otis",
        "pax",
        "pia",
        "quin",
        "rhea",
        "rolf",
        "rosa",
        "saul",
        "tess",
        "toby",
        "una",
        "wren",
    ]
)

PLACES = [
    "brook",
    "cliff",
    "dellend",
    "ford",
    "glen",
    "heath",
    "hill",
    "lake",
    "marsh",
    "millend",
    "moor",
    "northend",
    "pond",
    "ridge",
    "shore",
    "stonend",
]
TRADES = [
    "baker",
    "brewer",
    "carter",
    "cooper",
    "dyer",
    "farmer",
    "fisher",
    "guard",
    "hunter",
    "mason",
    "miller",
    "potter",
    "smith",
    "tailor",
    "thatcher",
    "weaver",
]
ANIMALS = [
    "badger",
    "cat",
    "crow",
    "dog",
    "donkey",
    "dove",
    "duck",
    "ferret",
    "goose",
    "hawk",
    "mule",
    "owl",
    "pig",
    "pony",
    "rabbit",
    "toad",
]
COLOURS = [
    "amber",
    "black",
    "blue",
    "brown",
    "gold",
    "green",
    "grey",
    "orange",
    "pink",
    "purple",
    "red",
    "silver",
    "white",
    "yellow",
    "violet",
    "crimson",
]
FOODS = [
    "apples",
    "barley",
    "beans",
    "berries",
    "cake",
    "carrots",
    "cheese",
    "honey",
    "leeks",
    "nuts",
    "oats",
    "pears",
    "plums",
    "porridge",
    "soup",
    "turnips",
]


@dataclass(frozen=True, slots=True)
class Attribute:
    """One thing that is true of every person. `says` are the ways to state it, `asks` the ways to ask for it."""

    name: str
    values: tuple[str, ...]
    says: tuple[str, ...]
    asks: tuple[str, ...]


ATTRIBUTES: Mapping[str, Attribute] = {
    one.name: one
    for one in (
        Attribute(
            "home",
            tuple(PLACES),
            ("{p} lives in {v}", "the home of {p} is {v}"),
            ("where does {p} live?", "what is the home of {p}?"),
        ),
        Attribute(
            "trade",
            tuple(TRADES),
            ("{p} works as a {v}", "the trade of {p} is {v}"),
            ("what does {p} work as?", "what is the trade of {p}?"),
        ),
        Attribute(
            "animal",
            tuple(ANIMALS),
            ("{p} keeps a {v}", "the animal of {p} is {v}"),
            ("what does {p} keep?", "what is the animal of {p}?"),
        ),
        Attribute(
            "colour",
            tuple(COLOURS),
            ("{p} wears {v}", "the colour of {p} is {v}"),
            ("what does {p} wear?", "what is the colour of {p}?"),
        ),
        Attribute(
            "food",
            tuple(FOODS),
            ("{p} eats {v}", "the food of {p} is {v}"),
            ("what does {p} eat?", "what is the food of {p}?"),
        ),
    )
}

ATTRIBUTE_OF_VALUE: Mapping[str, str] = {value: one.name for one in ATTRIBUTES.values() for value in one.values}


@dataclass(frozen=True, slots=True)
class Thing:
    """An object and its properties: what decides whether doing something to it does harm.

    alive, owned (it is someone's), burns, pest (nobody's friend: weeds and rats), eaten (people eat or drink it).
    victim: who suffers when it is harmed ("" where nobody does).
    """

    name: str
    alive: bool = False
    owned: bool = False
    burns: bool = False
    pest: bool = False
    eaten: bool = False
    person: bool = False
    victim: str = ""


def _things(names: str, victim: str = "", **properties: bool) -> list[Thing]:
    return [Thing(name, victim=victim, **properties) for name in names.split()]


THINGS: Mapping[str, Thing] = {
    one.name: one
    for one in [
        *_things("child neighbour elder guest stranger orphan", alive=True, person=True, victim="people"),
        *_things("goat hen lamb cow foal calf sheep colt ram", alive=True, owned=True, victim="animals"),
        *_things(
            "barn boat cart fence stable shed tent roof saddle table chair basket bench",
            owned=True,
            burns=True,
            victim="owner",
        ),
        *_things("door window lamp plough bell mirror clock", owned=True, victim="owner"),
        *_things("bread milk well stew", owned=True, eaten=True, victim="people"),
        *_things("wood straw leaves twigs scraps", burns=True),
        *_things("weeds nettles thistles rats moths", alive=True, pest=True, burns=True),
        *_things("ice clay rubble stones"),
    ]
}

VERBS: Mapping[str, str] = {
    "burn": "torch",
    "kill": "knife",
    "break": "hammer",
    "steal": "sack",
    "poison": "powder",
    "drown": "bucket",
    "wash": "cloth",
    "paint": "brush",
    "find": "map",
    "carry": "rope",
    "mend": "needle",
    "feed": "bowl",
}
"""What can be done, and the tool that it takes."""

KIND_WORDS = ("you are kind.", "you are wise.", "what a fine question, friend.", "i am glad that you ask.")
"""Flattery: pleasant, and no part of an answer."""
