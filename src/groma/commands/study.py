"""`groma study NAME`: re-run a published result, seed by seed, and hold it against what the paper says."""

from __future__ import annotations

import datetime
import importlib
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.table import Table

from groma.commands.console import Phases, err, out, parse, told_anew
from groma.commands.surveying import check_seed
from groma.formats.errors import BadConfig
from groma.formats.run_folder import RunFolder
from groma.formats.study import Summary
from groma.methods.keeping import stoppable
from groma.report.study import SUMMARY, write_study_page
from groma.studies.matrix import versions
from groma.studies.progress import Progress
from groma.studies.registry import STUDIES

CHOICES = "Which study. " + " ".join(f"{name}: {one.about}." for name, one in STUDIES.items())


@dataclass(frozen=True, kw_only=True)
class Study:
    """Re-run a published result, and write a page: what was found, and how it stands against the paper, met or missed.

    Finished parts are kept in the run folder, with which a killed study goes on.
    """

    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(help=CHOICES)]
    out: Path | None = None
    """Run folder to write; its report.html is the answer. None: runs/NAME."""
    seeds: int = 1
    """How many seeds, one after the other."""
    seed: int = 0
    """The first of them."""
    resume: bool = False
    """Go on with an interrupted study of the same --out: seeds that are done are not done again."""
    fresh: bool = False
    """Remove an earlier study in --out first."""
    parts: Path | None = None
    """Folder of finished parts to share with other studies of the same models (constitutional, transfer, order_chaos):
    what one has trained the others do not train again. None: in --out."""


def main(arguments: Sequence[str]) -> None:
    options = parse(Study, "study", arguments)
    if options.name not in STUDIES:
        raise BadConfig(f"there is no study {options.name!r}; choose one of {', '.join(STUDIES)}")
    check_seed(options.seed)
    if options.seeds < 1:
        raise BadConfig(f"--seeds {options.seeds}: choose at least 1")
    if options.parts is not None and not STUDIES[options.name].shares:
        choices = ", ".join(name for name, one in STUDIES.items() if one.shares)
        raise BadConfig(
            f"--parts {options.parts}: {options.name} trains models of its own; only {choices} share theirs"
        )
    study: Any = importlib.import_module(f"groma.studies.{options.name}.study")
    folder, began = _folder(options, arguments), time.monotonic()
    seeds = range(options.seed, options.seed + options.seeds)
    try:
        with Phases() as phases, stoppable() as stopped:
            _run(study, folder, options.parts or folder.file("parts"), seeds, phases, stopped)
    finally:
        manifest = folder.manifest()
        seconds = manifest.get("seconds", 0.0) + time.monotonic() - began
        folder.write_json("manifest.json", {**manifest, "seconds": seconds})
    summary: Summary = study.summary({seed: folder.read_json(_name(seed)) for seed in seeds})
    folder.write_json(SUMMARY, summary.to_dict())
    folder.write_json("manifest.json", {**manifest, "done": True, "seconds": seconds})
    _tell(summary)
    out.print(f"{seconds:.0f} s. The page: {write_study_page(folder.path).resolve()}")


def _run(study: Any, folder: RunFolder, parts: Path, seeds: range, phases: Phases, stopped: Callable[[], bool]) -> None:
    """The seeds that are not done yet. parts: where each one's models and other parts lie, with which an interrupted
    study goes on.
    """
    for seed in seeds:
        if not folder.file(_name(seed)).exists():
            for one in study.run(seed, parts / f"seed-{seed}"):
                if isinstance(one, Progress):
                    phases.show(f"seed {seed}: {one.phase}", one.done, one.of, one.text)
                    if stopped():
                        raise KeyboardInterrupt
                else:
                    folder.write_json(_name(seed), one)


def _name(seed: int) -> str:
    return f"results/seed-{seed}.json"


def _folder(options: Study, arguments: Sequence[str]) -> RunFolder:
    """The run folder: made, or, with --resume, the one that was interrupted."""
    if options.resume and options.fresh:
        raise BadConfig("--resume and --fresh contradict each other: go on, or begin anew")
    place = options.out or Path("runs") / options.name
    told = {"study": options.name, "seed": options.seed, "seeds": options.seeds}
    manifest = {
        "command": shlex.join(["groma", "study", *(one for one in arguments if one not in ("--resume", "--fresh"))]),
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "notes": [f"models may be those of another study, in {options.parts}"] if options.parts else [],
        "settings": told,
        "done": False,
    }
    if not (options.resume and place.exists()):
        if options.resume:
            told_anew(place)
        return RunFolder.create(place, manifest, fresh=options.fresh)
    folder = RunFolder.open(place)
    before = folder.manifest()
    if before.get("settings", {}).get("study") != options.name:
        raise BadConfig(f"--resume: {place} holds {before.get('settings', {}).get('study', 'another run')}")
    if before["settings"] != told:
        err.print("note: other seeds than the study was begun with; those that are done are not done again")
        folder.write_json("manifest.json", {**before, "settings": told, "command": manifest["command"]})
    return folder


def _tell(summary: Summary) -> None:
    for sentence in summary.findings:
        out.print(sentence, markup=False)
    if summary.criteria:
        shown = Table("", "required", "found", "")
        for one in summary.criteria:
            shown.add_row(one.name, one.required, one.found, {True: "met", False: "missed", None: "not asked"}[one.met])
        out.print(shown)
