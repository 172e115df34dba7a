"""One decoding pass of a batch: read the prompts, then step by step feed a token a row and get the next logits.

Prompts of like length are read together, equal ones once, a few hundred tokens at a time (on a CPU a larger read only
leaves the cache). All rows then end at the same position: shorter ones stand behind padding that the mask hides, and
each row's positions are counted from its own first token.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import Cache, DynamicCache

from groma.formats.errors import Unservable
from groma.models.cache import RowCache, compacts, slides

READ_TOKENS = {"cpu": 512}
"""How many tokens, padding included, are read in one go, by kind of device; elsewhere READ_MOST."""
READ_MOST = 1 << 14

PLAIN = ("gpt2", "llama", "qwen2", "qwen3")
"""Architectures whose mask of a step is just "not padding", so that transformers need not make it (tests compare)."""


class Decoder:
    """The rows at work: their cache, what of it is not padding (rows, length), each row's next position (rows, 1)."""

    def __init__(self, net: PreTrainedModel) -> None:
        self.net = net
        self.shrinks = compacts(net.config)
        self.plain = net.config.model_type in PLAIN and not slides(net.config)
        inner = next((one for one in net.modules() if isinstance(one, PreTrainedModel)), net)  # beneath adapters
        known = inspect.signature(inner.forward).parameters
        if "past_key_values" not in known:
            raise Unservable(
                f"a {net.config.model_type} keeps no keys and values, without which it cannot be sampled here"
            )
        self.last = {"logits_to_keep": 1} if "logits_to_keep" in known else {}

    def read(self, prompts: Sequence[Sequence[int]]) -> tuple[Tensor, list[int]]:
        """Read the prompts: logits (rows, vocabulary) at their ends, and the prompt of each row (short ones first)."""
        order = sorted(range(len(prompts)), key=lambda number: (len(prompts[number]), tuple(prompts[number])))
        told = [tuple(prompts[number]) for number in order]
        lengths = self.index([len(one) for one in told])
        self.valid = torch.arange(len(told[-1]), device=lengths.device) >= len(told[-1]) - lengths[:, None]
        self.padded = len(told[0]) < len(told[-1])
        self.next = lengths[:, None]
        if not self.shrinks:
            self.cache: Cache = DynamicCache(config=self.net.config)
            return self._read(told, self.cache), order
        times = Counter(told)
        parts: list[tuple[RowCache, Tensor | None]] = []
        logits = []
        for group in self._groups(list(times)):
            cache, taken = RowCache(self.net.config), None
            found = self._read(group, cache)
            if any(times[one] > 1 for one in group):
                taken = self.index([number for number, one in enumerate(group) for _ in range(times[one])])
                found = found[taken]
            parts.append((cache, taken))
            logits.append(found)
        alone = len(parts) == 1 and parts[0][1] is None
        self.cache = parts[0][0] if alone else RowCache.gathered(self.net.config, parts)
        return torch.cat(logits), order

    def step(self, tokens: Tensor) -> Tensor:
        """Feed one token to each row, (rows,); the next logits (rows, vocabulary)."""
        self.valid = torch.cat([self.valid, self.valid.new_ones(len(tokens), 1)], -1)
        mask = self.valid if self.padded else None
        logits = self._forward(tokens[:, None], mask, self.next, self.cache)
        self.next = self.next + 1
        return logits

    def shrink(self, kept: Sequence[int]) -> Tensor:
        """Drop all rows but `kept` (ascending). Returns where each row that is left now comes from; few rows move."""
        assert isinstance(self.cache, RowCache)
        here = set(kept)
        holes = [place for place in range(len(kept)) if place not in here]
        fillers = [place for place in kept if place >= len(kept)]
        order = list(range(len(kept)))
        for hole, filler in zip(holes, fillers, strict=True):
            order[hole] = filler
        self.cache.shrink(len(kept), self.index(holes), self.index(fillers))
        rows = self.index(order)
        self.valid, self.next = self.valid[rows], self.next[rows]
        return rows

    def _read(self, prompts: Sequence[Sequence[int]], cache: Cache) -> Tensor:
        width = max(map(len, prompts))
        if min(map(len, prompts)) == width:
            return self._forward(self.index(list(map(list, prompts))), None, None, cache)
        ids = self.index([[0] * (width - len(one)) + list(one) for one in prompts])
        lengths = self.index([len(one) for one in prompts])
        mask = torch.arange(width, device=ids.device) >= width - lengths[:, None]
        return self._forward(ids, mask, (mask.cumsum(-1) - 1).clamp(min=0), cache)

    def _forward(self, ids: Tensor, mask: Tensor | None, positions: Tensor | None, cache: Cache) -> Tensor:
        if mask is not None and self.plain and ids.shape[1] == 1:
            mask = mask[:, None, None]
        told = self.net(
            ids, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True, **self.last
        )
        return told.logits[:, -1]

    def _groups(self, prompts: Sequence[tuple[int, ...]]) -> list[list[tuple[int, ...]]]:
        """Cut `prompts`, ascending in length, into groups that are read together."""
        most = READ_TOKENS.get(self.net.device.type, READ_MOST)
        groups: list[list[tuple[int, ...]]] = []
        for one in prompts:
            if not groups or (len(groups[-1]) + 1) * len(one) > most:
                groups.append([])
            groups[-1].append(one)
        return groups

    def index(self, values: Sequence[int] | Sequence[list[int]]) -> Tensor:
        return torch.tensor(values, device=self.net.device, dtype=torch.long)
