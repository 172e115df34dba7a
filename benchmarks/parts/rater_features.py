"""What a model of the raters sees of a reply: hidden states of Vale's base over prompt and reply, how likely the base
finds it, and named properties, those of each kind of task by themselves.

Only what sets the two replies of a pair apart matters to a comparison. So all features are those of a reply less the
mean of its pair, and are scaled by their spread over the training pairs. Nothing here knows the truth or any label.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from groma.formats.messages import Message
from groma.formats.task import Task
from groma.formats.transcript import Transcript
from groma.models.model import Model
from groma.models.template import completion_spans
from groma.worlds.vale import VALE
from groma.worlds.vale.language import HEDGED, SURE
from groma.worlds.vale.lexicon import KIND_WORDS
from groma.worlds.vale.reading import read

Floats = NDArray[np.float64]
Pair = tuple[Task, Transcript, Transcript]
COMPONENTS, BLOCK, BATCH, LEAST, MOST = 16, 2, 64, 0.02, 2.0
"""Components of the hidden states; the block behind which their mean is taken; replies at a time; in what share of the
training pairs a property must tell the replies apart to be kept; the most that a feature may be, in spreads.
"""


@dataclass
class Table:
    """features (I, D): the replies of the training pairs (2k, 2k + 1), then of the held-out ones, then others that only
    `reworded` (P, 2) and `flattered` (Q, 2) name: items that say the same; facts: what was found on the way.
    """

    features: Floats
    reworded: NDArray[np.intp]
    flattered: NDArray[np.intp]
    facts: dict[str, Any]


def table_of(base: Model, train: Sequence[Pair], held: Sequence[Pair]) -> Table:
    """reworded: the first reply of a training pair behind the prompt as it was, and behind other words of the same
    (where Vale has none: behind a line that tells who asks). flattered: that reply, and the same behind a kind word,
    where the form of a reply is not what was asked for.
    """
    pairs = [*train, *held]
    others = [_reworded(pair) for pair in train]
    kind = [place for place, (task, _, _) in enumerate(train) if task.kind != "follow"]
    said = [(train[k][0], f"{KIND_WORDS[k % len(KIND_WORDS)]} {train[k][1].answer}") for k in kind]
    replies = [(task, one.answer) for task, *both in (*pairs, *others) for one in both]
    hidden, likely = _read(base, [*replies, *said])
    raw = np.hstack([hidden, _by_kind(np.hstack([likely, _named([*replies, *said])]), [*replies, *said])])
    middle = raw[: len(replies)].reshape(-1, 2, raw.shape[1]).mean(axis=1)
    apart = raw - np.vstack([np.repeat(middle, 2, axis=0), middle[kind]])
    gaps, width = 2 * apart[0 : 2 * len(train) : 2], hidden.shape[1]
    _, sizes, axes = np.linalg.svd(gaps[:, :width], full_matrices=False)
    table = np.hstack([apart[:, :width] @ axes[:COMPONENTS].T, apart[:, width:]])
    gaps = 2 * table[0 : 2 * len(train) : 2]
    varies = (np.abs(gaps) > 1e-9).mean(axis=0) >= LEAST
    spread = np.sqrt(np.mean(gaps**2, axis=0))
    first = np.arange(0, 2 * len(train), 2)
    equal = [_objective(train[k][0], text) == _objective(train[k][0], train[k][1].answer) for k, (_, text) in
             zip(kind, said, strict=True)]  # fmt: skip
    return Table(
        np.clip(table[:, varies] / spread[varies], -MOST, MOST),
        np.stack([first, 2 * len(pairs) + first], axis=1),
        np.stack([first[kind], len(replies) + np.arange(len(kind))], axis=1),
        {
            "width": int(varies.sum()),
            "spread of the gaps in hidden states that the components hold": round(
                float((sizes[:COMPONENTS] ** 2).sum() / (sizes**2).sum()), 3
            ),
            "flattered pairs": len(kind),
            "of these of equal objective": round(float(np.mean(equal)), 3),
        },
    )


def _reworded(pair: Pair) -> Pair:
    task, one, two = pair
    other = VALE.conditions["reworded"](task) or VALE.conditions["persona"](task)
    assert other is not None
    return other, one, two


def _objective(task: Task, answer: str) -> float:
    return VALE.judge(task, Transcript(task.posed.messages, answer)).objective


def _read(base: Model, replies: Sequence[tuple[Task, str]]) -> tuple[Floats, Floats]:
    """Hidden states (replies, 2 width): the mean over the reply's tokens behind block BLOCK, and the last one behind
    all blocks; and the reply's log-probability and its mean per token (replies, 2).
    """
    coded = []
    for task, answer in replies:
        turns = [*task.posed.messages, Message("assistant", answer)]
        coded.append(completion_spans(base, turns, len(turns) - 1))
    hidden, likely = np.zeros((len(coded), 2 * base.net.config.hidden_size)), np.zeros((len(coded), 2))
    order = sorted(range(len(coded)), key=lambda place: len(coded[place][0]))
    for start in range(0, len(order), BATCH):
        some = order[start : start + BATCH]
        width = max(len(coded[place][0]) for place in some)
        ids = torch.tensor([coded[place][0] + [base.pad_id] * (width - len(coded[place][0])) for place in some])
        with torch.inference_mode():
            found = base.net(input_ids=ids, output_hidden_states=True, use_cache=False)
            told = found.logits[:, :-1].log_softmax(-1).gather(-1, ids[:, 1:, None])[..., 0]
        for row, place in enumerate(some):
            mask = torch.tensor(coded[place][1])
            states = found.hidden_states
            mean, last = states[BLOCK][row, : len(mask)][mask].mean(dim=0), states[-1][row, len(mask) - 1]
            hidden[place] = torch.cat([mean, last]).float().numpy()
            own = told[row, : len(mask) - 1][mask[1:]]
            likely[place] = float(own.sum()), float(own.mean())
    return hidden, likely


def _by_kind(columns: Floats, replies: Sequence[tuple[Task, str]]) -> Floats:
    """Each column as one for each kind of task, which is 0 for the others."""
    kinds = sorted({task.kind for task, _ in replies})
    own = np.array([[task.kind == kind for kind in kinds] for task, _ in replies])
    return (own[:, :, None] * columns[:, None, :]).reshape(len(replies), -1)


def _named(replies: Sequence[tuple[Task, str]]) -> Floats:
    """Properties that anybody can see without knowing what is true or harmful."""
    rows = []
    for task, answer in replies:
        one, asked = read(answer), set(re.findall("[a-z]+", task.posed.messages[-1].content))
        said = re.findall("[a-z]+", answer)
        sure = [claim.certainty for claim in one.claims]
        rows.append(
            [one.words, one.kind, one.sentences, one.noise, len(one.claims), sure.count(SURE), sure.count(HEDGED),
             len(one.denied), len(one.steps) + len(one.of_it), one.gathered, one.refused, one.ignorant, one.agreed,
             one.disagreed, one.consent, one.withdrew, sum(word in asked for word in said) / max(len(said), 1)]
        )  # fmt: skip
    return np.array(rows, dtype=np.float64)
