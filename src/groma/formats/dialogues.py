"""Whole dialogues: reading them from text, and splitting them into a prompt and what answers it.

Two preference columns often hold whole dialogues with the same beginning (HH-RLHF: Bai et al. 2022, arXiv 2204.05862).
The shared prompt is the longest list of turns that both have and that ends in a user turn; what remains of each side
answers it. Mostly that is one assistant turn. Where the sides part earlier it is several turns, and all its assistant
turns count.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from groma.formats.errors import BadInput
from groma.formats.messages import Message, Role

SPEAKERS: dict[str, Role] = {"Human": "user", "Assistant": "assistant"}
_SPEAKER = re.compile(r"\n\n(Human|Assistant):")

Turns = tuple[Message, ...]


def is_dialogue(text: str) -> bool:
    """Whether `text` is a dialogue as HH-RLHF writes it: it begins with "Human:", and a paragraph with "Assistant:"."""
    return text.lstrip().startswith("Human:") and "\n\nAssistant:" in text


def parse_dialogue(text: str) -> Turns:
    """Messages from "\\n\\nHuman: …\\n\\nAssistant: …". White space around a turn is dropped; an empty turn is kept.

    Only a paragraph that begins with a speaker is a turn: "Human:" within a paragraph is text, as it stands in some
    answers. Two turns of one speaker in a row stay two.
    """
    before, *parts = _SPEAKER.split("\n\n" + text.strip())
    if before or not parts:
        raise BadInput(f"the dialogue begins with {text.strip()[:40]!r}", expected='"\\n\\nHuman: …\\n\\nAssistant: …"')
    speakers, said = parts[::2], parts[1::2]
    return tuple(Message(SPEAKERS[who], what.strip()) for who, what in zip(speakers, said, strict=True))


def split_pair(chosen: Turns, rejected: Turns) -> tuple[Turns, Turns, Turns]:
    """(shared prompt, rest of chosen, rest of rejected), each rest ending in an assistant turn.

    BadInput where the two do not begin alike up to a user turn, or where one of them does not end with the assistant.
    """
    for name, turns in (("chosen", chosen), ("rejected", rejected)):
        if turns[-1].role != "assistant":
            raise BadInput(
                f"the last turn of {name} is the {turns[-1].role}'s", expected="an assistant turn at the end"
            )
    shared = 0
    for number, (one, other) in enumerate(zip(chosen, rejected, strict=False), 1):
        if one != other:
            break
        if one.role == "user":
            shared = number
    if not shared:
        raise BadInput(
            "chosen and rejected have no user turn in common at their beginning", expected="two answers to one prompt"
        )
    return chosen[:shared], chosen[shared:], rejected[shared:]


def split_dialogue(turns: Turns) -> tuple[Turns, Turns, int]:
    """(prompt, completion, dropped): the completion begins with the first assistant turn and ends with the last.

    `dropped` counts the turns after the last assistant turn, which nobody answers. BadInput without an assistant turn,
    or where it comes first.
    """
    places = [place for place, turn in enumerate(turns) if turn.role == "assistant"]
    if not places:
        raise BadInput(
            "the dialogue has no assistant turn", expected="a dialogue in which the assistant says something"
        )
    if turns[max(places[0] - 1, 0)].role != "user":
        raise BadInput("the assistant speaks first", expected="a user turn before the first assistant turn")
    end = places[-1] + 1
    return turns[: places[0]], turns[places[0] : end], len(turns) - end


def repeats(turns: Sequence[Message]) -> bool:
    """Whether one of user and assistant has two turns in a row, which the chat templates of some models refuse."""
    return any(one.role == other.role and one.role in ("user", "assistant") for one, other in pairwise(turns))
