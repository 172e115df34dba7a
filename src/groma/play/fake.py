"""A fake engine is a function: from a request and its seed to a reply. No model, no state, no randomness of its own."""

from __future__ import annotations

import random
from collections.abc import Callable

from groma.formats.errors import BadConfig
from groma.formats.requests import Cost, Failure, Reply, Request

Answer = Callable[[Request, int], Reply | Failure | str]


class FakeEngine:
    """Answers with `function(request, seed)`; a string becomes a reply of so many words, an exception a Failure.

    batch:    how many requests one poll answers (None: all that are pending).
    shuffled: a seed, where the order of answers shall not be the order of requests.
    """

    def __init__(self, function: Answer, *, batch: int | None = None, shuffled: int | None = None) -> None:
        if batch is not None and batch < 1:
            raise BadConfig(f"batch is {batch}; give at least 1, or None for all")
        self._function, self._batch = function, batch
        self._draw = None if shuffled is None else random.Random(shuffled)
        self._pending: list[tuple[int, Request, int]] = []

    def submit(self, ticket: int, request: Request, seed: int) -> None:
        self._pending.append((ticket, request, seed))

    def poll(self) -> list[tuple[int, Reply | Failure]]:
        if self._draw:
            self._draw.shuffle(self._pending)
        now = self._pending[: self._batch]
        del self._pending[: len(now)]
        return [(ticket, self._answer(request, seed)) for ticket, request, seed in now]

    def close(self) -> None:
        self._pending.clear()

    def _answer(self, request: Request, seed: int) -> Reply | Failure:
        try:
            said = self._function(request, seed)
        except Exception as error:
            return Failure("engine", type(error).__name__, str(error))
        if isinstance(said, str):
            return Reply(text=said, stop="end", cost=Cost(completion_tokens=len(said.split()), calls=1))
        return said
