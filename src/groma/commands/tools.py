"""`--tools FILE.py:function,…`: Python functions as tools of every task of a suite that has none of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import FunctionType
from typing import Any

from groma.formats.digest import digest_files
from groma.formats.environment import Environment
from groma.formats.errors import BadConfig
from groma.formats.task import Condition, Judgement, Task
from groma.formats.transcript import Transcript
from groma.play import Toolbox
from groma.suites.suite import SPLIT, Rival, Suite
from groma.systems import SYSTEMS, System
from groma.systems.system import load_function

USERS = ("agent", "planning_agent", "planner")
"""Systems that use tools; one of a user's own may, too. The last two try what tools do, in copies of the world."""
SECONDS = 10.0


@dataclass(frozen=True)
class Tools:
    """What the user says of tools: their names, as written; whether they have no effects beyond their answers, and how
    long one may take.
    """

    names: str
    repeatable: bool = False
    seconds: float = SECONDS

    @property
    def identity(self) -> dict[str, Any]:
        """Each with the digest of its file, so that a run that goes on notices a change; and what is not as usual."""
        found: dict[str, Any] = {one: digest_files([Path(one.rpartition(":")[0])]) for one in _named(self.names)}
        found |= {"repeatable": True} if self.repeatable else {}
        return found | ({"seconds": self.seconds} if self.seconds != SECONDS else {})


@dataclass(frozen=True)
class Tooled:
    """A suite whose tasks offer `functions` as tools; each episode has a toolbox of its own."""

    inner: Suite
    functions: tuple[FunctionType, ...]
    repeatable: bool = False
    seconds: float = SECONDS

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def kinds(self) -> tuple[str, ...]:
        return self.inner.kinds

    @property
    def splits(self) -> tuple[str, ...]:
        return self.inner.splits

    @property
    def max_tokens(self) -> int:
        return self.inner.max_tokens

    @property
    def variants(self) -> Mapping[str, Mapping[str, Any]]:
        return self.inner.variants

    @property
    def conditions(self) -> Mapping[str, Condition]:
        return self.inner.conditions

    @property
    def ways(self) -> tuple[str, ...]:
        return self.inner.ways

    @property
    def rivals(self) -> Mapping[str, Rival]:
        return self.inner.rivals

    def tasks(self, kind: str | None = None, split: str = SPLIT, n: int = 200, seed: int = 0) -> tuple[Task, ...]:
        """The suite's tasks with the tools. BadConfig where one has tools of its own."""
        found = self.inner.tasks(kind, split, n, seed)
        if own := next((task for task in found if task.posed.tools), None):
            names = ", ".join(tool.name for tool in own.posed.tools)
            raise BadConfig(f"--tools: {self.name} has tools of its own ({names}); leave --tools out, or choose --kind")
        tools = self._box().tools
        return tuple(replace(task, posed=replace(task.posed, tools=tools)) for task in found)

    def open(self, task: Task) -> Environment | None:
        return self._box()

    def judge(self, task: Task, transcript: Transcript) -> Judgement:
        return self.inner.judge(task, transcript)

    def _box(self) -> Toolbox:
        return Toolbox(self.functions, seconds=self.seconds, repeatable=self.repeatable)


def tooled(suite: Suite, tools: Tools, systems: Sequence[System]) -> Suite:
    """`suite` with the tools that `--tools` names. BadConfig where no system would use them."""
    if not any(map(_uses_tools, systems)):
        names = ", ".join(system.name for system in systems)
        going = (
            ", ".join(USERS) if tools.repeatable else f"{USERS[0]} (with --repeatable {' or '.join(USERS[1:])}, too)"
        )
        raise BadConfig(f"--tools: none of the systems uses tools ({names}); add {going}")
    return Tooled(suite, tuple(map(load_function, _named(tools.names))), tools.repeatable, tools.seconds)


def _named(tools: str) -> list[str]:
    names = [one.strip() for one in tools.split(",") if one.strip()]
    if not names or not all(one.rpartition(":")[0] for one in names) or len(set(names)) < len(names):
        raise BadConfig(f"--tools {tools!r}: name functions as FILE.py:function, with commas, each once")
    return names


def _uses_tools(system: System) -> bool:
    """Whether it, or a system inside it, uses tools; of a user's own that is not known."""
    inner = [one for one in system.parameters.values() if isinstance(one, System)]
    known = {one.function for one in SYSTEMS.values()}
    uses = any(system.function is SYSTEMS[name].function for name in USERS)
    return uses or system.function not in known or any(map(_uses_tools, inner))
