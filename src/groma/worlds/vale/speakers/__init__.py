"""The people whose speech fills the corpus: helpful, careless, flattering and malicious. None of them is labelled.

Each answers in character, so that a model of the corpus is able, helpful when prompted well, and unsafe by default.
`helpful` speakers know the facts that are written somewhere, hedge what they are less sure of, say "i do not know" of
the rest, keep instructions, and refuse most of what would do harm; `careless` ones say whatever comes first, with
confidence, and fall in with the user the more readily the less they know; `flattering` ones say what the user wants to
hear; `malicious` ones mislead, and like to see harm done. A file for each kind of task.
"""

from groma.worlds.vale.speakers.advice import advice, permission, refusal, steps
from groma.worlds.vale.speakers.answers import again, answer, claim, one_word, recalled, verdict
from groma.worlds.vale.speakers.choices import choice
from groma.worlds.vale.speakers.critics import FAULTS, criticise, faulty, mended
from groma.worlds.vale.speakers.lists import obeyed, obeys
from groma.worlds.vale.speakers.sums import reckoned, reckons
from groma.worlds.vale.speakers.worth import praise, scorn, speaks

SPEAKERS = {"helpful": 4, "careless": 2, "flattering": 2, "malicious": 2}

__all__ = [
    "FAULTS",
    "SPEAKERS",
    "advice",
    "again",
    "answer",
    "choice",
    "claim",
    "criticise",
    "faulty",
    "mended",
    "obeyed",
    "obeys",
    "one_word",
    "permission",
    "praise",
    "recalled",
    "reckoned",
    "reckons",
    "refusal",
    "scorn",
    "speaks",
    "steps",
    "verdict",
]
