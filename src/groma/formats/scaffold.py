"""A scaffold: what stands around the model in an agent (words, tools, steps, limits), as a value.

So each of three things can be improved, and each difference measured on the same items: the model, the tools, and the
scaffold. It is plain data: an agent interprets it, and nothing in it is ever run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from groma.formats.errors import BadInput
from groma.formats.jsonl import loads
from groma.formats.values_file import located

STEPS = ("plan", "act", "reflect", "check")
PROTOCOLS = ("text", "native")
PROMPTS: Mapping[str, str] = {
    "plan": "Before you begin, say in one line what you will do.",
    "reflect": "You are about to {call}, which changes yourself. Should you? Say yes or no.",
    "check": "Have you done all that was asked, and nothing else? Say yes or no.",
    "go_on": "Go on.",
    "answered": "{tool} answered: {said}",
}
SAID = ("go_on", "answered")
"""Prompts that belong to no step."""
INTRODUCTION = (
    "You have tools. To use one, say nothing but: use NAME: value, value.\n"
    "One at a time: you are told what it answers, and may use another. When you are done, say your answer instead.\n"
    "The tools, with their values in their order:\n{tools}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaffold:
    """What is around the model in an agent.

    charter:   stands before the task's own system message.
    steps:     what an agent does, of `plan` (once, at the beginning), `act` (call tools until it answers), `reflect`
               (before a call to one of `own`) and `check` (after its answer; if "no", it goes on).
    prompts:   the words of each step; "{call}" stands for the call. `go_on`: said where a step ends in a turn of the
               assistant and another follows; `answered`: how what a "{tool}" "{said}" is told as a turn of the user.
    introduction: with which a system message ends in the text protocol where the task's players were not taught its
               tools; "{tools}" stands for them (empty: they are told nothing).
    tools:     the names of those that it may use (None: all that the task offers).
    own:       tools that change the agent itself.
    finish:    a tool whose use ends the episode, with its arguments as the answer ("": none).
    memory:    a tool that is used once at the beginning, so that the agent knows what it remembered ("": none).
    protocol:  `text` ("use pay: anna, ben, two."), or `native`, the calls of the model's own chat template.
    max_steps: how many calls it may make. retries: how many turns in a row of nothing but malformed
               ones are answered by an error.
    """

    charter: str = ""
    introduction: str = INTRODUCTION
    steps: tuple[str, ...] = ("act",)
    prompts: Mapping[str, str] = field(default_factory=lambda: dict(PROMPTS))
    tools: tuple[str, ...] | None = None
    own: tuple[str, ...] = ()
    finish: str = ""
    memory: str = ""
    protocol: str = "text"
    max_steps: int = 8
    retries: int = 3

    def __post_init__(self) -> None:
        if unknown := [one for one in self.steps if one not in STEPS]:
            raise BadInput(f"a scaffold has the step {unknown[0]!r}", expected=f"of {', '.join(STEPS)}")
        if "act" not in self.steps:
            raise BadInput(f"a scaffold has the steps {', '.join(self.steps) or 'none'}", expected="act among them")
        if self.protocol not in PROTOCOLS:
            raise BadInput(f"a scaffold has the protocol {self.protocol!r}", expected=f"one of {', '.join(PROTOCOLS)}")
        object.__setattr__(self, "prompts", {**PROMPTS, **self.prompts})
        if self.introduction and "{tools}" not in self.introduction:
            raise BadInput(f"a scaffold introduces {self.introduction!r:.60}", expected='"{tools}" in it, or nothing')
        if missing := [one for one in (*self.steps, *SAID) if one != "act" and not self.prompts.get(one)]:
            raise BadInput(f"a scaffold has no prompt for {missing[0]!r}", expected="words for every step but act")
        for name, least in (("max_steps", 1), ("retries", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise BadInput(f"a scaffold has {name} {value!r}", expected=f"a number from {least}")
        if "reflect" in self.steps and not self.own:
            raise BadInput("a scaffold reflects, and has no tool of its own to reflect on", expected="names in own")

    def with_(self, **changes: Any) -> Scaffold:
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: object) -> Scaffold:
        """One from what a file holds, or an agent wrote about itself. BadInput names what is no part of a scaffold."""
        names = [one.name for one in fields(cls)]
        if not isinstance(plain, Mapping):
            raise BadInput(f"a scaffold is a {type(plain).__name__}", expected=f"a mapping with {', '.join(names)}")
        if unknown := sorted(set(map(str, plain)) - set(names)):
            raise BadInput(f"a scaffold has the unknown key {unknown[0]!r}", expected=", ".join(names))
        given = dict(plain)
        for name in ("steps", "tools", "own"):
            if isinstance(given.get(name), list):
                given[name] = tuple(given[name])
        kinds = {
            "charter": str,
            "introduction": str,
            "steps": tuple,
            "prompts": Mapping,
            "own": tuple,
            "finish": str,
            "memory": str,
        }
        for name in ("steps", "tools", "own"):
            some = given.get(name)
            if some is not None and not (isinstance(some, tuple) and all(isinstance(one, str) for one in some)):
                raise BadInput(f"a scaffold has {name} {given[name]!r:.60}", expected="a list of names")
        if not all(isinstance(one, str) for one in dict(given.get("prompts") or {}).values()):
            raise BadInput("a scaffold has a prompt that is no text", expected="words for every step")
        for name, kind in kinds.items():
            if name in given and not isinstance(given[name], kind):
                raise BadInput(f"a scaffold has {name} {given[name]!r:.60}", expected=f"a {kind.__name__}")
        return cls(**given)


def read_scaffold(path: str | Path) -> Scaffold:
    """Read one from a .json file; whatever is wrong is a BadInput with the file."""
    try:
        plain = loads(Path(path).read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"the file cannot be read ({error})", where=str(path)) from error
    with located(path):
        return Scaffold.from_dict(plain)
