"""Replay: a log of answered requests, from which an interrupted play goes on, and an engine that needs no model.

A row: {"system": digest, "task": id, "call": number, "seed", "request": digest, "reply"}. A failed request is
answered, too: what the system did after it depends on it. The first row says what else decides the replies (`about`).

A failure that is `passing` (a server that was down) is no answer: it is asked again, and what its system then asks may
be something else than before. Where the episode went on to act on the world outside it stays what it was, since none of
that is done twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from groma.formats.digest import digest
from groma.formats.errors import BadInput
from groma.formats.jsonl import read_rows
from groma.formats.requests import Failure, Reply, Request
from groma.formats.run_folder import RunFolder
from groma.formats.wire import from_plain, to_plain


class CallKey(NamedTuple):
    """Which request it was: of which system on which task, the how-manieth, with which seed, and what was asked."""

    system: str
    task: str
    call: int
    seed: int
    request: str


Place = tuple[str, str, int, int]
"""A CallKey up to its seed."""


class CallLog:
    """An append-only file of answered requests, one process at a time. A torn last line is dropped.

    about: what decides the replies beside the request, as plain JSON (digests of the weights, precision); a log that
           was written about something else is refused (BadInput), so that replies of two models never mix.
    """

    def __init__(self, path: str | Path, about: Mapping[str, Any] | None = None) -> None:
        self.path = Path(path)
        self._folder = RunFolder(self.path.parent)
        self._answers: dict[Place, tuple[str, Any]] = {}
        self._outages: dict[tuple[str, str], dict[Place, tuple[str, Any]]] = {}
        self._unanswered: set[Place] = set()
        rows = self._folder.read_log(self.path.name)
        head = next(rows, None)
        if head is None:
            self._folder.append(self.path.name, {"about": dict(about or {})})
        elif head.get("about") != dict(about or {}):
            what = f"this log was written about {head.get('about')}, and now it is about {dict(about or {})}"
            raise BadInput(what, where=str(self.path), expected="the same models and settings, or a new log")
        for number, row in enumerate(rows, 2):
            try:
                key = CallKey(*(row[name] for name in CallKey._fields))
                self._take(key, row["reply"])
            except KeyError as error:
                where = f"{self.path}:{number}"
                raise BadInput(f"the row has no {error}", where=where, expected="a row of a call log") from error

    @property
    def answered(self) -> int:
        """How many requests it holds the answer to."""
        return len(self._answers)

    @property
    def unanswered(self) -> int:
        """How many requests this process asked that nobody was there to answer."""
        return len(self._unanswered)

    def had_outage(self, key: CallKey) -> bool:
        """Whether something in this episode was ever asked in vain, so that it may now go another way."""
        return key[:2] in self._outages

    def find(self, key: CallKey) -> Reply | Failure | None:
        """What was answered; None if nothing was yet. BadInput where something else was asked then, and nothing was
        ever asked in vain.
        """
        if key[:4] not in self._answers:
            return None
        request, answer = self._answers[key[:4]]
        if request != key.request and self._outages:
            return None
        if request != key.request:
            raise BadInput(
                f"request {key.call} on task {key.task} was logged as {request}, and now it is {key.request}: "
                f"the system {key.system} does not ask what it asked before",
                where=str(self.path),
                expected="a system that, given the same replies, asks the same; or a new log",
            )
        return from_plain(answer)

    def add(self, *answered: tuple[CallKey, Reply | Failure]) -> None:
        """Keep answers. They outlive the end of this process, at whatever moment."""
        rows = [{**key._asdict(), "reply": to_plain(answer)} for key, answer in answered]
        self._folder.append(self.path.name, *rows)
        for (key, answer), row in zip(answered, rows, strict=True):
            self._take(key, row["reply"])
            vain = isinstance(answer, Failure) and answer.passing
            (self._unanswered.add if vain else self._unanswered.discard)(key[:4])

    def _take(self, key: CallKey, plain: Any) -> None:
        """An answer, or an outage in its place."""
        place, episode = key[:4], key[:2]
        failure = plain if isinstance(plain, Mapping) else {}
        self._outages.get(episode, {}).pop(place, None)
        if failure.get("passing"):
            self._answers.pop(place, None)
            self._outages.setdefault(episode, {})[place] = key.request, plain
            return
        self._answers[place] = key.request, plain
        if failure.get("boundary") == "interrupted" and (before := self._outages.get(episode)):
            for other in [one for one in before if one[2] < key.call]:
                self._answers[other] = before.pop(other)

    def by_content(self) -> dict[tuple[int, str], Any]:
        """All answers, and failures in their place, plain, by seed and digest of the request."""
        vain = (one for outages in self._outages.values() for one in outages.items())
        return {(place[3], request): answer for place, (request, answer) in (*vain, *self._answers.items())}


class ReplayEngine:
    """Answers from a log, with no model. What was never asked with this seed is a Failure of kind `not_logged`."""

    def __init__(self, log: CallLog) -> None:
        self._answers = log.by_content()
        self._name = log.path.name
        self._pending: list[tuple[int, Request, int]] = []

    @classmethod
    def of_file(cls, path: str | Path) -> ReplayEngine:
        """Of a log that lies there, whatever it is about. BadInput where there is none."""
        head = next(read_rows(path), None)
        about = head[1].get("about") if head else None
        if not isinstance(about, dict):
            raise BadInput("this is no call log", where=str(path), expected="a file of calls/ in a run folder")
        return cls(CallLog(path, about))

    def submit(self, ticket: int, request: Request, seed: int) -> None:
        self._pending.append((ticket, request, seed))

    def poll(self) -> list[tuple[int, Reply | Failure]]:
        now, self._pending = self._pending, []
        return [(ticket, self._answer(request, seed)) for ticket, request, seed in now]

    def close(self) -> None:
        self._pending.clear()

    def _answer(self, request: Request, seed: int) -> Reply | Failure:
        answer = self._answers.get((seed, digest(request)))
        if answer is None:
            what = f"{self._name} holds no answer to this {type(request).__name__} with seed {seed}"
            return Failure("engine", "not_logged", what)
        return from_plain(answer)
