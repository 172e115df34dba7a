"""Reward over-optimisation: gold against pay, as a proxy of the gold is optimised harder. Gao et al. 2022, 2210.10760.

For any model:       forms (of gold over the distance, fits, peaks, predictions), best_of (its KL, its expectation).
The simulator:       config, world, proxies, policies, pools (best-of-n), reinforcement, independent (one dimension).
What comes of it:    simulated (the run), tables (its numbers), criteria (what they are held against).
"""
