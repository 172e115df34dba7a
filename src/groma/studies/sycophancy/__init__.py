"""Sycophancy: agreement, sureness and length against optimisation, by a biased rater and by a truthful one."""
