"""Digests: the same for the same content, in every process; different for anything that differs."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from groma.formats.digest import digest, digest_files
from groma.formats.errors import BadInput


@dataclass(frozen=True)
class Options:
    beta: float = 0.1


@dataclass(frozen=True)
class Others:
    beta: float = 0.1


DIFFERENT = [
    (), ("",), ("", ""), ("ab",), ("a", "b"), (["a", "b"],), (1,), ("1",), (1.0,), (True,), (None,), ("None",),
    (b"a",), ("a",), ({"$bytes": "61"},), ({"$$bytes": "61"},), ({},), ([],), ({"a": 1, "b": 2},), ({"a": 2, "b": 1},),
    (0.1,), (math.nextafter(0.1, 1),), (-0.0,), (0.0,), (float("nan"),), (float("inf"),), ({"$float": (0.1).hex()},),
    (np.zeros(2),), (np.zeros(2, np.float32),), (np.zeros((2, 1)),), (np.zeros((1, 2)),), ([0.0, 0.0],),
    (Options(),), (Options(0.2),), (Others(),), ({"beta": 0.1},), ({"$Options": {"beta": 0.1}},), ("ü",),
]  # fmt: skip


def test_whatever_differs_has_another_digest() -> None:
    seen: dict[str, object] = {}
    for parts in DIFFERENT:
        assert seen.setdefault(digest(*parts), parts) is parts
    assert all(len(one) == 16 and set(one) <= set("0123456789abcdef") for one in seen)


def test_order_counts_in_sequences_and_not_in_mappings() -> None:
    rows = {"b": [1, (2,)], "a": {"y": 1, "x": 2}}
    assert digest(rows) == digest({"a": {"x": 2, "y": 1}, "b": (1, [2])})
    assert len({digest(*order) for order in itertools.permutations("abc")}) == 6
    assert digest(np.arange(6).reshape(2, 3).T) == digest(np.array([[0, 3], [1, 4], [2, 5]]))


def test_another_process_and_another_year_come_to_the_same_digest() -> None:
    code = "from groma.formats.digest import digest; print(digest('vale', {'b': 0.1, 'a': [1, None]}, b'x'))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert said == digest("vale", {"a": [1, None], "b": 0.1}, b"x") == "8ef8543c8712a70c"


@pytest.mark.parametrize("part", [object(), {1: 2}, {"a": object()}, print, Options, {3}])
def test_what_has_no_canonical_form_is_refused(part: object) -> None:
    with pytest.raises(TypeError, match="no digest of"):
        digest(part)


def test_files_count_by_name_content_and_order(tmp_path: Path) -> None:
    for name, content in (("a", b"1"), ("b", b"2"), ("c/a", b"1"), ("d/a", b"2"), ("e", b"1")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    a, b, same, changed, renamed = (tmp_path / name for name in ("a", "b", "c/a", "d/a", "e"))
    assert digest_files([a, b]) == digest_files([str(same), b])
    assert len({digest_files(paths) for paths in ([a, b], [b, a], [a], [changed, b], [renamed, b], [])}) == 6
    with pytest.raises(BadInput, match="absent"):
        digest_files([tmp_path / "absent"])
