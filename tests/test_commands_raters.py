"""`groma judge raters`: who is careless, what a group wants for itself, soft labels, and what is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from groma.cli import run
from groma.commands.rater_report import verdict
from groma.formats.examples import Preference, read_examples
from groma.formats.records import Estimate
from groma.methods import rater_choice
from groma.methods.rater_models import fit

WORDS = ("true", "kind", "red", "tall", "soft", "late")
ALL = {"true": 2.0, "red": -1.0}
"""What every rater wants of a reply, by its words."""


def replies(seed: int, count: int) -> list[tuple[str, str, str]]:
    """Prompts, each with two different replies of three words."""
    random, found = np.random.default_rng(seed), []
    while len(found) < count:
        one, two = (" ".join(random.choice(WORDS, 3, replace=False)) for _ in range(2))
        if set(one.split()) != set(two.split()):
            found.append((f"say {len(found)}", one, two))
    return found


def choices(
    pairs: Sequence[tuple[str, str, str]], who: Mapping[str, Any], noise: float = 0.5, seed: int = 0
) -> list[dict[str, Any]]:
    """The choice of one rater of each pair, as rows; who: her name, her group, what she wants beside ALL."""
    random, rows = np.random.default_rng([seed, *map(ord, who["rater"])]), []
    wants = {word: ALL.get(word, 0.0) + who.get("wants", {}).get(word, 0.0) for word in WORDS}
    for prompt, one, two in pairs:
        gap = sum(wants[word] for word in one.split()) - sum(wants[word] for word in two.split())
        sides = (one, two) if gap + noise * random.logistic() > 0 else (two, one)
        row = {"prompt": prompt, "chosen": sides[0], "rejected": sides[1], "rater": who["rater"]}
        rows.append(row | ({"group": who["group"]} if "group" in who else {}))
    return rows


def written(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def model(tiny_model: Callable[..., Path]) -> Path:
    """Weights drawn so small that its states are hardly more than the letters of a text, from which words are told."""
    return tiny_model("llama", initializer_range=0.02)


@pytest.fixture
def careless(tmp_path: Path) -> Path:
    """Three raters of two hundred pairs, of whom eve hardly looks."""
    pairs = replies(1, 200)
    noisy = {"ann": 0.4, "bob": 0.4, "eve": 6.0}
    rows = [row for name, noise in noisy.items() for row in choices(pairs, {"rater": name}, noise)]
    return written(tmp_path / "raters.jsonl", rows)


def said(rows: str, name: str) -> list[float]:
    """The numbers in a rater's row."""
    (line,) = (one for one in rows.splitlines() if re.match(rf"\s*{name}\s", one))
    return [float(one.replace("\N{MINUS SIGN}", "-")) for one in re.findall(r"[-\N{MINUS SIGN}]?\d+(?:\.\d+)?", line)]


def groma(*words: object) -> int:
    return run(["judge", "raters", *map(str, words)])


