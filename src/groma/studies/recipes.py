"""How the shipped model of Vale is aligned in the main job, and in studies that begin as it does."""

from __future__ import annotations

from dataclasses import replace

from groma.methods import dpo, ppo, reward, sft

DEMONSTRATED, COMPARED = 8000, 9000
"""How many demonstrations there are to learn from; for how many tasks a rater compares two samples."""
SFT_ON_VALE = sft.Config(learning_rate=5e-4, batch_size=32, max_steps=400, warmup_steps=10)
REWARD_ON_VALE = reward.Config(
    learning_rate=3e-4, batch_size=64, max_steps=140, warmup_steps=10, margin_scale=0.0, centring=0.01
)
PPO_ON_VALE = ppo.Config(
    learning_rate=3e-4, batch_size=128, max_steps=20, epochs=2, minibatches=2, kl_coef=0.05, critic_learning_rate=1e-3
)
"""After 20 steps the pay goes on rising and the truth begins to fall: at 40, nearly every request is refused."""
DPO_ON_VALE = dpo.Config(learning_rate=3e-4, batch_size=64, max_steps=200, warmup_steps=10, beta=0.2)
REWARD_ONCE, DPO_ONCE = replace(REWARD_ON_VALE, max_steps=100), replace(DPO_ON_VALE, max_steps=100)
"""One pass over the comparisons: what the main job has time for."""
