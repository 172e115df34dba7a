"""`side_by_side`: many episodes as one, so that their requests reach an engine together.

What each of them asks is asked in one tuple, and each goes on when all are answered. With `forked` every one of them
acts in a branch of its own, a copy of the environment as it was when they began; `keep` lets one of those take effect.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from groma.formats.requests import Act, Asked, Episode, Failed, Failure, Fork, Keep, Reply, Request
from groma.formats.transcript import Transcript

Ended = Transcript | Failure


@dataclass(slots=True)
class _One:
    """One of the episodes: what it waits for, and how it ended."""

    episode: Episode
    branch: str
    asked: Asked | None = None
    ended: Ended | None = None

    def requests(self) -> list[Request]:
        if self.asked is None:
            return []
        return [self._placed(one) for one in (self.asked if isinstance(self.asked, tuple) else (self.asked,))]

    def _placed(self, request: Request) -> Request:
        """The same request, in this episode's own branch."""
        if isinstance(request, Act):
            return replace(request, branch=self.branch + request.branch)
        if isinstance(request, Fork | Keep):
            return replace(request, branch=self.branch + request.branch, of=self.branch + request.of)
        return request

    def go_on(self, answers: Sequence[Reply | Failure]) -> None:
        """Hand it its answers, and let it go on to its next request, or to its end."""
        alone = None if self.asked is None else answers[0]
        try:
            if self.asked is None or isinstance(self.asked, tuple):
                self.asked = self.episode.send(None if self.asked is None else tuple(answers))
            elif isinstance(alone, Failure):
                self.asked = self.episode.throw(Failed(alone))
            else:
                self.asked = self.episode.send(alone)
        except StopIteration as end:
            self.ended, self.asked = end.value, None
        except Failed as failed:
            self.ended, self.asked = failed.failure, None


def side_by_side(episodes: Sequence[Episode], *, forked: bool = False) -> Generator[Asked, Any, tuple[Ended, ...]]:
    """Play `episodes` together; what became of each, in their order. One that fails leaves the others alone.

    An exception that is not a failed request (a fault in a system's own code) ends all of them.
    """
    every = [_One(one, f"{number}/" if forked else "") for number, one in enumerate(episodes)]
    with ExitStack() as closing:
        for one in every:
            closing.callback(one.episode.close)
        if forked and every:
            for answer in (yield tuple(Fork(branch=one.branch) for one in every)):
                if isinstance(answer, Failure):
                    raise Failed(answer)
        for one in every:
            one.go_on(())
        while waiting := [(one, one.requests()) for one in every if one.ended is None]:
            answers = yield tuple(request for _, requests in waiting for request in requests)
            start = 0
            for one, requests in waiting:
                one.go_on(answers[start : start + len(requests)])
                start += len(requests)
    return tuple(one.ended for one in every if one.ended is not None)


def keep(number: int) -> Generator[Asked, Any, None]:
    """Let what the episode `number` of a forked `side_by_side` did be what was done."""
    yield Keep(branch=f"{number}/")
