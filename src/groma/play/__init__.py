"""Who answers requests: the drivers, seeds, budgets, a fake engine, logs and replay. Torch-free."""

from __future__ import annotations

from groma.play.asker import Asker, BrokenEngine, asker_of
from groma.play.asynchronous import play_async
from groma.play.budget import Budget, Purse
from groma.play.driver import play
from groma.play.engine import Embodiment, Engine, Seat
from groma.play.fake import FakeEngine
from groma.play.person import PersonEngine
from groma.play.remote import RemoteEngine, Server
from groma.play.replay import CallLog, ReplayEngine
from groma.play.seeds import seed_of
from groma.play.toolbox import Hung, Toolbox

__all__ = [
    "Asker",
    "BrokenEngine",
    "Budget",
    "CallLog",
    "Embodiment",
    "Engine",
    "FakeEngine",
    "Hung",
    "PersonEngine",
    "Purse",
    "RemoteEngine",
    "ReplayEngine",
    "Seat",
    "Server",
    "Toolbox",
    "asker_of",
    "play",
    "play_async",
    "seed_of",
]
