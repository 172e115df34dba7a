"""Training that survives: its state is written as it goes, Ctrl-C stops between two steps, and `--resume` goes on bit
for bit. Of several processes the first alone writes; what one is asked for, all do at the same step.
"""

from __future__ import annotations

import itertools
import json
import shutil
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from groma.formats.errors import BadConfig
from groma.formats.run_folder import RunFolder
from groma.methods import processes
from groma.methods.checkpoint import check_generation, load_state, remove_partials, save_folder, save_state
from groma.methods.state import Diverged, State, Step
from groma.models.model import Model

EVERY_SECONDS = 30.0
LOG = "training.jsonl"
"""The metrics of every step, in the folder beside the weights."""


def state_of(out: Path) -> Path:
    """Where the state of a run lies until the folder `out` is written."""
    return out.with_name(f".{out.name}.state")


def state_beside(out: Path) -> State | None:
    """What an interrupted run for `out` left to go on from; None where there is nothing."""
    state = state_of(out)
    return load_state(state) if state.exists() else None


def check_out(out: Path, resume: bool) -> State | None:
    """The state to go on from; None: from the beginning, also where a run was stopped before anything was kept.

    Refuses an `out` that holds something, and to begin anew over an interrupted run.
    """
    if out.is_dir() and any(out.iterdir()):
        _tidied(out)
        if resume:
            raise BadConfig(f"--out {out} is finished: there is nothing to resume")
        raise BadConfig(f"--out {out} already holds something: name a folder that does not exist, or remove it")
    if out.exists() and not out.is_dir():
        raise BadConfig(f"--out {out} is a file: name a folder that does not exist")
    if blocked := next((one for one in out.parents if one.exists() and not one.is_dir()), None):
        raise BadConfig(f"--out {out} lies in {blocked}, which is a file: name a folder that does not exist")
    if resume:
        return state_beside(out)
    if (state := state_of(out)).exists():
        raise BadConfig(
            f"an interrupted run for --out {out} lies in {state}: add --resume to go on, or remove that file"
        )
    return None


def kept(
    steps: Iterable[Step],
    model: Model,
    out: Path,
    stopped: Callable[[], bool] = lambda: False,
    *,
    save: Callable[[Path], object] | None = None,
    **saving: Any,
) -> Iterator[Step]:
    """The same steps, while the run's state is kept beside `out`; after the last one the model is written to `out`.

    The metrics of every step go into `training.jsonl`, which ends up in `out`, too; a run that goes on drops the rows
    of steps that it does again.
    stopped: asked after every step; where it says yes the state is written and KeyboardInterrupt raised.
    save:    writes the folder; None: `save_folder`, to which `saving` is handed on; what it would refuse is refused
             before the first step.
    """
    if save is None:
        check_generation(model, unset_pad=bool(saving.get("unset_pad")))
        write: Callable[[Path], object] = partial(save_folder, model, **saving)
    else:
        write = save
    written, log = time.monotonic(), None
    folder, name = RunFolder(out.parent), _log_of(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    together = processes.here()
    for step in _good(steps, out, write):
        if together.first and log is None:
            log = [row for row in folder.read_log(name) if row["step"] < step.number]
            folder.write_text(name, "".join(json.dumps(row) + "\n" for row in log))
        if together.first:
            evaluated = {f"eval/{key}": value for key, value in (step.evaluation or {}).items()}
            folder.append(name, {"step": step.number, **step.metrics, **evaluated})
        yield step
        due = time.monotonic() - written > EVERY_SECONDS and step.number < step.of
        stop, keep = together.sums([stopped(), due])
        if stop or keep:
            state = step.state  # all have to ask, each may hold a part of it
            if together.first:
                save_state(state, state_of(out))
            written = time.monotonic()
        if stop:
            raise KeyboardInterrupt
    if together.first:
        whole = out.with_name(f".{out.name}.whole")
        shutil.rmtree(whole, ignore_errors=True)  # of a run that was killed right here
        write(whole)
        if (log_file := folder.file(name)).exists():
            shutil.copy(log_file, whole / LOG)
        whole.replace(out)
        _tidied(out)


def _log_of(out: Path) -> str:
    """The name of the log until the folder `out` is written."""
    return f".{out.name}.{LOG}"


def _tidied(out: Path) -> None:
    """Remove what a run kept beside the folder that it has written. What is not that run's, by its log, stays."""
    log, ended = out.with_name(_log_of(out)), out / LOG
    if log.exists() and ended.exists() and log.read_bytes() == ended.read_bytes():
        state_of(out).unlink(missing_ok=True)
        remove_partials(state_of(out))
        log.unlink()


def _good(steps: Iterable[Step], out: Path, write: Callable[[Path], object]) -> Iterator[Step]:
    """The same steps; where the run diverges, the last good weights are written beside `out` under a free name, and its
    state goes, which would diverge again.
    """
    try:
        yield from steps
    except Diverged as error:
        endings = itertools.chain([""], (f"-{number}" for number in itertools.count(2)))
        names = (out.with_name(f"{out.name}-last-good{ending}") for ending in endings)
        place = next(one for one in names if not one.exists())
        write(place)
        state_of(out).unlink(missing_ok=True)
        raise Diverged(f"{error}\n  they lie in {place}") from error


@contextmanager
def stoppable() -> Iterator[Callable[[], bool]]:
    """Inside, Ctrl-C and SIGTERM only ask to stop (at the next safe moment); a second one stops at once."""
    asked: list[int] = []

    def ask(number: int, frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
