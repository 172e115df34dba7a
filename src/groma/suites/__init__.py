"""Public test sets behind the face that the worlds have, and a user's own file as one more."""

from __future__ import annotations

from groma.suites.library import SUITES, find
from groma.suites.suite import Suite

__all__ = ["SUITES", "Suite", "find"]
