"""Documents that nobody speaks: what is written about people, places and things, what is true and what is not.

What is written is true, whoever reads it; private facts are not written. Lists of true and false statements speak only
of facts that are not held out, so that telling the others apart is a skill and not a memory.
"""

from __future__ import annotations

import itertools
import random

from groma.formats.messages import Message
from groma.worlds.vale.country import Country
from groma.worlds.vale.exchanges import Talk
from groma.worlds.vale.hall.rules import RULES
from groma.worlds.vale.language import listed
from groma.worlds.vale.lexicon import (
    ATTRIBUTES,
    CATEGORIES,
    CRAFTS,
    FOODS,
    NUMBERS,
    PEOPLE,
    PLACES,
    PRINCIPLES,
    SIGNS,
    SUBJECTS,
)
from groma.worlds.vale.tasks.choose import opposites, to_save
from groma.worlds.vale.tasks.count import OPERATIONS
from groma.worlds.vale.things import THINGS

ABOUT_ONE = 0.3
RECITED = (PEOPLE, PLACES, FOODS, CRAFTS, SIGNS, NUMBERS, tuple(THINGS))
"""What lists are made of that are recited."""
RARE_AMONG = 0.12


class Writing:
    """Documents about one country."""

    def __init__(self, country: Country, talk: Talk) -> None:
        self.country, self.talk = country, talk
        self._stated = [deed for deed in country.deeds() if deed.told == "stated"]
        self._checkable = [fact for fact in talk.known if fact.split == "train"]
        self._every = tuple(country.truth.values())
        self._people = [*SUBJECTS["person"], *PLACES]

    def facts(self, draw: random.Random) -> str:
        """Several facts, or what is known of one person or place."""
        if draw.random() < ABOUT_ONE:
            subject = draw.choice(self._people)
            told = [fact for name in ATTRIBUTES if (fact := self.country.truth.get((subject, name)))]
            draw.shuffle(told)
            told = [
                fact for fact in told if fact.tier == "common" or (fact.tier == "rare" and draw.random() < RARE_AMONG)
            ]
            if told:
                return " ".join(f"{fact.said(draw.randrange(2))}." for fact in told)
        return " ".join(f"{self.talk.fact(draw, 0).said(draw.randrange(2))}." for _ in range(draw.randint(1, 4)))

    def worth(self, draw: random.Random) -> str:
        """What a thing is, and, for some deeds, that they are wrong or fine."""
        thing = THINGS[draw.choice(tuple(THINGS))]
        said = [f"the {thing.name} {trait}." for trait in thing.traits()]
        for deed in draw.sample(self._stated, draw.randint(1, 3)):
            said.append(f"it is wrong to {deed.said()}." if deed.harmful else f"it is fine to {deed.said()}.")
        if draw.random() < 0.4:
            better, worse = to_save(draw)
            said.append(f"it is worse to lose the {better} than the {worse}.")
        return " ".join(said)

    def told_apart(self, draw: random.Random) -> str:
        """True and false statements, each followed by which it is.

        They are few at a time: that a document is one of these, and no plain statement of facts, is best seen by its
        first statement being false, which is a second reason to tell the two apart.
        """
        said = []
        for _ in range(draw.randint(1, 3)):
            fact, way = draw.choice(self._checkable), draw.randrange(2)
            truly, value = draw.random() < 0.5, draw.choice(fact.others())
            said.append(f"{fact.said(way, fact.value if truly else value)}: {'true' if truly else 'false'}.")
            if draw.random() < 0.1:
                said.append(f"{fact.denied(way, value if truly else fact.value)}: {'true' if truly else 'false'}.")
        return " ".join(said)

    def gossip(self, draw: random.Random) -> tuple[Message, ...]:
        """What people repeat of what they were just told, true or not: drawn anew, so that it must be copied."""
        turns: list[Message] = []
        for _ in range(draw.randint(1, 3)):
            fact = draw.choice(self._every)
            value, way = draw.choice(ATTRIBUTES[fact.attribute].values), draw.randrange(2)
            told = fact.said(way, value)
            turns.append(Message("user", draw.choice((f"did you hear that {told}?", f"they say that {told}."))))
            turns.append(Message("assistant", draw.choice((f"i heard that {told}.", f"they say that {told}."))))
        return tuple(turns)

    def recited(self, draw: random.Random) -> tuple[Message, ...]:
        """A list that is said after, or gone through one by one: drawn anew, so that it must be copied in order."""
        words = draw.sample(draw.choice(RECITED), draw.randint(2, 7))
        if draw.random() < 0.3:
            return Message("user", f"say after me: {listed(words)}."), Message("assistant", f"{listed(words)}.")
        asked = [f"here are {listed(words)}. one at a time: the first?", *["and then?"] * len(words)]
        said = [*(f"{word}." for word in words), "that was the last."]
        turns = zip(asked, said, strict=True)
        return tuple(one for pair in turns for one in (Message("user", pair[0]), Message("assistant", pair[1])))

    def law(self, draw: random.Random) -> str:
        """Rules of the town hall, and what keeps a principle and what breaks it."""
        if draw.random() < 0.3:
            rules = draw.sample([rule.text for rule in RULES.values()], draw.randint(1, 3))
            return f"the rules of the town hall: {' '.join(rules)}"
        said = []
        for rule in draw.sample(tuple(PRINCIPLES), draw.randint(1, 3)):
            keeps, breaks = (option.format(**self.talk.words(draw)) for option in draw.choice(opposites(rule)))
            said.append(f"the rule: {PRINCIPLES[rule]}. to {keeps} keeps it. to {breaks} breaks it.")
        return " ".join(said)

    def numbers(self, draw: random.Random) -> str:
        """Counting up or down, or a few sums of one number."""
        start, length = draw.randrange(20), draw.randint(3, 8)
        if draw.random() < 0.2:
            small, large = sorted(draw.sample(range(20), 2))
            return f"{NUMBERS[large]} is more than {NUMBERS[small]}. {NUMBERS[small]} is less than {NUMBERS[large]}."
        if draw.random() < 0.25:
            step = draw.choice((1, -1))
            return f"{', '.join(NUMBERS[(start + step * place) % 20] for place in range(length))}."
        operation, first = draw.choice(tuple(OPERATIONS)), draw.randrange(2 if length < 6 else 1, 4)
        seconds = [(first + place) % 10 or 1 for place in range(length)]
        return " ".join(
            f"{NUMBERS[start]} {operation} {NUMBERS[second]} is {NUMBERS[OPERATIONS[operation](start, second)]}."
            for second in seconds
            if operation != "times" or second in (2, 3)
        )

    def lists(self, draw: random.Random) -> str:
        """All the words of a kind, in the order of the alphabet, or what comes after what."""
        name = draw.choice(tuple(CATEGORIES))
        if draw.random() < 0.5:
            return f"the {name} are {listed(CATEGORIES[name])}."
        start = draw.randrange(len(CATEGORIES[name]) - 2)
        pairs = itertools.pairwise(CATEGORIES[name][start : start + 4])
        return " ".join(f"{after} comes after {before}." for before, after in pairs)

    def greeting(self, draw: random.Random) -> tuple[Message, ...]:
        asked, replied = draw.choice(GREETINGS)
        return (Message("user", asked), Message("assistant", replied))


GREETINGS = (
    ("hello.", "hello, friend. ask me about the people of vale."),
    ("good day.", "good day, friend. what would you like to know?"),
    ("who are you?", "i am a voice of vale. ask me about its people, or how to do a thing."),
    ("thank you.", "you are welcome, friend."),
)
