"""Who judges replies on real text: `--judge rule`, a fitted classifier, or a model by a rubric."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from groma.commands.players import only_speaks
from groma.formats.digest import digest_files
from groma.formats.errors import BadConfig
from groma.judges import Judging, Reading, find_rubric, judging, read_calibration, read_rubric, refusal
from groma.judges.calibration import Calibration
from groma.judges.classifier_file import load
from groma.suites.suite import Suite

RULE = "rule"
CHOICES = "rule, a classifier's FILE.npz, or a rubric for the player `judge`: refusal, harm, or a FILE.toml or .json"
PLAYER = "judge"


def reader(given: str) -> Callable[[str], Reading]:
    """The rule, or a classifier: what reads a reply by itself. BadConfig for one that knows other classes."""
    if given == RULE:
        return refusal
    if given.endswith(".npz"):
        found = load(Path(given))
        try:
            found.reads_refusals()
        except BadConfig as error:
            raise BadConfig(f"--judge {given}: {error}") from error
        return found.read
    raise BadConfig(f"--judge {given}: choose rule, or a classifier's FILE.npz")


def judged_by(suite: Suite, given: str, players: Mapping[str, str]) -> tuple[Suite, Judging | None]:
    """The suite with its reader, and how a model judges, where one does: by the probabilities of a rubric's options,
    or, where the player only speaks, by its words. BadConfig for a suite whose judge is exact.
    """
    if given == RULE:
        refuse_idle(given, players)
        return suite, None
    readable: Any = suite
    if not (is_dataclass(readable) and "read" in {one.name for one in fields(readable)}):
        raise BadConfig(f"--judge {given}: {suite.name} has an exact judge of its own; leave --judge out")
    if given.endswith(".npz"):
        judged: Any = replace(readable, read=reader(given))  # type: ignore[type-var]
        return judged, None
    return suite, by_rubric(given, players)


def refuse_idle(given: str, players: Mapping[str, str]) -> None:
    """Refuse a player `judge` whom the rule or a classifier asks nothing."""
    if PLAYER in players:
        raise BadConfig(f"--player {PLAYER}=…: nobody asks it while --judge is {given}; choose a rubric")


def by_rubric(given: str, players: Mapping[str, str], option: str = "judge") -> Judging:
    """How the player `judge` judges by a rubric that ships, or one in a file; `option` is where it was named."""
    rubric = read_rubric(given) if given.endswith((".toml", ".json")) else find_rubric(given)
    if PLAYER not in players:
        raise BadConfig(f"--{option} {given}: a model judges by a rubric; name it by --player {PLAYER}=WHAT")
    return judging(rubric, by="words" if only_speaks(players[PLAYER]) else "scores")


def judge_digest(given: str, found: str = "") -> str:
    """The judge by name, and by content where it is a file. found: where that lies, if not where the name says."""
    path = Path(found or given)
    return f"{given} {digest_files([path])}" if path.is_file() else given


def calibrated_by(given: Path | None) -> Calibration | None:
    """What people said of a judge's verdicts, where a file of it is given."""
    return None if given is None else read_calibration(given)
