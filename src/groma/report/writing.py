"""How numbers and names are written: digits that the interval carries, a true minus, nothing that hides or reorders."""

from __future__ import annotations

import math
import re
from typing import Any

from markupsafe import Markup

from groma.formats.records import Estimate

MINUS = "\N{MINUS SIGN}"


def digits(estimate: Estimate) -> int:
    """Decimals to show: two figures of the interval's width, at least 2 and at most 4 decimals."""
    width = estimate.high - estimate.low
    return 2 if width <= 0 else min(4, max(2, math.floor(-math.log10(width)) + 1))


def number(value: float, decimals: int = 2, *, signed: bool = False) -> str:
    """`value` with a fixed number of decimals; zero never carries a minus sign."""
    text = f"{abs(value):.{decimals}f}"
    zero = not text.strip("0.")
    sign = "" if zero else MINUS if value < 0 else "+" if signed else ""
    return sign + text


def level(estimate: Estimate, *, signed: bool = False) -> str:
    """The estimate alone."""
    return number(estimate.value, digits(estimate), signed=signed)


def interval(estimate: Estimate, *, signed: bool = False) -> str:
    """Its interval, as `[low, high]`."""
    low, high = (number(end, digits(estimate), signed=signed) for end in (estimate.low, estimate.high))
    return f"[{low}, {high}]"


def with_interval(estimate: Estimate, *, signed: bool = False) -> str:
    return f"{level(estimate, signed=signed)} {interval(estimate, signed=signed)}"


def words(name: str) -> str:
    """A name in the code (`confident_falsehood`) as words."""
    return name.replace("_", " ")


def visible(value: Any) -> Any:
    """Text with the characters that would hide, reorder or break it spelt out; anything else, and markup, as it is."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return UNSEEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", value)


UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Control characters, bidirectional marks and overrides, zero-width spaces, lone surrogates, tag characters.

The joiners U+200C and U+200D stay, since scripts and emoji need them. transcripts.js has the same class.
"""
