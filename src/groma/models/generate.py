"""Sampling: many prompts at a time with a key-value cache; what a row says depends on its prompt and its seed alone.

Draws never depend on the batch (`draw.py`); logits do, by rounding (about 1e-6), since matrix products are summed in
another order. With `exact` every row is computed alone, in float32, and is then equal to the last bit.
Rows of like length share a batch, equal prompts are read once, and a row that ends leaves the batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import torch

from groma.formats.errors import BadConfig, BadInput
from groma.formats.requests import Stop
from groma.models.decode import Decoder
from groma.models.draw import Draws
from groma.models.model import Model
from groma.models.turns import Turns

BATCH_TOKENS = 1 << 16
"""No batch has more prompt tokens than this, padding included (a single longer prompt makes a batch of its own)."""


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
    if exact and model.net.dtype != torch.float32:
        raise BadConfig(f"exact sampling needs dtype='float32', and {model.name} is loaded in {model.net.dtype}")
    for row in rows:
        if model.context is not None and len(row.prompt_ids) >= model.context:
            expected = f"fewer than {model.context}, the context of {model.name}"
            raise BadInput(f"a prompt of {len(row.prompt_ids)} tokens", expected=expected)
    done: dict[int, Sampled] = {}
    if turns is not None:
        turns.check()
    with torch.inference_mode():
        for batch in batches([row.prompt_ids for row in rows], 1 if exact else max_batch):
            results = _run(model, [rows[number] for number in batch], None if exact else turns)
            done.update(zip(batch, results, strict=True))
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
    """A row at work."""

    row: Row
    limit: int
    token_ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    stop: Stop = ""

    def take(self, token: int, logprob: float, model: Model) -> None:
        self.token_ids.append(token)
        self.logprobs.append(logprob)
        if token in model.eos_ids:
            self.stop = "end"
        elif self.row.stop and self._stopped(model):
            self.stop = "stop"
        elif len(self.token_ids) >= self.limit:
            self.stop = "length"

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


def _run(model: Model, rows: list[Row], turns: Turns | None) -> list[Sampled]:
    """Sample one batch to its end."""
    every = [_Live(row, min(row.max_tokens, (model.context or 1 << 62) - len(row.prompt_ids))) for row in rows]
    decoder, steps = Decoder(model.net), max(one.limit for one in every)
    logits, order = decoder.read([row.prompt_ids for row in rows], turns)
    live = [every[number] for number in order]
    draws = Draws.of([one.row for one in live], steps, model.device)
    for step in range(steps):
        tokens, logprobs = draws.draw(logits, step)
        for one, token, logprob in zip(live, tokens.tolist(), logprobs.tolist(), strict=True):
            if logprob != logprob:
                expected = "whole weights, and a dtype in which they do not overflow"
                raise BadInput(f"the logits of {model.name} are not numbers", expected=expected)
            if not one.stop:
                one.take(token, logprob, model)
        going = [number for number, one in enumerate(live) if not one.stop]
        if not going:
            break
        if decoder.shrinks and 16 * len(going) <= 15 * len(live):
            _remember(turns, decoder, live, set(range(len(live))) - set(going))
            kept = decoder.shrink(going)
            draws, tokens, live = draws.select(kept), tokens[kept], [live[number] for number in kept.tolist()]
        logits = decoder.step(tokens)
    _remember(turns, decoder, live, range(len(live)))
    return [one.result(model) for one in every]


def _remember(turns: Turns | None, decoder: Decoder, live: Sequence[_Live], rows: Iterable[int]) -> None:
    """Keep what rows that have ended have read and said; the last token of each was drawn and not read."""
    if turns is None or not decoder.shrinks:
        return
    for number in rows:
        prompt, said = live[number].row.prompt_ids, live[number].token_ids[:-1]
        turns.keep((*prompt, *said), len(prompt), decoder.states(number, len(prompt), len(said)))
