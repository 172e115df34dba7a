"""Training methods, one a file: `train(…, config, state=None) -> Iterator[Step]`."""

from __future__ import annotations

from groma.methods import dpo, grpo, kto, online_dpo, ppo, reward, rloo, sft
from groma.methods.checkpoint import load_state, save_folder, save_reward, save_state
from groma.methods.state import Best, Diverged, State, Step
from groma.methods.work import Work

METHODS = {
    "sft": sft,
    "dpo": dpo,
    "kto": kto,
    "reward": reward,
    "ppo": ppo,
    "rloo": rloo,
    "grpo": grpo,
    "online-dpo": online_dpo,
}
"""Name on the command line → module, with its `Config` and `train`."""

__all__ = [
    "METHODS",
    "Best",
    "Diverged",
    "State",
    "Step",
    "Work",
    "dpo",
    "grpo",
    "kto",
    "load_state",
    "online_dpo",
    "ppo",
    "reward",
    "rloo",
    "save_folder",
    "save_reward",
    "save_state",
    "sft",
]
