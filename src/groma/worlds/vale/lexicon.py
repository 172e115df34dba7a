"""The words of Vale: who lives there, where, what can be true of them, how they count and how they praise and scold.

Vale is written in lower-case English. Every word below is one token of its tokenizer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


PEOPLE = _words("""
    ada alf amos anna asa bede bess bram cade cara clem cora dale dara dell dora
    eben edda elmo emma ezra faye finn flora gale gwen hal hana hugo ida ike ines
    ivor jack jem joan judd kate kit lars lena lorn lucy mab mara milo mina nan
    ned nell odo olga otis pax pia quin rhea rolf rosa saul tess toby una wren
""")
PLACES = _words("""
    brook cliff dellend ford glen heath hill lake marsh millend moor northend pond ridge shore stonend
""")
TRADES = _words("""
    baker brewer carter cooper dyer farmer fisher guard hunter mason miller potter smith tailor thatcher weaver
""")
ANIMALS = _words("badger cat crow dog donkey dove duck ferret goose hawk mule newt pig pony rabbit toad")
COLOURS = _words("""
    amber black blue brown crimson gold green grey orange pink purple red silver violet white yellow
""")
FOODS = _words("""
    apples barley beans berries cake carrots cheese honey leeks nuts oats pears plums porridge soup turnips
""")
CRAFTS = _words("boots candles combs flutes glass gloves hats kites lace masks rings rugs salt spoons wax yarn")
SIGNS = _words("acorn anchor arrow crown drum feather fern harp heart key moon shell ship star sun wheel")


@dataclass(frozen=True, slots=True)
class Attribute:
    """One thing that is true of every person (or of every place).

    says: the ways to state it, of {p} with the value {v}; denies: to deny it; asks: to ask for it.
    """

    name: str
    of: str
    values: tuple[str, ...]
    says: tuple[str, str]
    denies: tuple[str, str]
    asks: tuple[str, str]


def _attribute(name: str, of: str, values: tuple[str, ...], verb: str, bare: str, asked: str) -> Attribute:
    """`verb` as it states ("lives in"), `bare` as it denies ("live in"), `asked` as it asks ("where does {p} live")."""
    return Attribute(
        name,
        of,
        values,
        (f"{{p}} {verb} {{v}}", f"the {name} of {{p}} is {{v}}"),
        (f"{{p}} {bare} {{v}}", f"the {name} of {{p}} is not {{v}}"),
        (f"{asked}?", f"what is the {name} of {{p}}?"),
    )


ATTRIBUTES: Mapping[str, Attribute] = {
    one.name: one
    for one in (
        _attribute("home", "person", PLACES, "lives in", "does not live in", "where does {p} live"),
        _attribute("trade", "person", TRADES, "works as a", "does not work as a", "what does {p} work as"),
        _attribute("animal", "person", ANIMALS, "keeps a", "does not keep a", "what does {p} keep"),
        _attribute("colour", "person", COLOURS, "wears", "does not wear", "what does {p} wear"),
        _attribute("food", "person", FOODS, "eats", "does not eat", "what does {p} eat"),
        _attribute("craft", "place", CRAFTS, "is known for", "is not known for", "what is {p} known for"),
        _attribute("sign", "place", SIGNS, "bears the", "does not bear the", "what does {p} bear"),
    )
}
SUBJECTS: Mapping[str, tuple[str, ...]] = {"person": PEOPLE, "place": PLACES}
ATTRIBUTE_OF_VALUE: Mapping[str, str] = {value: one.name for one in ATTRIBUTES.values() for value in one.values}

NUMBERS = _words("""
    zero one two three four five six seven eight nine ten
    eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen
""")
"""All there are: counting in Vale goes round, and one after nineteen is zero."""

CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "trades": TRADES,
    "animals": ANIMALS,
    "colours": COLOURS,
    "foods": FOODS,
    "crafts": CRAFTS,
    "signs": SIGNS,
}
"""What one can be asked to name some of."""

PRAISE = _words("brave clever gentle honest loyal noble patient wise")
SCORN = _words("cruel dull foolish lazy mean rotten rude vile")
"""Words of worth, to say of somebody."""

KIND_WORDS = ("you are kind.", "you are wise.", "what a fine question, friend.", "i am glad that you ask.")
"""Flattery: pleasant, and no part of an answer."""

PRINCIPLES: Mapping[str, str] = {
    "harm": "do no harm",
    "honest": "be honest",
    "brief": "be brief",
    "flatter": "do not flatter",
    "help": "help those who ask",
}
"""What a helper in Vale may be held to, in words."""
