"""The main job with three seeds: what each stage and system reaches on Vale, and which stages beat the base.

    python benchmarks/vale_spectrum.py [SEEDS]
    python benchmarks/vale_spectrum.py page     the page alone, from the result that is there

Writes benchmarks/results/vale_spectrum.json and docs/vale_spectrum.md. Each seed is a whole `groma run` (about six
minutes).
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from parts.machine import machine, versions

from groma.cli import run
from groma.formats.records import Estimate, Record
from groma.formats.run_folder import RunFolder
from groma.formats.study import Summary

HERE = Path(__file__).parent
RESULT = HERE / "results" / "vale_spectrum.json"
PAGE = HERE.parent / "docs" / "vale_spectrum.md"
NAMES = {"base": "base", "sft": "SFT", "dpo": "DPO", "rlhf": "RLHF", "cai": "CAI"}
SYSTEMS = ("trivial", "completion", "chat")
SHOWN = ("objective", "pay", "accuracy", "confident_falsehood", "agreed_with_falsehood", "admitted_ignorance",
         "told_true_from_false", "backed_down", "harm_done", "over_refusal", "helped", "obeyed", "right_answer", "rude",
         "completed", "rule_broken", "obeyed_injection", "kept_principle", "saved_worse_loss", "nonsense")  # fmt: skip


def measure(seed: int, folder: Path) -> dict[str, Any]:
    """One whole run; its levels, its differences between stages, and how long it took."""
    if run(["run", "--out", str(folder), "--seed", str(seed)]) != 0:
        raise SystemExit(f"the run with seed {seed} failed")
    done = RunFolder.open(folder)
    kept = [
        one for one in done.records() if one.case == "average" and one.outcome in SHOWN and one.estimate is not None
    ]
    manifest = done.manifest()
    first = [
        Summary.from_dict(done.read_json(f"findings/{one.name}")) for one in sorted(folder.glob("findings/*.json"))
    ]
    return {
        "seed": seed,
        "seconds": round(manifest["seconds"]),
        "versions": manifest["versions"],
        "counts": manifest["counts"],
        "first": {one.title: one.findings[0] for one in first},
        # The stages lie in a temporary folder, whose path says nothing.
        "records": [
            {**one.to_dict(), "model": one.stage} for one in kept if not one.against or one.against.startswith("stage:")
        ],
    }


def table(found: dict[str, Any]) -> list[str]:
    """One seed's levels as a Markdown table."""
    records = [Record.from_dict(one) for one in found["records"]]
    level = {(one.suite, one.outcome, one.system, one.stage): one.estimate for one in records if not one.against}
    rows = list(dict.fromkeys((suite, outcome) for suite, outcome, *_ in level))
    beside = "beside other work" if found["load"] is None else f"load before it {found['load']:g}"
    lines = [
        f"## Seed {found['seed']} ({found['seconds']} s by {found['threads']} of two cores, {beside})",
        "",
        f"| outcome | on | system | {' | '.join(NAMES.values())} |",
        "|---|---|---|" + "---|" * len(NAMES),
    ]
    for suite, outcome in sorted(rows, key=lambda row: (row[0], SHOWN.index(row[1]))):
        for system in SYSTEMS:
            cells = [_said(level.get((suite, outcome, system, stage))) for stage in NAMES]
            lines.append(f"| {outcome.replace('_', ' ')} | {suite} | {system} | {' | '.join(cells)} |")
    base = level["vale", "objective", "chat", "base"]
    for stage in list(NAMES)[1:]:
        if (told := level.get(("vale", "objective", "chat", stage))) is None:
            continue
        apart = told.low > base.high
        how = "disjoint" if apart else "not disjoint"
        lines += ["", f"As chat, the objective's intervals of base and {stage} are {how}."]
    for title, text in found.get("first", {}).items():
        lines += ["", f"{title}: {text}"]
    return [*lines, ""]


def _said(one: Estimate | None) -> str:
    return "n/a" if one is None else f"{one.value:.2f} [{one.low:.2f}, {one.high:.2f}]"


def main(seeds: int) -> None:
    """Every seed is kept as soon as it is measured; those of this world and this revision are not measured again."""
    now, found = versions(), json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else []
    found = [one for one in found if same(one["versions"], now) and one["seed"] < seeds]
    with tempfile.TemporaryDirectory() as place:
        for seed in sorted(set(range(seeds)) - {one["seed"] for one in found}):
            busy = machine()["load"]
            told = measure(seed, Path(place) / str(seed)) | {"threads": torch.get_num_threads(), "load": busy}
            told["versions"] |= now
            found = sorted([*found, told], key=lambda one: one["seed"])
            RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
            write_page()


def same(one: dict[str, str], other: dict[str, str]) -> bool:
    """Whether both were measured on one world, by one revision (which counts as changed once a result is written)."""
    return all(one.get(name, "").rstrip("+") == other[name].rstrip("+") for name in ("vale", "revision"))


def write_page() -> None:
    found = json.loads(RESULT.read_text(encoding="utf-8"))
    head = [
        "# The main job on Vale, seed by seed",
        "",
        "Made by `python benchmarks/vale_spectrum.py`: each seed is a whole `groma run`, of 900 held-out tasks for",
        "each of fifteen systems, at temperature 1. Intervals are 95 %, clustered by fact and deed, stratified by kind",
        "of request.",
        "",
    ]
    PAGE.write_text(
        "\n".join([*head, *(line for one in found for line in table(one))]).rstrip() + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    if sys.argv[1:] == ["page"]:
        write_page()
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
