"""`view`: a conversation of many players as one of them sees it, in the two roles that chat templates know.

Its own turns are the assistant's, those of others are the user's, each with the speaker's name before it where more
than one other speaks. Turns of others that follow each other are joined, since templates want the roles to alternate.
System messages are private to the player that they name (`player`; "" is for all), and so are the results of tools.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from groma.formats.messages import Message


def view(messages: Sequence[Message], player: str) -> tuple[Message, ...]:
    """`messages` for `player`. A turn without a player's name is the user's or the assistant's, by its role."""
    others = {_speaker(one) for one in messages if one.role in ("user", "assistant")} - {player}
    seen: list[Message] = []
    for one in messages:
        if one.role in ("system", "tool"):
            if one.player in ("", player):
                seen.append(replace(one, player=""))
        elif _speaker(one) == player:
            seen.append(Message("assistant", one.content, tool_calls=one.tool_calls))
        else:
            text = f"{_speaker(one)}: {one.content}" if len(others) > 1 else one.content
            if seen and seen[-1].role == "user":
                seen[-1] = Message("user", f"{seen[-1].content}\n{text}")
            else:
                seen.append(Message("user", text))
    return tuple(seen)


def _speaker(message: Message) -> str:
    return message.player or message.role
