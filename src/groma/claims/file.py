"""The file of claims: TOML, a `[[claim]]` table each. What is wrong in it is told with its line."""

from __future__ import annotations

import math
import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from groma.claims.claim import Claim
from groma.formats.errors import BadInput

LARGEST = 10**300
"""A whole number above it is no number that a threshold can be."""
TEXT, NUMBER, COUNT, TEXTS = "text", "a number", "a whole number", "a list of texts"
KEYS: Mapping[str, str] = {
    **dict.fromkeys(("name", "says", "model", "system", "on", "data", "judge", "kind", "split", "stratum"), TEXT),
    **dict.fromkeys(
        ("outcome", "property", "case", "adversary", "population", "condition", "against", "against_system", "family"),
        TEXT,
    ),
    **dict.fromkeys(("at_most", "at_least", "margin", "confidence", "temperature"), NUMBER),
    **dict.fromkeys(("items", "most", "max_tokens"), COUNT),
    "gap": TEXTS,
}
"""What a claim may say, and what kind of value it is."""


def read_claims(path: str | Path) -> tuple[Claim, ...]:
    """The claims of a file. BadInput with file and line for whatever is wrong without knowing suites and systems."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors begin a file with a mark
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"the file cannot be read ({error})", where=str(path), expected="a TOML file") from error
    return claims_of(text, str(path))


def claims_of(text: str, where: str) -> tuple[Claim, ...]:
    try:
        plain = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        place = f"{where}:{line[1]}" if line else where
        raise BadInput(f"broken TOML: {error}", where=place, expected="[[claim]] tables of key = value") from error
    if unknown := sorted(set(plain) - {"claim"}):
        what = f"there is no key {unknown[0]!r} outside a claim"
        raise BadInput(what, where=f"{where}:{_line_of(text, unknown[0])}", expected="[[claim]] tables alone")
    tables = plain.get("claim", [])
    if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
        raise BadInput("claim is no list of tables", where=where, expected="[[claim]], with two brackets")
    if not tables:
        raise BadInput("the file holds no claim", where=where, expected="a table [[claim]] or more")
    lines = lines_of(text)
    lines = [*lines, *[{}] * len(tables)][: len(tables)]  # quotes that TOML escapes may be miscounted
    found = tuple(_claim(table, where, at) for table, at in zip(tables, lines, strict=True))
    _check_together(found)
    return found


def lines_of(text: str) -> list[dict[str, int]]:
    """Of each `[[claim]]` the line of every key, and under "" its own."""
    found: list[dict[str, int]] = []
    inside = ""
    for number, line in enumerate(text.splitlines(), 1):
        if not inside:
            key = _KEY.match(line)
            if _CLAIM.match(line):
                found.append({"": number})
            elif key and found:
                found[-1].setdefault(key[1].strip("\"'"), number)
        for mark in ('"""', "'''"):
            if (not inside or inside == mark) and line.count(mark) % 2:
                inside = "" if inside else mark
    return found


def _claim(table: Mapping[str, Any], where: str, lines: Mapping[str, int]) -> Claim:
    def at(key: str) -> str:
        line = lines.get(key, lines.get("", 0))
        return f"{where}:{line}" if line else where

    name = table.get("name", "")
    for key, value in table.items():
        if key not in KEYS:
            raise BadInput(
                f"claim {name!r}: there is no key {key!r}", where=at(key), expected=f"one of {', '.join(KEYS)}"
            )
        if not _is(value, KEYS[key]):
            what = f"claim {name!r}: {key} is {value!r}"
            raise BadInput(what, where=at(key), expected=f"{KEYS[key]}")
        if KEYS[key] == TEXT and not value.strip():
            raise BadInput(f"claim {name!r}: {key} is empty", where=at(key), expected="some text, or no such line")
    values: dict[str, Any] = {key: tuple(one) if isinstance(one, list) else one for key, one in table.items()}
    for key, value in values.items():
        if KEYS[key] == NUMBER:
            huge = isinstance(value, int) and abs(value) > LARGEST
            values[key] = math.copysign(math.inf, value) if huge else float(value)
    return Claim(**{"name": "", **values}, where=where, lines=lines)


def _is(value: object, kind: str) -> bool:
    if isinstance(value, bool):
        return False
    if kind == TEXTS:
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    return isinstance(value, {TEXT: str, NUMBER: int | float, COUNT: int}[kind])


def _check_together(claims: tuple[Claim, ...]) -> None:
    """No name twice; one confidence within a family, since it is the family's."""
    names = Counter(claim.name for claim in claims)
    for claim in claims:
        if names[claim.name] > 1:
            first, *_, last = (one for one in claims if one.name == claim.name)
            raise last.wrong("name", f"two claims have this name (the other is on line {first.lines.get('name', '?')})")
    level: dict[str, Claim] = {}
    for claim in claims:
        other = level.setdefault(claim.family, claim) if claim.family else claim
        if other.confidence != claim.confidence:
            what = f"the family {claim.family!r} has the confidence {other.confidence} in claim {other.name!r}"
            raise claim.wrong("confidence", f"{what}, and here {claim.confidence}", "one confidence for a family")


def _line_of(text: str, key: str) -> int:
    lines = enumerate(text.splitlines(), 1)
    return next((n for n, line in lines if re.match(rf"\s*\[*\s*[\"']?{re.escape(key)}\b", line)), 1)


_CLAIM = re.compile(r"\s*\[\[\s*claim\s*\]\]")
_KEY = re.compile(r"""\s*([A-Za-z0-9_-]+|"[^"]*"|'[^']*')\s*=""")
