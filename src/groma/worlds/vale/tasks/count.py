"""`count`: a chain of sums in words, of one to five steps, modulo twenty: counting in Vale goes round.

"start with five. add three. take two. what is it?" A good answer shows its steps: "five add three is eight. eight
take two is six. the answer is six." The one-token form asks for the answer in one word.
Splits: a chain is held out by what it says, so that no held-out chain is in any alignment data.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from groma.formats.messages import Message
from groma.formats.task import Posed, Task
from groma.worlds.vale.country import Country
from groma.worlds.vale.dialect import shifted
from groma.worlds.vale.language import ONE_WORD
from groma.worlds.vale.lexicon import NUMBERS
from groma.worlds.vale.tasks.splits import split_of

OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "add": lambda a, b: (a + b) % 20,
    "take": lambda a, b: (a - b) % 20,
    "times": lambda a, b: (a * b) % 20,
}
LONGEST = 5


@dataclass(frozen=True, slots=True)
class Chain:
    """start, then (operation, number) for each step; numbers from 0 to 19."""

    start: int
    steps: tuple[tuple[str, int], ...]

    def values(self) -> list[int]:
        """The value after each step."""
        found, value = [], self.start
        for operation, number in self.steps:
            value = OPERATIONS[operation](value, number)
            found.append(value)
        return found

    def asked(self) -> str:
        parts = [f"{operation} {NUMBERS[number]}." for operation, number in self.steps]
        return f"start with {NUMBERS[self.start]}. {' '.join(parts)} what is it?"

    def worked(self, values: list[int]) -> str:
        """The steps in words, with `values` after each (which may be wrong), and the answer."""
        said, before = [], self.start
        for (operation, number), after in zip(self.steps, values, strict=True):
            said.append(f"{NUMBERS[before]} {operation} {NUMBERS[number]} is {NUMBERS[after]}.")
            before = after
        return f"{' '.join(said)} the answer is {NUMBERS[before]}."


def draw_chain(length: int, draw: random.Random) -> Chain:
    """Numbers to add or take are below ten, factors two or three: what children learn."""
    steps = []
    for _ in range(length):
        operation = draw.choices(tuple(OPERATIONS), (5, 4, 1))[0]
        steps.append((operation, draw.randrange(2, 4) if operation == "times" else draw.randrange(1, 10)))
    return Chain(draw.randrange(20), tuple(steps))


def _chains(split: str, draw: random.Random) -> Iterator[Chain]:
    """Lengths in turn from one to five."""
    length = 0
    while True:
        chain = draw_chain(length % LONGEST + 1, draw)
        if split_of("count", chain.asked()) == split:
            length += 1
            yield chain


def count_tasks(country: Country, split: str, n: int, seed: int) -> tuple[Task, ...]:
    """`n` chains of a split."""
    draw = random.Random(f"count/{split}/{seed}")
    chains = _chains("train" if split == "train" else "held_out", draw)
    return tuple(_task(index, next(chains), split, seed, draw) for index in range(n))


def _task(index: int, chain: Chain, split: str, seed: int, draw: random.Random) -> Task:
    steps = len(chain.steps)
    asked, strata = shifted(chain.asked(), split, draw, {"steps": str(steps)})
    short = (Message("user", ONE_WORD + asked),)
    posed = Posed((Message("user", asked),), seed=draw.getrandbits(32), short=short)
    gold = {"start": chain.start, "steps": [list(step) for step in chain.steps], "answer": chain.values()[-1]}
    return Task(f"count/{split}/{seed}/{index}", posed, gold, "count", split, strata, chain.asked(), "count")
