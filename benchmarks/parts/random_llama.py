"""The Llama of 5.4 M random parameters on which speeds are compared, and a tokenizer of as many words."""

from __future__ import annotations

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from groma.models import Model, assemble

VOCABULARY = 4096


def random_llama() -> Model:
    """No token ends a turn. Token `n` is the word "w<n>", behind a space where it is not the first."""
    words = Tokenizer(WordLevel({f"w{number}": number for number in range(VOCABULARY)}, unk_token="w0"))
    words.pre_tokenizer = WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="w0", bos_token="w1")
    config = LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=256, intermediate_size=688, num_hidden_layers=6, num_attention_heads=8,
        num_key_value_heads=4, tie_word_embeddings=True, max_position_embeddings=512, eos_token_id=None,
    )  # fmt: skip
    torch.manual_seed(0)
    net = LlamaForCausalLM(config).eval()
    net.generation_config.eos_token_id = None
    return assemble(net, tokenizer, "random", "random")
