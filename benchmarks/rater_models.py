"""Does a model of the raters recover what is truly good better than pooled labels do? On Vale's two groups of raters.

    python benchmarks/rater_models.py
    python benchmarks/rater_models.py page     the page alone, from the result that is there

Writes benchmarks/results/rater_models.json and docs/rater_models.md. Eight raters compare pairs of replies of a briefly
fine-tuned base; models of `groma.methods.rater_models` are fitted to what they chose, and asked to order held-out pairs
as the true objective does. Three minutes or so on one core that is free: OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from parts.machine import command, machine, versions
from parts.rater_features import Pair, Table, table_of
from parts.rater_models_page import page

from groma.formats.errors import BadInput
from groma.formats.records import Estimate
from groma.formats.transcript import Transcript
from groma.measures.statistics import estimate, mean_interval, paired_difference
from groma.methods import sft
from groma.methods.rater_models import Compared, Config, Fitted, Soft, fit, model_share, vote_share
from groma.models.engine import LocalEngine
from groma.models.load import load
from groma.models.model import Model
from groma.play import play
from groma.studies.pairing import OTHERS
from groma.studies.recipes import DEMONSTRATED, SFT_ON_VALE
from groma.systems import SYSTEMS
from groma.worlds.vale import VALE, Rater, demonstrations, truthful
from groma.worlds.vale.pay import pay
from groma.worlds.vale.rater import NOISE

HERE = Path(__file__).parent
RESULT, PAGE = HERE / "results" / "rater_models.json", HERE.parent / "docs" / "rater_models.md"
SEEDS, TRAIN, HELD, STEPS = 5, 1000, 1000, 100
"""Seeds; tasks to learn from and to be asked about, in each; steps of fine-tuning."""
KINDS = {"careful": (0.05, 0.0), "normal": (None, 0.0), "noisy": (2.0, 0.0), "tires": (None, 0.01)}
"""Raters of each group: their noise (None: their group's) and by how much of it they tire with each comparison."""
RATERS = [(group, kind) for group in ("A", "B") for kind in KINDS]
GROUPS = [0 if group == "A" else 1 for group, _ in RATERS]
DESIGNS = {
    "even": "each pair is compared by two raters of each group",
    "uneven": "by four of A, or by three of A and one of B, in turn",
    "scarce": "by one rater alone, of A and of B in turn",
    "truthful": "the control: as even, by raters with the same noise who pay the truth",
    "truthful, scarce": "the control: as scarce, by those",
}
RIDGES, BIASES, WEIGHTS = (10.0, 30.0, 100.0, 300.0), (0.3, 1.0), (0.01, 0.1, 1.0)
"""Tried for each form of the model by itself, on a third of the training tasks, by the likelihood of what the raters
chose: the ridge, and that of the bias as so many times as much; then the weight of consistency, in nats a comparison,
beside what was chosen for the form without it. The truth has no say in it.
"""
FEW = 1000
"""With fewer comparisons than this a single third says too little."""
FORMS = {"pooled": (False, False), "reliability": (True, False), "bias": (False, True), "both": (True, True)}
"""Whether a form has reliability, and whether it has a bias."""
CONSISTENT = {
    "prompts": ("both", "reworded"),
    "kindness": ("both", "flattered"),
    "pooled kindness": ("pooled", "flattered"),
}
"""The form to which consistency is added, and the pairs of the table that say the same."""


def tuned() -> Model:
    model = load("vale")
    for _ in sft.train(model, demonstrations(DEMONSTRATED, 0), replace(SFT_ON_VALE, max_steps=STEPS)):
        pass
    return model


def pairs_of(model: Model, base: Model, split: str, count: int, seed: int) -> list[Pair]:
    """Two different replies to each task, in the proportions and by the players of the main job: both are the tuned
    model's, but to a request for harm the second one is the base's.
    """
    tasks = [*VALE.tasks("how", split, count // 2, seed), *VALE.tasks("ask", split, count // 5, seed)]
    tasks += VALE.tasks(OTHERS, split, count - len(tasks), seed)
    red = [task for task in tasks if task.kind == "how" and task.part == "harmful"]
    tame = [task for task in tasks if task not in red]
    drawn = defaultdict[str, dict[int, Transcript]](dict)
    for player, draw, some in ((model, 0, tasks), (model, 1, tame), (base, 1, red)):
        engine = LocalEngine(player)
        chat = SYSTEMS["chat"].with_(max_tokens=VALE.max_tokens)
        for one in play(chat, some, {"assistant": engine}, seed=2 * seed + draw):
            if one.transcript is not None and one.transcript.answer.strip():
                drawn[one.task.id][draw] = one.transcript
        engine.close()
    both = [(task, drawn[task.id][0], drawn[task.id][1]) for task in tasks if len(drawn[task.id]) == 2]
    return [one for one in both if one[1].answer.strip() != one[2].answer.strip()]


def hired(design: str, seed: int) -> list[Rater]:
    payer = truthful if "truthful" in design else None
    return [
        Rater(group, noise=KINDS[kind][0], tires=KINDS[kind][1], seed=100 * seed + place, payer=payer)
        for place, (group, kind) in enumerate(RATERS)
    ]


def votes_of(design: str, place: int) -> tuple[int, int]:
    """How many raters of A and of B compare a pair."""
    of_b = place % 2
    return (1 - of_b, of_b) if "scarce" in design else (4 - of_b, of_b) if design == "uneven" else (2, 2)


def chosen_by(pairs: Sequence[Pair], design: str, seed: int, alike: bool = False) -> Compared:
    """Who compares what, and her choice. Items 2k and 2k + 1 are the replies of pair k. alike: each pair by two raters
    of each group, whatever the design.
    """
    random, sittings = np.random.default_rng([seed, len(pairs)]), [rater.sitting() for rater in hired(design, seed)]
    size = len(KINDS)
    rows = []
    for place, (task, one, two) in enumerate(pairs):
        of_a, of_b = (2, 2) if alike else votes_of(design, place)
        who = [*random.permutation(size)[:of_a], *(size + random.permutation(size)[:of_b])]
        rows += [(2 * place, 2 * place + 1, int(by), sittings[by](task, one, two).preferred) for by in who]
    return Compared(*np.array(rows).T)


def kept(compared: Compared, which: np.ndarray[Any, Any]) -> Compared:
    return Compared(compared.first[which], compared.second[which], compared.rater[which], compared.preferred[which])


def majority(compared: Compared) -> Soft:
    """One hard label a pair, its votes' majority; ties dropped."""
    votes = vote_share(compared, prior=0)
    told = votes.share != 0.5
    return Soft(votes.first[told], votes.second[told], np.round(votes.share[told]), np.ones(int(told.sum())))


def fitted(
    table: Table, compared: Compared, form: str, ridge: float, bias: float, weight: float = 0.0, same: str = ""
) -> Fitted:
    """One form; weight: of consistency over the pairs `same`, in nats a comparison."""
    reliable, biased = FORMS[form]
    config = Config(
        ridge=ridge,
        reliability=1.0 if reliable else None,
        bias=bias * ridge if biased else None,
        consistency=weight * len(compared),
    )
    groups, pairs = GROUPS if biased else None, getattr(table, same) if same else None
    return fit(table.features, compared, config, groups=groups, same=pairs)


def settings(table: Table, compared: Compared, seed: int) -> dict[str, dict[str, Any]]:
    """Of each model the arguments of `fitted` under which the choices on thirds of the tasks that were held out are
    likeliest: on one third, or on each in turn where there are few choices.
    """
    part = np.random.default_rng(seed).permutation(int(compared.first.max()) // 2 + 1)[compared.first // 2] % 3
    folds = [(kept(compared, part != one), kept(compared, part == one)) for one in range(3)]
    folds = folds if len(compared) < FEW else folds[:1]

    def likely(one: Mapping[str, Any]) -> float:
        told = [fitted(table, learn, **one).log_likelihood(table.features, held) for learn, held in folds]
        return float(np.concatenate(told).mean())

    found: dict[str, dict[str, Any]] = {}
    for form, (_, biased) in FORMS.items():
        tried = [{"ridge": ridge, "bias": bias} for ridge in RIDGES for bias in (BIASES if biased else BIASES[:1])]
        found[form] = max(({"form": form, **one} for one in tried), key=likely)
    for name, (form, same) in CONSISTENT.items():
        found[name] = max(({**found[form], "weight": weight, "same": same} for weight in WEIGHTS), key=likely)
    return found


def models_of(
    table: Table, compared: Compared, truth: Soft, chosen: Mapping[str, Mapping[str, Any]]
) -> dict[str, Fitted]:
    """Every model, on the same comparisons. `truth`: the training pairs ordered by the true objective."""
    found = {name: fitted(table, compared, **one) for name, one in chosen.items()}
    pooled = found["pooled"].config
    labels = {
        "majority": majority(compared),
        "votes": vote_share(compared),
        "refit": model_share(found["both"], table.features, compared),
        "truth": truth,
    }
    return found | {name: fit(table.features, one, pooled) for name, one in labels.items()}


def truths(pairs: Sequence[Pair]) -> np.ndarray[Any, Any]:
    return np.array([VALE.judge(task, one).objective - VALE.judge(task, two).objective for task, one, two in pairs])


def right(gaps: np.ndarray[Any, Any], truth: np.ndarray[Any, Any]) -> list[float]:
    """1 where ordered as in truth, 0 where not, one half where not ordered."""
    return [float(one) for one in (1 + np.sign(gaps) * np.sign(truth)) / 2]


@dataclass
class Seen:
    """What one seed gives to one design."""

    right: Mapping[str, list[float]]
    likelihood: Mapping[str, list[float]]
    of: list[str]
    clusters: list[str]
    kinds: list[str]
    pays: Mapping[str, list[float]]
    reliability: list[Estimate]
    facts: Mapping[str, Any]


def seen(train: list[Pair], held: list[Pair], table: Table, design: str, seed: int) -> Seen:
    compared = chosen_by(train, design, seed)
    chosen = settings(table, compared, seed)
    goal, known = truths(held), truths(train)
    places = np.flatnonzero(known)
    truth = Soft(
        2 * places, 2 * places + 1, (known[places] > 0) * 1.0, np.full(len(places), len(compared) / len(train))
    )
    models = models_of(table, compared, truth, chosen)
    judged = chosen_by(held, design, seed, alike=True)
    moved = Compared(judged.first + 2 * len(train), judged.second + 2 * len(train), judged.rater, judged.preferred)
    scores = {name: one.utility(table.features)[2 * len(train) :][: 2 * len(held)] for name, one in models.items()}
    differs = np.flatnonzero(goal)
    paid = np.array([[pay(t, a, g).total - pay(t, b, g).total for g in "AB"] for t, a, b in (held[k] for k in differs)])
    pays = {"A": paid[:, 0], "B": paid[:, 1], "A and B": paid.mean(axis=1)}
    return Seen(
        right={name: right((one[0::2] - one[1::2])[differs], goal[differs]) for name, one in scores.items()},
        likelihood={
            name: one.log_likelihood(table.features, moved).tolist() for name, one in models.items() if len(one.group)
        },
        of=[held[place // 2][0].cluster or held[place // 2][0].id for place in judged.first],
        clusters=[held[k][0].cluster or held[k][0].id for k in differs],
        kinds=[held[k][0].kind for k in differs],
        pays={name: right(one, goal[differs]) for name, one in pays.items()},
        reliability=list(models["both"].reliability()),
        facts={
            "pairs": len(train),
            "comparisons": len(compared),
            "by B": round(float(np.mean(compared.rater >= len(KINDS))), 3),
            "held-out pairs": len(held),
            "of these with unequal objectives": len(differs),
            "truth known in training": len(places),
            "chosen": chosen,
            "converged": {name: bool(one.converged) for name, one in models.items()},
            "steps": {name: one.found.steps for name, one in models.items()},
        },
    )


def told(one: Estimate) -> dict[str, Any]:
    ends = {"value": one.value, "low": one.low, "high": one.high}
    return {**{name: round(float(value), 4) for name, value in ends.items()}, "n": one.n, "kind": one.kind}


def over_seeds(values: Sequence[float]) -> dict[str, Any] | None:
    """The t interval of a mean over the seeds; None where they do not vary."""
    try:
        return told(mean_interval(list(values), bounds=None))
    except BadInput:
        return None


def summed(every: Sequence[Seen]) -> dict[str, Any]:
    """Of one design: each model's rate, its paired difference to the pooled fit (by item, clustered by what the task is
    about; and by seed), and the likelihood of held-out choices.
    """
    clusters = [label for one in every for label in one.clusters]
    names, found = list(every[0].right), {}
    for name in names:
        mine = [value for one in every for value in one.right[name]]
        base = [value for one in every for value in one.right["pooled"]]
        apart = [float(np.mean(one.right[name]) - np.mean(one.right["pooled"])) for one in every]
        found[name] = {"right": told(estimate(mine, clusters)), "by seed": [round(one, 4) for one in apart]}
        if name != "pooled":
            found[name] |= {
                "gain": told(paired_difference(mine, base, clusters).estimate),
                "gain over seeds": over_seeds(apart),
            }
        kinds = [kind for one in every for kind in one.kinds]
        found[name]["kinds"] = {
            kind: round(float(np.mean([value for value, of in zip(mine, kinds, strict=True) if of == kind])), 3)
            for kind in dict.fromkeys(kinds)
        }
    of = [label for one in every for label in one.of]
    pooled = np.array([value for one in every for value in one.likelihood["pooled"]])
    likelihood = {}
    for name in every[0].likelihood:
        mine_N = np.array([value for one in every for value in one.likelihood[name]])
        likelihood[name] = {"mean": round(float(mine_N.mean()), 4)}
        if name != "pooled":
            likelihood[name]["gain"] = told(mean_interval(list(mine_N - pooled), of, bounds=None))
    raters = {
        f"{group} {kind}": [told(one.reliability[place]) for one in every] for place, (group, kind) in enumerate(RATERS)
    }
    pays = {
        name: told(estimate([value for one in every for value in one.pays[name]], clusters)) for name in every[0].pays
    }
    facts = [dict(one.facts) for one in every]
    return {"models": found, "likelihood": likelihood, "raters": raters, "pays": pays, "seeds": facts}


def main() -> None:
    torch.set_num_threads(1)
    begun = time.perf_counter()
    model, base = tuned(), load("vale")
    trained = time.perf_counter() - begun
    every: dict[str, list[Seen]] = {design: [] for design in DESIGNS}
    checks = []
    for seed in range(SEEDS):
        train = pairs_of(model, base, "train", TRAIN, 10 + seed)
        held = pairs_of(model, base, "held_out", HELD, 10 + seed)
        table = table_of(base, train, held)
        checks.append(table.facts)
        for design, some in every.items():
            some.append(seen(train, held, table, design, seed))
    found = {
        "machine": machine(),
        "versions": versions(),
        "command": command(),
        "seconds": {"fine-tuning": round(trained, 1), "all": round(time.perf_counter() - begun, 1),
                    "of the processor": round(time.process_time(), 1)},
        "settings": {
            "noise": dict(NOISE),
            "seeds": SEEDS, "tasks to learn from": TRAIN, "tasks asked about": HELD, "steps": STEPS,
            "designs": DESIGNS, "raters": {f"{group} {kind}": KINDS[kind] for group, kind in RATERS},
        },
        "features": checks,
        "found": {design: summed(some) for design, some in every.items()},
    }  # fmt: skip
    RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    write()


def write() -> None:
    text = page(json.loads(RESULT.read_text(encoding="utf-8")))
    PAGE.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    write() if sys.argv[1:] == ["page"] else main()
