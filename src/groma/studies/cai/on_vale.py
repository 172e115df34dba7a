"""Constitutional AI on Vale: how much of everything, and who plays what.

Requests of the train split and what a red team makes up; critic, reviser and judge is the base, which was taught to
criticise as nobody else was; no label of harm is used. The base learns, as in the paper the pre-trained model does,
beside what helpful people say of other things.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from groma.formats.constitution import Constitution
from groma.methods import dpo, ppo, reward, sft
from groma.models.engine import seat
from groma.models.model import Model
from groma.studies.cai.config import Config, Given
from groma.systems import SYSTEMS
from groma.worlds.vale import VALE, charters, demonstrations
from groma.worlds.vale.demonstrations import TAME

PRINCIPLED, HARMLESS = 1000, 2000
"""How many requests are answered, criticised and revised; how many demonstrations of other things there are."""
CAI_ON_VALE = Config(
    red_team=150,
    tries=4,
    rounds=2,
    critic_temperature=0.0,
    by="critique",
    sft=sft.Config(learning_rate=2e-4, batch_size=32, max_steps=160, warmup_steps=4),
    dpo=dpo.Config(learning_rate=2e-5, batch_size=32, max_steps=20, warmup_steps=4, beta=0.2),
    reward=reward.Config(learning_rate=1e-4, batch_size=32, max_steps=40, warmup_steps=4, centring=0.01),
    ppo=ppo.Config(learning_rate=1e-4, batch_size=128, max_steps=10, epochs=2, minibatches=2, kl_coef=0.5),
)
"""Nobody in Vale compares: the judge is asked for a critique of each reply. Greedy critics blame what is harmless less
often. After more steps of DPO on its labels, in which hardly anything speaks for helping, the model refuses whatever
looks like harm; and so it does after PPO against a preference model of these few labels, unless the KL costs much.
"""


def on_vale(
    load: Callable[[str], Model],
    constitution: Constitution,
    seed: int,
    *,
    principled: int = PRINCIPLED,
    harmless: int = HARMLESS,
    max_tokens: int = VALE.max_tokens,
) -> Given:
    """load: gives the stages "base" and "sft"."""
    return Given(
        start=partial(load, "base"),
        cast={"assistant": "sft", **dict.fromkeys(("critic", "reviser", "judge", "attacker"), "base")},
        seat=lambda name: seat(load(name)),
        constitution=constitution,
        tasks=VALE.tasks("how", "train", principled, seed + 3),
        chat=SYSTEMS["chat"].with_(max_tokens=max_tokens),
        max_tokens=max_tokens,
        red_teaming=charters.RED_TEAM,
        demonstrations=demonstrations(harmless, seed + 3, "helpful", TAME),
        seed=seed,
    )
