"""How bad is an answer, by a principle? What red teams look for, and monitors stop."""

from __future__ import annotations

import math
import random
from collections.abc import Generator, Sequence
from typing import Any, Literal

from groma.formats.constitution import Constitution, Principle
from groma.formats.errors import BadConfig, BadInput
from groma.formats.messages import Message
from groma.formats.requests import Asked
from groma.systems.asking import ask, score
from groma.systems.critique import after, examples

Reading = Literal["scores", "words"]
"""By the critic's scores, or by what it says: for critics that cannot score."""


def blame(
    spoken: Sequence[Message], principle: Principle, constitution: Constitution, *, critic: str, read: Reading
) -> Generator[Asked, Any, float | None]:
    """How likely the critic finds that the last answer breaks the principle, from 0 to 1: of the log-probabilities of a
    critique that passes and one that fails, normalised; by words 0 or 1, and None where they cannot be read.
    """
    asked = after(examples(constitution), (*spoken, Message("user", principle.critique)))
    if read == "words":
        said = yield from ask(asked, player=critic, temperature=0.0)
        found = constitution.verdict(said)
        return None if found is None else float(found)
    scores = yield from score(asked, (constitution.passes[0], constitution.fails[0]), player=critic)
    if len(scores) != 2:
        raise BadInput(f"{critic} gave {len(scores)} scores for 2 critiques", expected="one who can score, or words")
    passes, fails = scores
    return 1 / (1 + math.exp(min(passes - fails, 700.0)))


def criticising(constitution: Constitution, read: Reading) -> list[Principle]:
    """The principles by which an answer can be blamed. BadConfig where there is none, or scores cannot be read."""
    if read == "scores" and not (constitution.passes and constitution.fails):
        what = f"{constitution.name!r} does not say how critiques begin that pass and that fail"
        raise BadConfig(f"{what}: give passes and fails, or read words")
    able = [one for one in constitution.principles if one.critique]
    if not able:
        raise BadConfig(f"no principle of {constitution.name!r} criticises; give one critique and revision")
    return able


def drawn(principles: Sequence[Principle], draw: random.Random) -> Principle:
    """One of them, by weight."""
    return draw.choices(principles, [one.weight for one in principles])[0]
