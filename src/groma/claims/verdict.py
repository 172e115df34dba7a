"""The verdict: what became of a claim, with its evidence, in plain words and as plain JSON.

proved     every item was looked at by an exact judge and nothing was left to chance: it is so
holds      certified at the stated confidence, whenever it was stopped; or so of every item, as a judge reads who errs
fails      refuted at the stated confidence, or seen to be false; with the counterexample
undecided  with about how many more items it takes, or why none would do
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from groma.formats.records import Estimate

Word = Literal["proved", "holds", "fails", "undecided"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """statement: what is claimed, in one line; population, adversary: in words; items: how many were read, episodes:
    how many were played for it, those that were not read among them; failures: items with an episode that broke,
    rival_failures: with one of what it is held against that did;
    unjudged: items with a reply that the judge gave no verdict on, which count as broken, too;
    judge: who read the replies; naive: whether it errs, and the figures are not corrected for it.

    estimate: so far, in the stratum `at`; log_e_holds, log_e_fails: the greatest evidence, None where it is a proof;
    strata: of each its items and mean; more: about how many more items; why: what else is to be said of the verdict;
    course: items read and the evidence for and against; beside: what is to be read with it, see `Beside.told`.
    """

    name: str
    says: str
    verdict: Word
    statement: str
    sentence: str
    digest: str
    model: str
    system: str
    family: str
    case: str
    population: str
    adversary: str
    confidence: float
    items: int
    episodes: int
    failures: int = 0
    rival_failures: int = 0
    unjudged: int = 0
    judge: str = ""
    naive: bool = False
    first_failure: str = ""
    without_form: int = 0
    not_applicable: int = 0
    estimate: Estimate | None = None
    at: str = ""
    threshold: float = 0.0
    bounds: tuple[float, float] = (0.0, 1.0)
    log_e_holds: float | None = None
    log_e_fails: float | None = None
    more: int | None = None
    why: str = ""
    strata: Sequence[Mapping[str, Any]] = ()
    counterexample: Mapping[str, Any] | None = None
    course: Sequence[Sequence[float]] = ()
    notes: Sequence[str] = field(default=())
    beside: Sequence[Mapping[str, Any]] = ()

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def exit_code(words: Sequence[Word]) -> int:
    """0: all hold or are proved; 1: one fails; 2: none fails, and one is undecided."""
    return 1 if "fails" in words else 2 if "undecided" in words else 0
