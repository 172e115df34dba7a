"""Constitutions: read from TOML or JSON, refused with the number of the principle that is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from groma.formats.constitution import Constitution, Principle, read_constitution
from groma.formats.errors import BadInput

PAIR = {"critique": "What is harmful in the answer?", "revision": "Rewrite it without harm."}
WHOLE = Constitution("small", (Principle("harm", **PAIR), Principle("truth", comparison="Which is truer?", weight=2)))


def test_both_forms_are_read(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(json.dumps(WHOLE.to_dict()))
    assert read_constitution(tmp_path / "c.json") == WHOLE
    (tmp_path / "c.toml").write_text(
        f'name = "small"\n[[principles]]\nname = "harm"\ncritique = "{PAIR["critique"]}"\n'
        f'revision = "{PAIR["revision"]}"\n[[principles]]\nname = "truth"\ncomparison = "Which is truer?"\nweight = 2\n'
    )
    assert read_constitution(tmp_path / "c.toml") == WHOLE


@pytest.mark.parametrize(
    ("principle", "said"),
    [
        ({"name": "harm"}, "principle 2: the principle 'harm' asks for nothing"),
        ({"name": "harm", "critique": "?", "revision": " "}, "only one of critique and revision"),
        ({**PAIR}, "principle 2: a principle has no name"),
        ({"name": "harm", **PAIR, "colour": "red"}, "principle 2 has the unknown key 'colour'"),
        ({"name": "harm", **PAIR, "weight": 0}, "weight of 'harm' is 0"),
        ({"name": "harm", **PAIR, "weight": True}, "weight of 'harm' is True"),
        ({"name": "harm", **PAIR, "weight": "2"}, "weight of 'harm' is '2'"),
        ({"name": "harm", "critique": ["?"], "revision": "!"}, "critique is ['?']"),
        ({"name": "first", **PAIR}, "two principles have the name 'first'"),
        ("be kind", "principle 2 is a str"),
    ],
)
def test_wrong_principles_are_refused(tmp_path: Path, principle: Any, said: str) -> None:
    plain = {"name": "c", "principles": [{"name": "first", **PAIR}, principle]}
    (tmp_path / "c.json").write_text(json.dumps(plain))
    with pytest.raises(BadInput) as caught:
        read_constitution(tmp_path / "c.json")
    assert said in caught.value.what
    assert caught.value.where == str(tmp_path / "c.json")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("c.json", "[]", "is a list"),
        ("c.json", '{"name": "c"}', "principles is not a list"),
        ("c.json", '{"name": "c", "principles": []}', "no principles"),
        ("c.json", '{"principles": []}', "no name"),
        ("c.json", '{"name": \n', "broken JSON"),
        ("c.toml", "name = \n", "broken"),
        ("c.yaml", "name: c", "ending '.yaml'"),
    ],
)
def test_wrong_files_are_refused(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(BadInput, match=said) as caught:
        read_constitution(tmp_path / name)
    assert caught.value.where.startswith(str(tmp_path / name))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        read_constitution(tmp_path / "absent.toml")
