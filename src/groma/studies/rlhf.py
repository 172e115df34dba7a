"""Reinforcement learning from human feedback, step by step: a reward model from comparisons, then PPO against it.

Ouyang et al. 2022, steps 2 and 3. The reward model begins as the fine-tuned model, learns the same comparisons that DPO
learns, and is set against the fine-tuned model's replies; PPO starts from the fine-tuned model and plays it as `chat`.
On Vale the tasks are of the kinds that were compared, drawn anew; on a user's own data they are the prompts compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from groma.formats.examples import Preference, Text
from groma.formats.messages import Message
from groma.formats.task import Posed, Task
from groma.methods import ppo, reward
from groma.methods.checkpoint import save_reward
from groma.methods.keeping import kept, state_beside
from groma.methods.pay import ByReward, Named
from groma.methods.state import Step
from groma.methods.work import Work
from groma.models.model import Model
from groma.models.reward import load_reward
from groma.systems import SYSTEMS

NORMALISED = 256
"""Replies of the fine-tuned model over which the reward gets mean 0 and deviation 1."""


def conversational(example: Preference) -> Preference:
    """The same with text as the turns that it stands for, as a chatbot would be asked it."""
    if not isinstance(example.prompt, str):
        return example
    sides = (_said(example.chosen), _said(example.rejected))
    return replace(example, prompt=(Message("user", example.prompt),), chosen=sides[0], rejected=sides[1])


def _said(side: Text) -> tuple[Message, ...]:
    return (Message("assistant", side.strip()),) if isinstance(side, str) else side


def train_reward(
    start: Model,
    examples: Sequence[Preference],
    config: reward.Config,
    out: Path,
    max_tokens: int,
    stopped: Callable[[], bool],
) -> Iterator[Step]:
    """Train a reward model from the fine-tuned one, and write it to `out`."""
    compared = [conversational(one) for one in examples]
    made = reward.begin(start, config.seed)

    def save(path: Path) -> None:
        prompts = [one.prompt for one in compared]
        trained = reward.against(made, start, prompts, NORMALISED, max_tokens=max_tokens, seed=config.seed)
        save_reward(trained, path)

    steps = reward.train(made, compared, config, state_beside(out))
    yield from kept(steps, made.model, out, stopped, save=save)


def reinforce(
    start: Model,
    tasks: Sequence[Task],
    judge: Path,
    config: ppo.Config,
    out: Path,
    max_tokens: int,
    stopped: Callable[[], bool],
) -> Iterator[Step]:
    """PPO from the fine-tuned model, as `chat`, paid by the reward model in the folder `judge`."""
    work = Work(SYSTEMS["chat"].with_(max_tokens=max_tokens), tasks, [Named("reward", ByReward([load_reward(judge)]))])
    steps = ppo.train(start, work, config, state_beside(out))
    yield from kept(steps, start, out, stopped, unset_pad=True)


def tasks_of(examples: Sequence[Preference]) -> tuple[Task, ...]:
    """The prompts of comparisons as tasks, each once."""
    prompts = dict.fromkeys(conversational(one).prompt for one in examples)
    return tuple(
        Task(f"prompt/{number}", Posed(prompt), {}, "prompt")
        for number, prompt in enumerate(prompts)
        if not isinstance(prompt, str)
    )
