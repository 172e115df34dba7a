"""Records → one self-contained page, and the same matrix for the terminal. Never runs a model."""

from __future__ import annotations

from groma.report.page import write_page
from groma.report.table import sentences, tables

__all__ = ["sentences", "tables", "write_page"]
