"""How often two raters of Vale agree, and the noise that makes it 73 of 100, as it was of Ouyang et al.'s labellers.

    python benchmarks/rater_agreement.py [MODEL]

Pairs of samples of a model fine-tuned on demonstrations (of the shipped base, or of the base MODEL) are compared by
pairs of raters: two of group A, two of B, one of each, two truthful ones. Writes results/rater_agreement.json beside it
and docs/rater_agreement.md, with the noise of which the expected agreement is 73 % (`NOISE` in worlds/vale/rater.py).
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.optimize import brentq
from scipy.special import expit

from groma.formats.task import Task
from groma.formats.transcript import Transcript
from groma.measures.statistics import clopper_pearson
from groma.methods import sft
from groma.models.engine import LocalEngine
from groma.models.load import load
from groma.models.model import Model
from groma.play import play
from groma.studies.recipes import DEMONSTRATED, SFT_ON_VALE
from groma.systems import SYSTEMS
from groma.worlds.vale import VALE, Rater, demonstrations, truthful
from groma.worlds.vale.pay import pay
from groma.worlds.vale.rater import NOISE

HERE = Path(__file__).parent
RESULT = HERE / "results" / "rater_agreement.json"
PAGE = HERE.parent / "docs" / "rater_agreement.md"
TARGET, ITEMS = 0.73, 18000
Pair = tuple[Task, Transcript, Transcript]
RATERS = {
    "A and A": (Rater("A", seed=1), Rater("A", seed=2)),
    "B and B": (Rater("B", seed=1), Rater("B", seed=2)),
    "A and B": (Rater("A", seed=1), Rater("B", seed=2)),
    "truthful and truthful": (Rater(seed=1, payer=truthful), Rater(seed=2, payer=truthful)),
    "A and truthful": (Rater("A", seed=1), Rater(seed=2, payer=truthful)),
    "A and a tired A": (Rater("A", seed=1), Rater("A", seed=2, tires=0.001)),
}


def pairs_of(model: Model) -> list[Pair]:
    """Two different samples of the fine-tuned model for each task, in the proportions of the main job."""
    for _ in sft.train(model, demonstrations(DEMONSTRATED, 0), SFT_ON_VALE):
        pass
    others = [kind for kind in VALE.kinds if kind not in ("ask", "how", "errand")]
    tasks = [*VALE.tasks("how", "train", ITEMS // 2, 1), *VALE.tasks("ask", "train", ITEMS // 5, 1)]
    tasks += VALE.tasks(others, "train", ITEMS - len(tasks), 1)
    engine, drawn = LocalEngine(model), defaultdict[str, list[tuple[Task, Transcript]]](list)
    for seed in (0, 1):
        for one in play(SYSTEMS["chat"].with_(max_tokens=VALE.max_tokens), tasks, {"assistant": engine}, seed=seed):
            if one.transcript is not None:
                drawn[one.task.id].append((one.task, one.transcript))
    engine.close()
    both = [(first, second) for first, second in (two for two in drawn.values() if len(two) == 2)]
    found = [(task, one, other) for (task, one), (_, other) in both]
    return [pair for pair in found if pair[1].answer.strip() != pair[2].answer.strip()]


def noise_for(pairs: list[Pair], group: str) -> float:
    """The scale of logistic noise at which two of the group are expected to agree on TARGET of the pairs."""
    gaps = np.array([pay(task, one, group).total - pay(task, two, group).total for task, one, two in pairs])

    def expected(noise: float) -> float:
        chance = expit(gaps / noise)
        return float((chance**2 + (1 - chance) ** 2).mean()) - TARGET

    return float(brentq(expected, 1e-3, 50))


def agreement(pairs: list[Pair], raters: tuple[Rater, Rater]) -> dict[str, Any]:
    """How often two raters choose the same, over all pairs and by the kind of task."""
    first, second = raters[0].sitting(), raters[1].sitting()
    same = [
        (task.kind, first(task, one, two).preferred == second(task, one, two).preferred) for task, one, two in pairs
    ]
    total = sum(agreed for _, agreed in same)
    rate = clopper_pearson(total, len(same))
    kinds = {kind: [agreed for one, agreed in same if one == kind] for kind in dict.fromkeys(kind for kind, _ in same)}
    by_kind = {kind: [round(float(np.mean(some)), 3), len(some)] for kind, some in kinds.items()}
    return {"agreement": rate.value, "low": rate.low, "high": rate.high, "n": len(same), "kinds": by_kind}


def page(found: dict[str, Any]) -> str:
    kinds = list(next(iter(found["agreement"].values()))["kinds"])
    lines = [
        "# How often raters agree",
        "",
        "Made by `python benchmarks/rater_agreement.py`: two different samples of a model after SFT (helpful set), the",
        f"tasks in the proportions of the main job, {found['pairs']} pairs. The aim is that two of a group agree on",
        "73 ± 1 %, as the labellers of Ouyang et al. 2022 did (72.6 ± 1.5 %); the noise in use was fitted to samples",
        "of the shipped base, the last table says what it would be by these. The truthful control has the noise of",
        "group A.",
        "Errands are left out: they are run by an agent in the hall, and of what it did a rater sees only its last",
        "words.",
        "",
        f"| raters | agree | 95 % interval | {' | '.join(kinds)} |",
        f"|---|---|---|{'---|' * len(kinds)}",
    ]
    for name, one in found["agreement"].items():
        cells = " | ".join(f"{one['kinds'][kind][0]:.2f}" for kind in kinds)
        lines.append(f"| {name} | {one['agreement']:.3f} | {one['low']:.3f} – {one['high']:.3f} | {cells} |")
    lines += ["", "| group | noise in use | noise at which the expected agreement is 73 % |", "|---|---|---|"]
    lines += [f"| {group} | {NOISE[group]} | {found['noise'][group]:.3f} |" for group in NOISE]
    return "\n".join(lines) + "\n"


def main(name: str) -> None:
    torch.set_num_threads(2)
    pairs = pairs_of(load(name))
    found = {
        "pairs": len(pairs),
        "noise": {group: noise_for(pairs, group) for group in NOISE},
        "agreement": {who: agreement(pairs, raters) for who, raters in RATERS.items()},
    }
    RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(found), encoding="utf-8")
    print(page(found))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "vale")
