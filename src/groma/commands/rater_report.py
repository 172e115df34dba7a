"""What `groma judge raters` prints: each rater's figures, and whether a model of the raters tells choices better."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rich.markup import escape
from rich.table import Table

from groma.formats.records import Estimate
from groma.measures.statistics import estimate, paired_difference
from groma.methods.rater_data import Heard, other_votes
from groma.methods.rater_labels import Floats
from groma.methods.rater_models import Fitted
from groma.report.writing import number, visible, with_interval

UNKNOWN = "—"


def by_model(data: Heard, fitted: Fitted, features: Floats) -> Table:
    """Of each rater how often her choice is that of the utility which all share (a tie counts as half), and her
    reliability; the most reliable first.
    """
    utility_I = fitted.utility(features)
    gap_N = utility_I[data.compared.first] - utility_I[data.compared.second]
    agrees = _agreement(data, np.sign(gap_N), np.ones(len(gap_N), dtype=np.bool_))
    if fitted.config.reliability is None:
        return _table(data, {"agrees with what all want": agrees})
    if fitted.found.covariance_KK is None:
        reliability: Sequence[Estimate | float] = np.exp(fitted.log_reliability).tolist()
    else:
        reliability = fitted.reliability()
    return _table(data, {"reliability": reliability, "agrees with what all want": agrees})


def by_votes(data: Heard) -> Table:
    """Of each rater how often she chose as most of the others who compared the same pair (a tie counts as half)."""
    share_N, others_N = other_votes(data.compared)
    return _table(data, {"agrees with the others": _agreement(data, np.sign(share_N - 0.5), others_N > 0)})


def held_against(rich: Fitted, pooled: Fitted, features: Floats, data: Heard, out_N: NDArray[np.bool_]) -> list[str]:
    """Lines that say how well held-out choices (`out_N`) are told by both, by the votes of others, and by chance, and
    whether the model of the raters is worth it.
    """
    choices, prompts = data.choices(out_N), data.of_prompt[out_N].tolist()
    votes_N = np.log(other_votes(choices)[0])
    told = {name: one.log_likelihood(features, choices) for name, one in (("raters", rich), ("pooled", pooled))}
    chance = -math.log(2)
    gain = _difference(told["raters"], told["pooled"], prompts)
    known = _difference(told["raters"], np.full(len(prompts), chance), prompts)
    return [
        f"{len(prompts)} choices on {len(set(prompts))} prompts were held out; their log-likelihood, in nats a choice:",
        f"  the model of the raters  {number(float(told['raters'].mean()), 3)}",
        f"  all raters alike         {number(float(told['pooled'].mean()), 3)}   (pooled Bradley–Terry)",
        f"  the others' votes        {number(float(votes_N.mean()), 3)}   (on the same pair, which neither model saw)",
        f"  chance                   {number(chance, 3)}",
        *verdict(gain, known),
    ]


def verdict(gain: Estimate | None, known: Estimate | None) -> list[str]:
    """In plain words: whether the model of the raters is better than pooled labels (gain, in nats a choice; None: the
    two are equal), and whether it is better than chance.
    """
    if gain is None:
        lines = [
            "The model of the raters says of every held-out choice what pooled labels say: it is not worth it here."
        ]
    elif gain.low > 0:
        lines = [f"It is worth it here: the model of the raters gains {_nats(gain)} on pooled labels."]
    elif gain.high < 0:
        lines = [f"It is not worth it here: the model of the raters loses {_nats(gain)} to pooled labels."]
    else:
        lines = [f"It is not shown to be worth it here: what it gains on pooled labels is {_nats(gain)}."]
    if known is None or known.low <= 0:
        less = "" if known is None else f" (the difference is {_nats(known)})"
        lines.append(
            f"It is not shown to tell choices better than chance{less}, so that its labels say little: take more "
            "comparisons, another --model, or --by votes."
        )
    return lines


def _nats(one: Estimate) -> str:
    value, low, high = (number(end, 3, signed=True) for end in (one.value, one.low, one.high))
    return f"{value} [{low}, {high}] nats a choice"


def _difference(a: Floats, b: Floats, clusters: Sequence[int]) -> Estimate | None:
    """The paired difference, clustered by prompt; None where no value differs from another."""
    if np.ptp(a - b) == 0:
        return None
    return paired_difference(a.tolist(), b.tolist(), clusters, bounds=None).estimate


def _agreement(data: Heard, sign_N: Floats, asked_N: NDArray[np.bool_]) -> list[Estimate | None]:
    """Of each rater the mean of (1 + sign) / 2 over those of her choices that are asked for, by prompt."""
    found: list[Estimate | None] = []
    for rater in range(len(data.raters)):
        own = asked_N & (data.compared.rater == rater)
        prompts = data.of_prompt[own].tolist()
        found.append(estimate(((1 + sign_N[own]) / 2).tolist(), prompts) if prompts else None)
    return found


def _table(data: Heard, columns: dict[str, Sequence[Estimate | float | None]]) -> Table:
    """A row for each rater, the greatest value of the first of `columns` on top."""
    table = Table(box=None)
    grouped = any(data.groups)
    for heading in ("rater", *(["group"] if grouped else []), "comparisons", *columns):
        table.add_column(heading)
    order = [_value(one) for one in next(iter(columns.values()))]
    said = np.bincount(data.compared.rater, minlength=len(data.raters))
    for place in sorted(range(len(data.raters)), key=lambda one: (-order[one], one)):
        names = [data.raters[place], *([data.groups[place]] if grouped else [])]
        cells = [_cell(one[place]) for one in columns.values()]
        table.add_row(*(escape(str(visible(one))) for one in names), str(said[place]), *cells)
    return table


def _value(one: Estimate | float | None) -> float:
    return one.value if isinstance(one, Estimate) else -1.0 if one is None else one


def _cell(one: Estimate | float | None) -> str:
    return with_interval(one) if isinstance(one, Estimate) else UNKNOWN if one is None else number(one)
