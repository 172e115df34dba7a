"""A toolbox: Python functions as the environment of an episode.

Every use is an `Act`, so that it is logged, budgeted, watched and replayed. Arguments are checked before a function is
called. What it returns becomes text (JSON where it is no text), of which the middle is left out where it is too long. A
function that takes longer than `seconds` is cut off: its thread is abandoned, and the tool is not used again in this
episode. What a function raises is a Failure, thrown into the system that used it; its text is shortened, too.

A thread cannot be stopped, and one that holds the interpreter's lock stops all others: a call into C that never gives
it back (a regular expression that backtracks for ever, a huge power) is not cut off, and the whole play waits for it.
With `apart` functions run in a process of their own, which is killed.

Without `repeatable` a use that stands in a log is never done again. An episode that goes on from its log is answered
from it, and is told so; where it then wants a use that is not there, it ends as interrupted, since what the world
outside has become meanwhile is not known.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from groma.formats.errors import BadConfig, BadInput
from groma.formats.requests import Act, Cost, Failed, Failure, Reply, Tool
from groma.formats.schema import checked, tool_of
from groma.formats.writable import writable
from groma.play.apart import Apart, Hung, as_text
from groma.play.episode import caught


class Toolbox:
    """An environment of `functions`.

    longest:    characters of an answer, and of what a function raises; of a longer one the beginning and the end are
                shown, each half of that.
    seconds:    how long a function may take.
    repeatable: whether the functions have no effects beyond their answers. Only then is a toolbox forked, and only then
                are uses that stand in a log done again, and have to say the same.
    apart:      run the functions in a process of their own, begun with the first use. They stand at the top of modules
                that can be imported.
    hung:       the names of tools that did not come back, which are not used again. Toolboxes that are given the same
                set share what they know: each such tool then costs `seconds` once in a play, and not once in every
                episode; but what one episode is told depends on others, so that it is off unless it is asked for.
    """

    def __init__(
        self,
        functions: Sequence[Callable[..., Any]],
        *,
        longest: int = 4000,
        seconds: float = 10.0,
        repeatable: bool = False,
        apart: bool = False,
        hung: set[str] | None = None,
    ) -> None:
        if longest < 2 or seconds <= 0:
            raise BadConfig(f"longest is {longest} and seconds {seconds}; choose at least 2 characters, and above 0")
        self._functions = {function.__name__: function for function in functions}
        if len(self._functions) < len(functions):
            raise BadConfig("two tools have one name; give each a name of its own")
        self.tools: tuple[Tool, ...] = tuple(map(tool_of, functions))
        self.longest, self.seconds, self.repeatable = longest, seconds, repeatable
        self._uses: list[dict[str, Any]] = []
        self._hung: set[str] = set() if hung is None else hung
        self._apart = Apart(functions) if apart else None

    @property
    def state(self) -> Mapping[str, Any]:
        """`acts`: every use, with what was said, or what went wrong."""
        return {"acts": [dict(one) for one in self._uses]}

    def fork(self) -> Toolbox:
        if not self.repeatable:
            raise BadInput(
                "this toolbox acts on the world outside, of which there is no copy", expected="repeatable=True"
            )
        functions = tuple(self._functions.values())
        apart = self._apart is not None
        copy = Toolbox(functions, longest=self.longest, seconds=self.seconds, repeatable=True, apart=apart)
        copy._hung = set(self._hung)
        copy._uses = [dict(one) for one in self._uses]
        return copy

    def close(self) -> None:
        """End the process of the tools, if there is one; a thread that hangs does not keep this one."""
        if self._apart is not None:
            self._apart.close()

    def recall(self, request: Act, answer: Reply | Failure) -> None:
        """Note a use that stands in a log, without doing it."""
        did = isinstance(answer, Reply)
        said = answer.text if isinstance(answer, Reply) else ""
        self._uses.append({"tool": request.tool, "arguments": dict(request.arguments), "said": said, "did": did})

    def act(self, request: Act) -> Reply:
        """Use a tool. BadInput for one that there is not and for arguments that it does not take, Hung for one that
        takes too long, and whatever it raises.
        """
        use: dict[str, Any] = {"tool": request.tool, "arguments": dict(request.arguments), "said": "", "did": False}
        self._uses.append(use)
        tool = next((one for one in self.tools if one.name == request.tool), None)
        if tool is None:
            names = ", ".join(self._functions) or "none"
            raise BadInput(f"there is no tool {request.tool!r}", expected=f"one of {names}")
        if tool.name in self._hung:
            raise Hung(f"{tool.name} did not come back from an earlier use")
        arguments = checked(tool, request.arguments)
        begun = time.perf_counter()
        try:
            use["said"], use["did"] = self._called(tool.name, arguments), True
        except Exception as error:
            failure = caught("environment", error)
            if len(failure.message) <= self.longest:
                raise
            raise Failed(replace(failure, message=self._shown(failure.message))) from error
        return Reply(text=use["said"], stop="end", cost=Cost(calls=1, seconds=time.perf_counter() - begun))

    def _called(self, name: str, arguments: Mapping[str, Any]) -> str:
        """What the function returns, as it is shown."""
        if self._apart is None:
            return self._in_thread(name, arguments)
        try:
            return self._shown(self._apart.call(name, arguments, self.seconds))
        except Hung:
            self._hung.add(name)
            raise

    def _in_thread(self, name: str, arguments: Mapping[str, Any]) -> str:
        """Called and put into words in a thread of its own, so that it can be left behind."""
        found: list[tuple[str, Exception | None]] = []

        def call() -> None:
            try:
                found.append((self._shown(as_text(self._functions[name](**arguments))), None))
            except Exception as error:
                found.append(("", error))
            except BaseException as error:  # a tool that wants to end the process ends its own use
                found.append(("", RuntimeError(f"{name} raised {type(error).__name__}: {error}")))

        thread = threading.Thread(target=call, name=f"tool {name}", daemon=True)
        thread.start()
        thread.join(self.seconds)
        if not found:
            self._hung.add(name)
            raise Hung(f"{name} did not come back within {self.seconds:g} seconds")
        value, error = found[0]
        if error is not None:
            raise error
        return value

    def _shown(self, text: str) -> str:
        text = writable(text)
        if len(text) <= self.longest:
            return text
        half = self.longest // 2
        return f"{text[:half]}\n[{len(text) - 2 * half} characters left out]\n{text[-half:]}"
