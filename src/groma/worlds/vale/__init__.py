"""Vale, the small country whose complete truth is known: see `lexicon.py`, `facts.py` and `harm.py` for the country
itself.
"""

from groma.worlds.vale.corpus import documents
from groma.worlds.vale.demonstrations import demonstrations
from groma.worlds.vale.rater import Rater, truthful
from groma.worlds.vale.world import VALE, Vale

__all__ = ["VALE", "Rater", "Vale", "demonstrations", "documents", "truthful"]
