"""Rows of a data file with their line numbers: `.jsonl`, `.json` (one list of objects), `.csv`, each also as `.gz`."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from groma.formats.errors import BadInput
from groma.formats.whole import to_json, write_whole

Bytes = gzip.GzipFile | io.BufferedReader

ENDINGS = (".jsonl", ".json", ".csv")
ACCEPTED = "a file .jsonl, .json (one list of objects) or .csv (with a header), or one of these compressed to .gz"


def read_rows(path: str | Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number from 1, row) of every row; for a row over several lines, the first of them.

    A missing file and an ending other than ACCEPTED are refused at once. While rows are read, BadInput with
    `file:line`: broken JSON, a row that is not an object, a CSV row with too few or too many fields, bytes that are not
    UTF-8, a damaged archive, a file without a row. Blank lines are passed over.
    """
    path = Path(path)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "there is no such file"
        raise BadInput(what, where=str(path), expected=ACCEPTED)
    if _ending(path) not in ENDINGS:
        raise BadInput(f"the ending {path.suffix!r} is not one that is read", where=str(path), expected=ACCEPTED)
    return _rows(path)


def write_rows(path: str | Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write `rows` as JSON lines (`.jsonl` or `.jsonl.gz`), whole or not at all; equal rows give equal bytes."""
    path = Path(path)
    if _ending(path) != ".jsonl":
        raise BadInput(
            f"rows are not written as {path.name!r}",
            where=str(path),
            expected="a name that ends in .jsonl or .jsonl.gz",
        )
    content = b"".join(to_json(dict(row)) + b"\n" for row in rows)
    write_whole(path, gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def loads(text: str, where: str, first_line: int = 1) -> Any:
    """Parse JSON; an error is a BadInput with `where:line`, the text beginning on `first_line`."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise _broken(error, where, first_line) from error
    except RecursionError as error:
        raise BadInput("the JSON is nested too deeply", where=f"{where}:{first_line}") from error


def _ending(path: Path) -> str:
    return Path(path.stem).suffix if path.suffix == ".gz" else path.suffix


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = {".jsonl": _jsonl, ".json": _json, ".csv": _csv}[_ending(path)]
    empty = True
    try:
        with _open(path) as file:
            for line, row in reader(file, str(path)):
                if not isinstance(row, dict):
                    raise BadInput(
                        f"the row is a {_kind(row)}", where=f"{path}:{line}", expected='an object: {"column": value, …}'
                    )
                empty = False
                yield line, row
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BadInput(f"the archive is damaged ({error})", where=str(path), expected="a whole gzip file") from error
    except OSError as error:
        raise BadInput(f"the file cannot be read ({error.strerror or error})", where=str(path)) from error
    if empty:
        raise BadInput("the file holds no rows", where=str(path), expected="at least one row")


def _open(path: Path) -> Bytes:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def _jsonl(file: Bytes, where: str) -> Iterator[tuple[int, Any]]:
    for line, raw in enumerate(file, 1):
        text = _decode(raw, f"{where}:{line}").strip()
        if text:
            yield line, loads(text, where, line)


def _json(file: Bytes, where: str) -> Iterator[tuple[int, Any]]:
    """The elements of one list, read one after the other, so that each is told with the line on which it begins."""
    text = _decode(file.read(), where)
    place = _after(text, 0)
    if not text.startswith("[", place):
        if text[place:]:
            loads(text, where)
            raise BadInput("the file is not one list of objects", where=where, expected='[{"column": value, …}, …]')
        return
    decoder, line, counted = json.JSONDecoder(), 1, 0
    place, first = _after(text, place + 1), True
    try:
        while not text.startswith("]", place):
            if not first:
                if not text.startswith(",", place):
                    raise json.JSONDecodeError("Expecting ',' delimiter", text, place)
                place = _after(text, place + 1)
            value, end = decoder.raw_decode(text, place)
            line, counted = line + text.count("\n", counted, place), place
            yield line, value
            place, first = _after(text, end), False
    except json.JSONDecodeError as error:
        raise _broken(error, where, 1) from error
    except RecursionError as error:
        raise BadInput("the JSON is nested too deeply", where=f"{where}:{line}") from error
    if _after(text, place + 1) != len(text):
        raise BadInput("something follows the list", where=where, expected="one list of objects and nothing else")


def _csv(file: Bytes, where: str) -> Iterator[tuple[int, Any]]:
    text = _decode(file.read(), where)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        header = next(reader, [])
        if len(set(header)) < len(header) or not all(header):
            raise BadInput(
                f"the header is {header}", where=f"{where}:1", expected="a name for every column, none twice"
            )
        line = reader.line_num + 1
        for fields in reader:
            if fields:
                if len(fields) != len(header):
                    raise BadInput(
                        f"the row has {len(fields)} fields, the header {len(header)}",
                        where=f"{where}:{line}",
                        expected="as many fields as columns; quote a field that holds a comma or a line break",
                    )
                yield line, dict(zip(header, fields, strict=True))
            line = reader.line_num + 1
    except csv.Error as error:
        raise BadInput(f"broken CSV: {error}", where=f"{where}:{line}") from error


def _decode(raw: bytes, where: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"the text is not UTF-8 (byte {error.start})", where=where, expected="a file in UTF-8"
        ) from error


def _after(text: str, place: int) -> int:
    """The first place from `place` on that is not white space."""
    return _SPACE.match(text, place).end()  # type: ignore[union-attr]


def _broken(error: json.JSONDecodeError, where: str, first_line: int) -> BadInput:
    line = first_line + error.lineno - 1
    return BadInput(
        f"broken JSON: {error.msg} (column {error.colno})", where=f"{where}:{line}", expected="one whole JSON value"
    )


def _kind(value: object) -> str:
    return {"list": "list", "str": "text", "NoneType": "null"}.get(type(value).__name__, type(value).__name__)


_SPACE = re.compile(r"[ \t\r\n]*")
