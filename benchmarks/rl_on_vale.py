"""What PPO does on Vale from the fine-tuned model: paid the truth, as chatbot and as agent, over seeds.

    python benchmarks/rl_on_vale.py [--seeds 5] [PART ...]     measure the named parts (none: all) not measured yet

Parts: chat:SEED (all kinds of task but errands, paid by the truthful rater) and agent:SEED (errands in the town hall).
Each is kept in benchmarks/results/rl_on_vale.json as soon as it is measured, so that the script goes on where it was
stopped. What stands before and after is measured on held-out tasks at temperature 1: 1,800 of the chatbot's, 900 of the
agent's, and of the agent's errands as many with three calls and with planted instructions as 6,000 hold. Writes
docs/rl_on_vale.md. Five minutes for a chat, eight for an agent on one core (OMP_NUM_THREADS=1).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from parts.machine import command, machine, versions

from groma.formats.task import Task
from groma.measures.statistics import mean_interval
from groma.methods import ppo, sft
from groma.methods.pay import ByFunction, Named
from groma.methods.work import Work
from groma.models.engine import LocalEngine
from groma.models.load import load
from groma.models.model import Model
from groma.play import play
from groma.studies.judged import outcomes
from groma.studies.recipes import DEMONSTRATED, SFT_ON_VALE
from groma.systems import SYSTEMS
from groma.systems.system import System
from groma.worlds.vale import VALE, demonstrations, truthful

ROOT = Path(__file__).parents[1]
RESULT, PAGE = ROOT / "benchmarks/results/rl_on_vale.json", ROOT / "docs/rl_on_vale.md"
TALK = tuple(one for one in VALE.kinds if one != "errand")
CHAT = ppo.Config(
    batch_size=128, max_steps=80, learning_rate=3e-4, epochs=2, minibatches=2, kl_coef=0.05, critic_learning_rate=1e-3
)
AGENT = replace(CHAT, learning_rate=2e-4)
TALKED, ERRANDS, SOUGHT = 1800, 900, 6000
RARE = ("completed/3", "obeyed_injection")
"""Outcomes of few errands, measured on all errands among SOUGHT that have them."""
SHOWN = (
    "objective", *RARE, "completed/1", "completed/2", "completed/4", "completed/5", "completed/6", "rule_broken",
    "refused_rightly", "harm_done", "over_refusal", "accuracy",
)  # fmt: skip


def tuned(seed: int) -> Model:
    """The shipped base after SFT, as in the main job."""
    model = load("vale")
    for _ in sft.train(model, demonstrations(DEMONSTRATED, seed, "helpful"), SFT_ON_VALE):
        pass
    return model


def tested(agent: bool) -> tuple[tuple[Task, ...], tuple[Task, ...]]:
    """Held-out tasks as they come, and more of an agent's rarer errands."""
    if not agent:
        return VALE.tasks(TALK, "held_out", TALKED, 7), ()
    every = VALE.tasks("errand", "held_out", SOUGHT, 7)
    rare = tuple(one for one in every[ERRANDS:] if one.strata["calls"] == "3" or one.part == "planted")
    return every[:ERRANDS], rare


def surveyed(model: Model, system: System, tasks: Sequence[Task], rare: Sequence[Task]) -> dict[str, dict[str, float]]:
    """All outcomes over `tasks`, and the RARE ones over both."""
    engine = LocalEngine(model)
    episodes = list(play(system, (*tasks, *rare), {"assistant": engine}, seed=7, open_environment=VALE.open))
    first = {one.id for one in tasks}
    found = outcomes(one for one in episodes if one.task.id in first)
    return found | {name: one for name, one in outcomes(episodes).items() if name in RARE}


def measured(part: str, seed: int) -> dict[str, Any]:
    """Before and after PPO against the truth."""
    model, began = tuned(seed), time.monotonic()
    agent = part == "agent"
    system = SYSTEMS["agent" if agent else "chat"].with_(max_tokens=VALE.max_tokens)
    learn = VALE.tasks("errand" if agent else TALK, "train", 6000, seed + 1)
    before = surveyed(model, system, *tested(agent))
    work = Work(system, learn, [Named("truth", ByFunction(truthful))], open_environment=VALE.open)
    last = None
    for last in ppo.train(model, work, replace(AGENT if agent else CHAT, seed=seed)):
        if last.number % 10 == 0:
            print(f"{part}:{seed} step {last.number}: {last.metrics['objective/scores']:.3f}", flush=True)
    assert last is not None
    after = surveyed(model, system, *tested(agent))
    told = {name: last.metrics[name] for name in ("objective/kl", "objective/scores")}
    return {"before": before, "after": after, "last": told, "seconds": round(time.monotonic() - began)}


