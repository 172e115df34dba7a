"""The models that are held against each other: base, after supervised fine-tuning, after PPO; shipped, and small; and a
large base that is not aligned.

As in Ouyang et al. 2022 one reward model pays for policies of every size (theirs had 6B parameters, the policies 1.3B
to 175B), and comparisons are made in rounds: of the fine-tuned model's replies first, then also of those of the model
that PPO made of it. Without the second round nobody has ever seen a plain request refused, and refusing everything
pays. Small and large bases are the shipped one but for their sizes, on as many tokens; step sizes go by the bases' own.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace

from groma.methods import ppo, sft
from groma.methods.pay import ByReward
from groma.studies.instructgpt.config import Config, both_rounds, small_ppo, small_tuning
from groma.studies.instructgpt.folds import dealt
from groma.studies.instructgpt.replies import Pair, paired, replied
from groma.studies.lab import Lab, working
from groma.studies.pairing import drawn
from groma.studies.progress import Progress
from groma.worlds.vale import demonstrations

SHIPPED = ("base", "sft", "rlhf")
FIRST = "rlhf-first"
"""The shipped model after the first round."""
SMALL = ("small-base", "small-sft", "small-rlhf")
LARGE = "large-base"


def players(lab: Lab, learned: Sequence[Pair], config: Config) -> Generator[Progress, None, dict[str, int]]:
    """Train all that are not there yet, after "sft"; progress, and how many parameters "shipped", "small" and "large"
    have, and how many comparisons there were in the "first" and "second" round.
    """
    tasks, first = drawn(config.compared, lab.seed + 2), dealt(learned, config.raters)
    pays = yield from lab.rewarding("reward-first", first, config.reward)
    yield from lab.reinforced(FIRST, ppo.train, working(tasks, ByReward([pays]), "reward"), config.ppo)
    both = first + dealt((yield from _again(lab, config)), config.raters)
    pays = yield from lab.rewarding("reward", both, both_rounds(config, len(first), len(both)))
    work = working(tasks, ByReward([pays]), "reward")
    shipped = yield from lab.reinforced("rlhf", ppo.train, work, config.again_ppo)
    yield from lab.based("small-base", lab.own(config.small))
    shown = demonstrations(config.demonstrated, lab.seed, "helpful")
    tuning = replace(small_tuning(config), seed=lab.seed)
    yield from lab.trained(
        "small-sft", "small-base", lambda model, state: sft.train(model, shown, tuning, state), "loss"
    )
    small = yield from lab.reinforced("small-rlhf", ppo.train, work, small_ppo(config), "small-sft")
    yield from lab.based(LARGE, config.large)
    sizes = {"shipped": shipped, "small": small, "large": lab.model(LARGE)}
    counts = {"first": len(first), "second": len(both) - len(first)}
    return {name: one.net.num_parameters() for name, one in sizes.items()} | counts


def _again(lab: Lab, config: Config) -> Generator[Progress, None, list[Pair]]:
    """The pairs of the second round: a reply of the fine-tuned model, and one of what PPO made of it."""
    tasks = drawn(config.again, lab.seed + 6)
    first = yield from replied(lab, "sft", "again", tasks)
    second = yield from replied(lab, FIRST, "again", tasks, draw=1)
    return paired(zip(first, second, strict=True))
