"""Honest, or only seeming so: what is said, what is believed, and what is true, before and after three raters."""
