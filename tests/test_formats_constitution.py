"""Constitutions: read from TOML or JSON, refused with the number of the principle that is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from groma.formats.constitution import Constitution, Principle, find_constitution, read_constitution
from groma.formats.errors import BadInput

PAIR = {"critique": "What is harmful in the answer?", "revision": "Rewrite it without harm."}
WHOLE = Constitution(
    "small", (Principle("harm", **PAIR), Principle("truth", comparison="Which is truer, A or B?", weight=2))
)


def test_both_forms_are_read(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(json.dumps(WHOLE.to_dict()))
    assert read_constitution(tmp_path / "c.json") == WHOLE
    (tmp_path / "c.toml").write_text(
        f'name = "small"\n[[principles]]\nname = "harm"\ncritique = "{PAIR["critique"]}"\n'
        f'revision = "{PAIR["revision"]}"\n[[principles]]\nname = "truth"\n'
        'comparison = "Which is truer, A or B?"\nweight = 2\n'
    )
    assert read_constitution(tmp_path / "c.toml") == WHOLE


@pytest.mark.parametrize(
    ("principle", "said"),
    [
        ({"name": "harm"}, "principle 2: the principle 'harm' asks for nothing"),
        ({"name": "harm", "critique": "?", "revision": ""}, "only one of critique and revision"),
        ({**PAIR}, "principle 2: a principle has no name"),
        ({"name": "harm", **PAIR, "colour": "red"}, "principle 2 has the unknown key 'colour'"),
        ({"name": "harm", **PAIR, "weight": 0}, "weight of 'harm' is 0"),
        ({"name": "harm", **PAIR, "weight": True}, "weight of 'harm' is True"),
        ({"name": "harm", **PAIR, "weight": "2"}, "weight of 'harm' is '2'"),
        ({"name": "harm", "critique": ["?"], "revision": "!"}, "critique is ['?']"),
        ({"name": "first", **PAIR}, "two principles have the name 'first'"),
        ({"name": "which", "comparison": "Which is better, A?"}, "comparison of 'which' does not name both replies"),
        ({"name": "which", "comparison": "Which is better, BA?"}, "does not name both replies"),
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


TOML = """name = "c"
[[principles]]
name = "first"
critique = "?"
revision = "!"

