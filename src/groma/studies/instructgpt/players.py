"""The models that are held against each other: base, after supervised fine-tuning, after PPO; large, and small.

As in Ouyang et al. 2022 one reward model, the large one, pays for policies of every size (theirs had 6B parameters, the
policies 1.3B to 175B). The small base is built here, by the recipe of the shipped one but for its size and a
shorter corpus; its step sizes are larger by the factor between the bases' own.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace

from groma.methods import ppo, sft
from groma.methods.pay import ByReward
from groma.studies.instructgpt.config import Config, small_ppo, small_tuning
from groma.studies.instructgpt.folds import dealt
from groma.studies.instructgpt.replies import Pair
from groma.studies.lab import Lab, working
from groma.studies.pairing import drawn
from groma.studies.progress import Progress
from groma.worlds.vale import demonstrations

LARGE = ("base", "sft", "rlhf")
SMALL = ("small-base", "small-sft", "small-rlhf")


def players(lab: Lab, learned: Sequence[Pair], config: Config) -> Generator[Progress, None, dict[str, int]]:
    """Train all that are not there yet, after "sft"; progress, and the number of parameters of "large" and "small"."""
    pays = yield from lab.rewarding("reward", dealt(learned, config.raters), config.reward)
    work = working(drawn(config.compared, lab.seed + 2), ByReward([pays]), "reward")
    large = yield from lab.reinforced("rlhf", ppo.train, work, config.ppo)
    yield from lab.based("small-base", config.small)
    shown = demonstrations(config.demonstrated, lab.seed, "helpful")
    tuning = replace(small_tuning(config), seed=lab.seed)
    yield from lab.trained(
        "small-sft", "small-base", lambda model, state: sft.train(model, shown, tuning, state), "loss"
    )
    small = yield from lab.reinforced("small-rlhf", ppo.train, work, small_ppo(config), "small-sft")
    return {"large": large.net.num_parameters(), "small": small.net.num_parameters()}
