"""The local engine: answers requests with a model in this process, many at a time.

What is submitted waits until `poll`, which takes on the request that waits longest and those of about its length.
Replies that are sampled are answered when a share of those at work have ended, and those submitted then take their
places (`generate.Sampler`); everything else is answered a batch at a time. A reply depends on the request and its seed,
not on the batch (`generate.py`; with `exact`, to the last bit), and its text is what was sampled behind the prefill. A
conversation that goes on is not read again from its beginning (`turns.py`; not with `exact`). A request that this model
cannot serve for its content (too long for the context, roles that the template refuses, a layer that it has not) is
answered with a Failure; one of a kind that no model serves, and tools that its chat template does not show, raise
Unservable.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from groma.formats.errors import BadConfig, BadInput
from groma.formats.messages import ToolCall
from groma.formats.requests import Cost, Failure, Read, Reply, Request
from groma.models.activations import edited, gradients, read
from groma.models.generate import Sampled, Sampler, sample
from groma.models.model import Model
from groma.models.prepare import Generating, Looking, Prepared, Scoring, prepare
from groma.models.score import answer_logprobs
from groma.models.tool_calls import parse
from groma.models.turns import KEPT_BYTES, Turns
from groma.play.engine import Seat

Answer = tuple[int, Reply | Failure]


class LocalEngine:
    """An engine (play/engine.py) of one model.

    max_batch:  how many sequences are computed together.
    kept_bytes: of keys and values of earlier turns, beside the model's weights.
    """

    def __init__(
        self, model: Model, *, max_batch: int = 256, exact: bool = False, kept_bytes: int = KEPT_BYTES
    ) -> None:
        if max_batch < 1:
            raise BadConfig(f"max_batch is {max_batch}: choose at least 1")
        if kept_bytes < 0:
            raise BadConfig(f"kept_bytes is {kept_bytes}: choose 0 (keep nothing) or more")
        self.model, self.max_batch, self.exact = model, max_batch, exact
        self._turns = Turns(model.net, kept_bytes)
        self._sampler = Sampler(model, max_batch, exact=exact, turns=self._turns)
        self._slots = self._sampler.slots
        self._begun: set[int] = set()
        self._pending: dict[int, Prepared] = {}
        self._failed: list[Answer] = []

    def submit(self, ticket: int, request: Request, seed: int) -> None:
        """Take a request. Unservable, naming it, where it is of a kind that is never answered here."""
        try:
            prepared = prepare(self.model, request, seed)
        except BadInput as error:
            self._failed.append((ticket, Failure("engine", "bad_request", str(error))))
            return
        room = self.model.context
        if room is not None and prepared.tokens > room:
            what = f"{prepared.tokens} tokens are needed at least, and the context of {self.model.name} holds {room}"
            self._failed.append((ticket, Failure("engine", "too_long", what)))
            return
        self._pending[ticket] = prepared

    def poll(self) -> list[Answer]:
        """The answers of one batch, or to what was sampled to its end, or what has failed already; empty only where
        nothing is pending.
        """
        if self._failed:
            failed, self._failed = self._failed, []
            return failed
        if not self._pending:
            return []
        started = time.perf_counter()
        oldest = next(iter(self._pending))
        if _streams(self._pending[oldest]):
            answers = self._go_on()
        else:
            tickets = self._batch(oldest, self.max_batch)
            answers = list(zip(tickets, self._try(tickets), strict=True))
        seconds = (time.perf_counter() - started) / len(answers)
        for ticket, _ in answers:
            del self._pending[ticket]
        return [(ticket, _timed(reply, seconds)) for ticket, reply in answers]

    def close(self) -> None:
        """Forget what is pending, and earlier turns."""
        self._pending, self._failed = {}, []
        self._turns.clear()
        self._begin()

    def _begin(self) -> None:
        """Forget what is being sampled."""
        self._sampler = Sampler(self.model, self.max_batch, exact=self.exact, turns=self._turns)
        self._begun = set()

    def _batch(self, oldest: int, most: int) -> list[int]:
        """The oldest ticket and those of its kind, not begun yet, whose prompts are closest to its own in length."""
        kind = self._pending[oldest].kind
        if not kind:
            return [oldest]
        alike = [one for one, asked in self._pending.items() if asked.kind == kind and one not in self._begun]
        alike.sort(key=lambda ticket: (len(self._pending[ticket].prompt_ids), self._pending[ticket].prompt_ids))
        first = min(max(0, alike.index(oldest) - most // 2), max(0, len(alike) - most))
        return alike[first : first + most]

    def _go_on(self) -> list[Answer]:
        """Fill the sampler's places, and go on until some of its rows have ended."""
        oldest = next((one for one, asked in self._pending.items() if _streams(asked) and one not in self._begun), None)
        room = self.max_batch - len(self._begun)
        for ticket in self._batch(oldest, room) if oldest is not None and room else ():
            asked = self._pending[ticket]
            assert isinstance(asked, Generating)
            self._sampler.add(ticket, asked.row)
            self._begun.add(ticket)
        answers: list[Answer] = []
        while not answers:
            try:
                for ticket, result in self._sampler.run().items():
                    asked = self._pending[ticket]
                    assert isinstance(asked, Generating)
                    answers.append((ticket, self._reply(asked, result)))
            except BadInput as error:
                answers = [(ticket, Failure("engine", "not_numbers", str(error))) for ticket in self._begun]
                self._begin()
            except torch.OutOfMemoryError as error:
                if self._sampler.slots == 1:
                    answers = [(self._sampler.drop(), Failure("engine", "out_of_memory", str(error)))]
                self._sampler.slots = max(1, min(self._sampler.slots, len(self._begun)) // 2)
                self._turns.clear()
        self._begun -= {ticket for ticket, _ in answers}
        if not self._begun:
            self._sampler.slots = self._slots
        return answers

    def _try(self, tickets: list[int]) -> list[Reply | Failure]:
        """Answer some tickets of one kind; halves of them, where they do not fit into memory together."""
        asked = [self._pending[ticket] for ticket in tickets]
        try:
            return list(self._answers(asked))
        except BadInput as error:
            return [Failure("engine", "not_numbers", str(error))] * len(asked)
        except torch.OutOfMemoryError as error:
            if len(tickets) == 1:
                return [Failure("engine", "out_of_memory", str(error))]
        self._turns.clear()
        half = len(tickets) // 2
        return [*self._try(tickets[:half]), *self._try(tickets[half:])]

    def _answers(self, asked: Sequence[Prepared]) -> Iterator[Reply]:
        if isinstance(asked[0], Looking):
            return iter([self._look(asked[0])])
        if isinstance(asked[0], Scoring):
            return self._scores([one for one in asked if isinstance(one, Scoring)])
        return self._sample([one for one in asked if isinstance(one, Generating)])

    def _look(self, asked: Looking) -> Reply:
        net, request, ids = self.model.net, asked.request, asked.prompt_ids
        if isinstance(request, Read):
            arrays = read(net, ids, request.layers, request.positions)
        else:
            arrays = gradients(net, ids, asked.target, request.positions, request.top_k)
        return Reply(prompt_ids=ids, arrays=arrays, cost=Cost(asked.tokens, 0, 1))

    def _sample(self, asked: Sequence[Generating]) -> Iterator[Reply]:
        """Under edits: nothing is then what it was in earlier turns, or may go on after the edits are gone."""
        with edited(self.model.net, asked[0].edits):
            drawn = sample(self.model, [one.row for one in asked], max_batch=self.max_batch, exact=self.exact)
        return (self._reply(one, result) for one, result in zip(asked, drawn, strict=True))

    def _reply(self, asked: Generating, result: Sampled) -> Reply:
        text, calls = result.text.removeprefix(asked.strip), tuple[ToolCall, ...]()
        if asked.tools:
            text, calls = parse(self.model.tokenizer, result.token_ids, text)
        return Reply(
            text=text,
            tool_calls=calls,
            prompt_ids=asked.prompt_ids,
            token_ids=result.token_ids,
            logprobs=result.logprobs if asked.logprobs else (),
            stop=result.stop,
            cost=Cost(len(asked.prompt_ids), len(result.token_ids), 1),
        )

    def _scores(self, asked: Sequence[Scoring]) -> Iterator[Reply]:
        prompts = [one.prompt_ids for one in asked for _ in one.answers]
        answers = [answer for one in asked for answer in one.answers]
        found = iter(answer_logprobs(self.model, prompts, answers, max_batch=self.max_batch, exact=self.exact))
        for one in asked:
            scores = tuple(float(next(found).double().sum()) for _ in one.answers)
            read_in = len(one.prompt_ids) + sum(map(len, one.answers))
            yield Reply(prompt_ids=one.prompt_ids, scores=scores, cost=Cost(read_in, 0, 1))


def seat(model: Model) -> Seat:
    """The model as a player."""
    return Seat(model.name, model.digest, LocalEngine(model), model.notes)


def _streams(asked: Prepared) -> bool:
    """Whether it is sampled in places that are filled again, from one poll to the next."""
    return isinstance(asked, Generating) and not asked.edits


def _timed(reply: Reply | Failure, seconds: float) -> Reply | Failure:
    return replace(reply, cost=replace(reply.cost, seconds=seconds)) if isinstance(reply, Reply) else reply
