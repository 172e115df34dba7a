"""Raters, reward models, small aligned models against large ones, and toxicity on request: Ouyang et al. 2022, on Vale.

The data:  config (how much of everything), replies (what models reply, and the pairs that raters are shown).
The parts: agreement (of raters), folds (reward models, raters held out), players (the models), contests (whose reply is
           preferred), toxicity (under three headers).
The page:  criteria (what is required), pictures (charts and tables), study (the run, and what it says).
"""
