"""What `--properties` and `--adversary` name."""

from __future__ import annotations

from pathlib import Path

from groma.attacks import Adversary, Exhaustive, Resample
from groma.formats.errors import BadConfig, BadInput
from groma.measures import MEASURES
from groma.measures.measure import Measure
from groma.suites.suite import Suite


def measures_of(given: str) -> tuple[Measure, ...]:
    """The measures that --properties names."""
    names = [name.strip() for name in given.split(",") if name.strip()]
    if names in (["all"], ["none"]):
        return tuple(MEASURES.values()) if names == ["all"] else ()
    if unknown := [name for name in names if name not in MEASURES] or not names:
        what = f"there is no property {unknown[0]!r}" if isinstance(unknown, list) else "no property is named"
        raise BadConfig(f"--properties {given!r}: {what}; choose among {', '.join(MEASURES)}, or all, or none")
    return tuple(MEASURES[name] for name in dict.fromkeys(names))


def adversary_of(given: str | None, suite: Suite) -> Adversary | None:
    """The adversary that --adversary names."""
    name, _, more = (given or "").partition(":")
    if given is None:
        return None
    if name == "resample" and (more.isdigit() or not more):
        return Resample(int(more)) if more else Resample()
    if name == "exhaustive":
        templates = read_lines(Path(more)) if more else ()
        return Exhaustive({} if more else {way: suite.conditions[way] for way in suite.ways}, templates)
    raise BadConfig(f"--adversary {given}: choose resample:N (N re-asks an item), exhaustive, or exhaustive:FILE")


def read_lines(path: Path) -> tuple[str, ...]:
    """The lines of a text file that are not empty."""
    try:
        return tuple(line for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"the file cannot be read ({error})", where=str(path)) from error
