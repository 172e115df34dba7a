"""Lines of progress in the log, for what takes long before the first step: how much is done, and the time left."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator
from typing import TypeVar

EVERY = 5.0
"""Seconds between two lines; what is done sooner says nothing."""

One = TypeVar("One")


def told(items: Collection[One], what: str, log: logging.Logger) -> Iterator[One]:
    """The items one by one, with a line of `log` now and then."""
    began = last = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        if done and now - last >= EVERY:
            last = now
            log.info("%s: %d of %d, %.0f s left", what, done, len(items), (now - began) * (len(items) - done) / done)
        yield item
