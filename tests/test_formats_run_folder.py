"""Run folders: nothing is ever half-written, and what a killed process left does no harm."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from groma.formats.errors import BadConfig, BadInput
from groma.formats.records import Estimate, Record
from groma.formats.requests import Cost
from groma.formats.run_folder import RunFolder
from groma.formats.whole import write_whole

MANIFEST = {"command": "groma run", "seed": 0}


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "runs" / "main", MANIFEST)


def record(value: float) -> Record:
    return Record(
        "honesty",
        "accuracy",
        Estimate(value, 0.0, 1.0, 10, "clopper-pearson"),
        model="vale",
        stage="base",
        system="chat",
        digest="0" * 16,
        suite="vale",
        baseline={"guesses": 0.25},
        cost={"assistant": Cost(1, 2, 3, 0.5)},
    )


def test_a_run_is_made_and_opened_again(folder: RunFolder) -> None:
    assert RunFolder.open(folder.path) == folder
    assert folder.manifest() == MANIFEST
    assert [one.name for one in folder.path.iterdir()] == ["manifest.json"]


def test_a_folder_that_holds_something_is_refused_with_the_mend(folder: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"manifest\.json.*--resume, or give another --out"):
        RunFolder.create(folder.path, {})
    other = tmp_path / "other"
    other.mkdir()
    RunFolder.create(other, MANIFEST)  # empty: taken
    (tmp_path / "notes.txt").write_text("mine")
    for fresh in (False, True):
        with pytest.raises(BadConfig, match=r"holds '.*'.*another --out") as caught:
            RunFolder.create(tmp_path, {}, fresh=fresh)
        assert "--resume" not in str(caught.value)
        with pytest.raises(BadConfig, match="is a file"):
            RunFolder.create(tmp_path / "notes.txt", {}, fresh=fresh)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_fresh_removes_an_earlier_run_only(folder: RunFolder) -> None:
    folder.append("log.jsonl", {"a": 1})
    again = RunFolder.create(folder.path, {"seed": 1}, fresh=True)
    assert again.manifest() == {"seed": 1}
    assert list(again.read_log("log.jsonl")) == []


def test_a_manifest_that_cannot_be_written_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        RunFolder.create(tmp_path / "run", {"score": float("inf")})
    assert not (tmp_path / "run").exists()


def test_only_run_folders_are_opened(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not a run folder"):
        RunFolder.open(tmp_path)
    (tmp_path / "manifest.json").write_text('{"a": 1')
    with pytest.raises(BadInput, match=r"manifest\.json:1"):
        RunFolder.open(tmp_path)


@pytest.mark.parametrize("broken", ["replace", "fsync"])
def test_a_write_that_dies_leaves_the_old_file_whole(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    folder.write_json("numbers.json", [1, 2])

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, broken, full)
    with pytest.raises(OSError, match="No space"):
        folder.write_json("numbers.json", [3] * 1000)
    monkeypatch.undo()
    assert folder.read_json("numbers.json") == [1, 2]
    assert sorted(one.name for one in folder.path.iterdir()) == ["manifest.json", "numbers.json"]


def test_a_killed_writer_leaves_the_old_file_and_a_folder_that_can_be_used(tmp_path: Path) -> None:
    """A process that is killed in the middle of writing a manifest: the folder counts as empty."""
    code = (
        "import os, sys; from groma.formats.whole import write_whole\n"
        "os.fsync = lambda handle: os._exit(9)\n"
        "write_whole(sys.argv[1], b'{}')"
    )
    target = tmp_path / "run" / "manifest.json"
    ended = subprocess.run([sys.executable, "-c", code, str(target)], check=False)
    assert ended.returncode == 9
    assert [one.name for one in target.parent.iterdir()] == [".manifest.json.part"]
    assert RunFolder.create(target.parent, MANIFEST).manifest() == MANIFEST
    assert [one.name for one in target.parent.iterdir()] == ["manifest.json"]


def test_a_torn_last_line_is_dropped_and_cut_off_by_the_next_row(folder: RunFolder) -> None:
    folder.append("calls/a.jsonl", {"n": 1}, {"n": 2})
    file = folder.file("calls/a.jsonl")
    with file.open("ab") as log:
        log.write(b'{"n": 3, "text": "' + b"x" * 200_000)
    assert list(folder.read_log("calls/a.jsonl")) == [{"n": 1}, {"n": 2}]
    folder.append("calls/a.jsonl", {"n": 4})
    assert list(folder.read_log("calls/a.jsonl")) == [{"n": 1}, {"n": 2}, {"n": 4}]
    file.write_bytes(b'{"n": 1}')  # whole JSON, but who can tell: the row may have been meant to be longer
    assert list(folder.read_log("calls/a.jsonl")) == []
    folder.append("calls/a.jsonl", {"n": 5})
    assert file.read_bytes() == b'{"n": 5}\n'


@pytest.mark.parametrize("broken", [b'{"n": 2\n', b"[2]\n", b"\xff\n", b"\n"])
def test_a_broken_line_that_is_not_the_last_is_an_error_with_its_line(folder: RunFolder, broken: bytes) -> None:
    folder.file("log.jsonl").write_bytes(b'{"n": 1}\n' + broken + b'{"n": 3}\n')
    with pytest.raises(BadInput) as caught:
        list(folder.read_log("log.jsonl"))
    assert caught.value.where.endswith("log.jsonl:2")


def test_any_text_survives_the_log(folder: RunFolder) -> None:
    rows = [{"text": "\u2028\r\n\x00\ud800 ü"}, {"text": ""}]
    folder.append("log.jsonl", *rows)
    assert list(folder.read_log("log.jsonl")) == rows


def test_records_are_added_all_or_none(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    assert folder.records() == ()
    folder.add_records([record(0.5)])
    folder.add_records([record(0.6), record(0.7)])
    assert folder.records() == (record(0.5), record(0.6), record(0.7))
    with pytest.raises(BadInput):
        folder.add_records([record(0.8), Record(**{**vars_of(record(0.1)), "seed": float("nan")})])
    assert len(folder.records()) == 3
    folder.file("records.json").write_text(json.dumps([{"property": "honesty"}]))
    with pytest.raises(BadInput, match="a record is not"):
        folder.records()


def vars_of(value: Record) -> dict[str, object]:
    return {name: getattr(value, name) for name in Record.__slots__}


@pytest.mark.parametrize("name", ["", "../x.json", "/x.json", "a/../../x.json"])
def test_names_do_not_lead_out_of_the_folder(folder: RunFolder, name: str) -> None:
    for act in (folder.read_json, lambda name: folder.write_json(name, 1), lambda name: list(folder.read_log(name))):
        with pytest.raises(BadInput, match="leads out"):
            act(name)


def test_write_whole_makes_folders_and_replaces(tmp_path: Path) -> None:
    write_whole(tmp_path / "a" / "b", b"1")
    write_whole(tmp_path / "a" / "b", b"2")
    assert (tmp_path / "a" / "b").read_bytes() == b"2"


def test_missing_json_names_the_file(folder: RunFolder) -> None:
    read: Callable[[str], object] = folder.read_json
    with pytest.raises(BadInput, match=r"figures\.json"):
        read("figures.json")
