"""Reward models that learn from some raters, and how often they are right about others.

Ouyang et al. 2022: reward models were trained on four of five groups of labellers, five times over; they
predict 72.4 +- 0.4 % of the choices of labellers whom they learned from, and 69.6 +- 0.9 % of those held out.

Here five raters of group A share the comparisons of training among them, and each fold learns without one of them. All
are tested on the same fresh pairs: on what the four would choose there, on what the fifth would, and on what two raters
of group B would, of whom no fold has seen a choice. Beside their labels stands what they would pay without noise. We
differ: raters of one group have the same taste, so that the fifth of A differs from the others in her noise alone, and
group B knows other facts and weighs otherwise; the paper's held-out labellers lie in between.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groma.formats.examples import Preference
from groma.formats.messages import Message
from groma.models.reward import RewardModel
from groma.studies.instructgpt.agreement import RATES
from groma.studies.instructgpt.config import Config, fold
from groma.studies.instructgpt.replies import Pair
from groma.studies.judged import Told, interval
from groma.studies.lab import Lab
from groma.studies.progress import Progress
from groma.worlds.vale import Rater

Floats = NDArray[np.float64]
OTHERS = (0, 1)
"""Seeds of the raters of group B."""
PARTS = 5
"""Pairs are cut into so many parts of like size, by how far apart their pay is."""


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """What was said of P fresh pairs: 0 where the first reply is preferred, 1 where the second is.

    said_FP: by the reward model of each fold, which learned from all raters but the one of its number. labels_FP: by
    the raters of group A, others_BP: by raters of B. gaps_P, gaps_of_others_P: by how much more the first reply is
    paid, by the taste of A and of B.
    """

    said_FP: NDArray[np.intp]
    labels_FP: NDArray[np.intp]
    others_BP: NDArray[np.intp]
    gaps_P: Floats
    gaps_of_others_P: Floats
    clusters: Sequence[str]
    kinds: Sequence[str]


def folds(
    lab: Lab, learned: Sequence[Pair], fresh: Sequence[Pair], config: Config
) -> Generator[Progress, None, dict[str, Any]]:
    """Train the folds on the pairs `learned`, test them on `fresh`; progress, and the results."""
    said = []
    for place in range(config.raters):
        examples = dealt(learned, config.raters, place)
        made = yield from lab.rewarding(f"fold-{place}", examples, fold(config))
        said.append(lab.plain(f"fold-{place}-gaps", partial(reward_gaps, made, fresh)))
    raters = [Rater(seed=place) for place in range(config.raters)]
    others = [Rater("B", seed=place) for place in OTHERS]
    return accuracies(
        Predictions(
            (np.array(said) < 0).astype(np.intp),
            np.array([[one.preferred(rater) for one in fresh] for rater in raters]),
            np.array([[one.preferred(rater) for one in fresh] for rater in others]),
            np.array([one.gap() for one in fresh]),
            np.array([one.gap("B") for one in fresh]),
            [one.cluster for one in fresh],
            [one.task.kind for one in fresh],
        )
    )


def dealt(pairs: Sequence[Pair], raters: int, without: int | None = None) -> list[Preference]:
    """For each pair the choice of the rater of group A whose turn it is, but for the pairs of one rater."""
    turns = [(place % raters, pair) for place, pair in enumerate(pairs)]
    return [pair.preference(Rater(seed=turn)) for turn, pair in turns if turn != without]


def reward_gaps(reward: RewardModel, pairs: Sequence[Pair]) -> list[float]:
    """By how much more the reward model pays for the first reply of each pair."""
    said = [
        (one.task.posed.messages, (Message("assistant", side.answer),))
        for one in pairs
        for side in (one.first, one.second)
    ]
    rewards = reward.score_texts(said)
    return [first - second for first, second in zip(rewards[::2], rewards[1::2], strict=True)]


def accuracies(tested: Predictions) -> dict[str, Any]:
    """How often folds are right: of fresh labels of raters whom they learned from (`own`), of the one held out of the
    same group (`held out`), of the other group (`others`); of either group's pay where that tells two replies apart
    (`pay`, `pay of others`). `drop`, `drop within`: own less others, own less held out. Each pair counts once, by its
    mean over folds; `folds` has the means of each.
    """
    labels = dict(zip(("own", "held out", "others"), by_label(tested), strict=True))
    means_P = {name: right_FP.mean(0) for name, right_FP in labels.items()}
    found: dict[str, Any] = {name: _interval(one_P, tested) for name, one_P in means_P.items()}
    found["drop"] = _interval(means_P["own"] - means_P["others"], tested, (-1.0, 1.0))
    found["drop within"] = _interval(means_P["own"] - means_P["held out"], tested, (-1.0, 1.0))
    pay_FP, pay_of_others_FP = (
        (tested.said_FP == (gaps_P < 0)).astype(float) for gaps_P in (tested.gaps_P, tested.gaps_of_others_P)
    )
    apart_P = tested.gaps_P != 0
    found["pay"] = _interval(pay_FP.mean(0), tested, RATES, apart_P)
    found["pay of others"] = _interval(pay_of_others_FP.mean(0), tested, RATES, tested.gaps_of_others_P != 0)
    found["folds"] = [
        {name: float(right_FP[place].mean()) for name, right_FP in labels.items()}
        | {"pay": float(pay_FP[place, apart_P].mean())}
        for place in range(len(pay_FP))
    ]
    found["kinds"] = {
        kind: {
            "own": _interval(means_P["own"], tested, RATES, _of(kind, tested)),
            "pay": _interval(pay_FP.mean(0), tested, RATES, _of(kind, tested) & apart_P),
        }
        for kind in sorted({one for one, apart in zip(tested.kinds, apart_P, strict=True) if apart})
    }
    found["by gap"] = _by_gap(pay_FP.mean(0), means_P["own"], tested)
    return {**found, "pairs": len(tested.clusters)}


def by_label(tested: Predictions) -> tuple[Floats, Floats, Floats]:
    """For each fold and pair, the share of labels that it predicts: own raters', the held-out rater's, the others'; all
    (F, P).
    """
    alike_FRP = tested.said_FP[:, None] == tested.labels_FP[None]
    count = len(tested.labels_FP)
    own_FR = 1 - np.eye(count)
    own_FP = (alike_FRP * own_FR[:, :, None]).sum(1) / (count - 1)
    held_FP = alike_FRP[np.arange(count), np.arange(count)].astype(float)
    others_FP = (tested.said_FP[:, None] == tested.others_BP[None]).mean(1)
    return own_FP, held_FP, others_FP


def _by_gap(right_P: Floats, own_P: Floats, tested: Predictions) -> list[dict[str, Any]]:
    """Parts of the pairs by how far apart their pay is: mean gap, how often folds are right of the pay, and of labels,
    and how often a single label is right of the pay.
    """
    label_P = (tested.labels_FP == (tested.gaps_P < 0)).mean(0)
    rows = []
    for part in np.array_split(np.argsort(np.abs(tested.gaps_P), kind="stable"), PARTS):
        some = np.zeros(len(tested.gaps_P), dtype=bool)
        some[part] = tested.gaps_P[part] != 0
        if some.any():
            told = {"pay": right_P, "own": own_P, "labels": label_P}
            rows.append(
                {"gap": float(np.abs(tested.gaps_P[some]).mean())}
                | {name: _interval(values_P, tested, RATES, some) for name, values_P in told.items()}
            )
    return rows


def _of(kind: str, tested: Predictions) -> NDArray[np.bool_]:
    return np.array([one == kind for one in tested.kinds])


def _interval(
    values_P: Floats,
    tested: Predictions,
    bounds: tuple[float, float] = RATES,
    some_P: NDArray[np.bool_] | None = None,
) -> Told:
    """The mean over (some of) the pairs with its clustered interval."""
    places = [place for place in range(len(values_P)) if some_P is None or some_P[place]]
    return interval([(float(values_P[one]), tested.clusters[one]) for one in places], bounds)
