"""`planner`: a search over acts that calls the model as one of its tools; and the agent that calls the search.

The search is symbolic: its nodes are states of the environment (branches of it, with the conversation that led there),
its edges are acts, and what it does is decided by a score and not by what the model says. The model only proposes what
might be done next, and judges what was done. From each of the best `width` nodes `proposals` are drawn; each proposed
act is done in a branch of its own; a proposal that is no call ends its node with an answer. Of all that ended the best
by the score is what was done. It is the embodiment opposite to `agent`, where the model decides and tools serve it.

`planning_agent` has that search as its tool: "use search." plans from where the agent is, and does what was found.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

from groma.formats.errors import BadConfig
from groma.formats.messages import Message, ToolCall
from groma.formats.requests import Act, Asked, Episode, Failed, Failure, Fork, Generate, Keep, Reply, Tool
from groma.formats.scaffold import INTRODUCTION
from groma.formats.task import Posed
from groma.formats.transcript import Transcript
from groma.systems.asking import together
from groma.systems.calls import calls_in
from groma.systems.scoring import By, scores
from groma.systems.telling import introduced, tool_says

DONE = "have you done all that was asked, and nothing else? say yes or no."
SEARCH = Tool("search", "find out by trying what to do next, and do it")


@dataclass(frozen=True, slots=True)
class Search:
    """How a search goes: who proposes, how wide and how deep, by what nodes are chosen, and whether the players were
    taught the tools.
    """

    player: str = "assistant"
    proposals: int = 4
    width: int = 3
    depth: int = 8
    by: By = "verdict"
    scorer: str = "assistant"
    question: str = DONE
    max_tokens: int = 256
    temperature: float = 1.0
    taught: bool = False

    def __post_init__(self) -> None:
        if min(self.proposals, self.width, self.depth) < 1:
            given = f"{self.proposals}, {self.width} and {self.depth}"
            raise BadConfig(f"proposals, width and depth are {given}; choose at least 1 of each")


@dataclass(frozen=True, slots=True)
class Node:
    """A state that was reached: in which branch, and what was said on the way. `answer` is None where it goes on."""

    branch: str
    messages: tuple[Message, ...]
    answer: str | None = None
    stop: str = "steps"


@dataclass(slots=True)
class _Tree:
    """Names of branches, none used twice in an episode."""

    count: int = field(default=0)

    def name(self) -> str:
        self.count += 1
        return f"node {self.count}"


def planner(
    posed: Posed,
    *,
    player: str = "assistant",
    proposals: int = 4,
    width: int = 3,
    depth: int = 8,
    by: By = "verdict",
    scorer: str = "assistant",
    question: str = DONE,
    max_tokens: int = 256,
    temperature: float = 1.0,
) -> Episode:
    """What the search found: its conversation, and its answer (empty, where nothing ended within `depth` acts)."""
    how = Search(player, proposals, width, depth, by, scorer, question, max_tokens, temperature, posed.taught)
    found = yield from searched(_begun(posed, posed.tools), posed.tools, how, _Tree())
    return Transcript(found.messages, found.answer or "", stop=found.stop)


def planning_agent(
    posed: Posed,
    *,
    player: str = "assistant",
    proposals: int = 4,
    width: int = 3,
    depth: int = 8,
    max_steps: int = 8,
    by: By = "verdict",
    scorer: str = "assistant",
    question: str = DONE,
    max_tokens: int = 256,
    temperature: float = 1.0,
) -> Episode:
    """The agent that calls the search: it may act by itself, and may "use search." as well."""
    how = Search(player, proposals, width, depth, by, scorer, question, max_tokens, temperature, posed.taught)
    tree, tools = _Tree(), (*posed.tools, SEARCH)
    messages = _begun(posed, tools)
    for _ in range(max_steps):
        reply = yield Generate(prompt=messages, player=player, max_tokens=max_tokens, temperature=temperature)
        calls = calls_in(reply, tools, "text", posed.taught)
        if not calls:
            return Transcript((*messages, Message("assistant", reply.text)), reply.text, stop=reply.stop)
        if isinstance(calls[0], ToolCall) and calls[0].name == SEARCH.name:
            found = yield from searched(messages, posed.tools, how, tree)
            messages = found.messages
            if found.answer is not None:
                return Transcript(messages, found.answer, stop=found.stop)
            continue
        messages = (*messages, Message("assistant", reply.text))
        if isinstance(calls[0], str):
            messages = tool_says(messages, "", calls[0], posed.taught)
        else:
            messages = tool_says(messages, calls[0].name, (yield from _done(calls[0], "")), posed.taught)
    return Transcript(messages, "", stop="steps")


def _begun(posed: Posed, tools: Sequence[Tool]) -> tuple[Message, ...]:
    return posed.messages if posed.taught else introduced(posed.messages, tools, INTRODUCTION)


def searched(
    messages: tuple[Message, ...], tools: Sequence[Tool], how: Search, tree: _Tree
) -> Generator[Asked, Any, Node]:
    """The best node that the search ends with; what was done in it is what was done."""
    start = Node("", messages)
    live, ended = [start], list[Node]()
    for _ in range(how.depth):
        grown = yield from _grown(live, tools, how, tree)
        ended += [node for node in grown if node.answer is not None]
        going = [node for node in grown if node.answer is None]
        live = yield from _best(going, messages, how)
        if not live:
            break
    best = yield from _best(ended or live or [start], messages, how)
    if best[0].branch:
        yield Keep(branch=best[0].branch)
    return best[0]


def _grown(live: Sequence[Node], tools: Sequence[Tool], how: Search, tree: _Tree) -> Generator[Asked, Any, list[Node]]:
    """What follows from the nodes: each different proposal once, acts done in branches of their own."""
    asked = [
        Generate(prompt=node.messages, player=how.player, max_tokens=how.max_tokens, temperature=how.temperature)
        for node in live
        for _ in range(how.proposals)
    ]
    replies = yield from together(asked)
    proposed = {(number // how.proposals, reply.text.strip()): reply for number, reply in enumerate(replies)}
    grown, acts = [], list[tuple[Node, str, ToolCall, str]]()
    for (number, _), reply in proposed.items():
        node, said = live[number], (*live[number].messages, Message("assistant", reply.text))
        calls = calls_in(reply, tools, "text", how.taught)
        if not calls:
            grown.append(Node(node.branch, said, reply.text, reply.stop))
        elif isinstance(calls[0], ToolCall):
            acts.append((node, reply.text, calls[0], tree.name()))
    yield from together([Fork(branch=branch, of=node.branch) for node, _, _, branch in acts])
    if acts:
        answers = yield tuple(Act(tool=call.name, arguments=call.arguments, branch=name) for _, _, call, name in acts)
        for (node, text, call, name), answer in zip(acts, answers, strict=True):
            said = (*node.messages, Message("assistant", text))
            grown.append(Node(name, tool_says(said, call.name, _told(call, answer), how.taught)))
    return grown


def _best(nodes: Sequence[Node], messages: tuple[Message, ...], how: Search) -> Generator[Asked, Any, list[Node]]:
    """The best `width` of `nodes` by the score of what was said in each, the best first."""
    if len(nodes) < 2:
        return list(nodes)
    found = []
    for node in nodes:
        *before, last = node.messages
        context, said = (tuple(before), last.content) if last.role == "assistant" else (node.messages, "done.")
        (value,) = yield from scores(context, [said], how.by, player=how.scorer, question=how.question)
        found.append(value)
    order = sorted(range(len(nodes)), key=lambda place: -found[place])
    return [nodes[place] for place in order[: how.width]]


def _done(call: ToolCall, branch: str) -> Generator[Asked, Any, str]:
    try:
        reply: Reply = yield Act(tool=call.name, arguments=call.arguments, branch=branch)
    except Failed as failed:
        return _told(call, failed.failure)
    return reply.text


def _told(call: ToolCall, answer: Reply | Failure) -> str:
    return answer.text if isinstance(answer, Reply) else f"{call.name} failed: {answer.message}"
