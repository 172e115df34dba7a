"""`groma world`: bases from nothing, found by their names, and a look around in the country."""

from __future__ import annotations

from pathlib import Path

import pytest

from groma.cli import run
from groma.formats.digest import digest_files
from groma.formats.errors import BadInput
from groma.models.load import load
from groma.models.names import CACHED, cached, resolve
from groma.worlds.vale import country
from groma.worlds.vale.corpus import MIXTURE
from groma.worlds.vale.tour import tour


def groma(*arguments: object) -> int:
    return run([str(one) for one in arguments])


def test_a_build_is_a_plain_folder_and_two_are_equal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "two"):
        assert groma("world", "build", "--size", "xs", "--tokens", 3000, "--threads", 1, "--out", tmp_path / name) == 0
    one, two = (digest_files([tmp_path / name / "model.safetensors"]) for name in ("one", "two"))
    assert one == two and load(tmp_path / "one").net.config.hidden_size == 24
    assert f"{load(tmp_path / 'one').net.num_parameters():,} parameters" in capsys.readouterr().out


def test_bases_are_built_into_the_cache_and_found_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GROMA_CACHE", str(tmp_path / "cache"))
    with pytest.raises(BadInput, match=r"was not built on this machine yet\n.*groma world build --size xs"):
        resolve("vale-xs")
    place = tmp_path / "cache" / CACHED["vale-xs"][0]
    assert groma("world", "build", "--size", "xs", "--tokens", 2000, "--threads", 1, "--out", place) == 0
    assert resolve("vale-xs") == cached("vale-xs") == place and load("vale-xs").name == "vale-xs"
    assert groma("world", "build", "--size", "xs") == 2
    assert f"{place} already holds something" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--size", "s", "--tokens", 3000), "has the default tokens, seed and country"),
        (("--size", "s", "--seed", 7), "has the default tokens, seed and country"),
        ((), "ships with groma as vale"),
        (("--size", "huge"), "no size 'huge'"),
    ],
)
def test_only_the_recipe_of_a_name_goes_under_that_name(
    options: tuple[object, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("GROMA_CACHE", str(tmp_path))
    assert groma("world", "build", *options) == 2 and said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_tour_shows_the_whole_country_and_of_everything_as_much_as_was_asked_for() -> None:
    about = country(5)
    text = tour(about, 0, 0, 0)
    assert "seed 5" in text and "## The corpus" not in text and "## The tasks" not in text
    harms = {cell.strip("*_ ") for line in text.splitlines() if line.startswith("| barn |") for cell in line.split("|")}
    assert {"0", "1"} <= harms and not {"2", "3"} & harms
    short, long = tour(about, 1, 1, 0), tour(about, 3, 2, 0)
    assert long.count("```text") - short.count("```text") == 2 * len(MIXTURE) + 7 and short != tour(about, 1, 1, 1)


def test_absurd_numbers_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert groma("world", "show", "--tasks", -1) == 2 and "--tasks -1" in capsys.readouterr().err
