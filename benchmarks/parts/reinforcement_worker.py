"""One side of benchmarks/reinforcement.py in a process of its own: trains, and prints its time and peak memory as JSON.

    python benchmarks/parts/reinforcement_worker.py SIDE MODEL_FOLDER BATCHES

Sides: see SIDES; "ppo, TRL" needs TRL 1.12, the last release that has PPO, in front of the path. Every side reads the
same model and prompts, draws replies of exactly LENGTH tokens at temperature 1, is paid by the same reward model (GRPO:
by a function) and learns in float32 at one step size, with no checkpointing of activations. A short run of the same
side goes before the one that is timed.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from datasets import Dataset
from parts.speed_data import BATCH, FIRST, demonstrations, text, tokenizer
from parts.worker import RATE, Clock, Side, Timed, pairs, plain, tell
from transformers import AutoModelForSequenceClassification, LlamaForCausalLM

from groma.formats.examples import Preference
from groma.formats.messages import Message
from groma.formats.task import Posed, Task
from groma.methods import grpo, ppo, reward
from groma.methods.pay import ByFunction, ByReward, Named
from groma.methods.work import Work
from groma.models.load import assemble, load
from groma.models.model import Model
from groma.models.reward import RewardModel
from groma.models.scalar import with_head
from groma.systems import SYSTEMS

LENGTH, EPOCHS, GROUP = 48, 4, 8


def prompts(count: int) -> list[str]:
    return [text(asked) for asked, _ in demonstrations(count)]


def scalar(folder: Path) -> Any:
    """A sequence classifier of the same size, which pays or is the critic: the same weights for every side."""
    return with_head(load(folder), 0.05, seed=1).net


def endless(folder: Path) -> Model:
    """The model, of which no reply ends before its last token."""
    net, told = LlamaForCausalLM.from_pretrained(folder), tokenizer()
    net.config.eos_token_id = net.generation_config.eos_token_id = None
    told.eos_token = None
    told.chat_template = "{% for one in messages %}{{ one.content }} {% endfor %}"
    return assemble(net, told, "random", "random")


def work(folder: Path, count: int, pay: Any) -> Work:
    tasks = [Task(f"t{n}", Posed((Message("user", one),)), {}, "say") for n, one in enumerate(prompts(count))]
    return Work(SYSTEMS["chat"].with_(max_tokens=LENGTH), tasks, [Named("pay", pay)])


def ours_ppo(folder: Path, batches: int, **options: Any) -> Timed:
    model = endless(folder)
    pays = RewardModel(assemble(scalar(folder), model.tokenizer, "reward", "reward"))
    config = ppo.Config(
        batch_size=BATCH, max_steps=batches, learning_rate=RATE, schedule="constant", epochs=EPOCHS, **options
    )
    playing = work(folder, BATCH * batches, ByReward([pays]))
    begun = time.perf_counter()
    for _ in ppo.train(model, playing, config):
        pass
    return Timed(time.perf_counter() - begun, BATCH * batches)


def peer_ppo(folder: Path, batches: int) -> Timed:
    from trl.experimental.ppo import PPOConfig, PPOTrainer

    told = tokenizer()
    rows = Dataset.from_list([{"input_ids": told(one)["input_ids"]} for one in prompts(BATCH * batches)])
    made = PPOConfig(
        **plain("ppo"),
        per_device_train_batch_size=BATCH,
        total_episodes=BATCH * batches,
        num_ppo_epochs=EPOCHS,
        response_length=LENGTH,
        temperature=1.0,
        num_sample_generations=0,
    )
    with tempfile.TemporaryDirectory() as place:
        scalar(folder).save_pretrained(place)
        pays, critic = (AutoModelForSequenceClassification.from_pretrained(place) for _ in range(2))
    trainer = PPOTrainer(
        args=made,
        processing_class=told,
        model=LlamaForCausalLM.from_pretrained(folder),
        ref_model=LlamaForCausalLM.from_pretrained(folder),
        reward_model=pays,
        value_model=critic,
        train_dataset=rows,
        eval_dataset=rows.select(range(2)),
    )
    begun = time.perf_counter()
    trainer.train()
    return Timed(time.perf_counter() - begun, BATCH * batches)


def paid_words(texts: list[str]) -> list[float]:
    """What GRPO is paid on both sides: the share of words of the vocabulary's first half."""
    each = [[int(word[1:]) for word in one.split() if word.startswith("w")] for one in texts]
    return [sum(word < 2048 + FIRST for word in words) / max(len(words), 1) for words in each]


