"""Small Llamas from scratch, for small worlds: four sizes of one shape, each some five times larger than the last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from groma.formats.errors import BadConfig


@dataclass(frozen=True, slots=True)
class Size:
    """Width of the residual stream, of the feed-forward layers, number of blocks and of attention heads."""

    width: int
    hidden: int
    layers: int
    heads: int


SIZES: Mapping[str, Size] = {
    "xs": Size(24, 66, 3, 2),
    "s": Size(64, 176, 3, 4),
    "m": Size(128, 352, 4, 4),
    "l": Size(288, 792, 6, 6),
}


def small_llama(size: str, tokenizer: PreTrainedTokenizerFast, context: int, seed: int) -> LlamaForCausalLM:
    """A Llama of random weights with tied embeddings. Equal arguments give equal weights."""
    if size not in SIZES:
        raise BadConfig(f"there is no size {size!r}; choose one of {', '.join(SIZES)}")
    shape = SIZES[size]
    ids = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.width,
        intermediate_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=context,
        rope_parameters={"rope_type": "default", "rope_theta": 1000.0},
        tie_word_embeddings=True,
        **ids,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = LlamaForCausalLM(config)
    net.generation_config = GenerationConfig(**ids)
    return net
