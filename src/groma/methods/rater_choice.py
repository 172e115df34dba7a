"""Which model of the raters some comparisons allow, by which ridge, and which of them are held out to try it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from groma.formats.errors import BadConfig, BadInput
from groma.methods.rater_data import Heard
from groma.methods.rater_labels import Floats
from groma.methods.rater_models import Config, Fitted, fit

Parts = Literal["reliability", "bias", "both"]
RIDGES, RIDGE, THIRDS = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0), 10.0, 3
"""Ridges that are tried, the one where there are too few prompts to try any, and the parts of the prompts by which."""
HELD, LEAST, SEED = 0.25, 8, 0
"""The share of the comparisons that is held out at most, the fewest prompts that this must be, and by which draw."""
MOST = 2000
"""Parameters of the largest model: Newton's method holds a dense matrix of them, squared."""


@dataclass(frozen=True, slots=True)
class Form:
    """What sets raters apart: their reliability, a bias, or both. groups: of each rater the number of her group; None:
    each has a bias of her own, or there is none. told: the same in words.
    """

    reliability: bool
    bias: bool
    groups: tuple[int, ...] | None
    told: str

    def config(self, ridge: float) -> Config:
        return Config(ridge=ridge, reliability=1.0 if self.reliability else None, bias=ridge if self.bias else None)

    def fit(self, features: Floats, data: Heard, ridge: float) -> Fitted:
        return fit(features, data.compared, self.config(ridge), groups=self.groups)


def form_of(data: Heard, parts: Parts | None) -> Form:
    """The form that is asked for. None: reliability, and a bias of each group where there are two groups or more, each
    of two raters or more.

    Errors: BadInput where some raters have a group and some none; BadConfig for both parts with a rater who is alone in
    a group while others are not: no comparison tells her reliability from how strong her taste is.
    """
    sizes = Counter(data.groups)
    if parts == "reliability":
        sizes = Counter()
    if "" in sizes and len(sizes) > 1:
        name = data.raters[data.groups.index("")]
        expected = "a group for each of them, or none; --parts reliability reads no group"
        raise BadInput(f"rater {name!r} has no group, and others have one", expected=expected)
    alone = [rater for rater, group in zip(data.raters, data.groups, strict=True) if sizes[group] == 1]
    several = len(sizes) > 1
    shared = several and (parts == "bias" or not alone)
    if parts == "both" and several and 0 < len(alone) < len(data.raters):
        raise BadConfig(
            f"--parts both: rater {alone[0]!r} is alone in her group, so that her reliability cannot be told from how "
            "strong her taste is: choose reliability or bias, or give her a group with others"
        )
    reliability, bias = parts != "bias", parts in ("bias", "both") or (parts is None and shared)
    numbers = {group: number for number, group in enumerate(sizes)}
    groups = tuple(numbers[one] for one in data.groups) if bias and shared else None
    whose = "" if not bias else f"a bias of each of {len(sizes)} groups" if shared else "a bias of each rater"
    told = " and ".join(one for one in ("reliability of each rater" if reliability else "", whose) if one)
    if parts is None and several and 0 < len(alone) < len(data.raters):
        told += f" (no bias of groups: {alone[0]} is alone in hers; --parts bias has it in the place of reliability)"
    return Form(reliability, bias, groups, told)


def check_size(form: Form, raters: int, dimensions: int) -> None:
    """BadConfig for a model of more than MOST parameters."""
    groups = 0 if not form.bias else raters if form.groups is None else max(form.groups) + 1
    size = dimensions * (1 + groups) + raters * form.reliability
    if size > MOST:
        raise BadConfig(
            f"a model of {raters} raters with {form.told} in {dimensions} dimensions has {size} parameters; at most "
            f"{MOST} can be fitted: choose fewer --dimensions, --parts reliability, or --by votes"
        )


def held_out(data: Heard) -> NDArray[np.bool_]:
    """Which comparisons (N,) are held out: all or none of a prompt, at most HELD of them, and of no rater all. None at
    all where they would be of fewer than LEAST prompts.
    """
    said, prompt_N = defaultdict[int, Counter[int]](Counter), data.of_prompt
    for prompt, rater in zip(prompt_N.tolist(), data.compared.rater.tolist(), strict=True):
        said[prompt][rater] += 1
    left, room = Counter(data.compared.rater.tolist()), HELD * len(data.compared)
    out = set[int]()
    for prompt in np.random.default_rng(SEED).permutation(sorted(said)).tolist():
        own = said[prompt]
        if own.total() <= room and all(left[rater] > count for rater, count in own.items()):
            room -= own.total()
            left -= own
            out.add(prompt)
    return np.isin(prompt_N, sorted(out)) if len(out) >= LEAST else np.zeros(len(prompt_N), dtype=np.bool_)


def ridge_of(features: Floats, data: Heard, ridges: Sequence[float] = RIDGES) -> float:
    """The ridge under which pooled choices are likeliest, each third of the prompts held out in turn; all models of the
    raters take it, too, so that none of them has a better prior than another.
    """
    prompt_N = data.of_prompt
    prompts = np.unique(prompt_N)
    if len(prompts) < THIRDS:
        return RIDGE
    third_P = np.zeros(len(data.prompt), dtype=np.intp)
    third_P[prompts] = np.random.default_rng(SEED).permutation(len(prompts)) % THIRDS
    folds = [third_P[prompt_N] == one for one in range(THIRDS)]

    def likely(ridge: float) -> float:
        told = [pooled(features, data.kept(~out), ridge).log_likelihood(features, data.choices(out)) for out in folds]
        return float(np.concatenate(told).mean())

    return max(ridges, key=likely)


def pooled(features: Floats, data: Heard, ridge: float) -> Fitted:
    """Bradley and Terry's model, to which all raters are alike."""
    return fit(features, data.compared, Config(ridge=ridge, reliability=None, bias=None))
