"""Training methods, one a file: `train(model, examples, config, state=None, …) -> Iterator[Step]`."""

from __future__ import annotations

from groma.methods import dpo, sft
from groma.methods.checkpoint import load_state, save_folder, save_state
from groma.methods.state import Best, State, Step

METHODS = {"sft": sft, "dpo": dpo}
"""Name on the command line → module, with its `Config` and `train`."""

__all__ = ["METHODS", "Best", "State", "Step", "dpo", "load_state", "save_folder", "save_state", "sft"]
