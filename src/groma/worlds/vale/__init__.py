"""Vale, the small country whose complete truth is known.

`lexicon.py`, `things.py`, `facts.py` and `harm.py` are the country; `tasks/` is what is asked of systems there.
"""

from groma.worlds.vale.corpus import documents
from groma.worlds.vale.country import Country, country
from groma.worlds.vale.demonstrations import demonstrations
from groma.worlds.vale.rater import Rater, truthful
from groma.worlds.vale.weeks import WEEKS, Weeks
from groma.worlds.vale.world import VALE, Vale

__all__ = ["VALE", "WEEKS", "Country", "Rater", "Vale", "Weeks", "country", "demonstrations", "documents", "truthful"]
