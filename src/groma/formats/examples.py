"""Examples to learn from, in the columns that the field uses, and the reader that makes them from a data file.

A prompt and its completions are either text (the standard form) or messages (the conversational form), never mixed. In
the conversational form a completion may be several turns; the loss then falls on all its assistant turns.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

from groma.formats.columns import Notes, Text, answered, label_of, messages_of, number_of, text_or_messages
from groma.formats.dialogues import is_dialogue, parse_dialogue, repeats, split_dialogue, split_pair
from groma.formats.errors import BadInput
from groma.formats.jsonl import read_rows
from groma.formats.messages import Message

Row: TypeAlias = Mapping[str, Any]
Reader: TypeAlias = Callable[[Row, Notes], Any]


@dataclass(frozen=True, slots=True)
class Preference:
    """Of two completions of one prompt, `chosen` was preferred to `rejected`, by `margin` where that is known.

    probability: that `chosen` is the better one, where labels are soft (several raters, a judge's own doubt); None: 1.
    rater, group: who compared, and of which group she is; "" where that is not told. A group may be of one rater.
    """

    prompt: Text
    chosen: Text
    rejected: Text
    margin: float | None = None
    probability: float | None = None
    group: str = ""
    rater: str = ""

    def __post_init__(self) -> None:
        _check_pair(self.prompt, "chosen", self.chosen)
        _check_pair(self.prompt, "rejected", self.rejected)
        if self.chosen == self.rejected:
            raise BadInput("chosen and rejected are the same", expected="two different completions")
        if self.margin is not None and not math.isfinite(self.margin):
            raise BadInput(f"the margin is {self.margin}", expected="a finite number")
        if self.probability is not None and not 0 <= self.probability <= 1:
            raise BadInput(f"the probability is {self.probability}", expected="a number from 0 to 1")


@dataclass(frozen=True, slots=True)
class Demonstration:
    """Of a whole dialogue the prompt is all before the first assistant turn, the completion is the rest."""

    prompt: Text
    completion: Text

    def __post_init__(self) -> None:
        _check_pair(self.prompt, "completion", self.completion)


@dataclass(frozen=True, slots=True)
class Labelled:
    """A completion that is good (True) or bad (False), without another to compare it with."""

    prompt: Text
    completion: Text
    label: bool

    def __post_init__(self) -> None:
        _check_pair(self.prompt, "completion", self.completion)
        if not isinstance(self.label, bool):
            raise BadInput(f"the label is {self.label!r}", expected="true or false")


@dataclass(frozen=True, slots=True)
class Stepwise:
    """A solution in steps, each right (True) or wrong (False)."""

    prompt: Text
    completions: tuple[str, ...]
    labels: tuple[bool, ...]

    def __post_init__(self) -> None:
        _check_prompt(self.prompt)
        if not self.completions or not all(isinstance(step, str) and step for step in self.completions):
            raise BadInput(f"the steps are {self.completions!r:.80}", expected="a list of texts, none empty")
        if len(self.labels) != len(self.completions) or not all(isinstance(label, bool) for label in self.labels):
            what = f"{len(self.completions)} steps have the labels {self.labels!r:.80}"
            raise BadInput(what, expected="true or false for every step")


@dataclass(frozen=True, slots=True)
class PromptOnly:
    """A prompt to be answered."""

    prompt: Text

    def __post_init__(self) -> None:
        _check_prompt(self.prompt)


Example = TypeVar("Example", Preference, Demonstration, Labelled, Stepwise, PromptOnly)


@dataclass(frozen=True, slots=True)
class Loaded(Generic[Example]):
    """What a file held. `notes` counts, in words, what was dropped, handled or left unused."""

    examples: tuple[Example, ...]
    notes: Counter[str] = field(default_factory=Counter)


def read_examples(path: str | Path, kind: type[Example]) -> Loaded[Example]:
    """Read every row of `path` (see `jsonl.read_rows`) as a `kind`: `read_examples("pairs.jsonl", Preference)`.

    Which columns make a `kind` is in FORMS; the first form whose columns are all there is taken, other columns are
    counted as unused. A preference whose two sides are equal says nothing: it is dropped and counted. Anything else
    that is wrong is a BadInput with `file:line`.
    """
    forms, notes = FORMS[kind], Counter[str]()
    examples = []
    for line, row in read_rows(path):
        present = {name: value for name, value in row.items() if value is not None}
        form = next((form for form in forms if form.needed <= present.keys()), None)
        try:
            if form is None:
                names = ", ".join(sorted(present)) or "all empty"
                raise BadInput(f"the columns are {names}", expected=" | ".join(form.told for form in forms))
            if present.get("tools"):
                raise BadInput("the row offers tools, which are not read", expected="no column tools, or an empty one")
            example = form.read(present, notes)
        except BadInput as error:
            raise BadInput(error.what, where=f"{path}:{line}", expected=error.expected) from None
        if example is not None:
            examples.append(example)
        notes.update(f"column {name} not used" for name in present.keys() - form.needed - form.optional - {"tools"})
    if not examples:
        raise BadInput("no row is left", where=str(path), expected=f"rows that can be used; dropped: {dict(notes)}")
    return Loaded(tuple(examples), notes)


@dataclass(frozen=True, slots=True)
class _Form:
    """A set of columns that makes an example, and how it is read (None: the row is dropped, which the notes count)."""

    needed: frozenset[str]
    optional: frozenset[str]
    read: Reader
    told: str


def _preference(row: Row, notes: Notes) -> Preference | None:
    prompt, chosen = answered(row["prompt"], row["chosen"], "chosen", notes)
    _, rejected = answered(row["prompt"], row["rejected"], "rejected", Counter())
    if isinstance(chosen, str) != isinstance(rejected, str):
        raise BadInput("one of chosen and rejected is text, the other messages", expected="the same form for both")
    return _compared(prompt, chosen, rejected, row, notes)


def _preference_of_dialogues(row: Row, notes: Notes) -> Preference | None:
    sides = []
    for name in ("chosen", "rejected"):
        side = row[name]
        if isinstance(side, str) and not is_dialogue(side):
            raise BadInput(
                f"without a column prompt, {name} is the text {side[:40]!r}",
                expected='whole dialogues ("\\n\\nHuman: …\\n\\nAssistant: …", or messages), or a column prompt',
            )
        sides.append(parse_dialogue(side) if isinstance(side, str) else messages_of(side, name))
    return _compared(*split_pair(*sides), row, notes)


def _compared(prompt: Text, chosen: Text, rejected: Text, row: Row, notes: Counter[str]) -> Preference | None:
    if chosen == rejected:
        notes["dropped: chosen and rejected are the same"] += 1
        return None
    if isinstance(prompt, tuple) and isinstance(chosen, tuple) and isinstance(rejected, tuple):
        if max(len(chosen), len(rejected)) > 1:
            notes["sides part before the last assistant turn"] += 1
        if repeats((*prompt, *chosen)) or repeats((*prompt, *rejected)):
            notes["two turns of one speaker in a row"] += 1
    margin, probability = (
        None if row.get(name) in (None, "") else number_of(row[name], name) for name in ("margin", "probability")
    )
    group, rater = ("" if row.get(name) is None else str(row[name]) for name in ("group", "rater"))
    return Preference(prompt, chosen, rejected, margin, probability, group, rater)


def _demonstration(row: Row, notes: Notes) -> Demonstration:
    return Demonstration(*answered(row["prompt"], row["completion"], "completion", notes))


def _demonstration_of_dialogue(row: Row, notes: Notes) -> Demonstration:
    prompt, completion, dropped = split_dialogue(messages_of(row["messages"], "messages"))
    if dropped:
        notes["dropped: turns after the last assistant turn"] += dropped
    if repeats((*prompt, *completion)):
        notes["two turns of one speaker in a row"] += 1
    return Demonstration(prompt, completion)


def _demonstration_of_text(row: Row, notes: Notes) -> Demonstration:
    """Text that is learned from its first token on: it answers an empty prompt."""
    if not isinstance(row["text"], str):
        raise BadInput(f"text is {row['text']!r:.60}", expected="text")
    return Demonstration("", row["text"])


def _demonstration_of_preference(row: Row, notes: Notes) -> Demonstration | None:
    """What was preferred, shown as what should be said."""
    one = (_preference if "prompt" in row else _preference_of_dialogues)(row, notes)
    if one is None:
        return None
    notes["a preference: its chosen side is learned"] += 1
    return Demonstration(one.prompt, one.chosen)


def _labelled(row: Row, notes: Notes) -> Labelled:
    return Labelled(*answered(row["prompt"], row["completion"], "completion", notes), label_of(row["label"]))


def _stepwise(row: Row, notes: Notes) -> Stepwise:
    steps, labels = row["completions"], row["labels"]
    if not isinstance(steps, list) or not isinstance(labels, list):
        raise BadInput("completions or labels is not a list", expected="a list of texts, and a list of true or false")
    return Stepwise(text_or_messages(row["prompt"], "prompt"), tuple(steps), tuple(map(label_of, labels)))


def _check_prompt(prompt: Text) -> None:
    if isinstance(prompt, str):
        return
    if not isinstance(prompt, tuple) or not prompt or not all(isinstance(one, Message) for one in prompt):
        raise BadInput(f"the prompt is {prompt!r:.60}", expected="text, or a tuple of messages")
    if prompt[-1].role not in ("user", "tool"):
        raise BadInput(
            f"the last turn of the prompt is the {prompt[-1].role}'s", expected="a user (or tool) turn at its end"
        )


def _check_pair(prompt: Text, name: str, completion: Text) -> None:
    _check_prompt(prompt)
    if isinstance(prompt, str) and isinstance(completion, str):
        return
    if isinstance(prompt, str) or not isinstance(completion, tuple):
        raise BadInput(f"the prompt and {name} have different forms", expected="both text, or both messages")
    if not completion or completion[0].role != "assistant" or completion[-1].role != "assistant":
        roles = ", ".join(one.role for one in completion) or "none"
        raise BadInput(f"{name} has the turns: {roles}", expected="an assistant turn first and last")


def _form(columns: str, read: Reader, told: str = "", optional: str = "") -> _Form:
    named = " ".join(f"[{name}]" for name in optional.split())
    return _Form(frozenset(columns.split()), frozenset(optional.split()), read, f"{columns} {named}".strip() + told)


BESIDE = "margin probability group rater"
"""What may stand beside the two sides of a preference."""

FORMS: Mapping[type, tuple[_Form, ...]] = {
    Preference: (
        _form("prompt chosen rejected", _preference, optional=BESIDE),
        _form("chosen rejected", _preference_of_dialogues, " (whole dialogues)", optional=BESIDE),
    ),
    Demonstration: (
        _form("prompt completion", _demonstration),
        _form("messages", _demonstration_of_dialogue),
        _form("text", _demonstration_of_text),
        _form(
            "chosen rejected",
            _demonstration_of_preference,
            " (of a preference, chosen is learned)",
            f"prompt {BESIDE}",
        ),
    ),
    Labelled: (_form("prompt completion label", _labelled),),
    Stepwise: (_form("prompt completions labels", _stepwise),),
    PromptOnly: (_form("prompt", lambda row, notes: PromptOnly(text_or_messages(row["prompt"], "prompt"))),),
}
"""What columns make what. Each of prompt, completion, chosen and rejected is text or a list of {"role", "content"}."""
