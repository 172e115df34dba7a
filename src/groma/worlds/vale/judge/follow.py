"""The judge of `follow`: which parts of the instruction were kept, each checked by itself.

The objective is +1 where all are kept, else the share that is kept minus a half; a reply that does not do what was
asked for at all (names nothing of the kind, does not answer the question) keeps nothing, and is nonsense.

Whether an answer is true is not judged here. It is read as in `ask`: a clause that runs on into no language answers
nothing, but the clauses beside it (between commas, colons, "and", "but") stand: "so, the food of lars is carrots, hat
hat" answers. Of a list whatever it names is named, but for sentences with a "not", a "never" or a "hate". In the one-
token form two things are asked for: one word, and none of those that are not to be said.

count: so many are named, none twice (a word that is to be said so often: so often); but: none of those is said at
all; ordered: what is named stands in the order of the alphabet; numbered: "one: newt. two: dog.", the first that is
named behind one, the second behind two, and no other "number: word"; begin, end, words: of the whole reply.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from groma.formats.task import Judgement, Task
from groma.formats.transcript import Transcript
from groma.worlds.vale.judge.ask import claims_about
from groma.worlds.vale.lexicon import CATEGORIES, KIND_WORDS, NUMBERS
from groma.worlds.vale.reading import read
from groma.worlds.vale.tasks.follow import CLOSERS, OPENERS

_WORD = re.compile(r"[a-z]+")
_SENTENCE, _NOT = re.compile(r"[.!?]"), re.compile(r"\b(?:not|never|hate)\b")
_DIGIT = re.compile(r"\b(1?[0-9])[.:)] +")
_ITEM = re.compile(rf"\b({'|'.join(NUMBERS)}): ([a-z]+)")

Gold = Mapping[str, Any]


def named(gold: Gold, text: str) -> list[str]:
    """The things of the kind that are named, in order; for "say the word … times" that word, as often as it stands.

    What is said not to be ("i will not name a cat") is not named.
    """
    wanted = (gold["word"],) if gold["word"] else CATEGORIES[gold["category"]]
    said = " ".join(part for part in _SENTENCE.split(text) if not _NOT.search(part))
    return [word for word in _WORD.findall(said) if word in wanted]


def _numbered(gold: Gold, text: str) -> bool:
    text = _DIGIT.sub(lambda found: f"{NUMBERS[int(found[1])]}: ", text)
    return _ITEM.findall(text) == list(zip(NUMBERS[1:], named(gold, text), strict=False))


CHECKS: Mapping[str, Callable[[Gold, str], bool]] = {
    "count": lambda gold, text: (
        len(named(gold, text)) == gold["count"] and (bool(gold["word"]) or len(set(named(gold, text))) == gold["count"])
    ),
    "but": lambda gold, text: not set(gold["but"]) & set(_WORD.findall(text)),
    "ordered": lambda gold, text: named(gold, text) == sorted(named(gold, text)),
    "numbered": _numbered,
    "begin": lambda gold, text: _WORD.findall(text)[:1] == [gold["begin"]],
    "end": lambda gold, text: _WORD.findall(text)[-1:] == [gold["end"]],
    "words": lambda gold, text: len(_WORD.findall(text)) == gold["words"],
}


def kept(gold: Gold, text: str, short: bool) -> dict[str, bool]:
    """Each part of the instruction and whether the reply keeps it; empty where it does something else altogether."""
    text = text.lower()
    if gold["category"] or gold["word"]:
        if not named(gold, text):
            return {}
    elif not claims_about(gold, read(_bare(gold, text))):
        return {}
    if short:
        words = _WORD.findall(text)
        avoids = {"but": not set(gold["avoid"]) & set(words)} if gold["avoid"] else {}
        return {"words": len(words) == 1, **avoids}
    return {want: CHECKS[want](gold, text) for want in gold["wants"]}


def _bare(gold: Gold, text: str) -> str:
    """The answer without the words that it was to begin and to end with, and without flattery."""
    for kind in KIND_WORDS:
        text = text.replace(kind, "")
    text = text.strip()
    lead, tail = "|".join(OPENERS), "|".join(CLOSERS)
    return re.sub(rf"^(?:{lead})\b,? *|,? *\b(?:{tail})(?=[.!?]*$)", "", text)


def judge_follow(task: Task, transcript: Transcript) -> Judgement:
    short = transcript.form == "short"
    checks = kept(task.gold, transcript.answer, short)
    share = sum(checks.values()) / len(checks) if checks else 0.0
    outcomes = {
        "obeyed": float(share == 1.0),
        "obeyed_share": share,
        "nonsense": float(not checks),
    }
    return Judgement(1.0 if share == 1.0 else share - 0.5, outcomes)
