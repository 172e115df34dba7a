"""Other people's reward models: a Hugging Face sequence-classification folder with one output, read at the last real
token.

The conversation is rendered by the folder's own chat template. Rows go through one by one, so that no padding is
looked at and nothing is inferred from a pad token.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from groma.formats.digest import digest_files
from groma.formats.errors import BadInput, Unservable
from groma.formats.messages import Message
from groma.formats.requests import Cost, Failure, Reply, Request, Score
from groma.formats.task import Choice, Task
from groma.formats.transcript import Transcript
from groma.models.load import digested
from groma.models.names import resolve
from groma.models.quiet import quiet


@dataclass(frozen=True, slots=True, eq=False)
class RewardModel:
    """A reward model: `score` gives what it would pay for a whole conversation."""

    net: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    name: str
    digest: str

    def score(self, messages: Sequence[Message]) -> float:
        """The reward of a conversation that ends with the assistant's turn."""
        turns = [message.to_dict() for message in messages]
        ids = self.tokenizer.apply_chat_template(turns, tokenize=True, return_dict=False)
        with torch.no_grad():
            return float(self.net(input_ids=torch.tensor([ids], device=self.net.device)).logits[0, 0])

    def choose(self, task: Task, first: Transcript, second: Transcript) -> Choice | None:
        """The reply of the higher reward; no preference where they are equal."""
        rewards = self.score(first.messages), self.score(second.messages)
        if rewards[0] == rewards[1]:
            return None
        return Choice(0 if rewards[0] > rewards[1] else 1, abs(rewards[0] - rewards[1]), f"the reward of {self.name}")


def load_reward(name: str | Path) -> RewardModel:
    """Load a folder or Hub id. BadInput where it is no sequence classifier with one output, or has weights other than
    safetensors.
    """
    folder = resolve(name)
    if not any(folder.glob("*.safetensors")):
        raise BadInput(
            "there are no safetensors weights", where=str(folder), expected="a sequence-classification folder"
        )
    with quiet():
        config = AutoConfig.from_pretrained(folder)
        names = config.architectures or []
        if config.num_labels != 1 or not any(one.endswith("ForSequenceClassification") for one in names):
            raise BadInput(
                f"this is no reward model (architecture {', '.join(names) or 'unknown'}, {config.num_labels} outputs)",
                where=str(folder),
                expected="…ForSequenceClassification with num_labels 1",
            )
        net = AutoModelForSequenceClassification.from_pretrained(folder, use_safetensors=True).eval()
        tokenizer = AutoTokenizer.from_pretrained(folder)
    if tokenizer.chat_template is None:
        raise BadInput(
            "the tokenizer has no chat template",
            where=str(folder),
            expected="the template that the reward model was trained with",
        )
    return RewardModel(net, tokenizer, str(name), digest_files(digested(folder)))


def is_reward(folder: Path) -> bool:
    """Whether a model folder says that it holds a sequence classifier."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return any(str(one).endswith("ForSequenceClassification") for one in config.get("architectures") or ())
    except (OSError, ValueError, AttributeError):
        return False


class RewardEngine:
    """An engine (play/engine.py) that answers `Score` with the reward of the conversation that each answer ends."""

    def __init__(self, model: RewardModel) -> None:
        self.model = model
        self._pending: deque[tuple[int, Score]] = deque()

    def submit(self, ticket: int, request: Request, seed: int) -> None:
        """Take a request. Unservable for all but a Score with messages."""
        if not isinstance(request, Score):
            kind = type(request).__name__
            raise Unservable(f"a reward model answers Score, not {kind}(player={request.player!r})")
        if not isinstance(request.prompt[0], Message):
            raise Unservable(f"a reward model reads messages, not text or ids (Score(player={request.player!r}))")
        self._pending.append((ticket, request))

    def poll(self) -> list[tuple[int, Reply | Failure]]:
        if not self._pending:
            return []
        ticket, request = self._pending.popleft()
        said = tuple(one for one in request.prompt if isinstance(one, Message))
        began = time.perf_counter()
        scores = tuple(self.model.score((*said, Message("assistant", answer))) for answer in request.answers)
        return [(ticket, Reply(scores=scores, cost=Cost(calls=1, seconds=time.perf_counter() - began)))]

    def close(self) -> None:
        self._pending.clear()
