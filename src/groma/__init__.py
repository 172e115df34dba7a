"""Groma aligns language models, embodies them as systems, and surveys whether each system is aligned."""

__version__ = "0.1.0"
