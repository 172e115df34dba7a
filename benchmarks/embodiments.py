"""What embodying adds and takes away, in the town hall: model, tools, scaffold and system changed one at a time.

    python benchmarks/embodiments.py            three seeds of the SFT stage, some four minutes each on two cores
    python benchmarks/embodiments.py page       the page alone, from the result that is there

The base and, of three seeds, the model after supervised fine-tuning (as `groma run` makes it) do the same held-out
errands as chat and as agents that differ in one thing: the model behind them, the tools that they may use, or the
scaffold around them. Every difference is paired by errand. Then the self-affecting weeks, with and without the means to
change oneself. Writes benchmarks/results/embodiments.json and docs/embodiments.md.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from groma.formats.records import Estimate, Record
from groma.formats.task import Task
from groma.formats.transcript import Played
from groma.measures.survey import Survey, between_stages, survey
from groma.methods import sft
from groma.models.engine import LocalEngine
from groma.models.load import load
from groma.models.model import Model
from groma.play import play
from groma.report.writing import with_interval
from groma.studies.matrix import versions
from groma.studies.recipes import DEMONSTRATED, SFT_ON_VALE
from groma.systems import System, find
from groma.worlds.vale import VALE, WEEKS, demonstrations
from groma.worlds.vale.charters import ORDER
from groma.worlds.vale.hall import TOOLS

HERE = Path(__file__).parent
RESULT = HERE / "results" / "embodiments.json"
PAGE = HERE.parent / "docs" / "embodiments.md"
SEEDS = (0, 1, 2)
ERRANDS, LIVED = 1200, 240
DRAWN, FEW, CALLS = 6000, 500, "3"
DANGEROUS = ("erase", "card", "remember")
GUARDED = {"scaffold": ORDER.with_(charter="", tools=tuple(t.name for t in TOOLS if t.name not in DANGEROUS))}
SHOWN = ("objective", "completed", "rule_broken", "obeyed_injection", "refused_rightly", "over_refusal", "changed_self",
         "left_alone", "false_report", "nonsense")  # fmt: skip
WEEKLY = ("objective", "completed", "completed_later", "changed_self", "broke_self", "shown_later", "remembered",
          "rule_broken", "refused_rightly")  # fmt: skip


def systems(names: Sequence[str], world: Any, temperature: float = 1.0) -> list[System]:
    offered = {**world.variants, "guarded": GUARDED}
    return [find(name, offered).given(max_tokens=VALE.max_tokens, temperature=temperature) for name in names]


def surveyed(model: Model, stage: str, names: Sequence[str], world: Any, n: int, kind: str) -> Survey:
    engine = LocalEngine(model)

    def played(system: System, tasks: Sequence[Task]) -> list[Played]:
        print(f"  {stage} as {system.name}: {len(tasks)} tasks", flush=True)
        return list(play(system, tasks, {"assistant": engine}, open_environment=world.open))

    found = survey(played, systems(names, world), world, stage=stage, model=stage, kind=kind, n=n, versions=versions())
    engine.close()
    return found


def three_calls(model: Model) -> dict[str, dict[str, float]]:
    """Plain held-out errands of three calls that are done, as chat and as agent, greedy and sampled."""
    every = VALE.tasks("errand", "held_out", DRAWN)
    tasks = [one for one in every if one.part == "plain" and one.strata["calls"] == CALLS][:FEW]
    engine, found = LocalEngine(model), {}
    for how, temperature in (("greedy", 0.0), ("sampled", 1.0)):
        for system in systems(("chat", "agent"), VALE, temperature):
            played = list(play(system, tasks, {"assistant": engine}, open_environment=VALE.open))
            judged = [VALE.judge(one.task, one.transcript) for one in played if one.transcript is not None]
            done = sum(one.outcomes["completed"] or 0.0 for one in judged)
            found[f"{system.name}, {how}"] = {"done": done / len(tasks), "n": len(tasks)}
    engine.close()
    return found


def one_seed(seed: int, base: Survey) -> dict[str, Any]:
    model = load("vale")
    shown = demonstrations(DEMONSTRATED, seed, "helpful")
    for step in sft.train(model, shown, replace(SFT_ON_VALE, seed=seed)):
        if step.number % 50 == 0:
            print(f"  SFT {step.number}/{step.of}", flush=True)
    names = ("chat", "agent", "agent@guarded", "agent@order", "agent@chaos", "planner")
    tuned = surveyed(model, "sft", names, VALE, ERRANDS, "errand")
    weeks = surveyed(model, "sft", ("days@sealed", "days", "days@reflecting"), WEEKS, LIVED, "week")
    records = [*tuned.records, *between_stages(tuned, base), *weeks.records]
    return {
        "seed": seed,
        "three_calls": three_calls(model),
        "records": [
            {name: value for name, value in one.to_dict().items() if name not in ("versions", "cost", "baseline")}
            for one in records
            if one.case == "average" and one.outcome in (*SHOWN, *WEEKLY)
        ],
    }


def main() -> None:
    untuned = three_calls(load("vale"))
    base = surveyed(load("vale"), "base", ("chat", "agent"), VALE, ERRANDS, "errand")
    seeds = []
    for seed in SEEDS:
        print(f"seed {seed}", flush=True)
        seeds.append(one_seed(seed, base))
        found = {
            "command": "python benchmarks/embodiments.py",
            "machine": platform.processor() or platform.machine(),
            "versions": versions(),
            "base_three_calls": untuned,
            "seeds": seeds,
        }
        RESULT.write_text(json.dumps(found) + "\n", encoding="utf-8")


COMPARED = (
    ("the system: agent instead of chat", "agent", "system:chat", "vale"),
    ("the model: after SFT instead of before, as agent", "agent", "stage:base", "vale"),
    ("the tools: without erase, card and remember", "agent@guarded", "system:agent", "vale"),
    ("the scaffold: a charter of order", "agent@order", "system:agent", "vale"),
    ("the scaffold: a charter of chaos", "agent@chaos", "system:agent", "vale"),
    ("a symbolic planner that calls the model, instead of the agent", "planner", "system:agent", "vale"),
)
LIVES = (
    ("(level) kept from changing itself", "days@sealed", "", "vale_weeks"),
    ("(level) may change itself", "days", "", "vale_weeks"),
    ("may change itself, instead of being kept from it", "days", "system:days@sealed", "vale_weeks"),
    ("reflects before it changes itself", "days@reflecting", "system:days", "vale_weeks"),
)


def cell(estimates: Sequence[Estimate | None], signed: bool) -> str:
    """All seeds' figures."""
    return "<br>".join(with_interval(one, signed=signed) if one is not None else "n/a" for one in estimates)


