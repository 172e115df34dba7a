"""`groma study`: seeds are done once, a killed study goes on, and the page says what is met."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from groma.cli import run
from groma.formats.study import Criterion, Summary
from groma.studies.order_chaos import study as order_chaos
from groma.studies.overoptimisation import study
from groma.studies.progress import Progress
from groma.studies.transfer import study as transfer


@pytest.fixture
def seeds(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A study that takes no time, and the seeds for which it was run."""
    done: list[int] = []

    def quick(seed: int, parts: Path) -> Iterator[Progress | dict[str, Any]]:
        yield Progress("work", 1, 1)
        done.append(seed)
        yield {"found": seed}

    def told(results: dict[int, Any]) -> Summary:
        rows = (Criterion("a", "enough", f"{len(results)} seeds", len(results) > 1),)
        return Summary("A study", "nobody 1999", "Is it so?", (f"It is so of {sorted(results)}.",), rows)

    monkeypatch.setattr(study, "run", quick)
    monkeypatch.setattr(study, "summary", told)
    return done


def test_a_study_goes_on_where_it_was_and_writes_its_page(
    seeds: list[int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = str(tmp_path / "study")
    assert run(["study", "overoptimisation", "--out", place]) == 0 and seeds == [0]
    assert "It is so of [0]." in capsys.readouterr().out
    assert "1 missed" in (tmp_path / "study/report.html").read_text()
    assert run(["study", "overoptimisation", "--out", place]) == 2
    assert run(["study", "overoptimisation", "--out", place, "--resume", "--seeds", "3"]) == 0 and seeds == [0, 1, 2]
    page = (tmp_path / "study/report.html").read_text()
    assert "It is so of [0, 1, 2]." in page and "1 met" in page
    assert json.loads((tmp_path / "study/results/seed-2.json").read_text()) == {"found": 2}
    assert run(["study", "overoptimisation", "--out", place, "--fresh", "--seed", "5"]) == 0 and seeds[-1] == 5
    assert not (tmp_path / "study/results/seed-2.json").exists()


def test_a_study_that_breaks_keeps_what_is_done(
    seeds: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place, whole = str(tmp_path / "study"), study.run

    def breaks(seed: int, parts: Path) -> Iterator[Any]:
        if seed == 1:
            raise KeyboardInterrupt
        yield from whole(seed, parts)

    monkeypatch.setattr(study, "run", breaks)
    assert run(["study", "overoptimisation", "--out", place, "--seeds", "2"]) == 130 and seeds == [0]
    monkeypatch.setattr(study, "run", whole)
    assert run(["study", "overoptimisation", "--out", place, "--seeds", "2", "--resume"]) == 0 and seeds == [0, 1]


def test_studies_of_the_same_models_share_their_parts(
    seeds: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    places: list[Path] = []

    def quick(seed: int, parts: Path) -> Iterator[Any]:
        places.append(parts)
        yield from study.run(seed, parts)

    for one in (transfer, order_chaos):
        monkeypatch.setattr(one, "run", quick)
        monkeypatch.setattr(one, "summary", study.summary)
    parts = ["--parts", str(tmp_path / "shared"), "--seed", "4"]
    assert run(["study", "transfer", "--out", str(tmp_path / "a"), *parts]) == 0
    assert run(["study", "order_chaos", "--out", str(tmp_path / "b"), *parts]) == 0
    assert run(["study", "order_chaos", "--out", str(tmp_path / "c"), "--seed", "4"]) == 0
    assert places == [tmp_path / "shared/seed-4", tmp_path / "shared/seed-4", tmp_path / "c/parts/seed-4"]
    assert "models may be those of another study" in (tmp_path / "a/manifest.json").read_text()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["sleep"], "there is no study 'sleep'; choose one of overoptimisation"),
        (["overoptimisation", "--seeds", "0"], "--seeds 0: choose at least 1"),
        (["overoptimisation", "--seed", "-1"], "--seed -1: choose 0 or more"),
        (["overoptimisation", "--resume", "--fresh"], "contradict each other"),
        (["overoptimisation", "--parts", "x"], "constitutional, transfer, order_chaos share theirs"),
    ],
)
def test_what_cannot_be_is_refused(
    arguments: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["study", *arguments, "--out", str(tmp_path / "x")]) == 2
    assert told in capsys.readouterr().err
