"""Digests: 16 hexadecimal digits that stand for a value or a file; equal content has equal digests on every machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from groma.formats.errors import BadInput

LENGTH = 16
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))  # made once: digests of short texts are many


def digest(*parts: Any) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of `parts` in canonical JSON; order counts, and so do types.

    A part is text, a number, True, False, None, bytes, an array, a mapping with string keys, a sequence of these, or a
    dataclass of these (its class name counts). Lists and tuples are alike, and so are mappings in whatever order.
    """
    canonical = _CANONICAL.encode([_plain(part) for part in parts])
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()[:LENGTH]


def digest_files(paths: Iterable[str | Path]) -> str:
    """A digest of the names (without folders) and contents of `paths`, in their order. BadInput if one is missing."""
    parts = []
    for path in map(Path, paths):
        try:
            with path.open("rb") as file:
                parts.append((path.name, hashlib.file_digest(file, "sha256").hexdigest()))
        except OSError as error:
            raise BadInput(f"the file cannot be read ({error.strerror})", where=str(path)) from error
    return digest("files", parts)


def _plain(part: Any) -> Any:
    """`part` as JSON. What JSON has no form for becomes a mapping with one key after a "$" (doubled in given keys)."""
    if part is None or isinstance(part, str | bool | int):
        return part
    if isinstance(part, float):
        return {"$float": part.hex()}
    if isinstance(part, bytes):
        return {"$bytes": part.hex()}
    if isinstance(part, Mapping):
        if not all(isinstance(key, str) for key in part):
            raise TypeError(f"no digest of a mapping with keys other than strings: {list(part)!r:.80}")
        return {f"${key}" if key.startswith("$") else key: _plain(value) for key, value in part.items()}
    if isinstance(part, np.ndarray | np.generic):
        array = np.asarray(part)
        return {"$array": [array.dtype.str, list(array.shape), hashlib.sha256(array.tobytes()).hexdigest()]}
    if isinstance(part, Sequence):
        return [_plain(one) for one in part]
    if is_dataclass(part) and not isinstance(part, type):
        return {"$" + type(part).__name__: {field.name: _plain(getattr(part, field.name)) for field in fields(part)}}
    raise TypeError(f"no digest of a {type(part).__name__}: give text, numbers, bytes, arrays, mappings or sequences")
