"""Judges: stand-ins for the truth on real text, each with its error measured."""

from __future__ import annotations

from groma.judges.rules import Reading, refusal

__all__ = ["Reading", "refusal"]