def ours_grpo(folder: Path, batches: int) -> Timed:
    size = 2 * BATCH
    config = grpo.Config(
        batch_size=size, samples=GROUP, max_steps=batches, learning_rate=RATE, schedule="constant", kl_coef=0.04
    )
    pay = ByFunction(lambda task, transcript: paid_words([transcript.answer])[0])
    playing = work(folder, size // GROUP * batches, pay)
    begun = time.perf_counter()
    for _ in grpo.train(endless(folder), playing, config):
        pass
    return Timed(time.perf_counter() - begun, size * batches)


def peer_grpo(folder: Path, batches: int) -> Timed:
    from trl import GRPOConfig, GRPOTrainer

    size, clock, told = 2 * BATCH, Clock(), tokenizer()
    told.padding_side = "left"
    rows = Dataset.from_list([{"prompt": one} for one in prompts(size // GROUP * batches)])
    made = GRPOConfig(
        **plain("grpo"),
        per_device_train_batch_size=size,
        num_generations=GROUP,
        max_completion_length=LENGTH,
        temperature=1.0,
        beta=0.04,
        loss_type="grpo",
    )
    net = LlamaForCausalLM.from_pretrained(folder)
    net.generation_config.eos_token_id = net.config.eos_token_id = None
    trainer = GRPOTrainer(
        net,
        lambda completions, **_: paid_words(completions),
        made,
        train_dataset=rows,
        processing_class=told,
        callbacks=[clock],
    )
    trainer.generation_config.eos_token_id = None
    trainer.train()
    return Timed(clock.seconds, size * batches)


def ours_reward(folder: Path, batches: int) -> Timed:
    data = [
        Preference((Message("user", asked),), (Message("assistant", good),), (Message("assistant", bad),))
        for asked, good, bad in pairs(BATCH * batches)
    ]
    made, config = reward.begin(load(folder)), reward.Config(batch_size=BATCH, learning_rate=RATE, epochs=1)
    run, begun = reward.train(made, data, config), time.perf_counter()
    for _ in run:
        pass
    return Timed(time.perf_counter() - begun, len(data))


def peer_reward(folder: Path, batches: int) -> Timed:
    from trl import RewardConfig, RewardTrainer

    data = pairs(BATCH * batches)
    rows = Dataset.from_list([{"prompt": f"{a} ", "chosen": good, "rejected": bad} for a, good, bad in data])
    clock = Clock()
    made = RewardConfig(**plain("reward"), per_device_train_batch_size=BATCH, max_length=None)
    net = scalar(folder)
    net.config.pad_token_id = 0
    trainer = RewardTrainer(net, made, train_dataset=rows, processing_class=tokenizer(), callbacks=[clock])
    trainer.train()
    return Timed(clock.seconds, len(data))


SIDES: dict[str, Side] = {
    "ppo, shared trunk": ours_ppo,
    "ppo, separate critic": lambda folder, batches: ours_ppo(folder, batches, critic="separate"),
    "ppo, TRL": peer_ppo,
    "grpo": ours_grpo,
    "grpo, TRL": peer_grpo,
    "reward": ours_reward,
    "reward, TRL": peer_reward,
}


if __name__ == "__main__":
    tell(SIDES, sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