[[principles]]
name = "second"
{line}
"""


@pytest.mark.parametrize(
    ("line", "number", "said"),
    [
        ("", 7, "principle 2: the principle 'second' asks for nothing"),
        ("critique = ' '", 7, "critique is blank"),
        ("critique = '?'\nrevision = '!'\ncomparison = ' '", 7, "comparison is blank"),
        ("comparison = 'Which is better?'", 7, "does not name both replies"),
        ("# critique = 1\n'colour'  = 'red'", 10, "unknown key 'colour'"),
        ("comparison = 'A or B?'\n[[principles]]\nname = 'first'\ncomparison = 'A or B?'", 11, "have the name 'first'"),
        ("comparison = 'A or B?'\n[[examples]]\nprinciple = 'second'", 10, "example 1"),
        ("comparison = 'A or B?'\n[[examples]]\n[[examples]]\nmore = 1", 10, "example 1"),
        ("comparison = 'A or B?'\n[[ principles ]]  # the third\nnme = 'third'", 11, "unknown key 'nme'"),
        ("comparison = '''\n[A] or\n[[principles]]\nB?'''\nmore = 1", 13, "unknown key 'more'"),
        ("comparison = 'A or B?'\n[[principle]]\nname = 'third'", 10, "unknown key 'principle'"),
        ("comparison = 'A or B?'\n[more]\nname = 'third'", 10, "unknown key 'more'"),
    ],
)
def test_the_line_is_told(tmp_path: Path, line: str, number: int, said: str) -> None:
    (tmp_path / "c.toml").write_text(TOML.format(line=line))
    with pytest.raises(BadInput, match=said) as caught:
        read_constitution(tmp_path / "c.toml")
    assert caught.value.where == f"{tmp_path / 'c.toml'}:{number}"


@pytest.mark.parametrize("line", ["pases = ['no']", "fails = ['YES']", "passes = 3"])
def test_the_line_of_a_wrong_key_of_the_whole_is_told(tmp_path: Path, line: str) -> None:
    (tmp_path / "c.toml").write_text(TOML.format(line="comparison = 'A or B?'").replace("[[", f"\n{line}\n[[", 1))
    with pytest.raises(BadInput) as caught:
        read_constitution(tmp_path / "c.toml")
    assert caught.value.where == f"{tmp_path / 'c.toml'}:3"


def test_the_line_of_principles_in_braces_is_that_of_their_list(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('name = "c"\nprinciples = [{name = "first", more = 1}]\n')
    with pytest.raises(BadInput, match="unknown key 'more'") as caught:
        read_constitution(tmp_path / "c.toml")
    assert caught.value.where == f"{tmp_path / 'c.toml'}:2"


EXAMPLE = {"principle": "harm", "prompt": "p", "answer": "a", "critique": "c", "revision": "r"}


@pytest.mark.parametrize(
    ("example", "said"),
    [
        ({**EXAMPLE, "principle": "truth"}, "example 1 is by 'truth', by which nothing is criticised"),
        ({**EXAMPLE, "revision": " "}, "example 1: revision is ' '"),
        ({**EXAMPLE, "more": "x"}, "example 1 has the unknown key 'more'"),
        ("p", "example 1 is a str"),
    ],
)
def test_examples_are_of_a_principle_that_criticises(example: Any, said: str) -> None:
    plain = {**WHOLE.to_dict(), "examples": [EXAMPLE]}
    assert Constitution.from_dict(plain).to_dict() == plain
    with pytest.raises(BadInput) as caught:
        Constitution.from_dict({**plain, "examples": [example]})
    assert said in caught.value.what


@pytest.mark.parametrize(
    ("begins", "critique", "against"),
    [
        ({}, " No, fine.", False),
        ({}, "hm", True),
        ({"fails": ["yes"]}, "hm", None),
        ({"fails": ["yes"]}, "Yes: the goat", True),
        ({}, "**No**, fine.", False),
        ({}, "note that it burns.", True),
        ({"passes": []}, "no.", True),
        ({"passes": ["fine", "good"]}, "Good.", False),
    ],
)
def test_a_critique_is_read_by_how_it_begins(begins: Any, critique: str, against: bool | None) -> None:
    plain = {**WHOLE.to_dict(), **begins}
    told = Constitution.from_dict(plain)
    assert told.verdict(critique) is against and told.to_dict() == plain


@pytest.mark.parametrize("begins", [{"passes": "no"}, {"passes": ["No"]}, {"fails": [" "]}, {"fails": [1]}])
def test_beginnings_are_words_in_small_letters(begins: Any) -> None:
    with pytest.raises(BadInput, match=r"passes|fails"):
        Constitution.from_dict({**WHOLE.to_dict(), **begins})


@pytest.mark.parametrize("begins", [{"fails": ["yes", "no"]}, {"passes": ["yes"], "fails": ["yes, but"]}])
def test_what_passes_does_not_fail(begins: Any) -> None:
    with pytest.raises(BadInput, match="passes, so that it never fails"):
        Constitution.from_dict({**WHOLE.to_dict(), **begins})


def test_weights_can_be_summed() -> None:
    plain = WHOLE.to_dict()
    one = {**plain["principles"][0], "weight": 1e308}
    with pytest.raises(BadInput, match="weights are more together than can be counted"):
        Constitution.from_dict({**plain, "principles": [one, {**one, "name": "another"}]})


def test_the_one_that_ships_has_all_three_requests_everywhere() -> None:
    shipped = find_constitution("default")
    assert len(shipped.principles) >= 8 and shipped.examples
    assert all(one.critique and one.revision and one.comparison for one in shipped.principles)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        read_constitution(tmp_path / "absent.toml")
