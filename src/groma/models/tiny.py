"""Tiny random models: Hugging Face folders for tests and demonstrations, made without a network in under a second.

They know nothing, but they have every part of a real folder: configuration, safetensors, a byte-level tokenizer in
which any text is legal (PAD is distinct from the end tokens), a chat template where wanted, a generation configuration.
The weights are drawn wide (0.3), so that next-token distributions are far from flat and a wrong mask or position shows.
Two layers each; the window of "mistral" and of the first layer of "gemma3" is 8 tokens; "gemma3" has capped logits;
"mixtral" is a mixture of four experts, of which each token asks two.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    GenerationConfig,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from groma.formats.errors import BadInput
from groma.models.quiet import quiet

PAD, BEGIN, END, END_OF_TURN = "<pad>", "<bos>", "<eos>", "<end>"
ROLES = ("<system>", "<user>", "<assistant>", "<tool>")
MERGES = ("h e", "t he", "Ġ the", "Ġ a", "i n", "Ġ i", "e r", "o n")
WINDOW = 8

TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}<end>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)

_SIZES = {
    "num_hidden_layers": 2,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
ARCHITECTURES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "llama": ("llama", _SIZES),
    "qwen3": ("qwen3", {**_SIZES, "head_dim": 8}),
    "gemma3": (
        "gemma3_text",
        {
            **_SIZES,
            "head_dim": 8,
            "query_pre_attn_scalar": 8,
            "sliding_window": WINDOW,
            "layer_types": ["sliding_attention", "full_attention"],
            "final_logit_softcapping": 5.0,
        },
    ),
    "mistral": ("mistral", {**_SIZES, "sliding_window": WINDOW, "head_dim": 8}),
    "mixtral": ("mixtral", {**_SIZES, "num_local_experts": 4, "num_experts_per_tok": 2}),
    "gpt2": ("gpt2", {"n_layer": 2, "n_embd": 32, "n_head": 4}),
}


def make_tiny(
    folder: str | Path,
    architecture: str = "llama",
    *,
    tokenizer: PreTrainedTokenizerBase | None = None,
    seed: int = 0,
    chat_template: bool = True,
    **sizes: Any,
) -> Path:
    """Write a random model of `architecture` (a key of ARCHITECTURES) into `folder` and return the folder.

    tokenizer: its own byte-level one by default. `sizes` overwrite fields of the configuration (`vocab_size=800`).
    Equal arguments give equal weights; the global random state is left alone.
    """
    if architecture not in ARCHITECTURES:
        raise BadInput(f"the architecture {architecture!r} is unknown", expected=f"one of {', '.join(ARCHITECTURES)}")
    model_type, fields = ARCHITECTURES[architecture]
    tokenizer = tokenizer if tokenizer is not None else tiny_tokenizer(chat_template=chat_template)
    length = {"n_positions": 1024} if architecture == "gpt2" else {"max_position_embeddings": 1024}
    ids = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    plain = {"vocab_size": len(tokenizer), "initializer_range": 0.3, "tie_word_embeddings": True, **length, **ids}
    config = AutoConfig.for_model(model_type, **{**plain, **fields, **sizes})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    net.generation_config = GenerationConfig(**ids)
    with quiet():
        net.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return Path(folder)


def tiny_tokenizer(*, chat_template: bool = True) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer: 256 bytes, a few merges, and the special tokens. It puts BEGIN before plain text."""
    pieces = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *(merge.replace(" ", "") for merge in MERGES)]
    merges = [(left, right) for left, right in (merge.split() for merge in MERGES)]
    tokenizer = Tokenizer(models.BPE({piece: number for number, piece in enumerate(pieces)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = [PAD, BEGIN, END, END_OF_TURN, *ROLES]
    tokenizer.add_special_tokens([AddedToken(one, special=True, normalized=False) for one in special])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A", special_tokens=[(BEGIN, tokenizer.token_to_id(BEGIN))]
    )
    whole = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=PAD, bos_token=BEGIN, eos_token=END)
    whole.chat_template = TEMPLATE if chat_template else None
    return whole
