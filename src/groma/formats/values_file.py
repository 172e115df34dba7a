"""A value that a person writes into a file of its own (a constitution, a rubric): read, or refused by its place."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from groma.formats.errors import BadInput
from groma.formats.jsonl import loads

ENDINGS = (".toml", ".json")
Value = TypeVar("Value")


@contextmanager
def located(path: str | Path) -> Iterator[None]:
    """A BadInput inside that does not say where is about this file."""
    try:
        yield
    except BadInput as error:
        if error.where:
            raise
        raise BadInput(error.what, where=str(path), expected=error.expected) from None


def read_value(path: Path, made: Callable[[object], Value], accepted: str) -> Value:
    """What `made` makes of a .toml or .json file; whatever is wrong is a BadInput with the file."""
    try:
        text = path.read_text(encoding="utf-8")
        plain = tomllib.loads(text) if path.suffix == ".toml" else loads(text, str(path))
    except OSError as error:
        raise BadInput(f"the file cannot be read ({error.strerror})", where=str(path), expected=accepted) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"broken: {error}", where=str(path), expected=accepted) from error
    with located(path):
        return made(plain)
