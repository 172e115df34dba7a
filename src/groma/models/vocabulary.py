"""A word tokenizer for small worlds: one token a word, bytes for everything else, so that any text a user types is
legal.

A Unigram model (Kudo 2018) over the words counted in a corpus, with byte fallback. Text is lowered; a newline is a
token of its own. Special tokens: pad, start of document (bos), end of turn and of document (eos), and one for each
role of a chat.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

PAD, BOS, EOS = "<|pad|>", "<|doc|>", "<|end|>"
ROLES = ("<|system|>", "<|user|>", "<|assistant|>", "<|tool|>")
WORD = re.compile(r"<[a-z]+>|[a-z]+")
"""A word, or a flag such as <alone>."""
PUNCTUATION = tuple(".,:;?!'\"()-")
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def word_tokenizer(texts: Iterable[str], context: int, minimum: int = 5) -> PreTrainedTokenizerFast:
    """A tokenizer whose tokens are the words that stand at least `minimum` times in `texts`.

    Decoding gives back what was encoded, lowered; single spaces around newlines and leading spaces are the only
    exceptions.
    """
    counts = Counter(word for text in texts for word in WORD.findall(text.lower()))
    words = sorted((word for word, count in counts.items() if count >= minimum), key=lambda word: (-counts[word], word))
    total = sum(counts.values())
    pieces = [(f"▁{word}", math.log(counts[word] / total)) for word in words]
    rare = min((score for _, score in pieces), default=0.0) - 5.0
    marks = [(mark, rare) for mark in ("▁\n", *PUNCTUATION, "▁")]
    alphabet = [(f"<0x{byte:02X}>", rare - 10.0) for byte in range(256)]
    specials = [(special, 0.0) for special in (PAD, BOS, EOS, *ROLES)]
    vocabulary = [*specials, *alphabet, *marks, *pieces]
    unknown = next(index for index, (piece, _) in enumerate(vocabulary) if piece == "<0x3F>")
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=unknown, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.Replace("\n", " \n ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.decoder = decoders.Sequence(
        [decoders.ByteFallback(), decoders.Metaspace(replacement="▁", prepend_scheme="always"), decoders.Fuse(),
         decoders.Replace(" \n ", "\n")]
    )  # fmt: skip
    tokenizer.add_special_tokens([PAD, BOS, EOS, *ROLES])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", special_tokens=[(BOS, tokenizer.token_to_id(BOS))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        chat_template=CHAT_TEMPLATE,
        model_max_length=context,
        clean_up_tokenization_spaces=False,
        model_input_names=["input_ids", "attention_mask"],
    )
