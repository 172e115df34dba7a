"""Run folders: everything that a report shows, and everything that an interrupted run needs to go on.

    manifest.json        what was run: command, versions, seed, model, stages, systems, suites, notes
    records.json         the measured numbers, a list of `Record`
    transcripts/*.jsonl  what the systems said
    *.jsonl              append-only logs

JSON files are written whole or not at all. Logs grow by whole lines: a line without its line break is what a killed
process left; it is dropped by the reader, and cut off before the next row is appended. One process writes to a folder
at a time.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from groma.formats.errors import BadConfig, BadInput
from groma.formats.jsonl import loads
from groma.formats.records import Record
from groma.formats.whole import PART, to_json, write_whole
from groma.formats.writable import writable

MANIFEST, RECORDS = "manifest.json", "records.json"
RELIABILITY = "reliability.json"
"""How sure each system was, against the truth: stage -> system -> bins. Only where choices were scored."""
UNANSWERED = "unanswered"
"""Of the manifest: how many requests nobody was there to answer. A run that has some is not finished."""
BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A folder with a manifest. Make one with `create`, come back to one with `open`."""

    path: Path

    @classmethod
    def create(cls, path: str | Path, manifest: Mapping[str, Any], *, fresh: bool = False) -> RunFolder:
        """Make the folder and its manifest. A folder that holds something is refused (BadConfig).

        fresh: an earlier run (a folder with a manifest) is removed first; a folder that holds anything else is refused.
        """
        path = Path(path)
        content = to_json(dict(manifest), indent=1)
        cls.check_free(path, fresh=fresh)
        if _held(path):
            shutil.rmtree(path)
        path.mkdir(parents=True, exist_ok=True)
        write_whole(path / MANIFEST, content)
        return cls(path)

    @staticmethod
    def check_free(path: Path, *, fresh: bool = False) -> None:
        """Refuse (BadConfig) what `create` would refuse; nothing is made or removed."""
        if path.exists() and not path.is_dir():
            raise BadConfig(f"--out {path} is a file: give a folder that is empty or does not exist")
        if held := _held(path):
            is_run = (path / MANIFEST).is_file()
            if not (fresh and is_run):
                mend = "go on with it by --resume, or " if is_run else ""
                raise BadConfig(f"--out {path} already holds {held[0]!r}: {mend}give another --out")

    @classmethod
    def open(cls, path: str | Path) -> RunFolder:
        """An existing run. BadInput where there is none, or where its manifest cannot be read."""
        folder = cls(Path(path))
        if not (folder.path / MANIFEST).is_file():
            raise BadInput("this is not a run folder", where=str(path), expected=f"a folder with a {MANIFEST}")
        folder.manifest()
        return folder

    def manifest(self) -> dict[str, Any]:
        """What the run was made with."""
        manifest = self.read_json(MANIFEST)
        if not isinstance(manifest, dict):
            raise BadInput("the manifest is not an object", where=str(self.path / MANIFEST), expected="{…}")
        return manifest

    def read_json(self, name: str) -> Any:
        """The value in `name`; BadInput where it is missing or broken."""
        file = self.file(name)
        try:
            return loads(file.read_text(encoding="utf-8"), str(file))
        except OSError as error:
            raise BadInput(f"the file cannot be read ({error.strerror})", where=str(file)) from error
        except UnicodeDecodeError as error:
            raise BadInput("the file is no UTF-8 text", where=str(file), expected="one whole JSON value") from error

    def write_json(self, name: str, value: Any) -> Path:
        """Write `value` to `name`, whole or not at all."""
        file = self.file(name)
        write_whole(file, to_json(value, indent=1))
        return file

    def write_text(self, name: str, text: str) -> Path:
        """Write `text` to `name`, whole or not at all; half a character becomes U+FFFD."""
        file = self.file(name)
        write_whole(file, writable(text).encode("utf-8"))
        return file

    def append(self, name: str, *rows: Mapping[str, Any]) -> None:
        """Add rows to the log `name`. They outlive the end of this process, but not necessarily a power cut."""
        file = self.file(name)
        lines = b"".join(to_json(dict(row)) + b"\n" for row in rows)
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab+", buffering=0) as log:
            _cut_torn_line(log.fileno())
            written = log.write(lines)
            while written < len(lines):
                written += log.write(lines[written:])

    def read_log(self, name: str) -> Iterator[dict[str, Any]]:
        """The rows of the log `name`, without a torn last line; none if it was never begun. BadInput: a broken line."""
        file = self.file(name)
        if not file.is_file():
            return
        with file.open("rb") as log:
            for number, line in enumerate(log, 1):
                if not line.endswith(b"\n"):
                    return
                try:
                    row = json.loads(line)
                except ValueError as error:
                    raise BadInput(
                        f"a broken row ({error})", where=f"{file}:{number}", expected="a JSON object"
                    ) from error
                if not isinstance(row, dict):
                    raise BadInput("the row is not an object", where=f"{file}:{number}", expected="a JSON object")
                yield row

    def records(self) -> tuple[Record, ...]:
        """All records so far, in the order in which they were added."""
        if not self.file(RECORDS).is_file():
            return ()
        try:
            return tuple(Record.from_dict(plain) for plain in self.read_json(RECORDS))
        except (TypeError, AttributeError) as error:
            raise BadInput(f"a record is not what it should be: {error}", where=str(self.file(RECORDS))) from error

    def add_records(self, records: Iterable[Record]) -> None:
        """Add records; either all of them are kept, or none."""
        self.write_json(RECORDS, [record.to_dict() for record in (*self.records(), *records)])

    def file(self, name: str) -> Path:
        """Where `name` lies (`transcripts/base__chat__vale.jsonl`). A name that leads out of the folder is refused."""
        parts = PurePosixPath(name).parts
        if not parts or PurePosixPath(name).is_absolute() or ".." in parts:
            raise BadInput(f"the name {name!r} leads out of the run folder", expected="a relative name")
        return self.path.joinpath(*parts)


def unanswered_note(manifest: Mapping[str, Any]) -> list[str]:
    """What a reader has to know where nobody was there to answer some requests; else nothing."""
    count = manifest.get(UNANSWERED)
    what = "a request" if count == 1 else f"{count} requests"
    why = f"nobody was there to answer {what} (a server that was down or busy, a person who left)"
    return [f"{why}: the episode failed, or went on without; --resume asks again"] if count else []


def _held(path: Path) -> list[str]:
    """What the folder holds, but for a file that a killed process had only begun to write."""
    if not path.is_dir():
        return []
    return sorted(one.name for one in path.iterdir() if not (one.name.startswith(".") and one.name.endswith(PART)))


def _cut_torn_line(handle: int) -> None:
    """Shorten the file to its last line break."""
    size = end = os.fstat(handle).st_size
    while end:
        start = max(0, end - BLOCK)
        found = os.pread(handle, end - start, start).rfind(b"\n")
        if found >= 0:
            end = start + found + 1
            break
        end = start
    if end < size:
        os.ftruncate(handle, end)
