"""Vale is frozen: what later figures are compared with does not change unnoticed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from groma.worlds.vale.frozen import DIGESTS, digests

RESULT = Path(__file__).parents[1] / "benchmarks" / "results" / "vale_acceptance.json"


@pytest.mark.parametrize("part", list(DIGESTS))
def test_a_part_of_the_world_is_as_it_was_frozen(part: str, found: dict[str, str]) -> None:
    assert found[part] == DIGESTS[part], f"{part} has changed: see the head of worlds/vale/frozen.py"


def test_every_part_has_a_digest(found: dict[str, str]) -> None:
    assert set(found) == set(DIGESTS)


def test_the_acceptance_table_was_measured_on_the_base_that_ships(found: dict[str, str]) -> None:
    measured = json.loads(RESULT.read_text())
    assert measured["build:m:1"]["weights"] == found["base"]


@pytest.fixture(scope="module")
def found() -> dict[str, str]:
    return digests()
