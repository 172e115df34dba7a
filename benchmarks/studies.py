"""The published results that Groma re-runs, one after the other, and docs/studies.md: what was found beside each paper.

    python benchmarks/studies.py [--seeds 1] [NAME ...]     run the named studies (none: all), and write the page
    python benchmarks/studies.py page                       write the page alone

Each is `groma study NAME --out runs/studies/NAME`, which goes on where it was stopped; what it found is kept in
benchmarks/results/study_NAME.json. Some ten to twenty minutes a study and seed on one core (OMP_NUM_THREADS=1).
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from parts.machine import machine, versions

from groma.formats.run_folder import RunFolder
from groma.formats.study import Criterion, Summary, Table
from groma.studies.registry import STUDIES

ROOT = Path(__file__).parents[1]
RUNS, RESULTS, PAGE = ROOT / "runs/studies", ROOT / "benchmarks/results", ROOT / "docs/studies.md"
WORDS = {True: "met", False: "missed", None: "not asked"}
HEAD = """# Published results, re-run

Made by `python benchmarks/studies.py` from what `groma study NAME` found; the charts are on the page that the command
writes. What is missed is told as missed; thresholds are ours where the paper gives none.
"""


def run(name: str, seeds: int) -> None:
    """Run a study, or go on with it, and keep what it found."""
    out, asked = RUNS / name, ["study", name, "--out", f"runs/studies/{name}", "--seeds", str(seeds)]
    asked += ["--parts", "runs/studies/stages"] if STUDIES[name].shares else []
    groma = str(Path(sys.executable).parent / "groma")
    subprocess.run([groma, *asked, *(["--resume"] if out.exists() else [])], check=True, cwd=ROOT)
    folder = RunFolder.open(out)
    manifest = folder.manifest()
    told = {key: manifest[key] for key in ("settings", "seconds")}
    about = {"command": shlex.join(["groma", *asked]), "machine": machine(), "versions": versions()}
    found = {**told, **about, "summary": folder.read_json("study.json")}
    (RESULTS / f"study_{name}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def page() -> str:
    lines = [HEAD]
    for name in STUDIES:
        file = RESULTS / f"study_{name}.json"
        lines += (
            section(name, json.loads(file.read_text("utf-8"))) if file.is_file() else [f"`{name}` was not run.", ""]
        )
    return "\n".join(lines)


def section(name: str, found: dict[str, Any]) -> list[str]:
    told, settings = Summary.from_dict(found["summary"]), found["settings"]
    seeds = (
        f"seed {settings['seed']}" if settings["seeds"] == 1 else f"{settings['seeds']} seeds from {settings['seed']}"
    )
    return [
        f"## {told.title}",
        "",
        f"{told.paper}. {told.question}",
        "",
        *(f"- {plain(one)}" for one in told.findings),
        "",
        *criteria(told.criteria),
        *(line for one in told.tables for line in table(one)),
        f"By `groma study {name}`, {seeds} ({found['machine']['processor']}).",
        "",
    ]


def plain(text: str) -> str:
    """Text that Markdown shows as it is, in a cell too."""
    return text.replace("<", "&lt;").replace("|", "\\|")


def criteria(given: tuple[Criterion, ...]) -> Iterator[str]:
    if given:
        yield from ("| | required | found | |", "|---|---|---|---|")
        for one in given:
            yield f"| {' | '.join(map(plain, (one.name, one.required, one.found, WORDS[one.met])))} |"
        yield ""


def table(given: Table) -> Iterator[str]:
    yield from (f"**{plain(given.title)}.** {plain(given.caption)}", "")
    yield f"| {' | '.join(map(plain, given.columns))} |"
    yield "|" + "---|" * len(given.columns)
    yield from (f"| {' | '.join(map(plain, row))} |" for row in given.rows)
    yield ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(STUDIES)}; or page")
    options = parser.parse_args()
    if unknown := sorted(set(options.names) - {*STUDIES, "page"}):
        raise SystemExit(f"there is no study {', '.join(unknown)}; choose among {', '.join(STUDIES)}")
    for name in options.names or STUDIES:
        if name != "page":
            run(name, options.seeds)
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
