"""One decoding pass of a batch: read the prompts, then step by step feed a token a row and get the next logits.

Prompts of like length are read together, equal ones once, a few hundred tokens at a time (on a CPU a larger read only
leaves the cache). All rows then end at the same position: shorter ones stand behind padding that the mask hides, and
each row's positions are counted from its own first token.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import Cache, DynamicCache

from groma.formats.errors import Unservable
from groma.models.cache import RowCache, RowLayer, compacts, slides
from groma.models.head import whole
from groma.models.lean import Lean, serves
from groma.models.turns import Kept, States, Turns

READ_TOKENS = {"cpu": 512}
"""How many tokens, padding included, are read in one go, by kind of device; elsewhere READ_MOST."""
READ_MOST = 1 << 14

PLAIN = ("gpt2", "llama", "qwen2", "qwen3")
"""Architectures whose mask of a step is just "not padding", so that transformers need not make it (tests compare)."""


class Decoder:
    """The rows at work: their cache, and how many tokens each has fed (`held` on the host, `lengths` on the device)."""

    def __init__(self, net: PreTrainedModel) -> None:
        self.net = net
        self.shrinks = compacts(net.config)
        self.plain = net.config.model_type in PLAIN and not slides(net.config)
        inner = whole(net) or net  # beneath adapters
        known = inspect.signature(inner.forward).parameters
        if "past_key_values" not in known:
            raise Unservable(
                f"a {net.config.model_type} keeps no keys and values, without which it cannot be sampled here"
            )
        self.last = {"logits_to_keep": 1} if "logits_to_keep" in known else {}
        self.lean = Lean.of(net) if self.shrinks else None
        self.clear()

    def clear(self) -> None:
        """Let all rows go, and the memory of their cache."""
        self.cache: Cache = RowCache(self.net.config) if self.shrinks else DynamicCache(config=self.net.config)
        self.known: dict[tuple[int, ...], tuple[RowCache, Tensor]] = {}
        self._begin([])

    def check(self) -> None:
        """Go on with the plain forward pass where something was put into the network that the lean one passes by."""
        if self.lean is not None and not serves(self.net):
            self.lean = None

    def read(
        self, prompts: Sequence[Sequence[int]], turns: Turns | None = None, again: tuple[int, ...] = ()
    ) -> tuple[Tensor, list[int]]:
        """Read prompts, equal ones once, and put them behind the rows at work: logits (rows, vocabulary) at their ends,
        and the prompt of each new row.

        What `turns` holds of a prompt's beginning is not read again, nor is a prompt that was named `again`, which says
        with what the next call begins. Where the cache cannot drop rows, it is for the first rows only.
        """
        behind: dict[tuple[int, ...], list[int]] = {}
        for number in sorted(range(len(prompts)), key=lambda number: (len(prompts[number]), tuple(prompts[number]))):
            behind.setdefault(tuple(prompts[number]), []).append(number)
        if not self.shrinks:
            assert not self.held
            order = [number for numbers in behind.values() for number in numbers]
            told = [tuple(prompts[number]) for number in order]
            self.cache = DynamicCache(config=self.net.config)
            self._begin(list(map(len, told)))
            return self._read(told, self.cache), order
        held = {one: turns.find(one) for one in behind} if turns is not None and len(turns) else {}
        known, self.known = self.known, {}
        parts: list[tuple[RowCache, Tensor | None]] = []
        logits, order = [], list[int]()
        for group in self._groups([one for one in behind if one not in known], held):
            cache, before = self._before(group, held)
            taken, found = None, self._read(group, cache, before)
            if again in group:
                self._keep(again, cache, found, group.index(again))
            if any(len(behind[one]) > 1 for one in group):
                taken = self.index([number for number, one in enumerate(group) for _ in behind[one]])
                found = found[taken]
            order += [number for one in group for number in behind[one]]
            parts.append((cache, taken))
            logits.append(found)
        for one in behind:
            if one in known:
                cache, found = known[one]
                if one == again:
                    self.known = known
                order += behind[one]
                parts.append((cache, self.index([0] * len(behind[one]))))
                logits.append(found.expand(len(behind[one]), -1))
        self._admit([len(prompts[number]) for number in order], parts)
        return torch.cat(logits), order

    def _admit(self, told: list[int], parts: list[tuple[RowCache, Tensor | None]]) -> None:
        """Put what was read, of such lengths, behind the rows at work."""
        if self.held:
            assert isinstance(self.cache, RowCache)
            self.cache.append(parts)
        elif len(parts) == 1 and parts[0][1] is None:
            self.cache = parts[0][0]
        else:
            self.cache = RowCache.gathered(self.net.config, parts)
        self._begin(self.held + told)

    def _keep(self, prompt: tuple[int, ...], cache: RowCache, logits: Tensor, row: int) -> None:
        """Of what was read one row, for the next call."""
        one = self.index([row])
        self.known = {prompt: (RowCache.gathered(self.net.config, [(cache, one)]), logits[one])}

    def _begin(self, told: list[int]) -> None:
        """told: how many tokens each row has fed, kept on the host and on the device."""
        self.held, self.lengths = told, self.index(told)

    @property
    def width(self) -> int:
        """How long the longest row is."""
        return max(self.held)

    @property
    def valid(self) -> Tensor:
        """What of the cache is not padding (rows, length)."""
        width = self.width
        return torch.arange(width, device=self.net.device) >= width - self.lengths[:, None]

    def _before(
        self, group: Sequence[tuple[int, ...]], held: Mapping[tuple[int, ...], tuple[Kept, int] | None]
    ) -> tuple[RowCache, list[int]]:
        """What is known of the prompts of a group: a cache with their beginnings, and how long those are."""
        found = [one for one in (held.get(prompt) for prompt in group) if one is not None]
        if not found:
            return RowCache(self.net.config), []
        parts: list[tuple[RowCache, Tensor | None]] = []
        for row, length in found:
            layers = [RowLayer.of(keys, values) for keys, values in row.upto(length)]
            parts.append((RowCache(self.net.config, layers), None))
        return RowCache.gathered(self.net.config, parts), [length for _, length in found]

    def states(self, row: int, fed: int) -> States:
        """A copy of what a row holds of its first `fed` tokens."""
        assert isinstance(self.cache, RowCache)
        start = self.width - self.held[row]
        return self.cache.slice(row, start, start + fed)

    def step(self, tokens: Tensor) -> Tensor:
        """Feed one token to each row, (rows,); the next logits (rows, vocabulary)."""
        positions = self.lengths[:, None]
        self.held, self.lengths = [one + 1 for one in self.held], self.lengths + 1
        mask = self.valid if min(self.held) < self.width else None
        return self._forward(tokens[:, None], mask, positions, self.cache)

    def shrink(self, kept: Sequence[int]) -> Tensor:
        """Drop all rows but `kept` (ascending). Returns where each row that is left now comes from; few rows move."""
        assert isinstance(self.cache, RowCache)
        here = set(kept)
        holes = [place for place in range(len(kept)) if place not in here]
        fillers = [place for place in kept if place >= len(kept)]
        order, width = list(range(len(kept))), self.width
        for hole, filler in zip(holes, fillers, strict=True):
            order[hole] = filler
        self._begin([self.held[row] for row in order])
        self.cache.shrink(len(kept), self.index(holes), self.index(fillers), width - self.width)
        return self.index(order)

    def _read(self, prompts: Sequence[Sequence[int]], cache: Cache, before: Sequence[int] = ()) -> Tensor:
        """before: how much of each the cache holds; what is left of them is of one length then."""
        if before:
            rest = self.index([list(one[start:]) for one, start in zip(prompts, before, strict=True)])
            starts, ahead = self.index(list(before))[:, None], torch.arange(rest.shape[1], device=self.net.device)
            widest = max(before)
            known = torch.arange(widest, device=self.net.device) >= widest - starts
            mask = torch.cat([known, torch.ones_like(rest, dtype=torch.bool)], -1) if min(before) < widest else None
            return self._forward(rest, mask, starts + ahead, cache)
        width = max(map(len, prompts))
        if min(map(len, prompts)) == width:
            return self._forward(self.index(list(map(list, prompts))), None, None, cache)
        ids = self.index([[0] * (width - len(one)) + list(one) for one in prompts])
        lengths = self.index([len(one) for one in prompts])
        mask = torch.arange(width, device=ids.device) >= width - lengths[:, None]
        return self._forward(ids, mask, (mask.cumsum(-1) - 1).clamp(min=0), cache)

    def _forward(self, ids: Tensor, mask: Tensor | None, positions: Tensor | None, cache: Cache) -> Tensor:
        if self.lean is not None and isinstance(cache, RowCache):
            if positions is None:
                positions = torch.arange(ids.shape[1], device=ids.device)[None]
            return self.lean.logits(self.lean.states(ids, positions, mask, cache, ends=True)[:, 0])
        if mask is not None and self.plain and ids.shape[1] == 1:
            mask = mask[:, None, None]
        told = self.net(
            ids, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True, **self.last
        )
        return told.logits[:, -1]

    def _groups(
        self, prompts: Sequence[tuple[int, ...]], held: Mapping[tuple[int, ...], tuple[Kept, int] | None]
    ) -> list[list[tuple[int, ...]]]:
        """Cut `prompts`, ascending in length, into groups that are read together.

        Those of which a beginning is held go together where equally much is left to read: so no row has a gap.
        """
        most = READ_TOKENS.get(self.net.device.type, READ_MOST)
        groups: list[list[tuple[int, ...]]] = []
        by_rest: dict[int, list[tuple[int, ...]]] = {}
        for one in prompts:
            known = held.get(one)
            if known is not None:
                by_rest.setdefault(len(one) - known[1], []).append(one)
            elif not groups or (len(groups[-1]) + 1) * len(one) > most:
                groups.append([one])
            else:
                groups[-1].append(one)
        for rest, some in by_rest.items():
            each = max(most // rest, 1)
            groups += [some[start : start + each] for start in range(0, len(some), each)]
        return groups

    def index(self, values: Sequence[int] | Sequence[list[int]]) -> Tensor:
        return torch.tensor(values, device=self.net.device, dtype=torch.long)
