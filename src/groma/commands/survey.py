"""`groma survey`: measure one model, embodied as systems."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from groma.commands.console import Phases, err, parse
from groma.commands.surveying import Surveyed, finish, plan_of, run_folder
from groma.methods.keeping import stoppable
from groma.models.load import load
from groma.studies.matrix import survey_stages


@dataclass(frozen=True, kw_only=True)
class Survey(Surveyed):
    """Embody a model as systems, play each on the same tasks, judge what was done, and write records and a page."""

    model: Annotated[str, tyro.conf.Positional]
    """A shipped model (vale), a folder, or a Hub id."""
    out: Path
    """Run folder to write."""
    stage: str = "model"
    """What the model is called on the page."""


def main(arguments: Sequence[str]) -> None:
    options = parse(Survey, "survey", arguments)
    begun = time.monotonic()
    plan = plan_of(options)
    model = load(options.model, trust_remote_code=options.trust_remote_code)
    folder = run_folder(options, "survey", arguments, {"model": model.digest, "stage": options.stage}, [options.stage])
    if model.notes:
        folder.write_json("manifest.json", {**folder.manifest(), "notes": list(model.notes)})
    for note in model.notes:
        err.print(f"note: {note}")
    with Phases() as phases, stoppable() as stopped:
        for one in survey_stages([(options.stage, lambda: model)], plan, folder, stopped):
            phases.show(one.phase, one.done, one.of, one.text)
    finish(folder, time.monotonic() - begun)
