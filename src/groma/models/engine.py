"""The local engine: answers Generate and Score requests with a model in this process, many at a time.

What is submitted waits until `poll`, which answers one batch: the request that waits longest and those of about its
length. A reply depends on the request and its seed, not on the batch (`generate.py`; with `exact`, to the last bit).
A reply's text is what was sampled behind the prefill. A request that this model cannot serve for its content (too long
for the context, roles that the template refuses) is answered with a Failure; one of a kind that is never served raises
Unservable.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from groma.formats.errors import BadConfig, BadInput, Unservable
from groma.formats.messages import Message
from groma.formats.requests import Cost, Failure, Generate, Prompt, Reply, Request, Score
from groma.models.generate import Row, sample
from groma.models.model import Model
from groma.models.score import answer_logprobs
from groma.models.template import TURN_STOPS, encode, encode_answers, lead, render_text

Answer = tuple[int, Reply | Failure]


@dataclass(frozen=True, slots=True)
class _Generating:
    row: Row
    logprobs: bool
    strip: str

    @property
    def prompt_ids(self) -> tuple[int, ...]:
        return self.row.prompt_ids


@dataclass(frozen=True, slots=True)
class _Scoring:
    prompt_ids: tuple[int, ...]
    answers: tuple[tuple[int, ...], ...]


class LocalEngine:
    """An engine (play/engine.py) of one model. `max_batch`: how many sequences are computed together."""

    def __init__(self, model: Model, *, max_batch: int = 256, exact: bool = False) -> None:
        if max_batch < 1:
            raise BadConfig(f"max_batch is {max_batch}: choose at least 1")
        self.model, self.max_batch, self.exact = model, max_batch, exact
        self._pending: dict[int, _Generating | _Scoring] = {}
        self._failed: list[Answer] = []

    def submit(self, ticket: int, request: Request, seed: int) -> None:
        """Take a request. Unservable, naming it, where it is of a kind that is never answered here."""
        _check_kind(request)
        try:
            if isinstance(request, Generate):
                self._pending[ticket] = self._generating(request, seed)
            elif isinstance(request, Score):
                self._pending[ticket] = self._scoring(request)
        except BadInput as error:
            self._failed.append((ticket, Failure("engine", "bad_request", str(error))))
            return
        tokens, room = self._need(self._pending[ticket]), self.model.context
        if room is not None and tokens > room:
            del self._pending[ticket]
            what = f"{tokens} tokens are needed at least, and the context of {self.model.name} holds {room}"
            self._failed.append((ticket, Failure("engine", "too_long", what)))

    def poll(self) -> list[Answer]:
        """The answers of one batch, or what has failed already; empty only where nothing is pending."""
        if self._failed:
            failed, self._failed = self._failed, []
            return failed
        if not self._pending:
            return []
        tickets = self._batch()
        started = time.perf_counter()
        replies = self._try(tickets)
        seconds = (time.perf_counter() - started) / len(tickets)
        for ticket in tickets:
            del self._pending[ticket]
        return [(ticket, _timed(reply, seconds)) for ticket, reply in zip(tickets, replies, strict=True)]

    def close(self) -> None:
        """Forget what is pending."""
        self._pending, self._failed = {}, []

    def _generating(self, request: Generate, seed: int) -> _Generating:
        model, prompt = self.model, request.prompt
        spoken = not model.has_template and _is_messages(prompt)
        text = self._text(prompt)
        if text is None:
            ids = [*self._checked(prompt), *model.tokenizer.encode(request.prefill, add_special_tokens=False)]
        else:
            prefill = lead(model) + request.prefill if spoken and request.prefill else request.prefill
            ids = encode(model, text + prefill, rendered=_is_messages(prompt))
        stop = (*request.stop, *TURN_STOPS) if spoken else request.stop
        row = Row(tuple(ids), request.max_tokens, request.temperature, request.top_k, request.top_p, stop, seed)
        return _Generating(row, request.logprobs, lead(model) if spoken and not request.prefill else "")

    def _scoring(self, request: Score) -> _Scoring:
        model, prompt, text = self.model, request.prompt, self._text(request.prompt)
        if text is None:
            before = self._checked(prompt)
            answers = [list(model.tokenizer.encode(one, add_special_tokens=False)) for one in request.answers]
        else:
            spoken = _is_messages(prompt)
            words = [lead(model) + one if spoken else one for one in request.answers]
            before, answers = encode_answers(model, text, words, rendered=spoken)
        if not before or not all(answers):
            raise BadInput(
                f"the prompt {prompt!r} or an answer has no token", expected="text that the tokenizer can write"
            )
        if request.ended:
            if model.end_id is None:
                raise BadInput(f"Score(ended=True), and {model.name} has no end token", expected="ended=False")
            answers = [[*ids, model.end_id] for ids in answers]
        return _Scoring(tuple(before), tuple(map(tuple, answers)))

    def _text(self, prompt: Prompt) -> str | None:
        """The prompt as text; None where it is token ids."""
        if isinstance(prompt, str):
            return prompt
        messages = [one for one in prompt if isinstance(one, Message)]
        return render_text(self.model, messages) if messages else None

    def _checked(self, prompt: Prompt) -> list[int]:
        size = self.model.vocabulary
        ids = [one for one in prompt if isinstance(one, int)]
        wrong = [one for one in ids if not 0 <= one < size]
        if wrong:
            raise BadInput(
                f"the prompt has the token id {wrong[0]}", expected=f"0 to {size - 1}, as {self.model.name} has"
            )
        return ids

    def _need(self, asked: _Generating | _Scoring) -> int:
        """How many tokens must fit into the context: the prompt with one more, or with its longest answer."""
        more = 1 if isinstance(asked, _Generating) else max(map(len, asked.answers))
        return len(asked.prompt_ids) + more

    def _batch(self) -> list[int]:
        """The oldest ticket and those of its kind whose prompts are closest to its own in length."""
        oldest = next(iter(self._pending))
        kind = type(self._pending[oldest])
        alike = [ticket for ticket, asked in self._pending.items() if isinstance(asked, kind)]
        alike.sort(key=lambda ticket: len(self._pending[ticket].prompt_ids))
        first = min(max(0, alike.index(oldest) - self.max_batch // 2), max(0, len(alike) - self.max_batch))
        return alike[first : first + self.max_batch]

    def _try(self, tickets: list[int]) -> list[Reply | Failure]:
        """Answer some tickets of one kind; halves of them, where they do not fit into memory together."""
        asked = [self._pending[ticket] for ticket in tickets]
        try:
            return list(self._sample(asked) if isinstance(asked[0], _Generating) else self._answers(asked))
        except BadInput as error:
            return [Failure("engine", "not_numbers", str(error))] * len(asked)
        except torch.OutOfMemoryError as error:
            if len(tickets) == 1:
                return [Failure("engine", "out_of_memory", str(error))]
        half = len(tickets) // 2
        return [*self._try(tickets[:half]), *self._try(tickets[half:])]

    def _sample(self, asked: Sequence[_Generating | _Scoring]) -> Iterator[Reply]:
        generating = [one for one in asked if isinstance(one, _Generating)]
        drawn = sample(self.model, [one.row for one in generating], max_batch=self.max_batch, exact=self.exact)
        for one, result in zip(generating, drawn, strict=True):
            yield Reply(
                text=result.text.removeprefix(one.strip),
                prompt_ids=one.prompt_ids,
                token_ids=result.token_ids,
                logprobs=result.logprobs if one.logprobs else (),
                stop=result.stop,
                cost=Cost(len(one.prompt_ids), len(result.token_ids), 1),
            )

    def _answers(self, asked: Sequence[_Generating | _Scoring]) -> Iterator[Reply]:
        scoring = [one for one in asked if isinstance(one, _Scoring)]
        prompts = [one.prompt_ids for one in scoring for _ in one.answers]
        answers = [answer for one in scoring for answer in one.answers]
        found = iter(answer_logprobs(self.model, prompts, answers, max_batch=self.max_batch, exact=self.exact))
        for one in scoring:
            scores = tuple(float(next(found).double().sum()) for _ in one.answers)
            read = len(one.prompt_ids) + sum(map(len, one.answers))
            yield Reply(prompt_ids=one.prompt_ids, scores=scores, cost=Cost(read, 0, 1))


def _check_kind(request: Request) -> None:
    kind = type(request).__name__
    if not isinstance(request, Generate | Score):
        raise Unservable(f"the local engine answers Generate and Score, not {kind}(player={request.player!r})")
    if isinstance(request, Generate) and (request.edits or request.tools):
        what = "edits" if request.edits else "tools"
        raise Unservable(f"the local engine cannot serve {kind}(player={request.player!r}, {what}=…): leave {what} out")


def _is_messages(prompt: Prompt) -> bool:
    return not isinstance(prompt, str) and isinstance(prompt[0], Message)


def _timed(reply: Reply | Failure, seconds: float) -> Reply | Failure:
    return replace(reply, cost=replace(reply.cost, seconds=seconds)) if isinstance(reply, Reply) else reply
