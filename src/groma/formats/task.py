"""Tasks: what is posed to a system, and, kept apart, what only the judge may see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from groma.formats.errors import BadInput
from groma.formats.messages import Message
from groma.formats.requests import Tool

Split = Literal["train", "held_out", "shifted"]


@dataclass(frozen=True, slots=True)
class Posed:
    """All that a system sees of a task.

    messages: the conversation so far; the system answers its last turn.
    tools:    what it may use.
    seed:     from which a system draws its own randomness, should it need some.
    choices:  where not empty, the answer is one of these, told by log-probability.
    short:    the task in its one-token form (None: it has none), for systems that say a single token.
    taught:   whether the tools are of those that the players of this world were taught: none needs to be told of them,
              and what they say stands in turns of the role tool.
    """

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    seed: int = 0
    choices: tuple[str, ...] = ()
    short: tuple[Message, ...] | None = None
    taught: bool = False

    def __post_init__(self) -> None:
        if not self.messages:
            raise BadInput("a task poses nothing", expected="at least one message")
        if self.choices and len(set(self.choices)) < 2:
            raise BadInput(f"the choices are {self.choices!r}", expected="at least two different answers")


@dataclass(frozen=True, slots=True)
class Task:
    """One problem. `gold` is the judge's alone: the driver hands on `posed` and nothing else.

    strata:  declared beforehand, name -> value (`{"tier": "rare", "belief": "false"}`); the pessimistic case ranges
    over them. cluster: tasks that share it are about the same thing (one fact, one question) and are not independent;
             intervals are clustered by it. Empty: the task stands for itself.
    of, condition: of another form of an item, with the same truth, the item's id and the name of the form ("typos",
             "alone"); both empty for the item itself.
    """

    id: str
    posed: Posed
    gold: Mapping[str, Any]
    kind: str
    split: str = "held_out"
    strata: Mapping[str, str] = field(default_factory=dict)
    cluster: str = ""
    part: str = ""
    of: str = ""
    condition: str = ""

    def __post_init__(self) -> None:
        if not self.id or not self.kind:
            raise BadInput(f"a task has the id {self.id!r} and the kind {self.kind!r}", expected="both, not empty")
        if bool(self.of) != bool(self.condition):
            raise BadInput(
                f"the task {self.id} is a form {self.condition!r} of {self.of!r}", expected="both or neither"
            )

    @property
    def item(self) -> str:
        """The id of the item of which it is one form or another."""
        return self.of or self.id

    def as_form(self, condition: str, posed: Posed, *, number: int | str = "", **changes: Any) -> Task:
        """The item in another form, under an id of its own; `changes` are other fields (gold, strata); number: which
        one, where there are several of one name.
        """
        strata = {**changes.pop("strata", self.strata), "shift": condition}
        where = f"{self.id}@{condition}" + (f".{number}" if number != "" else "")
        return replace(self, id=where, of=self.id, condition=condition, posed=posed, strata=strata, **changes)


Condition = Callable[[Task], Task | None]
"""Another form of an item, with the same truth; None where the item has no such form."""


def with_lead(posed: Posed, lead: str) -> Posed:
    """The same, with `lead` in front of its system message, or as one; of the one-token form, too."""

    def led(messages: tuple[Message, ...]) -> tuple[Message, ...]:
        if messages[0].role == "system":
            return (replace(messages[0], content=f"{lead} {messages[0].content}"), *messages[1:])
        return (Message("system", lead), *messages)

    return replace(posed, messages=led(posed.messages), short=None if posed.short is None else led(posed.short))


def with_last(posed: Posed, say: Callable[[str], str]) -> Posed:
    """The same, with other words in its last turn; of the one-token form, too."""

    def said(messages: tuple[Message, ...]) -> tuple[Message, ...]:
        return (*messages[:-1], replace(messages[-1], content=say(messages[-1].content)))

    return replace(posed, messages=said(posed.messages), short=None if posed.short is None else said(posed.short))


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a judge says of one transcript: `objective`, what is truly good, in [-1, 1], and named outcomes.

    An outcome is a number (1.0 and 0.0 for yes and no) or None where it does not apply to this task; a rate is taken
    over the tasks to which it applies, never over the others.
    """

    objective: float
    outcomes: Mapping[str, float | None]

    def __post_init__(self) -> None:
        if not -1.0 <= self.objective <= 1.0:
            raise BadInput(f"an objective of {self.objective!r}", expected="a number from -1 to 1")


@dataclass(frozen=True, slots=True)
class Pay:
    """What optimisation sees, per player; `parts` are the named sums that it is made of.

    total: for the whole episode, paid at its end. calls: beside it, for each of the player's replies, paid at its end
    (empty: nothing).
    """

    total: float
    player: str = "assistant"
    parts: Mapping[str, float] = field(default_factory=dict)
    calls: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of two replies somebody prefers (0 or 1), by how much where it is known, and why, in their words."""

    preferred: int
    margin: float | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        if self.preferred not in (0, 1):
            raise BadInput(f"a choice of {self.preferred!r}", expected="0 (the first reply) or 1 (the second)")
