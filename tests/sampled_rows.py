"""Prompts to sample from, and what transformers makes of one."""

from __future__ import annotations

import torch

from groma.models.generate import Row
from groma.models.model import Model

PROMPTS = (
    "a",
    "the hero went on and on in the rain",
    "hello",
    "in the end, the one",
    "12 + 3",
    "the hero went on and on",
)


def rows_of(model: Model, **options: object) -> list[Row]:
    """Ragged prompts of 2 to 33 tokens, shorter and longer than the sliding windows; the second stands twice."""
    ids = [tuple(model.tokenizer.encode(text)) for text in (*PROMPTS, PROMPTS[1])]
    return [Row(one, **{"max_tokens": 12, "seed": number, **options}) for number, one in enumerate(ids)]


def generated(model: Model, row: Row) -> tuple[int, ...]:
    """What transformers makes of one prompt, greedily."""
    ids = torch.tensor([row.prompt_ids])
    told = model.net.generate(
        ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=row.max_tokens,
        eos_token_id=list(model.eos_ids), pad_token_id=model.pad_id,
    )  # fmt: skip
    return tuple(told[0, len(row.prompt_ids) :].tolist())
