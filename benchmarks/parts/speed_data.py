"""The model and the data of the speed benchmarks: random, from a seed, of the shape that peers were measured on.

Prompts are uniform in 24 to 64 tokens, completions log-normal, clipped to 16 to 96, with an end token behind; the two
answers of a pair share their prompt. Batches of 16 drawn at random are then about three fifths real tokens. The model
is a Llama of 5.4 million parameters with a vocabulary of 4096, tied. Token n is the word "wn", so that every side reads
the same ids from the same text.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from groma.models import Model, assemble

Ids = NDArray[np.int64]
VOCABULARY, BEGIN, END = 4096, 1, 2
FIRST = 4
"""The least id of a token that is none of the special ones (0 to 3)."""
MEDIAN, SPREAD, BATCH = 34, 0.7, 16
TEMPLATE = (
    "{% for message in messages %}{{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}{% generation %} <end>{% endgeneration %}{% else %} {% endif %}{% endfor %}"
)


def net(seed: int = 0, **sizes: int) -> LlamaForCausalLM:
    """The model, in evaluation mode; `sizes` overwrite fields of its configuration."""
    fields = {
        "vocab_size": VOCABULARY,
        "hidden_size": 256,
        "intermediate_size": 688,
        "num_hidden_layers": 6,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "max_position_embeddings": 512,
    }
    config = LlamaConfig(
        **{**fields, **sizes}, tie_word_embeddings=True, bos_token_id=BEGIN, eos_token_id=END, pad_token_id=0
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config).eval()


def tokenizer() -> PreTrainedTokenizerFast:
    words = ["<pad>", "<begin>", "<end>", "<unk>", *(f"w{number}" for number in range(FIRST, VOCABULARY))]
    inner = Tokenizer(WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>"))
    inner.pre_tokenizer = WhitespaceSplit()
    special = {"pad_token": "<pad>", "bos_token": "<begin>", "eos_token": "<end>", "unk_token": "<unk>"}
    made = PreTrainedTokenizerFast(tokenizer_object=inner, model_max_length=512, **special)
    made.chat_template = TEMPLATE
    return made


def text(ids: Ids) -> str:
    """The words of ids, without an end token."""
    return " ".join(f"w{one}" for one in ids if one != END)


def saved(folder: Path) -> Path:
    """The model as a folder, from which every side loads it."""
    net().save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def endless() -> Model:
    """The model for sampling: no token ends a turn."""
    made = net()
    made.config.eos_token_id = made.generation_config.eos_token_id = None
    told = tokenizer()
    told.eos_token = None
    return assemble(made, told, "random", "random")


def prompt_length(random: np.random.Generator) -> int:
    return int(random.integers(24, 65))


def completion_length(random: np.random.Generator) -> int:
    """Without the end token."""
    return int(np.clip(round(random.lognormal(np.log(MEDIAN), SPREAD)), 16, 96))


def demonstrations(count: int, seed: int = 0, vocabulary: int = VOCABULARY) -> list[tuple[Ids, Ids]]:
    """Prompts and completions, as token ids."""
    random = np.random.default_rng((seed, 0))
    return [(_prompt(random, vocabulary), _completion(random, vocabulary)) for _ in range(count)]


def preferences(count: int, seed: int = 0, vocabulary: int = VOCABULARY) -> list[tuple[Ids, Ids, Ids]]:
    """Prompts, chosen and rejected completions, as token ids."""
    random = np.random.default_rng((seed, 1))
    return [
        (_prompt(random, vocabulary), _completion(random, vocabulary), _completion(random, vocabulary))
        for _ in range(count)
    ]


def _prompt(random: np.random.Generator, vocabulary: int) -> Ids:
    return random.integers(FIRST, vocabulary, prompt_length(random))


def _completion(random: np.random.Generator, vocabulary: int) -> Ids:
    return np.append(random.integers(FIRST, vocabulary, completion_length(random)), END)
