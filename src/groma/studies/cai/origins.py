"""Of what each part was made: what was edited after something was made of it is neither passed over nor mixed up.

`origins.json` keeps, for every part that was begun, digests of the earlier parts that it read. A part that is there, or
half made, while one of these has changed is refused: nobody can tell whether the change was meant for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from groma.formats.digest import digest_files
from groma.formats.errors import BadConfig
from groma.formats.run_folder import RunFolder
from groma.methods.keeping import LOG, state_of

ORIGINS = "origins.json"
NONE: Mapping[str, Any] = MappingProxyType({})


def note(folder: RunFolder, part: str, read: Sequence[str]) -> None:
    """Keep, before `part` is made, what it reads."""
    folder.write_json(ORIGINS, {**_known(folder), part: {name: _digest(folder.file(name)) for name in read}})


def check(
    folder: RunFolder, parts: Sequence[str], logs: Mapping[str, Sequence[str]] = NONE, asked: Mapping[str, str] = NONE
) -> None:
    """Refuse a folder in which something was changed after a part was begun with it. parts: all, in their order. logs:
    what is kept of a part while it is made, and is of no use once an earlier part is made again; asked: what is of use
    but for what is asked in other words. BadConfig says what to remove, or to put back.
    """
    for part, read in _known(folder).items():
        out = folder.file(part)
        begun = out if out.exists() else state_of(out)
        for name, was in read.items() if begun.exists() else ():
            if _digest(folder.file(name)) != was:
                again = parts[parts.index(part) :]
                old = [*again[1:], *(log for one in again for log in logs.get(one, ()))]
                whole = ", ".join([begun.name, *(one for one in old if folder.file(one).exists())])
                if part in asked and folder.file(asked[part]).exists():
                    whole += f" (and {asked[part]}, if one says something else now under the id that it had)"
                raise BadConfig(
                    f"{folder.file(name)} was changed after {part} was {'made' if out.exists() else 'begun'} with it; "
                    f"to learn from it as it is now remove {whole}, or put it back as it was"
                )


def _known(folder: RunFolder) -> dict[str, dict[str, str]]:
    found: dict[str, Any] = folder.read_json(ORIGINS) if folder.file(ORIGINS).exists() else {}
    return found


def _digest(path: Path) -> str:
    """Of a file; of a model's folder by the log of its training, which no other training has; "" of nothing."""
    file = path / LOG if path.is_dir() else path
    return digest_files([file]) if file.is_file() else ""
