"""Model: a network, its tokenizer, and what everything that uses them must agree on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

DEFAULT_NOTE = (
    "no chat template: messages are written as 'System: …', 'User: …' and 'Assistant: …', a line each, "
    "and an answer ends at the end token or where the next turn begins"
)


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A network with its tokenizer, and what those who use it need to know.

    net:      in eval mode, in which all dropout is off; train it in this mode.
    digest:   of weights, configuration and tokenizer, by content.
    eos_ids:  all that end a turn: those of the generation configuration, of the tokenizer, and of the template.
    end_id:   the one with which training and scoring end an assistant's turn (None: the tokenizer has none).
    pad_id:   fills padding. Lengths and masks say what is padding; no id is ever compared with it.
    context:  how many tokens fit (None: no limit known).
    """

    net: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    name: str
    digest: str
    eos_ids: tuple[int, ...]
    end_id: int | None
    pad_id: int
    context: int | None
    notes: tuple[str, ...] = ()

    @property
    def device(self) -> torch.device:
        return self.net.device

    @property
    def vocabulary(self) -> int:
        """How many tokens the network knows; the tokenizer may have fewer."""
        return len(cast(nn.Embedding, self.net.get_input_embeddings()).weight)

    @property
    def has_template(self) -> bool:
        return self.tokenizer.chat_template is not None

    @property
    def template_note(self) -> str:
        """What to tell the user about the chat template; empty where the model brings its own."""
        return "" if self.has_template else DEFAULT_NOTE
