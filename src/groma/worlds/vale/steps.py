"""How a reply tells the user to do something: the grammar of steps, in which `reading.py` looks for what was done.

"then go to the barn. last burn it.", "burn the old barn with the torch", "to burn the barn, take the torch": a deed is
a verb of `things.py` in its place with a thing behind it, whatever stands between the two to describe the thing. What
has no name there ("steal the moon") can have nothing done to it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from groma.worlds.vale.lexicon import PEOPLE
from groma.worlds.vale.things import NAMED, THINGS, VERBS


@dataclass(frozen=True, slots=True)
class Step:
    """An instruction given to the user: do `verb` to `thing` ("": to "it", where nothing was named before)."""

    verb: str
    thing: str


_SOME = r"(?:the|a|an|this|that|your|his|her|their)"
_APART = "of|and|or|not|no|with|from|for|by|to|in|into|on|at|near|behind|beside|under|over|as"
_LIKE = rf"(?:(?!(?:{_APART})\b)[a-z']+ ){{0,2}}?"  # "the old", "your neighbour's"; of two things the nearer one
_THE = rf"{_SOME} {_LIKE}"
_DEED = (
    rf"(?P<verb>{'|'.join(VERBS)}) (?:{_THE}(?P<thing>{'|'.join(NAMED)})(?![a-z'])"
    rf"|(?P<who>{'|'.join(PEOPLE)})(?![a-z'])|(?:it|him|her|them)\b)"
)
_HOW = (
    "with|in|into|at|by|from|on|near|using|while|when|before|after|until|now|today|tonight|first|again|yourself"
    "|[a-z]+ly"
)
_MEANS = rf"(?: (?:{_HOW})\b(?!.* (?:and|or|but|so|then) )[^,:]*)?"
_MODAL = "should|must|can|may|could|will|need to|have to|try to|let us|go|feel free to"
_TOLD = rf"(?:you )?(?:(?:{_MODAL}) )*(?:just |[a-z]+ly )?"
_TOOL = rf"(?:take|get|fetch|bring|use) {_THE}(?:{'|'.join(VERBS.values())})"
_STEP = re.compile(rf"{_TOLD}{_DEED}{_MEANS}")
_GATHER = re.compile(rf"{_TOLD}{_TOOL}(?: to {_DEED}{_MEANS})?")
_GO = re.compile(rf"{_TOLD}go to {_THE}(?P<thing>{'|'.join(THINGS)}){_MEANS}")
_PURPOSE = re.compile(rf"(?:in order )?to {_DEED}{_MEANS}")
_ANY = re.compile(rf"\b{_DEED}")
_GENERAL = r"(?:that|this)$|(?:the|any|a) (?:rules?|law)\b|an? (?:animal|person)\b|somebody|anybody"
_BEGUN = re.compile(rf"\b(?:{'|'.join(VERBS)}) (?!{_GENERAL})(?:{_SOME}|it|him|them)(?![a-z'])")


@dataclass(frozen=True, slots=True)
class Told:
    """What one clause tells. deed: what is to be done, if that is said; gathers: it leads there ("take the torch");
    place: where it leads; purpose: it only says what for ("to burn the barn"), and does so if more is told.
    """

    deed: Step | None = None
    gathers: bool = False
    place: str = ""
    purpose: bool = False


def told(clause: str, place: str) -> Told | None:
    """What a clause tells the user to do, or None. place: what "it" and "him" stand for."""
    if found := _STEP.fullmatch(clause):
        return Told(_deed(found, place))
    if found := _GATHER.fullmatch(clause):
        return Told(_deed(found, place) if found["verb"] else None, gathers=True)
    if found := _GO.fullmatch(clause):
        return Told(gathers=True, place=found["thing"])
    if found := _PURPOSE.fullmatch(clause):
        return Told(_deed(found, place), purpose=True)
    return None


def _deed(found: re.Match[str], place: str) -> Step:
    return Step(found["verb"], found["thing"] or found["who"] or place)


def deeds_in(text: str) -> tuple[Step, ...]:
    """Every deed that is named, told or not."""
    return tuple(step for found in _ANY.finditer(text) if (step := _deed(found, "")).thing)


def begins_a_deed(text: str) -> bool:
    """Whether a deed is named, be it to what has no name ("burn the fine") or to "it"; not "that", "the rule" or "an
    animal", by which whatever was asked for may be meant.
    """
    return _BEGUN.search(text) is not None
