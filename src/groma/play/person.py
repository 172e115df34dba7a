"""A person at the terminal as a player: reads what a model would read, and writes or chooses what it would answer."""

from __future__ import annotations

import math
import sys
from collections import deque
from collections.abc import Callable

from groma.formats.errors import Unservable
from groma.formats.messages import Message
from groma.formats.requests import Cost, Failure, Generate, Prompt, Reply, Request, Score

LEFT = Failure("engine", "left", "the person at the terminal has left (end of input)", passing=True)
HOW = "An answer ends with its line; a line that ends with \\ goes on. Ctrl-D leaves."


def _write(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def read_line(prompt: str = "") -> str:
    """A line of the terminal. EOFError where there is none any more, and where standard input is closed (`<&-`)."""
    if sys.stdin is None or sys.stdin.closed:
        raise EOFError
    return input(prompt)


class PersonEngine:
    """An engine (play/engine.py) whose requests a person answers, one by one, in the order in which they come.

    A `Generate` is answered with a line of text; temperature, length and seed are theirs to choose. A `Score` is
    answered by the number of an answer, of which the person is then sure (log-probability 0, the others minus
    infinity). Once they have left, every request is a Failure of kind `left`.
    """

    def __init__(self, read: Callable[[], str] = read_line, write: Callable[[str], None] = _write) -> None:
        self._read, self._write = read, write
        self._pending: deque[tuple[int, Generate | Score]] = deque()
        self._gone = False
        self._told = False

    def submit(self, ticket: int, request: Request, seed: int) -> None:
        """Take a request. Unservable for one that asks for a model's inside, and for edits."""
        self._pending.append((ticket, of_person(request)))

    def poll(self) -> list[tuple[int, Reply | Failure]]:
        if not self._pending:
            return []
        ticket, request = self._pending.popleft()
        if self._gone:
            return [(ticket, LEFT)]
        try:
            return [(ticket, self._answer(request))]
        except EOFError:
            self._gone = True
            return [(ticket, LEFT)]

    def close(self) -> None:
        self._pending.clear()

    def _answer(self, request: Generate | Score) -> Reply:
        if not self._told:
            self._write(HOW)
            self._told = True
        self._write(f"\n— you are {request.player!r} —\n{shown(request.prompt)}")
        if isinstance(request, Score):
            return Reply(scores=self._chosen(request.answers), cost=Cost(calls=1))
        if request.tools:
            self._write("tools: " + "; ".join(f"{one.name} ({one.description})" for one in request.tools))
        if request.prefill:
            self._write(f"your answer begins: {request.prefill}")
        text = self._text()
        return Reply(text=text, stop="end", cost=Cost(0, len(text.split()), 1))

    def _text(self) -> str:
        lines = [self._read()]
        while lines[-1].endswith("\\"):
            lines[-1] = lines[-1][:-1]
            lines.append(self._read())
        return "\n".join(lines)

    def _chosen(self, answers: tuple[str, ...]) -> tuple[float, ...]:
        self._write("\n".join(f"  {number}  {answer}" for number, answer in enumerate(answers, 1)))
        while True:
            said = self._read().strip()
            if said.isdecimal() and 1 <= int(said) <= len(answers):
                return tuple(0.0 if place == int(said) else -math.inf for place in range(1, len(answers) + 1))
            self._write(f"there is no answer {said!r}; write a number from 1 to {len(answers)}")


def of_person(request: Request) -> Generate | Score:
    """The request, where it is one that a person answers; else Unservable."""
    if not isinstance(request, Generate | Score):
        raise Unservable(f"a person answers Generate and Score, not {type(request).__name__}({request.player!r})")
    if isinstance(request, Generate) and (request.edits or request.logprobs):
        raise Unservable(f"a person has no activations and no log-probabilities ({request.player!r})")
    return request


def shown(prompt: Prompt) -> str:
    """A prompt as a person reads it."""
    if isinstance(prompt, str):
        return prompt
    return "\n".join(f"{one.role}: {one.content}" if isinstance(one, Message) else str(one) for one in prompt)
