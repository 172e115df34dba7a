"""Sampling: many prompts at a time with a key-value cache; what a row says depends on its prompt and its seed alone.

Draws never depend on the batch (`draw.py`); logits do, by rounding (about 1e-6), since matrix products are summed in
another order. With `exact` every row is computed alone, in float32, and is then equal to the last bit.
Rows of like length share a batch, equal prompts are read once, and a row that ends leaves its place to one that waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import torch

from groma.formats.errors import BadConfig, BadInput
from groma.formats.requests import Stop
from groma.models.decode import Decoder
from groma.models.draw import Draws
from groma.models.model import Model
from groma.models.turns import Turns, fingerprint

BATCH_TOKENS = 1 << 16
"""No batch has more prompt tokens than this, padding included (a single longer prompt makes a batch of its own)."""

REFILL = 8
"""New rows are read when they are at least this part of the rows at work: read one by one they cost more than places
that stand empty."""


@dataclass(frozen=True, slots=True)
class Row:
    """One prompt and how to go on from it. `temperature` 0 is greedy; `top_k` 0 and `top_p` 1 switch truncation off."""

    prompt_ids: tuple[int, ...]
    max_tokens: int = 256
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        known = self.prompt_ids and self.max_tokens >= 1 and self.seed >= 0
        if not (known and self.temperature >= 0 and self.top_k >= 0 and 0 < self.top_p <= 1):
            expected = "a prompt, max_tokens ≥ 1, temperature ≥ 0, top_k ≥ 0, 0 < top_p ≤ 1, seed ≥ 0"
            raise BadInput(f"a row to sample is {self!r:.200}", expected=expected)


@dataclass(frozen=True, slots=True)
class Sampled:
    """What was drawn: all ids, the end token and the letters of a stop string among them; `text` is without those.

    logprobs: one a token, of softmax(logits / temperature) before truncation (of softmax(logits) where greedy).
    """

    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    text: str
    stop: Stop


def sample(
    model: Model, rows: Sequence[Row], *, max_batch: int = 256, exact: bool = False, turns: Turns | None = None
) -> list[Sampled]:
    """Go on from every row's prompt; results in the order of `rows`. A row whose context is full stops with "length".

    turns: earlier rows, whose keys and values serve prompts that begin with them; these rows are added. Not with
    `exact`, which computes every row alone from its beginning.
    Errors: BadInput for a prompt that leaves no room in the context, BadConfig for `exact` on a model not in float32.
    """
    sampler = Sampler(model, max_batch, exact=exact, turns=turns)
    ordered = sorted(range(len(rows)), key=lambda number: (-len(rows[number].prompt_ids), rows[number].prompt_ids))
    for number in ordered:
        sampler.add(number, rows[number])
    done = sampler.run(to_end=True)
    return [done[number] for number in range(len(rows))]


def batches(prompts: Sequence[Sequence[int]], most: int) -> Iterator[list[int]]:
    """Indices of `prompts` in batches of at most `most`: like lengths and equal prompts together, longest first."""
    order = sorted(range(len(prompts)), key=lambda number: (-len(prompts[number]), prompts[number]))
    while order:
        room = max(1, min(most, BATCH_TOKENS // max(1, len(prompts[order[0]]))))
        yield order[:room]
        order = order[room:]


@dataclass(slots=True)
class _Live:
    """A row at work, and the key under which its result is asked for."""

    key: int
    row: Row
    limit: int
    token_ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    stop: Stop = ""

    def take(self, token: int, logprob: float, model: Model) -> bool:
        """Go on by a token; whether that ends the row."""
        self.token_ids.append(token)
        self.logprobs.append(logprob)
        if token in model.eos_ids:
            self.stop = "end"
        elif self.row.stop and self._stopped(model):
            self.stop = "stop"
        elif len(self.token_ids) >= self.limit:
            self.stop = "length"
        return bool(self.stop)

    def _stopped(self, model: Model) -> bool:
        """Whether a stop string is in the text. Mostly the tail tells: all but special tokens are a byte or more."""
        reach = max(len(one.encode()) for one in self.row.stop) + 8
        tail = _decode(model, self.token_ids[-reach:])
        return any(one in tail for one in self.row.stop) and any(one in self.text(model) for one in self.row.stop)

    def text(self, model: Model) -> str:
        """The text behind the prompt, whose last token is decoded along: some tokenizers drop a space at the start."""
        ids = self.token_ids[:-1] if self.stop == "end" else self.token_ids
        last = self.row.prompt_ids[-1:]
        head, whole = _decode(model, last), _decode(model, [*last, *ids])
        return whole[len(head) :] if whole.startswith(head) else _decode(model, ids)

    def result(self, model: Model) -> Sampled:
        text = self.text(model)
        cuts = [at for at in map(text.find, self.row.stop) if at >= 0]
        return Sampled(tuple(self.token_ids), tuple(self.logprobs), text[: min(cuts)] if cuts else text, self.stop)


def _decode(model: Model, ids: Sequence[int]) -> str:
    return str(model.tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))


class Sampler:
    """Rows at work, and a queue: rows that end leave their places to those that wait (continuous batching: Yu et al.
    2022, "Orca"; new prompts are read apart and in groups here, not in one pass with the others' steps).

    slots: how many rows are at work at most; fewer where the prompts are longer than BATCH_TOKENS together. A network
           whose cache cannot drop rows takes new ones when all have ended. exact, turns: see `sample`.
    """

    def __init__(self, model: Model, slots: int, *, exact: bool = False, turns: Turns | None = None) -> None:
        if exact and model.net.dtype != torch.float32:
            raise BadConfig(f"exact sampling needs dtype='float32', and {model.name} is loaded in {model.net.dtype}")
        self.model, self.slots = model, 1 if exact else slots
        self._turns = None if exact else turns
        self._queue: deque[_Live] = deque()
        self._ended: dict[int, Sampled] = {}
        self._live: list[_Live] = []
        self._decoder = Decoder(model.net)
        self._draws, self._logits = Draws.of([], 1, model.device), torch.empty(0)
        self._weights = fingerprint(model.net)

    def __len__(self) -> int:
        """How many rows wait, are at work, or have ended and were not told yet."""
        return len(self._queue) + len(self._going()) + len(self._ended)

    def add(self, key: int, row: Row) -> None:
        """Queue a row, whose key no other in here has. Rows are taken on in this order: like lengths side by side, and
        equal prompts, are cheaper. BadInput for a prompt that leaves no room in the context.
        """
        context = self.model.context
        if context is not None and len(row.prompt_ids) >= context:
            expected = f"fewer than {context}, the context of {self.model.name}"
            raise BadInput(f"a prompt of {len(row.prompt_ids)} tokens", expected=expected)
        self._queue.append(_Live(key, row, min(row.max_tokens, (context or 1 << 62) - len(row.prompt_ids))))

    def run(self, *, to_end: bool = False) -> dict[int, Sampled]:
        """Go on until a share of the rows at work has ended (see REFILL), so that others can be added, or all have; the
        results of those. Whatever is raised, the rows at work begin again with the next call: they lose nothing, since
        their seeds decide.
        """
        try:
            with torch.inference_mode():
                self._check()
                while self._live or self._queue:
                    if not to_end and len(self._ended) >= max(1, len(self._going()) // REFILL):
                        break
                    self._refill()
                    self._draw()
                    self._advance()
        except BaseException:
            self.restart()
            raise
        ended, self._ended = self._ended, {}
        return ended

    def restart(self) -> None:
        """Let the rows at work begin anew."""
        for one in reversed(self._going()):
            self._queue.appendleft(_Live(one.key, one.row, one.limit))
        self._live = []
        self._decoder.clear()

    def drop(self) -> int:
        """Take the row out that is next in the queue; its key."""
        return self._queue.popleft().key

    def _going(self) -> list[_Live]:
        return [one for one in self._live if not one.stop]

    def _check(self) -> None:
        """Nothing that other weights have read is gone on with, nor past hooks that were put on since."""
        if self._turns is not None:
            self._turns.check()
        now = fingerprint(self.model.net)
        if now != self._weights:
            self._weights = now
            self.restart()
        if self._live:
            self._decoder.check()
        else:
            self._decoder = Decoder(self.model.net)

    def _refill(self) -> None:
        """Read the next prompts, if there is room for enough of them."""
        if not self._queue or (self._live and not self._decoder.shrinks):
            return
        longest = max(len(one.row.prompt_ids) for one in (*self._live, self._queue[0]))
        fresh = min(len(self._queue), min(self.slots, BATCH_TOKENS // longest) - len(self._live))
        if self._live and fresh < max(1, len(self._live) // REFILL):
            return
        new = list(islice(self._queue, max(1, fresh)))
        again = self._queue[len(new)].row.prompt_ids if self.slots > 1 and len(self._queue) > len(new) else ()
        logits, order = self._decoder.read([one.row.prompt_ids for one in new], self._turns, again)
        self._queue = deque(islice(self._queue, len(new), None))
        new = [new[number] for number in order]
        draws = Draws.of([one.row for one in new], max(one.limit for one in new), self.model.device)
        self._draws = self._draws.joined(draws) if self._live else draws
        self._logits = torch.cat([self._logits, logits]) if self._live else logits
        self._live = self._live + new

    def _draw(self) -> None:
        """A token for each row at work."""
        self._tokens, logprobs = self._draws.draw(self._logits)
        told = zip(self._live, self._tokens.tolist(), logprobs.tolist(), strict=True)
        for number, (one, token, logprob) in enumerate(told):
            if logprob != logprob:
                expected = "whole weights, and a dtype in which they do not overflow"
                raise BadInput(f"the logits of {self.model.name} are not numbers", expected=expected)
            if not one.stop and one.take(token, logprob, self.model):
                self._ended[one.key] = one.result(self.model)
                self._remember(number)

    def _advance(self) -> None:
        """Let rows that have ended go, once there are a few, and feed the others' tokens."""
        going = [number for number, one in enumerate(self._live) if not one.stop]
        if not going or (self._decoder.shrinks and 6 * len(going) <= 5 * len(self._live)):
            if not going:
                self._live = []
                self._decoder.clear()
                return
            kept = self._decoder.shrink(going)
            self._draws, self._tokens = self._draws.select(kept), self._tokens[kept]
            self._live = [self._live[number] for number in kept.tolist()]
        self._logits = self._decoder.step(self._tokens)

    def _remember(self, number: int) -> None:
        """Keep what a row that has just ended has read and said; the last token was drawn and not read."""
        if self._turns is not None and self._decoder.shrinks:
            one = self._live[number]
            ids = (*one.row.prompt_ids, *one.token_ids[:-1])
            self._turns.keep(ids, len(one.row.prompt_ids), self._decoder.states(number, len(ids)))
