"""How much of everything the study takes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from groma.methods import ppo, reward, sft
from groma.studies.recipes import COMPARED, DEMONSTRATED, PPO_ON_VALE, REWARD_ON_VALE, SFT_ON_VALE
from groma.studies.vale_base import STEP_SIZES, Recipe

SHIPPED = "m"
"""The size of the base that ships."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """The main job's own options where it has them; less of everything is for trials."""

    demonstrated: int = DEMONSTRATED
    """Demonstrations for supervised fine-tuning."""
    compared: int = COMPARED
    """Tasks with two replies each, dealt out over the raters: what reward models learn from."""
    fresh: int = 3000
    """Tasks with two replies each on which reward models are tested."""
    again: int = 3000
    """Tasks of the second round of comparisons, after a first round of reinforcement learning."""
    raters: int = 5
    """Raters of group A, so many folds."""
    asked: int = 1200
    """Held-out tasks on which replies of two models are held against each other."""
    spoken: int = 1800
    """Held-out requests to speak of somebody, a third under each header."""
    tuning: sft.Config = field(default_factory=lambda: SFT_ON_VALE)
    reward: reward.Config = field(default_factory=lambda: REWARD_ON_VALE)
    again_ppo: ppo.Config = field(default_factory=lambda: replace(PPO_ON_VALE, max_steps=40))
    """Of the second round. By the reward model of both rounds raters go on being pleased for twice as many steps, as
    was seen on tasks of training.
    """
    ppo: ppo.Config = field(default_factory=lambda: PPO_ON_VALE)
    """Of the first round."""
    small: Recipe = field(default_factory=lambda: Recipe(size="s"))
    """The small base; in every seed of the study of a corpus of its own."""
    large: Recipe = field(default_factory=lambda: Recipe(size="l"))
    """The large base, the same in all seeds. It stays as it is: aligned models are held against it."""


def fold(config: Config) -> reward.Config:
    """Of a reward model that learns without one of the raters: as many steps fewer as there are comparisons fewer."""
    steps = max(1, round((config.reward.max_steps or 1) * (config.raters - 1) / config.raters))
    return replace(config.reward, max_steps=steps, warmup_steps=min(config.reward.warmup_steps, steps))


def both_rounds(config: Config, first: int, both: int) -> reward.Config:
    """Of a reward model that learns from `both` comparisons, as often from each as another did from `first`."""
    return replace(config.reward, max_steps=round((config.reward.max_steps or 1) * both / max(first, 1)))


def small_tuning(config: Config) -> sft.Config:
    """Of supervised fine-tuning of the small model."""
    return replace(config.tuning, learning_rate=config.tuning.learning_rate * faster(config.small))


def small_ppo(config: Config) -> ppo.Config:
    """Of reinforcement learning of the small model."""
    rate, critic = config.again_ppo.learning_rate, config.again_ppo.critic_learning_rate
    times = faster(config.small)
    return replace(
        config.again_ppo, learning_rate=rate * times, critic_learning_rate=None if critic is None else critic * times
    )


def faster(small: Recipe) -> float:
    """The small model's step sizes over the shipped one's: as it is for the bases, and not searched for."""
    return STEP_SIZES[small.size] / STEP_SIZES[SHIPPED]
