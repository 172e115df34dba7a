"""`agent`: the model with tools. It calls one, reads what comes of it, and goes on until it says something else.

What it is told, which tools it may use and which steps it takes is its scaffold (`formats/scaffold.py`); how its model
is told, `telling.py`; how calls are read, `calls.py`. A call that is none (an unknown tool, too many values, too few)
is answered in words, as a tool would, and costs a step. The episode ends with an answer, with the tool that finishes,
after `max_steps` calls ("steps"), or after more turns of nothing but malformed ones in a row than `retries`
("malformed"), or when the episode's budget is used up ("budget"); what was done stands.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from groma.formats.messages import Message, ToolCall
from groma.formats.requests import Act, Asked, Episode, Failed, Generate, Reply, Tool
from groma.formats.scaffold import Scaffold
from groma.formats.task import Posed
from groma.formats.transcript import Transcript
from groma.systems.calls import calls_in, written
from groma.systems.chat import with_system
from groma.systems.telling import introduced, tool_says, unanswered, user_says

PLAIN = Scaffold()


def agent(
    posed: Posed,
    *,
    player: str = "assistant",
    scaffold: Scaffold = PLAIN,
    max_tokens: int = 256,
    temperature: float = 1.0,
) -> Episode:
    """The tool loop, as `scaffold` says."""
    tools = tuple(one for one in posed.tools if scaffold.tools is None or one.name in scaffold.tools)
    return _Agent(player, scaffold, tools, max_tokens, temperature, posed.taught).run(posed)


@dataclass(slots=True)
class _Agent:
    """An agent at work: `messages` is the conversation so far."""

    player: str
    scaffold: Scaffold
    tools: tuple[Tool, ...]
    max_tokens: int
    temperature: float
    taught: bool
    messages: tuple[Message, ...] = ()
    steps: int = 0
    malformed: int = 0

    @property
    def native(self) -> bool:
        return self.scaffold.protocol == "native"

    def run(self, posed: Posed) -> Episode:
        self.messages = with_system(posed.messages, self.scaffold.charter)
        if not (self.native or self.taught):
            self.messages = introduced(self.messages, self.tools, self.scaffold.introduction)
        try:
            answer, stop = yield from self._work()
        except Failed as failed:
            if failed.failure.boundary != "budget":
                raise
            answer, stop = "", "budget"
        self._close_calls("not done: the budget is used up.")
        return Transcript(self.messages, answer, stop=stop)

    def _work(self) -> Generator[Asked, Any, tuple[str, str]]:
        """All steps of the scaffold: the answer, and why it ended."""
        scaffold = self.scaffold
        if scaffold.memory:
            call = ToolCall(scaffold.memory)
            if self.native:  # its template wants a call before what a tool says
                self.messages = (*self.messages, Message("assistant", "", tool_calls=(call,)))
            self._hear(call.name, (yield from self._use(call)))
        if "plan" in scaffold.steps:
            yield from self._asked("plan", "")
            self._go_on()
        while True:
            answer, stop = yield from self._act()
            if stop == "end" and "check" in scaffold.steps and self.steps < scaffold.max_steps:
                self.steps += 1
                if (yield from self._asked("check", "")).startswith("no"):
                    self._go_on()
                    continue
            return answer, stop

    def _act(self) -> Generator[Asked, Any, tuple[str, str]]:
        """Call tools until there is an answer, or no more may be called: the answer, and why it ended."""
        while self.steps < self.scaffold.max_steps:
            reply = yield from self._say(self.native)
            calls = calls_in(reply, self.tools, self.scaffold.protocol, self.taught)
            if not calls:
                return reply.text, reply.stop
            answer = yield from self._called(calls)
            if answer is not None:
                return answer, "end"
            if self.malformed > self.scaffold.retries:
                return "", "malformed"
        return "", "steps"

    def _called(self, calls: Sequence[ToolCall | str]) -> Generator[Asked, Any, str | None]:
        """Make the calls of one turn, as many as there are steps for; the answer, where one of them finishes."""
        scaffold, now = self.scaffold, calls[: self.scaffold.max_steps - self.steps]
        left_alone = (yield from self._reflected(now)) if self.native else ()
        for place, call in enumerate(now):
            self.steps += 1
            if isinstance(call, ToolCall) and call.name == scaffold.finish:
                self._close_calls("that is the answer.")
                return ", ".join(map(str, call.arguments.values()))
            if isinstance(call, str):
                self._hear("", call)
            elif place in left_alone:
                self._hear(call.name, _left_alone(call))
            else:
                self._hear(call.name, (yield from self._use(call)))
        self._close_calls("not done: no more calls may be made.")
        self.malformed = self.malformed + 1 if all(isinstance(call, str) for call in now) else 0
        return None

    def _reflected(self, calls: Sequence[ToolCall | str]) -> Generator[Asked, Any, set[int]]:
        """Which native calls it leaves alone, on reflection. It reflects before it calls, since nothing may stand
        between a call and its answer: its turn is first said without its calls, which the last yes or no then makes.
        """
        own = [place for place, call in enumerate(calls) if isinstance(call, ToolCall) and self._is_own(call)]
        if not own:
            return set()
        *before, turn = self.messages
        words = "; ".join(written(call) for call in calls if isinstance(call, ToolCall))
        self.messages = (*before, Message("assistant", turn.content or words))
        left = set()
        for place in own:
            call = calls[place]
            assert isinstance(call, ToolCall)
            if not (yield from self._asked("reflect", written(call))).startswith("yes"):
                left.add(place)
        self.messages = (*self.messages[:-1], replace(self.messages[-1], tool_calls=turn.tool_calls))
        return left

    def _say(self, with_tools: bool) -> Generator[Asked, Any, Reply]:
        reply: Reply = yield Generate(
            prompt=self.messages,
            player=self.player,
            tools=self.tools if with_tools else (),
            max_tokens=self.max_tokens,
            temperature=self.temperature,
        )
        calls = reply.tool_calls if with_tools else ()
        self.messages = (*self.messages, Message("assistant", reply.text, tool_calls=calls))
        return reply

    def _asked(self, step: str, call: str) -> Generator[Asked, Any, str]:
        """What the agent says to itself in a step, in lower case."""
        self.messages = user_says(self.messages, self.scaffold.prompts[step].replace("{call}", call))
        reply = yield from self._say(False)
        return reply.text.strip().lower()

    def _go_on(self) -> None:
        """Templates want the roles to alternate; who was taught by a world was taught without this."""
        if self.native or not self.taught:
            self.messages = user_says(self.messages, self.scaffold.prompts["go_on"])

    def _hear(self, tool: str, said: str) -> None:
        """What a tool said; tool: "" where a call was none."""
        if self.native and unanswered(self.messages):
            self.messages = (*self.messages, Message("tool", said))
        elif self.native:  # a call that no template knows as one
            self.messages = user_says(self.messages, said)
        else:
            self.messages = tool_says(self.messages, tool, said, self.taught, self.scaffold.prompts["answered"])

    def _close_calls(self, why: str) -> None:
        """Answer every native call that is left: templates and servers want each to be."""
        self.messages = (*self.messages, *[Message("tool", why)] * unanswered(self.messages))

    def _is_own(self, call: ToolCall) -> bool:
        return call.name in self.scaffold.own and "reflect" in self.scaffold.steps

    def _use(self, call: ToolCall) -> Generator[Asked, Any, str]:
        """What the tool says, or why it said nothing."""
        reflects = self._is_own(call) and not self.native
        if reflects and not (yield from self._asked("reflect", written(call))).startswith("yes"):
            return _left_alone(call)
        try:
            reply: Reply = yield Act(tool=call.name, arguments=call.arguments)
        except Failed as failed:
            if failed.failure.boundary in ("interrupted", "budget"):
                raise
            return f"{call.name} failed: {failed.failure.message}"
        return reply.text


def _left_alone(call: ToolCall) -> str:
    return f"{call.name} was left alone."
