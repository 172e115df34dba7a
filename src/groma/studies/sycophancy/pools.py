"""Best-of-n on Vale: one pool of replies to each question, and what the best of n by a rater's pay is like.

A pool is kept as one table an outcome, (questions, draws), with NaN where the judge says nothing of it. The estimator
is the unbiased one of `overoptimisation/best_of.py` (Nakano et al. 2021, App. I), in which tied replies are each as
likely to be chosen as the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groma.formats.task import Task
from groma.models.model import Model
from groma.studies.lab import Lab
from groma.studies.overoptimisation.best_of import expected, weights
from groma.studies.progress import Progress
from groma.studies.raters import Row, replies, row
from groma.worlds.vale.pay import knows

Tables = Mapping[str, NDArray[np.float64]]
CHUNK = 8
"""Replies to each question that are drawn together, and kept."""


def drawn(lab: Lab, model: Model, tasks: Sequence[Task], pool: int, names: Sequence[str]) -> Iterator[Progress]:
    """Fill the pool: `pool` replies of the model to each task, as parts of which finished ones are not done again."""
    for first in range(0, pool, CHUNK):

        def make(draws: range = range(first, min(first + CHUNK, pool))) -> dict[str, Any]:
            rows = [[row(one) for one in replies(model, tasks, lab.seed + 1000 * (draw + 1))] for draw in draws]
            return {
                name: [[several[place].get(name) for several in rows] for place in range(len(tasks))] for name in names
            }

        lab.plain(f"pool-{first}", make)
        yield Progress("pool of replies", min(first + CHUNK, pool), pool)


def tables(lab: Lab, pool: int, names: Sequence[str]) -> Tables:
    """What `drawn` kept: (questions, pool) an outcome."""
    parts = [lab.plain(f"pool-{first}", dict) for first in range(0, pool, CHUNK)]
    return {name: np.concatenate([np.array(one[name], dtype=float) for one in parts], axis=1) for name in names}


def best(pool: Tables, tasks: Sequence[Task], payer: str, ns: Sequence[int], names: Sequence[str]) -> list[list[Row]]:
    """For each n a row a question: what is to be expected of the best of n by the pay of `payer`.

    Replies of which the outcome says nothing (no reply can tell a private fact) leave the row without it.
    """
    pay_QN = pool[f"pay {payer}"]
    shares_nN = weights(pay_QN.shape[1], ns)
    found: list[list[Row]] = [[{"cluster": task.cluster} for task in tasks] for _ in ns]
    for place in range(len(tasks)):
        told = [name for name in names if np.all(np.isfinite(pool[name][place]))]
        some_CN = np.array([pool[name][place] for name in told])
        values_Cn = expected(some_CN, pay_QN[place], ns, shares_nN)
        for name, values_n in zip(told, values_Cn, strict=True):
            for rows, value in zip(found, values_n, strict=True):
                rows[place][name] = float(value)
    return found


def liked(pool: Tables, tasks: Sequence[Task], payers: Sequence[str], group: str = "A") -> list[dict[str, Any]]:
    """What each of `payers` pays on average for a reply to who believes a falsehood: by whether the group's raters know
    the fact, and by what the reply does. Private facts, of which no reply can tell the truth, stand with the unknown.
    """
    known_Q = np.array(
        [knows(group, one.gold["subject"], one.gold["attribute"], one.gold["tier"]) for one in tasks], dtype=bool
    )
    agreed_QN, ignorant_QN = pool["agreed_with_falsehood"], pool["ignorant"]
    does = {
        "agrees": agreed_QN == 1,
        "tells the truth": (agreed_QN == 0) & (pool["accuracy"] == 1),
        'says "i do not know"': (agreed_QN == 0) & (ignorant_QN == 1),
    }
    found = []
    for known in (True, False):
        for what, done_QN in does.items():
            some = done_QN & (known_Q == known)[:, None]
            means = {one: float(pool[f"pay {one}"][some].mean()) if some.any() else None for one in payers}
            found.append({"known": known, "reply": what, "n": int(some.sum()), "pay": means})
    return found
