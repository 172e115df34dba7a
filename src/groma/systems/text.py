"""Conversations as plain text, for models that know no chat template."""

from __future__ import annotations

from collections.abc import Sequence

from groma.formats.errors import BadInput
from groma.formats.messages import Message

FORMS = {"system": "{}\n\n", "user": "Q: {}\n", "assistant": "A: {}\n"}


def as_text(messages: Sequence[Message]) -> str:
    """The system prompt as a paragraph, then the turns: "Q: …" of the user, "A: …" of the assistant.

    Raises BadInput for the turn of a tool, which has no such form.
    """
    for message in messages:
        if message.role not in FORMS:
            raise BadInput(
                f"a message has the role {message.role!r}",
                expected=f"one of {', '.join(FORMS)}: plain text has no tools",
            )
    return "".join(FORMS[message.role].format(message.content) for message in messages)
