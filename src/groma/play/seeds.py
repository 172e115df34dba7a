"""Seeds of requests: from what a request is part of, never from the order in which requests came."""

from __future__ import annotations

from groma.formats.digest import digest


def seed_of(*parts: str | int) -> int:
    """A number below 2^63 that `parts` decide, the same on every machine: the first 63 bits of their digest."""
    return int(digest(*parts), 16) >> 1
