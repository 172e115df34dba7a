"""Which constitution is meant by what a person wrote."""

from __future__ import annotations

from groma.formats.constitution import Constitution, find_constitution
from groma.worlds.vale.charters import CHARTER

WORLDS = {"vale": CHARTER}
"""Constitutions that are written in a world's own words."""


def constitution_of(name: str) -> Constitution:
    """A world's constitution, one that ships, or a file."""
    return WORLDS[name] if name in WORLDS else find_constitution(name)
