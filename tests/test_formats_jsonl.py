"""Data files: every row comes with its line number, and whatever is wrong is told with it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from groma.formats.errors import BadInput
from groma.formats.jsonl import read_rows, write_rows

ROWS = [{"prompt": "a,\nb", "n": 1}, {"prompt": "ü \u2028 \ud800", "n": None}]


def told(path: Path) -> BadInput:
    with pytest.raises(BadInput) as caught:
        list(read_rows(path))
    return caught.value


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_rows_survive_writing_and_reading(tmp_path: Path, name: str) -> None:
    write_rows(tmp_path / "deep" / name, ROWS)
    assert list(read_rows(tmp_path / "deep" / name)) == list(enumerate(ROWS, 1))


def test_equal_rows_are_written_as_equal_bytes(tmp_path: Path) -> None:
    for name in ("one.jsonl.gz", "two.jsonl.gz"):
        write_rows(tmp_path / name, ROWS)
    content = (tmp_path / "one.jsonl.gz").read_bytes()
    assert content == (tmp_path / "two.jsonl.gz").read_bytes()
    assert content[4:8] == bytes(4)  # the time at which gzip says it was made


def test_rows_that_json_has_no_form_for_leave_no_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be written as JSON"):
        write_rows(tmp_path / "rows.jsonl", [{"score": float("nan")}])
    with pytest.raises(BadInput, match=r"\.jsonl"):
        write_rows(tmp_path / "rows.csv", ROWS)
    assert list(tmp_path.iterdir()) == []


def test_line_numbers_are_those_of_an_editor(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('\ufeff{"a": 1}\n\n  \n{"a": 2}')
    assert list(read_rows(tmp_path / "a.jsonl")) == [(1, {"a": 1}), (4, {"a": 2})]
    (tmp_path / "a.json").write_text('\n[ {"a":\n 1},\n\n{"a": 2}\n,{"a": 3} ]\n')
    assert list(read_rows(tmp_path / "a.json")) == [(2, {"a": 1}), (5, {"a": 2}), (6, {"a": 3})]
    (tmp_path / "a.csv").write_text('a,b\n"1\n2",x\n\n3,"y, ""z"""\n')
    assert list(read_rows(tmp_path / "a.csv")) == [(2, {"a": "1\n2", "b": "x"}), (5, {"a": "3", "b": 'y, "z"'})]


@pytest.mark.parametrize("name", ["a.json.gz", "a.csv.gz"])
def test_compressed_files_are_read_alike(tmp_path: Path, name: str) -> None:
    text = '[{"a": "1"}]' if ".json" in name else "a\n1\n"
    (tmp_path / name).write_bytes(gzip.compress(text.encode()))
    assert [row for _, row in read_rows(tmp_path / name)] == [{"a": "1"}]


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_broken_json_on_line_7_is_told_with_its_line(tmp_path: Path, name: str) -> None:
    lines = [json.dumps({"prompt": str(number)}) for number in range(1, 10)]
    lines[6] = '{"prompt": "7"'
    text = "\n".join(lines).encode()
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    error = told(tmp_path / name)
    assert error.where == f"{tmp_path / name}:7"
    assert str(error).startswith(f"{tmp_path / name}:7: broken JSON")


@pytest.mark.parametrize(
    ("text", "line"),
    [('[{"a": 1},\n{"a" 2}]', ":2"), ('[{"a": 1}\n{"a": 2}]', ":2"), ('[{"a": 1},\n', ":2"), ('{"a": 1\n', ":2"),
     ('[{"a": 1}] x', ""), ('{"a": 1}', ""), ('[{"a": 1},\n\n 3]', ":3"), ("[" * 100_000, ":1")],
)  # fmt: skip
def test_broken_lists_are_told_with_their_line(tmp_path: Path, text: str, line: str) -> None:
    (tmp_path / "a.json").write_text(text)
    assert told(tmp_path / "a.json").where == f"{tmp_path / 'a.json'}{line}"


@pytest.mark.parametrize(
    ("text", "line"), [("a,b\n1,2\n1\n", 3), ('a,b\n1,"2\n', 2), ("a,a\n1,2\n", 1), ("a,\n1,2\n", 1)]
)
def test_broken_csv_is_told_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    (tmp_path / "a.csv").write_text(text)
    assert told(tmp_path / "a.csv").where == f"{tmp_path / 'a.csv'}:{line}"


@pytest.mark.parametrize(
    ("name", "text"), [("a.jsonl", ""), ("a.jsonl", "\n\n"), ("a.json", "[]"), ("a.json", ""), ("a.csv", ""),
                       ("a.csv", "a,b\n")]
)  # fmt: skip
def test_a_file_without_rows_is_refused(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert "no rows" in str(told(tmp_path / name))


def test_a_row_that_is_no_object_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n["a"]\n')
    assert told(tmp_path / "a.jsonl").where.endswith(":2")
    (tmp_path / "a.jsonl").write_text("[" * 100_000)
    assert "nested" in str(told(tmp_path / "a.jsonl"))


def test_missing_files_folders_and_endings_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        read_rows(tmp_path / "absent.jsonl")
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(BadInput, match="is a folder"):
        read_rows(tmp_path / "folder.jsonl")
    (tmp_path / "rows.parquet").write_bytes(b"PAR1")
    with pytest.raises(BadInput, match=r"\.parquet.*\n.*\.jsonl"):
        read_rows(tmp_path / "rows.parquet")


def test_damaged_archives_and_other_encodings_are_refused(tmp_path: Path) -> None:
    whole = gzip.compress(b'{"a": 1}\n' * 100)
    for number, content in enumerate((b'{"a": 1}\n', whole[:-12], whole[:20] + b"\x00\x00" + whole[22:])):
        (tmp_path / f"{number}.jsonl.gz").write_bytes(content)
        assert "damaged" in str(told(tmp_path / f"{number}.jsonl.gz"))
    (tmp_path / "a.jsonl").write_bytes(b'{"a": 1}\n{"a": "\xe9"}\n')
    assert told(tmp_path / "a.jsonl").where.endswith(":2")
