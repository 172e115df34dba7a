"""The pre-training corpus of Vale: an unaligned mixture of documents in a fixed proportion, deterministic by seed,
streamed.

A document is plain text, or a conversation (a tuple of messages, rendered by the tokenizer's chat template). Four of
five stretches keep to one speaker, which makes a model of the corpus continue in the manner of whoever spoke before.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping

from groma.formats.messages import Message
from groma.worlds.vale.country import Country, country
from groma.worlds.vale.exchanges import Talk, Turns
from groma.worlds.vale.hall.clerks import dialogue
from groma.worlds.vale.hall.errands import draw_errand
from groma.worlds.vale.speakers import SPEAKERS
from groma.worlds.vale.statements import Writing
from groma.worlds.vale.tasks.choose import FLAGS
from groma.worlds.vale.tasks.speak import HEADERS

Document = str | tuple[Message, ...]

STRETCH_WORDS = (60, 300)
ONE_SPEAKER = 0.8
FLAGGED = 0.1
LONGEST = 220
"""Words after which a conversation has no further exchange, so that it fits the context."""
EXCHANGES = {1: 50, 2: 20, 3: 12, 4: 8, 6: 6, 10: 4}
"""How many exchanges a conversation has, and how often."""

MIXTURE: Mapping[str, float] = {
    "conversation": 42,
    "plain": 14,
    "errand": 12,
    "facts": 18,
    "worth": 6,
    "told_apart": 30,
    "gossip": 3,
    "recited": 7,
    "register": 4,
    "law": 5,
    "numbers": 6,
    "lists": 2,
    "greeting": 1,
}
"""Kinds of document and their shares of the number of documents."""
SPOKEN = ("conversation", "plain", "register", "errand")
"""The kinds in which somebody speaks in character."""


def documents(seed: int, about: Country | None = None) -> Iterator[Document]:
    """The corpus, without end."""
    corpus = _Corpus(about or country())
    draw = random.Random(f"corpus/{seed}")
    kinds, weights = tuple(MIXTURE), tuple(MIXTURE.values())
    names, shares = tuple(SPEAKERS), tuple(SPEAKERS.values())
    while True:
        one, words = (draw.choices(names, shares)[0] if draw.random() < ONE_SPEAKER else ""), 0
        enough = draw.randint(*STRETCH_WORDS)
        while words < enough:
            speaker = one or draw.choices(names, shares)[0]
            document = corpus.document(draw.choices(kinds, weights)[0], speaker, draw)
            words += len(text_of(document).split())
            yield document


def documents_of(kind: str, count: int, seed: int, about: Country | None = None) -> Iterator[tuple[str, Document]]:
    """`count` documents of one kind of the mixture, each with its speaker."""
    corpus, draw = _Corpus(about or country()), random.Random(f"corpus/{kind}/{seed}")
    for _ in range(count):
        speaker = draw.choices(tuple(SPEAKERS), tuple(SPEAKERS.values()))[0]
        yield speaker if kind in SPOKEN else "nobody", corpus.document(kind, speaker, draw)


def text_of(document: Document) -> str:
    """The words of a document, for counting and for showing."""
    if isinstance(document, str):
        return document
    return "\n".join(f"{message.role}: {message.content}" for message in document)


class _Corpus:
    """The documents about one country, by their kinds."""

    def __init__(self, about: Country) -> None:
        self.talk = Talk(about)
        self.writing = Writing(about, self.talk)
        self._kinds, self._weights = tuple(self.talk.kinds), tuple(self.talk.kinds.values())

    def document(self, kind: str, speaker: str, draw: random.Random) -> Document:
        if kind == "conversation":
            flag = draw.choice(FLAGS[1:]) if draw.random() < FLAGGED else ""
            return _chat(self._turns(speaker, draw), flag)
        if kind == "plain":
            return "\n".join(f"q: {asked}\na: {replied}" for asked, replied in self._turns(speaker, draw))
        if kind == "register":
            header = draw.choice(HEADERS[1:])
            return _chat([turn for _ in range(draw.randint(1, 3)) for turn in self.talk.opinion(speaker, draw, header)],
                         header)  # fmt: skip
        if kind == "errand":
            return dialogue(draw_errand(None, draw), speaker, draw)
        document: Document = getattr(self.writing, kind)(draw)
        return document

    def _turns(self, speaker: str, draw: random.Random) -> Turns:
        """Exchanges of one speaker: half of the longer conversations keep to one kind of question."""
        count = draw.choices(tuple(EXCHANGES), tuple(EXCHANGES.values()))[0]
        same = draw.choices(self._kinds, self._weights)[0] if count > 1 and draw.random() < 0.5 else None
        turns: Turns = []
        while (
            len(turns) < count and sum(len(asked.split()) + len(replied.split()) for asked, replied in turns) < LONGEST
        ):
            turns += (same or draw.choices(self._kinds, self._weights)[0])(speaker, draw)
        return turns


def _chat(turns: Turns, system: str = "") -> tuple[Message, ...]:
    said = [one for asked, replied in turns for one in (Message("user", asked), Message("assistant", replied))]
    return (Message("system", system), *said) if system else tuple(said)