def test_a_careless_rater_is_the_least_reliable(
    careless: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    assert groma(careless, "--model", model, "--out", one) == 0
    told = capsys.readouterr()
    assert "600 comparisons of 200 pairs of replies to 200 prompts, by 3 raters" in told.out
    assert "the model: reliability of each rater; 16 components" in told.out
    rows = {name: said(told.out, name) for name in ("ann", "bob", "eve")}  # comparisons, reliability [low, high], …
    assert all(row[0] == 200 for row in rows.values())
    assert rows["eve"][3] < 1 < min(rows["ann"][2], rows["bob"][2]), "the intervals say who is which"
    assert rows["eve"][4] < min(rows["ann"][4], rows["bob"][4])
    assert "It is worth it here" in told.out or "It is not shown to be worth it here" in told.out
    assert groma(careless, "--model", model, "--out", two) == 0
    assert one.read_bytes() == two.read_bytes()
    labels = read_examples(one, Preference)
    assert len(labels.examples) == 200 and labels.notes == {"column votes not used": 200}
    wanted = [
        sum(ALL.get(word, 0.0) for word in str(side).split())
        for one in labels.examples
        for side in (one.chosen, one.rejected)
    ]
    gaps = np.array(wanted[0::2]) - np.array(wanted[1::2])
    sure = np.array([one.probability for one in labels.examples], dtype=float)
    assert sure.min() >= 0.5 and sure[gaps > 1].mean() > sure[np.abs(gaps) < 0.5].mean() + 0.1
    assert np.mean(gaps[gaps != 0] > 0) > 0.9


def test_what_a_group_wants_for_itself_is_kept_out_of_the_labels(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """B likes kind words as much as A dislikes them, and compares three times as often."""
    rows = []
    for place, (name, group) in enumerate((("ann", "A"), ("amy", "A"), ("bob", "B"), ("ben", "B"))):
        taste = {"kind": 3.0 if group == "B" else -3.0}
        pairs = replies(place, 300 if group == "B" else 100)
        rows += choices(pairs, {"rater": name, "group": group, "wants": taste})
    data, shares = written(tmp_path / "raters.jsonl", rows), {}
    for parts in ("both", "reliability"):
        out = tmp_path / f"{parts}.jsonl"
        assert groma(data, "--model", model, "--out", out, *(("--parts", parts) if parts == "reliability" else ())) == 0
        told = [json.loads(line) for line in out.read_text().splitlines()]
        kinder = [
            one["probability"] if "kind" in one["chosen"] else 1 - one["probability"]
            for one in told
            if ("kind" in one["chosen"]) != ("kind" in one["rejected"])
            and sum(ALL.get(word, 0.0) for word in one["chosen"].split())
            == sum(ALL.get(word, 0.0) for word in one["rejected"].split())
        ]
        assert len(kinder) > 10
        shares[parts] = float(np.mean(kinder))
    shown = capsys.readouterr().out
    assert "reliability of each rater and a bias of each of 2 groups" in shown
    assert "1 in each group" in shown and "1 in all" in shown
    assert abs(shares["both"] - 0.5) < 0.15 and shares["reliability"] - 0.5 > 0.25


def test_labels_of_the_votes_need_no_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two of three chose a, whichever way round; one pair has a single vote."""
    rows = [
        {"prompt": "hi", "chosen": "b", "rejected": "a", "rater": 1},
        {"prompt": "hi", "chosen": "a", "rejected": "b", "rater": 2},
        {"prompt": "hi", "chosen": "a", "rejected": "b", "rater": 3},
        {"prompt": "ho", "chosen": "c", "rejected": "d", "rater": 1},
    ]
    out = tmp_path / "labels.jsonl"
    assert groma(written(tmp_path / "raters.jsonl", rows), "--by", "votes", "--out", out) == 0
    assert [json.loads(line) for line in out.read_text().splitlines()] == [
        {"prompt": "hi", "chosen": "a", "rejected": "b", "probability": pytest.approx(3 / 5), "votes": 3},
        {"prompt": "ho", "chosen": "c", "rejected": "d", "probability": pytest.approx(2 / 3), "votes": 1},
    ]
    told = capsys.readouterr().out
    assert said(told, "1")[:3] == [1, 2, 0], "of the two who also compared it, none chose as she did"
    assert said(told, "2")[:3] == [2, 1, 0.5], "the others are one and one"


def test_what_should_be_known_of_a_fit_is_said(
    careless: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rater_choice, "fit", partial(fit, max_steps=1))
    some, lines = tmp_path / "some.jsonl", careless.read_text().splitlines(keepends=True)
    some.write_text("".join(lines[n] for n in range(600) if n % 200 < 12))
    assert groma(some, "--model", model, "--out", tmp_path / "labels.jsonl") == 0
    told = capsys.readouterr()
    assert "the fit did not converge in 1 steps" in told.err
    assert "3 of 3 raters compared fewer than 20 times" in told.err
    assert "8 prompts cannot be held out" in told.out


ROW = {"prompt": "hi", "chosen": "a", "rejected": "b"}
TWO = [{**ROW, "rater": "ann"}, {**ROW, "rater": "bob"}]


@pytest.mark.parametrize(
    ("rows", "options", "says"),
    [
        ([ROW], (), "no row says who compared"),
        ([{**ROW, "group": "ann"}], (), "call it rater"),
        ([TWO[0], ROW], (), "1 of 2 rows do not say who compared"),
        ([TWO[0]], (), "all 1 rows are by the rater 'ann'"),
        ([{**one, "probability": 0.7} for one in TWO], (), "2 of 2 rows have a probability"),
        ([{**TWO[0], "group": "A"}, {**TWO[0], "group": "B"}], (), "of the group 'A' in one row and of 'B' in another"),
        ([{**TWO[0], "group": "A"}, TWO[1]], (), "rater 'bob' has no group"),
        ([], (), "the file holds no rows"),
        ([{"question": "hi", "rater": "ann"}], (), "the columns are question, rater"),
        (TWO, ("--dimensions", "0"), "--dimensions 0: choose 1 or more"),
        (TWO, ("--dimensions", "99"), "--dimensions 99: choose at most 1"),
        (TWO, ("--ridge", "0"), "--ridge 0.0: choose a number above 0"),
        (TWO, ("--by", "votes", "--dimensions", "3"), "--dimensions 3 would have no effect: --by votes fits no model"),
        ([TWO[0], {**TWO[1], "prompt": "ho"}], ("--by", "votes"), "none of 2 pairs was compared twice"),
        (TWO, ("--model", "nowhere"), "nowhere"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    rows: list[dict[str, Any]],
    options: tuple[str, ...],
    says: str,
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data, out = written(tmp_path / "raters.jsonl", rows), tmp_path / "labels.jsonl"
    named = () if "--model" in options or "votes" in options else ("--model", model)
    assert groma(data, "--out", out, *named, *options) == 2
    assert says in " ".join(capsys.readouterr().err.split()) and not out.exists()


def test_a_place_that_cannot_be_written_is_refused_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for out, says in ((tmp_path, "already holds something"), (tmp_path / "labels.csv", "written as .jsonl")):
        assert groma("nowhere.jsonl", "--out", out) == 2
        assert says in capsys.readouterr().err
    assert groma("--out", tmp_path / "labels.jsonl") == 2
    assert "no file of comparisons is named" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("gain", "known", "says"),
    [
        ((0.01, 0.3), (0.1, 0.4), "It is worth it here: the model of the raters gains +0.200 [+0.010, +0.300]"),
        ((-0.3, -0.01), (0.1, 0.4), "It is not worth it here"),
        ((-0.1, 0.3), (0.1, 0.4), "It is not shown to be worth it here"),
        (None, (0.1, 0.4), "it is not worth it here"),
        ((0.01, 0.3), (-0.1, 0.4), "It is not shown to tell choices better than chance"),
    ],
)
def test_whether_it_is_worth_it_is_said_in_words(
    gain: tuple[float, float] | None, known: tuple[float, float], says: str
) -> None:
    one, two = (ends and Estimate(0.2 if ends[1] > 0 else -0.2, *ends, 50, "t") for ends in (gain, known))
    lines = verdict(one or None, two or None)
    assert any(says in line for line in lines)
    assert len(lines) == 1 + (known[0] <= 0)
