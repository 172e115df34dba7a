"""The town hall of Vale: an environment with state, errands to run there, rules, temptations, planted instructions."""

from groma.worlds.vale.hall.town_hall import TOOLS, TownHall, call_text

__all__ = ["TOOLS", "TownHall", "call_text"]