def compared(found: Mapping[str, Any], rows: Sequence[tuple[str, str, str, str]], outcomes: Sequence[str]) -> list[str]:
    seeds = []
    for seed in found["seeds"]:
        records = [Record.from_dict(one) for one in seed["records"]]
        seeds.append({(one.system, one.against, one.outcome, one.suite): one for one in records})
    heads = " | ".join(name.replace("_", " ") for name in outcomes)
    lines = [f"| changed | {heads} |", "|---" * (len(outcomes) + 1) + "|"]
    for title, system, against, suite in rows:
        cells = []
        for name in outcomes:
            place = (system, against, name, suite)
            cells.append(cell([some[place].estimate if place in some else None for some in seeds], bool(against)))
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return lines


def page(found: Mapping[str, Any]) -> str:
    ways = list(found["base_three_calls"])
    rows = [
        ("base", found["base_three_calls"]),
        *((f"SFT, seed {one['seed']}", one["three_calls"]) for one in found["seeds"]),
    ]
    done = [f"| {name} | {' | '.join(format(few[way]['done'], '.2f') for way in ways)} |" for name, few in rows]
    of = rows[0][1][ways[0]]["n"]
    return "\n".join(
        (
            "# What embodying adds and takes away",
            "",
            f"Made by `{found['command']}` (torch {found['versions']['torch']}): the shipped base and three seeds of",
            f"SFT, evaluated on {ERRANDS} held-out errands, each difference paired by errand with its 95 % interval, a",
            "line a seed. One thing is changed at a time.",
            "",
            *compared(found, COMPARED, SHOWN),
            "",
            f"Plain errands of three calls that are done, of {of}:",
            "",
            f"| | {' | '.join(ways)} |",
            "|---" * (len(ways) + 1) + "|",
            *done,
            "",
            f"## Weeks in which an agent's acts change itself ({LIVED} weeks)",
            "",
            *compared(found, LIVES, WEEKLY),
            "",
        )
    )


if __name__ == "__main__":
    if sys.argv[1:] != ["page"]:
        main()
    text = page(json.loads(RESULT.read_text(encoding="utf-8")))
    PAGE.write_text(text, encoding="utf-8")
    print(text)
