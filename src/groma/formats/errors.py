"""The errors that a user can mend. The command line prints them without a traceback and leaves with code 2.

GromaError            the base: says what is wrong, which values are possible and what to do
|- BadInput           a file, a line, a column or a value that was given is not what is expected
|- BadConfig          an option that is unknown, contradictory or without effect
|- Unservable         an engine was asked for something that it cannot answer
"""

from __future__ import annotations


class GromaError(Exception):
    """An error with a mend. Its text is all that the user sees, so it names the value, the choices and what to do."""


class BadInput(GromaError):
    """Something read from outside is wrong. `where` is a file, or `file:line`."""

    def __init__(self, what: str, *, where: str = "", expected: str = "") -> None:
        text = f"{where}: {what}" if where else what
        super().__init__(f"{text}\n  expected: {expected}" if expected else text)
        self.what, self.where, self.expected = what, where, expected


class BadConfig(GromaError):
    """An option that cannot be meant: unknown, out of range, contradicting another, or inert."""


class Unservable(GromaError):
    """The request is legal, but this engine cannot answer it (say, activations from a remote server)."""


class BudgetSpent(Exception):
    """A play ended before its last task: a player has spent what it may in all."""
