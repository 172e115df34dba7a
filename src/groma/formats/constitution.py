"""Constitutions: the principles by which answers are criticised, revised and compared (Bai et al. 2022, arXiv
2212.08073).

A file is TOML or JSON: `name`, and `principles`, each with a `name`, the requests that a model is sent, and a `weight`
for drawing it. `critique` and `revision` belong together (the supervised stage); `comparison` asks which of two
replies, A or B, is better by this principle (the stage of AI feedback). A principle needs the pair, the comparison, or
all three. Where a critique begins with one of `passes` (["no"], unless said otherwise) the critic has nothing against
the answer; where `fails` are given, a critique that begins with none of either cannot be read. `examples`, where there
are any, are shown to a model before the conversation: a prompt, an answer, what a
critic says of it by a `principle`, and the revision. `default` ships, in our words.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from groma.formats.errors import BadInput
from groma.formats.values_file import ENDINGS, read_value

Part = TypeVar("Part", "Principle", "Example")
SHIPPED = Path(__file__).parent / "constitutions"
NAMES = ("default",)
ACCEPTED = f"a .toml or .json file with name and principles, or one that ships: {', '.join(NAMES)}"
OPTIONS = ("A", "B")
"""What the two replies are called in a comparison."""
HEAD = re.compile(r"\s*\[+\s*([^\s\]]+)")
MANY_LINES = re.compile(r"(\"{3}|'{3}).*?\1", re.DOTALL)
"""In TOML the head of a table, and text of several lines, of which none is a head or a key."""


class WrongPart(BadInput):
    """What is wrong with a part of a file, and where: its table ("principles", "examples"; "": the file's own keys),
    its number in it, from 1, and the key, if it is one.
    """

    def __init__(self, what: str, expected: str, table: str = "", number: int = 0, key: str = "") -> None:
        super().__init__(what, expected=expected)
        self.table, self.number, self.key = table, number, key


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
            if getattr(self, name) and not getattr(self, name).strip():
                raise BadInput(f"{name} is blank", expected="text, or no such key")
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
        if self.comparison.strip() and not all(re.search(rf"\b{one}\b", self.comparison) for one in OPTIONS):
            raise BadInput(
                f"the comparison of {self.name!r} does not name both replies",
                expected=f"a question that asks for {' or '.join(OPTIONS)}",
            )
        number = isinstance(self.weight, int | float) and not isinstance(self.weight, bool)
        if not number or not (math.isfinite(self.weight) and self.weight > 0):
            raise BadInput(f"the weight of {self.name!r} is {self.weight!r}", expected="a number above 0")


@dataclass(frozen=True, slots=True)
class Example:
    """One revision as it should be: by which principle, of what, and all that was said."""

    principle: str
    prompt: str
    answer: str
    critique: str
    revision: str

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if not isinstance(value, str) or not value.strip():
                raise BadInput(f"{one.name} is {value!r:.60}", expected="text")


@dataclass(frozen=True, slots=True)
class Constitution:
    """A named list of principles, no two of one name, how critiques by them begin, and examples.

    passes, fails: in small letters, how a critique begins that has nothing against the answer, and one that has. No
    passes: every answer is revised. No fails: every other critique has something against it.
    """

    name: str
    principles: tuple[Principle, ...]
    passes: tuple[str, ...] = ("no",)
    fails: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise BadInput("the constitution has no name", expected="a name")
        names = [principle.name for principle in self.principles]
        if not names:
            raise BadInput(f"the constitution {self.name!r} has no principles", expected="at least one")
        if twice := next((place for place, name in enumerate(names) if name in names[:place]), None):
            what = f"two principles have the name {names[twice]!r}"
            raise WrongPart(what, "a name of its own for every principle", "principles", twice + 1, "name")
        for key in ("passes", "fails"):
            if not all(isinstance(one, str) and one.strip() == one.lower() != "" for one in getattr(self, key)):
                raise WrongPart(f"{key} is {list(getattr(self, key))!r:.60}", "words in small letters", key=key)
        if never := next((one for one in self.fails if _begins(one, self.passes)), None):
            what = f"a critique that begins with {never!r} passes, so that it never fails"
            raise WrongPart(what, "other words in passes than in fails", key="fails")
        if not math.isfinite(sum(one.weight for one in self.principles)):
            raise BadInput("the weights are more together than can be counted", expected="smaller weights")
        known = [one.name for one in self.principles if one.critique]
        for place, example in enumerate(self.examples, 1):
            if example.principle not in known:
                what = f"example {place} is by {example.principle!r}, by which nothing is criticised"
                mend = ", ".join(known) or "a principle with critique and revision"
                raise WrongPart(what, mend, "examples", place, "principle")

    def verdict(self, critique: str) -> bool | None:
        """Whether a critique has something against the answer; None where it cannot be read. It is read by its first
        words, whatever marks stand before them: "**No.**" passes, where "no" does, and "note that" does not.
        """
        if _begins(critique, self.passes):
            return False
        return True if not self.fails or _begins(critique, self.fails) else None

    def by_name(self, name: str) -> Principle:
        """The principle of that name. KeyError where there is none."""
        return {one.name: one for one in self.principles}[name]

    def to_dict(self) -> dict[str, Any]:
        plain: dict[str, Any] = {"name": self.name, "principles": [asdict(one) for one in self.principles]}
        for one in fields(self):
            if one.name not in plain and getattr(self, one.name) != one.default:
                plain[one.name] = list(getattr(self, one.name))
        if self.examples:
            plain["examples"] = [asdict(one) for one in self.examples]
        return plain

    @classmethod
    def from_dict(cls, plain: object) -> Constitution:
        """Build one from what a file holds. BadInput names an unknown key and the number of its principle."""
        values = _known(plain, tuple(one.name for one in fields(cls)), "the constitution")
        for key, value in {"principles": None, **values}.items():
            if key != "name" and not isinstance(value, list | tuple):
                raise WrongPart(f"{key} is not a list", f"a list of {key}", key=key)
        principles = tuple(_principle(number, one) for number, one in enumerate(values["principles"], 1))
        examples = tuple(_example(number, one) for number, one in enumerate(values.get("examples", ()), 1))
        begins = {key: tuple(values[key]) for key in ("passes", "fails") if key in values}
        return cls(values.get("name", ""), principles, examples=examples, **begins)


def _begins(text: str, words: tuple[str, ...]) -> bool:
    whole = "|".join(re.escape(one) for one in words)
    return bool(words) and re.match(rf"\W*(?:{whole})(?!\w)", text.lower()) is not None


def _principle(number: int, plain: object) -> Principle:
    return _made(Principle, {"name": ""}, "principle", number, plain)


def _made(kind: type[Part], missing: Mapping[str, Any], called: str, number: int, plain: object) -> Part:
    """A principle or an example from what a file holds, what it lacks taken from `missing`."""
    whole, names = f"{called} {number}", tuple(field.name for field in fields(kind))
    try:
        return kind(**{**missing, **_known(plain, names, whole)})
    except BadInput as error:
        what = error.what if error.what.startswith(f"{called} ") else f"{whole}: {error.what}"
        key = error.key if isinstance(error, WrongPart) else ""
        raise WrongPart(what, error.expected, f"{called}s", number, key) from None


def _example(number: int, plain: object) -> Example:
    return _made(Example, dict.fromkeys((one.name for one in fields(Example)), ""), "example", number, plain)


def find_constitution(name: str) -> Constitution:
    """A constitution that ships, by name, or a file."""
    return read_constitution(SHIPPED / f"{name}.toml" if name in NAMES else Path(name))


def read_constitution(path: str | Path) -> Constitution:
    """Read a constitution from a .toml or .json file; whatever is wrong is a BadInput with the file, and in TOML with
    the line of the principle or example, or of the key.
    """
    path = Path(path)
    if path.suffix not in ENDINGS:
        raise BadInput(f"the ending {path.suffix!r} is not one that is read", where=str(path), expected=ACCEPTED)

    def made(plain: object) -> Constitution:
        try:
            return Constitution.from_dict(plain)
        except WrongPart as error:
            line = _line(path.read_text(encoding="utf-8"), error) if path.suffix == ".toml" else None
            where = str(path) if line is None else f"{path}:{line}"
            raise BadInput(error.what, where=where, expected=error.expected) from None

    return read_value(path, made, ACCEPTED)


def _line(text: str, error: WrongPart) -> int | None:
    """The line, from 1, of the key in its table, or of the table's head; of what is written in braces, the line of the
    list. None: it is not there.
    """
    lines = MANY_LINES.sub(lambda found: "\n" * found[0].count("\n"), text).splitlines()
    heads = {place: head[1] for place, line in enumerate(lines) if (head := HEAD.match(line))}
    tables = [place for place, name in heads.items() if name == error.table]
    if error.table and error.number <= len(tables):
        begin = tables[error.number - 1]
        end = next(place for place in (*heads, len(lines)) if place > begin)
        return next((place for place in range(begin, end) if _is(error.key, lines[place])), begin) + 1
    wrong, tops = error.table or error.key, min(heads, default=len(lines))
    found = (
        place for place, line in enumerate(lines) if (place < tops and _is(wrong, line)) or heads.get(place) == wrong
    )
    return next((place + 1 for place in found), None)


def _is(key: str, line: str) -> bool:
    return bool(key) and re.match(rf"""\s*["']?{re.escape(key)}["']?\s*=""", line) is not None


def _known(plain: object, names: tuple[str, ...], whole: str) -> Mapping[str, Any]:
    if not isinstance(plain, Mapping):
        raise BadInput(f"{whole} is a {type(plain).__name__}", expected=f"a mapping with {', '.join(names)}")
    unknown = sorted(set(map(str, plain)) - set(names))
    if unknown:
        raise WrongPart(f"{whole} has the unknown key {unknown[0]!r}", ", ".join(names), key=unknown[0])
    return plain
