"""`watched`: the one wrapper of episodes. Monitors, protocols, attacks and editors of replies are written with it.

A wrapper that drives another generator by hand easily forgets to hand failures on, or to close it; this one does
neither.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from groma.formats.requests import Answered, Asked, Episode

After = Callable[[Asked, Any], Generator[Asked, Any, Answered]]


def watched(episode: Episode, after: After) -> Episode:
    """Play `episode`, and let `after(asked, answered)` say what it gets for each answer.

    `after` is a generator, so that it can ask players of its own; what it returns is sent to the episode, for a tuple
    of requests a tuple. A failed request is thrown into the episode, which may recover, and `after` does not see it.
    Where `after` itself fails, the failure is not the episode's: the episode is closed, and the failure goes on
    outwards.
    """
    try:
        asked = next(episode)
        while True:
            try:
                answered = yield asked
            except Exception as failure:
                asked = episode.throw(failure)
            else:
                asked = episode.send((yield from after(asked, answered)))
    except StopIteration as end:
        return end.value
    finally:
        episode.close()
