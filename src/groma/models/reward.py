"""Reward models: a Hugging Face sequence-classification folder with one output, read at the last real token.

Ours or other people's. A conversation is rendered by the folder's own chat template, so that text is all that has to be
known of it. A folder of ours says in its configuration what is to be added to every reward (`reward_offset`); what it
is multiplied with stands in the weights.
"""

from __future__ import annotations

import json
import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from groma.formats.digest import digest_files
from groma.formats.errors import BadInput, Unservable
from groma.formats.examples import Text
from groma.formats.messages import Message
from groma.formats.requests import Cost, Failure, Reply, Request, Score
from groma.formats.task import Choice, Task
from groma.formats.transcript import Transcript
from groma.models.generate import batches
from groma.models.load import assemble, digested
from groma.models.model import Model
from groma.models.names import resolve
from groma.models.quiet import quiet
from groma.models.scalar import last_scalars, reads_last
from groma.models.shared import lay
from groma.models.template import completion_spans, encode, text_spans

MEMBER = "member-"
"""What the folders of an ensemble's members begin with, inside its own."""
OFFSET = "reward_offset"
"""Under what name a folder's configuration keeps what is added to every reward."""


@dataclass(frozen=True, slots=True, eq=False)
class RewardModel:
    """A reward model: `score` gives what it would pay for a whole conversation.

    model: its network (a sequence classifier), tokenizer and template. offset: added to what the network says.
    """

    model: Model
    offset: float = 0.0

    @property
    def net(self) -> PreTrainedModel:
        return self.model.net

    @property
    def tokenizer(self) -> Tokenizer:
        return self.model.tokenizer

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def digest(self) -> str:
        return self.model.digest

    def row(self, messages: Sequence[Message], ended: bool = True) -> list[int]:
        """The ids of a conversation that ends with the assistant's turn, as the template writes it to the end.

        ended: whether that turn came to its end; one that was cut off is read up to where it was cut.
        """
        return self._cut(completion_spans(self.model, messages, whole=True, melts=True), ended)

    def row_of_text(self, prompt: str, completion: str, ended: bool = True) -> list[int]:
        """The same for a prompt and its completion as plain text, which may be empty: some policies end at once."""
        if prompt and not completion:
            end = self.model.end_id
            return [*encode(self.model, prompt), *([end] if ended and end is not None else [])]
        return self._cut(text_spans(self.model, prompt, completion), ended)

    def _cut(self, spans: tuple[list[int], list[bool]], ended: bool) -> list[int]:
        ids, said = spans
        if ended or not any(said):
            return ids
        last = max(place for place, one in enumerate(said) if one)
        return ids[: last + (ids[last] not in self.model.eos_ids)]

    def rewards(self, rows: Sequence[Sequence[int]], max_batch: int = 64) -> list[float]:
        """The reward of each row of ids. BadInput for one that is empty or longer than the context."""
        context = self.model.context
        for ids in rows:
            if not ids or (context is not None and len(ids) > context):
                expected = f"1 to {context} tokens, the context of {self.name}"
                raise BadInput(f"a conversation of {len(ids)} tokens", expected=expected)
        found = np.zeros(len(rows))
        with torch.no_grad():
            for batch in batches(rows, max_batch if reads_last(self.net) else 1):
                some = [np.array(rows[number], dtype=np.int64) for number in batch]
                found[batch] = self._said(some)
        return [float(one) for one in found + self.offset]

    def _said(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        """What the network says of rows (one row, where only its own forward pass is known to read the right place)."""
        if reads_last(self.net):
            said = last_scalars(self.net, lay([[row] for row in rows]), [len(row) for row in rows])
        else:
            said = self.net(input_ids=torch.from_numpy(np.stack(rows)).to(self.net.device)).logits[:, 0]
        return said.double().cpu().numpy()

    def score(self, messages: Sequence[Message], ended: bool = True) -> float:
        """The reward of a conversation that ends with the assistant's turn."""
        return self.rewards([self.row(messages, ended)])[0]

    def score_texts(self, said: Sequence[tuple[Text, Text]], *, skip: bool = False) -> list[float]:
        """The reward of each prompt with its completion, both text or both messages. skip: nan for one that is longer
        than the context, in the place of BadInput.
        """
        rows = [
            self.row_of_text(str(prompt), str(completion))
            if isinstance(prompt, str) or isinstance(completion, str)
            else self.row((*prompt, *completion))
            for prompt, completion in said
        ]
        return self.rewards_that_fit(rows) if skip else self.rewards(rows)

    def rewards_that_fit(self, rows: Sequence[Sequence[int]]) -> list[float]:
        """The reward of each row of ids; nan for one that is longer than the context."""
        fits = [self.model.context is None or len(row) <= self.model.context for row in rows]
        told = iter(self.rewards([row for row, fit in zip(rows, fits, strict=True) if fit]))
        return [next(told) if fit else math.nan for fit in fits]

    def choose(self, task: Task, first: Transcript, second: Transcript) -> Choice | None:
        """The reply of the higher reward; no preference where they are equal."""
        rewards = self.score(first.messages), self.score(second.messages)
        if rewards[0] == rewards[1]:
            return None
        return Choice(0 if rewards[0] > rewards[1] else 1, abs(rewards[0] - rewards[1]), f"the reward of {self.name}")


def load_reward(name: str | Path, device: str | torch.device | None = None) -> RewardModel:
    """Load a folder or Hub id, to `device` (None: the CPU). BadInput where it is no sequence classifier of one output,
    has weights other than safetensors, or lacks some (its head, say).
    """
    folder = resolve(name)
    if not any(folder.glob("*.safetensors")):
        raise BadInput(
            "there are no safetensors weights", where=str(folder), expected="a sequence-classification folder"
        )
    with quiet():
        config: Any = AutoConfig.from_pretrained(folder)
        names = config.architectures or []
        if config.num_labels != 1 or not any(one.endswith("ForSequenceClassification") for one in names):
            raise BadInput(
                f"this is no reward model (architecture {', '.join(names) or 'unknown'}, {config.num_labels} outputs)",
                where=str(folder),
                expected="…ForSequenceClassification with num_labels 1",
            )
        net, told = AutoModelForSequenceClassification.from_pretrained(
            folder, use_safetensors=True, output_loading_info=True
        )
        tokenizer = AutoTokenizer.from_pretrained(folder)
    if lacking := sorted({*told["missing_keys"], *(key for key, *_ in told["mismatched_keys"])}):
        what = f"{len(lacking)} weights are missing or of another shape ({', '.join(lacking)[:60]})"
        raise BadInput(what, where=str(folder), expected="all weights of the reward model, its head among them")
    net = net.to(device=device).eval() if device is not None else net.eval()
    offset = getattr(config, OFFSET, None)
    if tokenizer.chat_template is None and offset is None:
        raise BadInput(
            "the tokenizer has no chat template",
            where=str(folder),
            expected="the template that the reward model was trained with",
        )
    return RewardModel(assemble(net, tokenizer, str(name), digest_files(digested(folder))), float(offset or 0.0))


def load_rewards(name: str | Path, device: str | torch.device | None = None) -> list[RewardModel]:
    """The reward model of a folder or Hub id, or all members of an ensemble that lie in a folder, in their order."""
    members = sorted(Path(name).glob(f"{MEMBER}*/config.json"), key=lambda one: (len(one.parent.name), one.parent.name))
    return [load_reward(one.parent, device) for one in members] or [load_reward(name, device)]


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
        rows = [self.model.row((*said, Message("assistant", answer))) for answer in request.answers]
        scores = tuple(self.model.rewards(rows))
        return [(ticket, Reply(scores=scores, cost=Cost(calls=1, seconds=time.perf_counter() - began)))]

    def close(self) -> None:
        self._pending.clear()
