"""`groma chat MODEL`: talk to a model in the terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import tyro

from groma.commands.console import check_sampling, err, out, parse
from groma.formats.messages import Message
from groma.formats.task import Posed, Task
from groma.models.engine import LocalEngine
from groma.models.load import load
from groma.play.driver import play
from groma.play.person import read_line
from groma.systems import SYSTEMS

HINT = "Ctrl-D or /quit leaves, /new begins a new conversation, /again draws the last reply anew."


@dataclass(frozen=True, kw_only=True)
class Chat:
    """Talk to a model. Lines from a pipe are answered one by one, in one conversation."""

    model: Annotated[str, tyro.conf.Positional]
    """A shipped model (vale), a folder, or a Hub id."""
    system_prompt: str = ""
    """What the system message says. Empty: none."""
    temperature: float = 1.0
    """1: the model's own distribution; 0: greedy."""
    max_tokens: int = 256
    """Longest reply."""
    seed: int = 0
    """Of the replies."""
    device: str | None = None
    """cpu, cuda, … None: a GPU where there is one."""
    trust_remote_code: bool = False
    """Run Python code that the model's folder brings along. Off unless you trust it."""


def main(arguments: Sequence[str]) -> None:
    options = parse(Chat, "chat", arguments)
    check_sampling(options.temperature, options.max_tokens)
    system = SYSTEMS["chat"].with_(
        temperature=options.temperature, max_tokens=options.max_tokens, system_prompt=options.system_prompt
    )
    model = load(options.model, device=options.device, trust_remote_code=options.trust_remote_code)
    for note in model.notes:
        err.print(f"note: {note}", markup=False)
    engine, draws = LocalEngine(model), 0
    said: tuple[Message, ...] = ()
    terminal = sys.stdin is not None and sys.stdin.isatty()
    if terminal:
        err.print(HINT)
    while (line := _next("> " if terminal else "")) is not None:
        if line in ("", "/new", "/again"):
            said = () if line == "/new" else said
            if line != "/again" or len(said) < 2:
                continue
            line, said = said[-2].content, said[:-2]
        posed = Posed((*said, Message("user", line)))
        draws += 1
        turn = Task(f"turn/{draws}", posed, {}, "chat")
        played = next(play(system, [turn], {"assistant": engine}, seed=options.seed))
        if played.transcript is None:
            failure = played.failure
            err.print(f"no reply: {failure.message if failure else ''}", style="red", markup=False)
            continue
        out.print(played.transcript.answer, markup=False)
        said = (*posed.messages, Message("assistant", played.transcript.answer))


def _next(prompt: str) -> str | None:
    """The next line of the user; None when there are no more, or they want to leave."""
    try:
        line = read_line(prompt).strip()
    except EOFError:
        return None
    return None if line == "/quit" else line
