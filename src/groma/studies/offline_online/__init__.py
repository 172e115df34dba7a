"""Offline and online methods of preference optimisation, paid by one rater: truth against KL, a rater who changes her
mind, and what each method costs.

config (sizes and options), training (six methods by one interface), measuring (every model on the same held-out tasks),
curves (equal KL, best-of-n, task by task), memory (one method in a process of its own), study (the run), results,
criteria, tables and page (what it found).
"""
