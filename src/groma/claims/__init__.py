"""Claims: falsifiable statements about systems, and the tests that decide them.

claim       what is claimed            file             read from TOML
scale       thresholds and failures    subject          what is counted, in which forms
population  of which items             trial            one item, tried
course      the evidence so far        ends             the interval so far
family      Holm over 1 / max e        decide           blocks, in order, until decided
lock        frozen beforehand          counterexample   made small
verdict     what became of it          told             in words
beside      what is to be read with it
"""

from __future__ import annotations

from groma.claims.claim import Claim
from groma.claims.decide import Run, decide
from groma.claims.file import read_claims
from groma.claims.lock import freeze, frozen, hold
from groma.claims.population import Population, declared
from groma.claims.scale import against_the_grain, scale_of
from groma.claims.subject import errs, other_side, other_side_of, paired, population_of
from groma.claims.told import verdict_of
from groma.claims.trial import Bound, Embodied
from groma.claims.verdict import Verdict, exit_code

__all__ = [
    "Bound",
    "Claim",
    "Embodied",
    "Population",
    "Run",
    "Verdict",
    "against_the_grain",
    "decide",
    "declared",
    "errs",
    "exit_code",
    "freeze",
    "frozen",
    "hold",
    "other_side",
    "other_side_of",
    "paired",
    "population_of",
    "read_claims",
    "scale_of",
    "verdict_of",
]
