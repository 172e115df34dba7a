"""Constitutional AI, the supervised stage: drafts, critiques and revisions as data. Bai et al. 2022, arXiv:2212.08073,
section 3.

A model answers, is told by a critic what a principle has against the answer, and answers again, some rounds; it is then
fine-tuned on what it said last (methods/sft.py), mixed with demonstrations of what it should go on doing. The rounds
are played by the system `critique` (systems/critique.py); this file reads from the episodes what was said, and says
what was unusable. What is made is a row a prompt that a person can read and edit:

    id, prompt, completion     the completion is the last revision: the columns from which `groma align sft` learns
    draft                      what was said first
    rounds                     of each: principle, critique, outcome, and the revision where there is one
    by                         the digest of the system and its constitution

  outcome   "stands": the critic has nothing against the answer. "revised": it was said again. "unreadable": the
            critique begins neither as one that passes nor as one that fails. "cut": the critique or the revision ended
            at the limit of tokens. "empty": the revision says nothing. After these three the answer is what it was.

We differ from the paper: the critic may pass an answer, so that what is good is not revised; and a row of which no
round could be used is counted and left out, not learned from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from groma.formats.columns import text_or_messages
from groma.formats.constitution import Constitution, Principle
from groma.formats.errors import BadInput
from groma.formats.examples import Demonstration
from groma.formats.messages import Message
from groma.formats.requests import Generate, Reply
from groma.formats.transcript import Played

Outcome = Literal["stands", "revised", "unreadable", "cut", "empty"]
USED: tuple[Outcome, ...] = ("stands", "revised")
Learning = Literal["revisions", "critiques"]
"""What is learned from a row: the last revision as the answer to the prompt; or every critique and revision, too, as
answers to the requests for them."""


@dataclass(frozen=True, slots=True)
class Round:
    """One round: by which principle, what the critic said, what became of it, and the revision, where there is one."""

    principle: str
    critique: str
    outcome: Outcome
    revision: str = ""

    def __post_init__(self) -> None:
        if self.outcome not in get_args(Outcome):
            raise BadInput(f"the outcome {self.outcome!r}", expected=", ".join(get_args(Outcome)))
        if not all(isinstance(one, str) for one in (self.principle, self.critique, self.revision)):
            raise BadInput("principle, critique or revision of a round is no text", expected="text")
        if self.outcome == "revised" and not self.revision.strip():
            raise BadInput("a round that revised has no revision", expected="text, or another outcome")


@dataclass(frozen=True, slots=True)
class Revised:
    """What became of one prompt. answer: what is learned from, the last revision unless a person wrote another."""

    id: str
    prompt: tuple[Message, ...]
    draft: str
    rounds: tuple[Round, ...]
    answer: str
    by: str

    @property
    def usable(self) -> bool:
        """Whether some round could be used."""
        return any(one.outcome in USED for one in self.rounds)

    def to_row(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "prompt": [one.to_dict() for one in self.prompt],
            "completion": self.answer,
            "draft": self.draft,
            "rounds": [asdict(one) for one in self.rounds],
            "by": self.by,
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any], where: str = "") -> Revised:
        """From a row of a file, with its place. BadInput for what is missing, and for rounds that are none."""
        try:
            rounds = tuple(Round(**one) for one in row["rounds"])
            said = {name: row[name] for name in ("id", "draft", "by", "completion")}
        except (KeyError, TypeError) as error:
            raise BadInput(f"the row is no revision ({error})", where=where, expected=", ".join(KEYS)) from None
        except BadInput as error:
            raise BadInput(error.what, where=where, expected=error.expected) from None
        if wrong := [name for name, value in said.items() if not isinstance(value, str)]:
            raise BadInput(f"{wrong[0]} is {said[wrong[0]]!r:.60}", where=where, expected="text")
        if not said["completion"].strip():
            raise BadInput("completion is empty", where=where, expected="text, or no such row")
        try:
            told = text_or_messages(row.get("prompt"), "prompt")
        except BadInput as error:
            raise BadInput(error.what, where=where, expected=error.expected) from None
        prompt = (Message("user", told),) if isinstance(told, str) else told
        return cls(said["id"], prompt, said["draft"], rounds, said["completion"], said["by"])


KEYS = ("id", "prompt", "completion", "draft", "rounds", "by")


def revised(one: Played, constitution: Constitution, by: str) -> Revised:
    """What an episode of the system `critique` was. by: the system's digest.

    BadInput for an episode that failed, and for one in which nothing was criticised.
    """
    if one.transcript is None:
        raise BadInput(f"the episode of {one.task.id} failed", expected="one that ended")
    asked = {principle.critique: principle for principle in constitution.principles if principle.critique}
    said = [
        (_asked(call.request), call.reply)
        for call in one.calls
        if isinstance(call.request, Generate) and isinstance(call.reply, Reply)
    ]
    starts = [place for place, (request, _) in enumerate(said) if request in asked]
    if not starts or starts[0] == 0:
        raise BadInput(f"in the episode of {one.task.id} nothing was criticised", expected="a draft, and a critique")
    rounds = []
    for begin, end in zip(starts, [*starts[1:], len(said)], strict=True):
        principle = asked[said[begin][0]]
        rounds.append(_round(constitution, principle, said[begin][1], said[begin + 1 : end]))
    draft = said[starts[0] - 1][1].text
    return Revised(one.task.id, one.task.posed.messages, draft, tuple(rounds), last(draft, rounds), by)


def criticised(one: Played, constitution: Constitution) -> bool:
    """Whether an episode that ended asked for a critique: not of an empty draft, and not where choices were scored."""
    asked = {principle.critique for principle in constitution.principles if principle.critique}
    return any(isinstance(call.request, Generate) and _asked(call.request) in asked for call in one.calls)


def _asked(request: Generate) -> str:
    """The last turn of what a model was sent."""
    last = request.prompt[-1]
    return last.content if isinstance(last, Message) else ""


def _round(told: Constitution, principle: Principle, critic: Reply, then: Sequence[tuple[str, Reply]]) -> Round:
    against = told.verdict(critic.text)
    if not against:
        return Round(principle.name, critic.text, "unreadable" if against is None else "stands")
    if critic.stop == "length":
        return Round(principle.name, critic.text, "cut")
    revision = next((reply for request, reply in then if request == principle.revision), None)
    if revision is None or not revision.text.strip():
        return Round(principle.name, critic.text, "empty")
    outcome: Outcome = "cut" if revision.stop == "length" else "revised"
    return Round(principle.name, critic.text, outcome, revision.text)


def last(draft: str, rounds: Iterable[Round]) -> str:
    """The last answer that stood or was revised; the draft where there is none."""
    return next((one.revision for one in reversed([*rounds]) if one.outcome == "revised"), draft)


def demonstrations(
    rows: Sequence[Revised], constitution: Constitution, learn: Learning, notes: Counter[str]
) -> list[Demonstration]:
    """What is learned from the rows; of what could not be used, and why, `notes` tells."""
    found: list[Demonstration] = []
    for row in rows:
        notes.update(f"round {one.outcome}" for one in row.rounds)
        if not row.usable:
            notes["left out: no round could be used"] += 1
            continue
        found.append(Demonstration(row.prompt, (Message("assistant", row.answer),)))
        if learn == "critiques":
            found += _critiques(row, constitution)
    return found


def _critiques(row: Revised, constitution: Constitution) -> Iterable[Demonstration]:
    """Each round that revised, as a conversation of which critique and revision are learned."""
    answer = row.draft
    for one in row.rounds:
        if one.outcome != "revised":
            continue
        if one.principle not in {principle.name for principle in constitution.principles}:
            what = f"the row {row.id} was revised by {one.principle!r}, which {constitution.name!r} does not know"
            raise BadInput(what, expected="the constitution by which it was revised")
        principle = constitution.by_name(one.principle)
        asked = (*row.prompt, Message("assistant", answer), Message("user", principle.critique))
        said = (Message("assistant", one.critique), Message("user", principle.revision))
        yield Demonstration(asked, (*said, Message("assistant", one.revision)))
        answer = one.revision
