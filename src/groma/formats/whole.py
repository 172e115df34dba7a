"""Files that are written whole or not at all: a temporary file beside the target, forced to disk, then renamed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from groma.formats.errors import BadInput

PART = ".part"
"""How the name of a temporary file ends; it begins with a dot. One that a killed process left behind is overwritten."""


def write_whole(path: str | Path, content: bytes) -> None:
    """Write `content` to `path`, making its folder. Whatever goes wrong, `path` holds what it held before, or
    `content`.

    OSError passes through (a full disk is not the user's input), after the temporary file is removed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}{PART}")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Force a folder's names to the disk, so that a rename outlives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def to_json(value: Any, *, indent: int | None = None) -> bytes:
    """`value` as UTF-8 JSON. BadInput where it holds a number that is not finite, or what JSON has no form for."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent).encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate, which UTF-8 has no form for
        return json.dumps(value, ensure_ascii=True, allow_nan=False, indent=indent).encode("ascii")
    except (TypeError, ValueError) as error:
        raise BadInput(
            f"a value cannot be written as JSON: {error}", expected="text, finite numbers, lists, mappings"
        ) from error
