"""A person's choices, kept as they are made, so that nothing she has judged is judged twice."""

from __future__ import annotations

from pathlib import Path

from groma.formats.digest import digest
from groma.formats.errors import BadConfig
from groma.formats.run_folder import RunFolder
from groma.formats.task import Choice, Task
from groma.formats.transcript import Transcript
from groma.methods.comparisons import Chooser


def log_of(out: Path) -> Path:
    """Where choices lie until the file `out` is written."""
    return out.with_name(f".{out.name}.choices.jsonl")


def check_log(out: Path, resume: bool) -> None:
    """Refuse to begin anew over choices that were interrupted."""
    log = log_of(out)
    if log.exists() and not resume:
        raise BadConfig(f"interrupted choices for --out {out} lie in {log}: add --resume to go on, or remove that file")


def kept(choose: Chooser, out: Path) -> Chooser:
    """`choose`, which is asked only of what it has not chosen yet. What it says is kept at once."""
    folder, name = RunFolder(out.parent), log_of(out).name
    known = {row["pair"]: row["preferred"] for row in folder.read_log(name)}

    def chosen(task: Task, first: Transcript, second: Transcript) -> Choice | None:
        pair = digest(task.id, first.answer, second.answer)
        if pair not in known:
            choice = choose(task, first, second)
            known[pair] = None if choice is None else choice.preferred
            folder.append(name, {"pair": pair, "task": task.id, "preferred": known[pair]})
        return None if known[pair] is None else Choice(known[pair], None, "a person's choice")

    return chosen
