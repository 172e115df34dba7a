"""A run folder as a report needs it: manifest, records, sources of transcripts. Whatever is missing is refused here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from groma.formats.errors import BadInput
from groma.formats.records import Record
from groma.formats.run_folder import RECORDS, RELIABILITY, RunFolder
from groma.formats.study import Summary
from groma.report.episodes import Source
from groma.report.grids import Entry, Order, order_of

TRANSCRIPTS, FOUND = "transcripts", "findings"


@dataclass(frozen=True, slots=True)
class Run:
    """All that a page shows. `wordings`: outcome -> title and explanation, where the manifest gives `outcomes`;
    curves: stage -> system -> bins of how sure it was and how often right. found: what the page says first.
    """

    manifest: Mapping[str, Any]
    records: tuple[Record, ...]
    order: Order
    sources: tuple[Source, ...]
    wordings: Mapping[str, Mapping[str, str]]
    curves: Mapping[str, Mapping[str, Sequence[Mapping[str, float]]]] = field(default_factory=dict)
    found: Sequence[Summary] = ()


def read_run(path: str | Path) -> Run:
    """Read a run folder. BadInput where there is no manifest or no record, or where one of the files is broken."""
    folder = RunFolder.open(path)
    records = folder.records()
    if not records:
        raise BadInput("there is nothing to report", where=str(folder.file(RECORDS)), expected="at least one record")
    manifest = folder.manifest()
    order = order_of(records, _listed(manifest, "stages"), _listed(manifest, "systems"))
    curves = folder.read_json(RELIABILITY) if folder.file(RELIABILITY).exists() else {}
    files = sorted((folder.path / FOUND).glob("*.json"))
    found = [Summary.from_dict(folder.read_json(f"{FOUND}/{file.name}"), str(file)) for file in files]
    sources = _sources(folder, records, order)
    return Run(manifest, records, order, sources, manifest.get("outcomes") or {}, curves, found)


def _listed(manifest: Mapping[str, Any], key: str) -> Sequence[Entry]:
    given = manifest.get(key) or []
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise BadInput(f"{key} is {given!r:.60}", where="manifest.json", expected="a list of names")
    return given


def _sources(folder: RunFolder, records: Sequence[Record], order: Order) -> tuple[Source, ...]:
    """Files of transcripts in the order of stages and systems; one that no record names is read by its own name."""
    whose: dict[str, tuple[str, str, str]] = {}
    for record in records:
        if record.transcripts:
            whose.setdefault(record.transcripts, (order.row(record), record.system, record.suite))
    found = sorted((folder.path / TRANSCRIPTS).glob("*.jsonl")) if (folder.path / TRANSCRIPTS).is_dir() else []
    for file in found:
        name = file.relative_to(folder.path).as_posix()
        parts = tuple(file.stem.split("__"))
        if name not in whose and len(parts) != 3:
            raise BadInput("nobody's transcripts", where=str(file), expected="a name <stage>__<system>__<suite>.jsonl")
        if name not in whose:
            whose[name] = (parts[0], parts[1], parts[2])

    def place(name: str) -> tuple[str, int, int, str]:
        stage, system, suite = whose[name]
        rows, columns = order.stages, order.systems
        return (
            suite,
            rows.index(stage) if stage in rows else len(rows),
            columns.index(system) if system in columns else len(columns),
            name,
        )

    return tuple(Source(*whose[name], name, folder.read_log(name)) for name in sorted(whose, key=place))
