"""Mismatched pairs: a prompt and the completion of another example. Ethayarajh et al. 2024 (arXiv 2402.01306), eq. 8.

What a policy makes likelier in general, and not as an answer to its prompt, shows where the completions of a batch are
rotated by one against its prompts. We differ where a batch has a prompt more than once (as data have that were pairs):
an answer to the same question is no mismatch, and the rotation goes past it.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from groma.methods.tokens import Row


def rotated(batch: Sequence[int], prompts: Sequence[Hashable]) -> dict[int, int]:
    """Example → the one whose completion its prompt is joined to: each once, and never its own.

    Where all prompts differ, it is the next in the batch. Otherwise the examples of one prompt stand together, and each
    takes the one that is as far behind as the largest such group is long: no prompt gets an answer to itself, unless
    more than half of the batch has it. batch: at least two examples; prompts: of all examples, by index.
    """
    groups: dict[Hashable, list[int]] = {}
    for index in batch:
        groups.setdefault(prompts[index], []).append(index)
    order = [index for group in groups.values() for index in group]
    by = max(map(len, groups.values())) % len(order) or 1
    return dict(zip(order, order[by:] + order[:by], strict=True))


def prompt(row: Row) -> bytes:
    """What stands before the completion, to be compared."""
    return row.ids[: row.learned.argmax()].tobytes()


def joined(row: Row, other: Row, limit: int | None) -> Row:
    """The prompt of `row` and the completion of `other`, token by token, the first `limit` of them.

    Its `learned` tokens are those to be scored; nothing is trained on them, so that it counts no turns to learn.
    """
    begin, rest = int(row.learned.argmax()), int(other.learned.argmax())
    ids = np.concatenate([row.ids[:begin], other.ids[rest:]])[:limit]
    scored = np.concatenate([row.learned[:begin], other.learned[rest:]])[:limit]
    return Row(ids, scored, completions=0, ended=0)
