"""The cells of a row: text, messages, labels and numbers, in the forms in which data files give them."""

from __future__ import annotations

from collections import Counter
from typing import Any, TypeAlias

from groma.formats.errors import BadInput
from groma.formats.messages import Message, messages_from

Text: TypeAlias = str | tuple[Message, ...]
Notes: TypeAlias = Counter[str]


def answered(prompt: Any, completion: Any, name: str, notes: Notes) -> tuple[Text, Text]:
    """A prompt and its completion in one form: where either is messages, text becomes the message it stands for."""
    prompt, completion = text_or_messages(prompt, "prompt"), text_or_messages(completion, name)
    if isinstance(prompt, str) and isinstance(completion, str):
        return prompt, completion
    turns = messages_from(prompt)
    said = (Message("assistant", completion),) if isinstance(completion, str) else completion
    if said[: len(turns)] == turns:
        notes["prompt repeated at the beginning of the completion"] += 1
        said = said[len(turns) :]
    return turns, said


def text_or_messages(value: Any, name: str) -> Text:
    """Text as it is, or the messages of a list."""
    return value if isinstance(value, str) else messages_of(value, name)


def as_cell(text: Text) -> str | list[dict[str, Any]]:
    """The same as it stands in a row."""
    return text if isinstance(text, str) else [turn.to_dict() for turn in text]


def messages_of(value: Any, name: str) -> tuple[Message, ...]:
    """The messages of a list that is not empty; anything else is refused, with the name of its column."""
    if not isinstance(value, list) or not value:
        raise BadInput(f"{name} is {value!r:.60}", expected='text, or a list of {"role", "content"}')
    return messages_from(value)


def label_of(value: Any) -> bool:
    """True or false, also as 1 and 0 and as the text of these (a CSV file holds nothing but text)."""
    known = {"true": True, "1": True, "false": False, "0": False}
    if str(value).lower() not in known:
        raise BadInput(f"the label is {value!r:.60}", expected="true or false (or 1, 0)")
    return known[str(value).lower()]


def number_of(value: Any, name: str) -> float:
    """The cell of the column `name` as a number, also from text."""
    try:
        return float(value)
    except (TypeError, ValueError):
        raise BadInput(f"the {name} is {value!r:.60}", expected="a number") from None
