"""Examples to rows of token ids: what is read, what is learned, and what happens to rows that are too long.

Only completions are learned: every assistant's turn in the completion, with the end token of each. What stands before
a turn is, token for token, what the model is fed when it is asked (`models.template` asserts it), and both sides of a
preference must begin with the same prompt ids.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from groma.formats.errors import BadConfig, BadInput
from groma.formats.examples import Demonstration, Labelled, Preference, Text
from groma.methods.config import Config
from groma.methods.progress import told
from groma.models.model import Model
from groma.models.shared import common
from groma.models.template import completion_spans, text_spans

log = logging.getLogger(__name__)
Given = TypeVar("Given")
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """Token ids (length,), and which of them are learned (length,).

    `completions`: turns to learn, before truncation; `ended`: those whose end token is still there and learned.
    """

    ids: NDArray[np.int64]
    learned: NDArray[np.bool_]
    completions: int
    ended: int

    @property
    def length(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """The rows of a preference; both begin with the same prompt. margin, probability: as the example has them."""

    chosen: Row
    rejected: Row
    margin: float | None = None
    probability: float | None = None

    @property
    def sure(self) -> float:
        """The probability that the chosen side is the better one."""
        return 1.0 if self.probability is None else self.probability

    @property
    def length(self) -> int:
        """Tokens of both."""
        return self.chosen.length + self.rejected.length

    @property
    def rows(self) -> tuple[Row, Row]:
        return self.chosen, self.rejected

    @property
    def shared(self) -> int:
        """How many tokens both begin with."""
        return common([row.ids for row in self.rows])


@dataclass(frozen=True, slots=True)
class Tokenised(Generic[Made]):
    """Rows or pairs, and what was done to get them (name → examples)."""

    rows: tuple[Made, ...] = ()
    notes: Mapping[str, int] = field(default_factory=dict)

    def beside(self, evaluation: Tokenised[Made]) -> dict[str, int]:
        """The notes of both."""
        return {**self.notes, **{f"evaluation: {name}": count for name, count in evaluation.notes.items()}}


def demonstrations(model: Model, examples: Sequence[Demonstration], config: Config) -> Tokenised[Row]:
    """The rows of demonstrations. BadInput where one has nothing to learn, or none is left."""

    def read(example: Demonstration, limit: int | None, notes: Counter[str]) -> Row | None:
        return _shown(model, example, limit, config, notes)

    return _all(model, examples, config, read)


def _shown(
    model: Model, example: Demonstration | Labelled, limit: int | None, config: Config, notes: Counter[str]
) -> Row | None:
    """The row of a prompt and its completion; None where it was dropped."""
    rows = _rows(model, example.prompt, (example.completion,))
    last_turn = _turns(rows[0].learned)[-1][0]
    fitted = _fitted(model, rows, last_turn, limit, config, notes)
    return fitted[0] if fitted else None


def labelled(model: Model, examples: Sequence[Labelled], config: Config) -> Tokenised[tuple[Row, bool]]:
    """The rows of completions that are labelled, each with its label. BadInput as for demonstrations."""

    def read(example: Labelled, limit: int | None, notes: Counter[str]) -> tuple[Row, bool] | None:
        row = _shown(model, example, limit, config, notes)
        return (row, example.label) if row is not None else None

    return _all(model, examples, config, read)


def preferences(
    model: Model, examples: Sequence[Preference], config: Config, *, whole: bool = False
) -> Tokenised[Pair]:
    """The pairs of rows of preferences. BadInput where a side has nothing to learn, or no pair is left.

    whole: rows as the chat template writes them to the end, for those who read them and learn no word of them.
    """

    def read(example: Preference, limit: int | None, notes: Counter[str]) -> Pair | None:
        rows = _rows(model, example.prompt, (example.chosen, example.rejected), whole)
        fitted = _fitted(model, rows, _shared(rows), limit, config, notes)
        if fitted and np.array_equal(fitted[0].ids, fitted[1].ids):
            notes["dropped: both sides are the same tokens"] += 1
            return None
        return Pair(fitted[0], fitted[1], example.margin, example.probability) if fitted else None

    return _all(model, examples, config, read)


def _all(
    model: Model,
    examples: Sequence[Given],
    config: Config,
    read: Callable[[Given, int | None, Counter[str]], Made | None],
) -> Tokenised[Made]:
    """Read every example, tell in which one an error lies, and log what was dropped or cut."""
    limit = _limit(model, config)
    notes = Counter[str]()
    rows: list[Made] = []
    for number, example in enumerate(told(examples, "examples to tokens", log), start=1):
        try:
            one = read(example, limit, notes)
        except BadInput as error:
            raise BadInput(error.what, where=error.where or f"example {number}", expected=error.expected) from error
        if one is not None:
            rows.append(one)
    for note, count in notes.items():
        log.warning("%d of %d examples %s", count, len(examples), note)
    if not rows:
        why = "; ".join(f"{count} {note}" for note, count in notes.items()) or "none were given"
        raise BadInput(f"no example is left to learn from ({why})", expected="at least one that fits into max_length")
    return Tokenised(tuple(rows), dict(notes))


def _limit(model: Model, config: Config) -> int | None:
    """The longest row: `max_length`, or what the model's positions allow."""
    if config.max_length is not None and model.context is not None and config.max_length > model.context:
        raise BadConfig(f"max_length {config.max_length} is more than the {model.context} positions of {model.name}")
    return config.max_length if config.max_length is not None else model.context


