"""Rollouts: episodes of a system, and in them what the players that learn have said, as rows to learn from.

What is trained is a system in its environment: the driver plays it, and the replies of the players that learn are its
actions, whoever else speaks between. Replies of one player of one episode follow each other in time, and a reply whose
prompt begins with all that the row before it holds goes on in that row: a conversation of many turns is read once. The
tokens are those that were fed and drawn, never a text made to tokens again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from groma.formats.errors import BadConfig
from groma.formats.requests import Failure, Generate, Reply, Request
from groma.formats.task import Pay
from groma.formats.transcript import Played
from groma.methods.tokens import Row
from groma.play.engine import Engine


class Learner:
    """The engine of players that learn: log-probabilities of what was drawn come with every reply.

    Every reply has to be drawn from the whole distribution, at one temperature: with top-k or top-p the probability
    that an action was drawn with is not the one that is learned, by the mass that was cut off, and the gradient is
    biased; a greedy reply explores nothing. What breaks this is kept in `refused`.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.temperature: float | None = None
        self.refused: BadConfig | None = None

    def submit(self, ticket: int, request: Request, seed: int) -> None:
        if isinstance(request, Generate):
            why = self._wrong(request)
            if why:
                self.refused = BadConfig(why)
                raise self.refused
            self.temperature = request.temperature
            request = replace(request, logprobs=True)
        self.engine.submit(ticket, request, seed)

    def poll(self) -> list[tuple[int, Reply | Failure]]:
        return self.engine.poll()

    def close(self) -> None:
        self.engine.close()

    def _wrong(self, request: Generate) -> str:
        who = f"{request.player} learns, and its system asks it with"
        if request.top_k or request.top_p < 1:
            return (
                f"{who} top_k {request.top_k} and top_p {request.top_p}: the probability that is learned would not be "
                "the one that was drawn with\n  set top_k=0 and top_p=1, and lower the temperature instead"
            )
        if request.temperature == 0:
            return f"{who} temperature 0: greedy replies explore nothing\n  set a temperature above 0, such as 1"
        if self.temperature not in (None, request.temperature):
            return (
                f"{who} the temperatures {self.temperature} and {request.temperature}\n  set the same for every reply"
            )
        return f"{who} edits of its activations, under which nothing can be learned" if request.edits else ""


@dataclass(frozen=True, slots=True)
class Turn:
    """One reply: the ids that were fed and drawn, the log-probability with which each was, and whether it was cut."""

    prompt_ids: tuple[int, ...]
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    cut: bool


@dataclass(frozen=True, slots=True)
class Trace:
    """All that one player said in one episode, in time, and what it was paid."""

    task: str
    turns: tuple[Turn, ...]
    pay: Pay

    @property
    def actions(self) -> int:
        return sum(len(turn.token_ids) for turn in self.turns)

    @property
    def cut(self) -> bool:
        """Whether the last reply was cut off before its end."""
        return self.turns[-1].cut


def turns_of(played: Played, player: str) -> tuple[Turn, ...]:
    """The player's replies in one episode, in the order in which they were asked for; empty ones teach nothing."""
    found = []
    for call in played.calls:
        asked = call.request if isinstance(call.request, tuple) else (call.request,)
        given = call.reply if isinstance(call.reply, tuple) else (call.reply,)
        for request, reply in zip(asked, given, strict=True):
            mine = isinstance(request, Generate) and request.player == player and isinstance(reply, Reply)
            if mine and isinstance(reply, Reply) and reply.token_ids:
                found.append(Turn(reply.prompt_ids, reply.token_ids, reply.logprobs, reply.stop == "length"))
    return tuple(found)


def rows_of(turns: Sequence[Turn]) -> list[Row]:
    """The rows of a trace: a turn that goes on from all that stands in the row before it stands in that row."""
    texts: list[list[int]] = []
    acted: list[list[bool]] = []
    ends: list[list[bool]] = []
    for turn in turns:
        last = len(texts[-1]) if texts else 0
        if not texts or list(turn.prompt_ids[:last]) != texts[-1]:
            texts.append([])
            acted.append([])
            ends.append([])
            last = 0
        rest = turn.prompt_ids[last:]
        texts[-1] += [*rest, *turn.token_ids]
        acted[-1] += [False] * len(rest) + [True] * len(turn.token_ids)
        ends[-1].append(not turn.cut)
    return [
        Row(np.array(text, dtype=np.int64), np.array(mask, dtype=np.bool_), len(end), sum(end))
        for text, mask, end in zip(texts, acted, ends, strict=True)
    ]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """The actions of many traces, token by token: traces one after the other, each in time.

    lengths: actions of each trace. rows: of all traces; rows_of: of each trace the numbers of its rows; starts: of each
    row the place of its first action. trace_N: of each token; old_N: the log-probability with which it was drawn;
    ends: places of the last token of every turn, turn after turn.
    """

    traces: tuple[Trace, ...]
    lengths: tuple[int, ...]
    rows: tuple[Row, ...]
    rows_of: tuple[tuple[int, ...], ...]
    starts: NDArray[np.int64]
    trace_N: Tensor
    old_N: Tensor
    ends: Tensor

    def places(self, rows: Sequence[int]) -> Tensor:
        """The places of the tokens of some rows among all tokens, in the order in which a forward pass tells them."""
        spans = [range(self.starts[one], self.starts[one] + int(self.rows[one].learned.sum())) for one in rows]
        return torch.tensor([place for span in spans for place in span], dtype=torch.long)

    def sums(self, values_N: Tensor) -> Tensor:
        """Per-token values summed over each trace (traces,)."""
        return values_N.new_zeros(len(self.traces)).index_add(0, self.trace_N, values_N)

    def last(self) -> Tensor:
        """The place of each trace's last action (traces,)."""
        return torch.tensor(self.lengths).cumsum(0) - 1

    def by_trace(self, values_N: Tensor) -> tuple[Tensor, Tensor]:
        """Per-token values as (traces, time), padded with 0, and where there is a token."""
        lengths = torch.tensor(self.lengths)
        there = torch.arange(int(lengths.max())) < lengths[:, None]
        laid = values_N.new_zeros(there.shape)
        laid[there] = values_N
        return laid, there


def batch(traces: Sequence[Trace]) -> Batch:
    """The actions of some traces, side by side."""
    each = [rows_of(trace.turns) for trace in traces]
    rows = [row for some in each for row in some]
    begins = np.cumsum([0, *map(len, each)]).tolist()
    counts = np.array([int(row.learned.sum()) for row in rows], dtype=np.int64)
    lengths = tuple(trace.actions for trace in traces)
    logprobs = [value for trace in traces for turn in trace.turns for value in turn.logprobs]
    ends = np.cumsum([len(turn.token_ids) for trace in traces for turn in trace.turns]) - 1
    return Batch(
        tuple(traces),
        lengths,
        tuple(rows),
        tuple(tuple(range(first, last)) for first, last in pairwise(begins)),
        np.cumsum(counts) - counts,
        torch.repeat_interleave(torch.arange(len(traces)), torch.tensor(lengths)),
        torch.tensor(logprobs, dtype=torch.float32),
        torch.from_numpy(ends),
    )
