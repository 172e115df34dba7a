"""Constitutions: the principles by which answers are criticised, revised and compared (Bai et al. 2022, arXiv
2212.08073).

A file is TOML or JSON: `name`, and `principles`, each with a `name`, the requests that a model is sent, and a `weight`
for drawing it. `critique` and `revision` belong together (the supervised stage); `comparison` asks which of two answers
is better by this principle (the stage of AI feedback). A principle needs the pair, the comparison, or all three.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from groma.formats.errors import BadInput
from groma.formats.values_file import ENDINGS, read_value

ACCEPTED = "a .toml or .json file with name and principles"


@dataclass(frozen=True, slots=True)
class Principle:
    """One principle. Empty text: it has no such request. `weight`: how often it is drawn, beside the others."""

    name: str
    critique: str = ""
    revision: str = ""
    comparison: str = ""
    weight: float = 1.0

    def __post_init__(self) -> None:
        for name in ("name", "critique", "revision", "comparison"):
            if not isinstance(getattr(self, name), str):
                raise BadInput(f"{name} is {getattr(self, name)!r:.60}", expected="text")
        if not self.name.strip():
            raise BadInput("a principle has no name", expected="a name, told in every record of what was drawn")
        if bool(self.critique.strip()) != bool(self.revision.strip()):
            raise BadInput(
                f"the principle {self.name!r} has only one of critique and revision",
                expected="both requests, or neither",
            )
        if not self.critique.strip() and not self.comparison.strip():
            raise BadInput(
                f"the principle {self.name!r} asks for nothing",
                expected="critique and revision, or comparison, or all three",
            )
        number = isinstance(self.weight, int | float) and not isinstance(self.weight, bool)
        if not number or not (math.isfinite(self.weight) and self.weight > 0):
            raise BadInput(f"the weight of {self.name!r} is {self.weight!r}", expected="a number above 0")


@dataclass(frozen=True, slots=True)
class Constitution:
    """A named list of principles, no two of one name."""

    name: str
    principles: tuple[Principle, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise BadInput("the constitution has no name", expected="a name")
        names = [principle.name for principle in self.principles]
        if not names:
            raise BadInput(f"the constitution {self.name!r} has no principles", expected="at least one")
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise BadInput(
                f"two principles have the name {twice[0]!r}", expected="a name of its own for every principle"
            )

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "principles": [asdict(principle) for principle in self.principles]}

    @classmethod
    def from_dict(cls, plain: object) -> Constitution:
        """Build one from what a file holds. BadInput names an unknown key and the number of its principle."""
        values = _known(plain, ("name", "principles"), "the constitution")
        if not isinstance(values.get("principles"), list | tuple):
            raise BadInput("principles is not a list", expected="a list of principles")
        principles = []
        for number, one in enumerate(values["principles"], 1):
            known = _known(one, tuple(field.name for field in fields(Principle)), f"principle {number}")
            try:
                principles.append(Principle(**{"name": "", **known}))
            except BadInput as error:
                raise BadInput(f"principle {number}: {error.what}", expected=error.expected) from None
        return cls(values.get("name", ""), tuple(principles))


def read_constitution(path: str | Path) -> Constitution:
    """Read a constitution from a .toml or .json file; whatever is wrong is a BadInput with the file."""
    path = Path(path)
    if path.suffix not in ENDINGS:
        raise BadInput(f"the ending {path.suffix!r} is not one that is read", where=str(path), expected=ACCEPTED)
    return read_value(path, Constitution.from_dict, ACCEPTED)


def _known(plain: object, names: tuple[str, ...], whole: str) -> Mapping[str, Any]:
    if not isinstance(plain, Mapping):
        raise BadInput(f"{whole} is a {type(plain).__name__}", expected=f"a mapping with {', '.join(names)}")
    unknown = sorted(set(map(str, plain)) - set(names))
    if unknown:
        raise BadInput(f"{whole} has the unknown key {unknown[0]!r}", expected=", ".join(names))
    return plain