def _rows(model: Model, prompt: Text, completions: Sequence[Text], whole: bool = False) -> tuple[Row, ...]:
    """A row for each completion of one prompt."""
    return tuple(_row(model, prompt, one, whole) for one in completions)


def _row(model: Model, prompt: Text, completion: Text, whole: bool) -> Row:
    if isinstance(prompt, str) or isinstance(completion, str):
        ids, mask = text_spans(model, str(prompt), str(completion))  # the example has checked that both are text
    else:
        ids, mask = completion_spans(model, (*prompt, *completion), learned_from=len(prompt), whole=whole)
    learned = np.array(mask, dtype=np.bool_)
    turns = _turns(learned)
    if not turns:
        raise BadInput(f"it holds nothing to learn: {completion!r:.80}", expected="at least one token")
    return Row(np.array(ids, dtype=np.int64), learned, len(turns), _ended(model, ids, learned))


def _turns(learned: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last-plus-one position of each unbroken run of learned tokens."""
    edges = np.flatnonzero(np.diff(learned.astype(np.int8), prepend=0, append=0))
    return [(int(first), int(last)) for first, last in zip(edges[::2], edges[1::2], strict=True)]


def _ended(model: Model, ids: Sequence[int] | NDArray[np.int64], learned: NDArray[np.bool_]) -> int:
    return sum(int(ids[last - 1]) in model.eos_ids for _, last in _turns(learned))


def _shared(rows: Sequence[Row]) -> int:
    """How many tokens both rows begin with before anything is learned."""
    first = min(int(row.learned.argmax()) for row in rows)
    same = np.all([row.ids[:first] == rows[0].ids[:first] for row in rows], axis=0)
    return first if same.all() else int(same.argmin())


def _fitted(
    model: Model, rows: tuple[Row, ...], room: int, limit: int | None, config: Config, notes: Counter[str]
) -> tuple[Row, ...] | None:
    """The rows of one example within `limit` tokens, or None: dropped. All but one of the first `room` may go."""
    longest = max(row.length for row in rows)
    if limit is None or longest <= limit:
        return rows
    if config.truncation == "error":
        raise BadInput(
            f"it takes {longest} tokens, and at most {limit} fit",
            expected="shorter examples, a larger max_length, or another truncation: drop, keep_start, keep_end",
        )
    if config.truncation == "drop":
        notes[f"dropped: longer than {limit} tokens"] += 1
        return None
    if config.truncation == "keep_start":
        notes[f"cut: only the first {limit} tokens kept"] += 1
        return tuple(_cut(model, row, slice(0, 0), slice(0, limit)) for row in rows)
    begin = int(rows[0].ids[0] == model.tokenizer.bos_token_id)  # models read badly without the token they begin with
    cut = longest - limit
    if cut >= room:
        notes[f"dropped: an answer alone is longer than {limit} tokens"] += 1
        return None
    notes["cut: the prompt lost its beginning"] += 1
    return tuple(_cut(model, row, slice(0, begin), slice(begin + cut, None)) for row in rows)


def _cut(model: Model, row: Row, head: slice, body: slice) -> Row:
    """The two slices of a row, one behind the other. BadInput where nothing is left to learn."""
    ids = np.concatenate([row.ids[head], row.ids[body]])
    learned = np.concatenate([row.learned[head], row.learned[body]])
    learned[0] = False  # nothing stands before it from which it could be told
    if not learned.any():
        raise BadInput(
            f"its first {len(ids)} of {row.length} tokens hold nothing to learn",
            expected="a larger max_length, or another truncation: drop, keep_end",
        )
    return Row(ids, learned, row.completions, _ended(model, ids, learned))