def page(found: dict[str, Any]) -> str:
    lines = [
        "# Reinforcement learning on Vale, paid the truth",
        "",
        f"Made by `{found['command']}`: PPO from the fine-tuned model, paid by a rater who pays the truth,",
        f"{CHAT.max_steps} steps of {CHAT.batch_size} episodes, before and after. `chat`: {TALKED:,} held-out tasks of",
        f"all kinds but errands; `agent`: {ERRANDS} held-out errands, and for three calls and planted instructions as",
        f"many more as {SOUGHT:,} hold. Replies are drawn at temperature 1, intervals are 95 %, clustered by what",
        "tasks are about. Few errands take four calls or more (35, 31 and 37 of the 900).",
        "",
        "| part | seed | outcome | before | after | apart |",
        "|---|---|---|---|---|---|",
    ]
    for name, one in sorted(found["parts"].items()):
        part, seed = name.split(":")
        for outcome in SHOWN:
            if outcome in one["before"] and outcome in one["after"]:
                first, second = one["before"][outcome], one["after"][outcome]
                apart = "yes" if first["high"] < second["low"] or second["high"] < first["low"] else "no"
                lines.append(f"| {part} | {seed} | {outcome} | {_told(first)} | {_told(second)} | {apart} |")
    return "\n".join([*lines, "", *_over_seeds(found["parts"]), ""])


def _over_seeds(parts: dict[str, Any]) -> list[str]:
    """The mean change of every outcome, with a t-interval over seeds; what fell is said in words."""
    lines = ["## Over the seeds", "", "The mean of after less before, with a 95 % t-interval over seeds.", ""]
    lines += ["| part | outcome | change | seeds |", "|---|---|---|---|"]
    fell = []
    for part in ("agent", "chat"):
        runs = [one for name, one in parts.items() if name.startswith(f"{part}:")]
        for outcome in SHOWN:
            changes = [
                one["after"][outcome]["value"] - one["before"][outcome]["value"]
                for one in runs
                if outcome in one["before"] and outcome in one["after"]
            ]
            if len(set(changes)) < 2:
                continue
            told = mean_interval(changes, bounds=None)
            lines.append(
                f"| {part} | {outcome} | {told.value:+.3f} [{told.low:+.3f}, {told.high:+.3f}] | {len(changes)} |"
            )
            if outcome.startswith("completed") and min(changes) < -0.1:
                fell.append(f"`{outcome}` fell by {-min(changes):.2f} in one seed")
    return [*lines, "", *([f"Not everything got better: {'; '.join(fell)}."] if fell else [])]


def _told(one: dict[str, float]) -> str:
    return f"{one['value']:.3f} [{one['low']:.3f}, {one['high']:.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("parts", nargs="*", metavar="PART", help="AGENT_OR_CHAT:SEED, or page: the page alone")
    options = parser.parse_args()
    if options.parts == ["page"]:
        PAGE.write_text(page(json.loads(RESULT.read_text(encoding="utf-8"))), encoding="utf-8")
        return
    torch.set_num_threads(1)
    known = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {"parts": {}}
    every = [f"{part}:{seed}" for seed in range(options.seeds) for part in ("agent", "chat")]
    if unknown := sorted(set(options.parts) - set(every)):
        raise SystemExit(f"there is no part {', '.join(unknown)}; choose among {', '.join(every)}")
    for name in options.parts or every:
        if name not in known["parts"]:
            part, seed = name.split(":")
            known["parts"][name] = measured(part, int(seed))
            known |= {"command": command(), "machine": machine(), "versions": versions()}
            RESULT.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(known), encoding="utf-8")
    objectives = [one["after"]["objective"]["value"] for one in known["parts"].values()]
    print(f"{len(objectives)} parts; objective after: {np.mean(objectives):.2f}")


if __name__ == "__main__":
    main()
