"""The lock: what was claimed, of whom and of what, frozen by digest before the first query.

A claim that is edited once its results are known is another claim. `claims.lock.json` is written before anything is
asked; who goes on with a run has to come with the same claims, models, systems and data, else he is told which of them
is another one. A lock that is kept beside the claims (`--lock`) holds every later run to the same claims on the same
items, asked in the same ways and read by the same judge, of whatever model: that is what a build server compares a
release with. So who judges, and who else plays, stands apart from the model, which alone may change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from groma.claims.trial import Bound
from groma.formats.digest import digest
from groma.formats.errors import BadConfig, BadInput
from groma.formats.run_folder import RunFolder

LOCK = "claims.lock.json"
CALLS = "calls"
RELEASED = ("model", "rival's model")
"""What a new release changes."""


def frozen(bounds: Sequence[Bound], seed: int, when: str) -> dict[str, Any]:
    """What the lock holds."""
    return {"created": when, "seed": seed, "claims": [_frozen(bound) for bound in bounds]}


def _frozen(bound: Bound) -> dict[str, Any]:
    rival = bound.rival
    rubric = bound.judging.rubric if bound.judging is not None else None
    by = f" by {bound.judging.by}" if bound.judging is not None else ""
    return {
        "name": bound.claim.name,
        "digest": bound.claim.digest(),
        "content": bound.claim.content(),
        "identity": {
            "model": bound.ours.digest,
            "system": bound.ours.system.digest,
            "rival's model": rival.digest if rival is not None else "",
            "rival's system": rival.system.digest if rival is not None else "",
            "judge": bound.judge,
            "rubric": f"{digest(rubric)}{by}" if rubric is not None else "",
            **{f"player {name}": one for name, one in bound.ours.others.items()},
            "adversary": f"{bound.adversary.name}: {bound.adversary.budget}" if bound.adversary is not None else "",
            "tries": _tries(bound),
            "items": bound.population.digest(),
            "strata": list(bound.strata),
        },
    }


def _tries(bound: Bound) -> str:
    """A digest of all that the adversary asks of the locked items: forms and templates by what they come to."""
    if bound.adversary is None:
        return ""
    tries = [bound.adversary.tries(task) for task in bound.population.sampled]
    posed = [[[one.to_dict() for one in task.posed.messages] for task in some] for some in tries]
    return digest(bound.adversary.name, posed)


def freeze(folder: RunFolder, lock: Mapping[str, Any]) -> None:
    """Write the lock; where there is one, refuse (BadConfig) whatever differs from it, naming claim and field."""
    if not folder.file(LOCK).is_file():
        if folder.file(CALLS).is_dir():
            what = f"{folder.path} holds replies, and no {LOCK}: nobody can tell what was claimed before they were read"
            raise BadConfig(f"{what}; put it back, or begin anew with --fresh")
        folder.write_json(LOCK, dict(lock))
        return
    _hold(folder.read_json(LOCK), lock, folder.file(LOCK), "put it back, or begin anew with --fresh")


def hold(path: Path, lock: Mapping[str, Any]) -> None:
    """Refuse (BadConfig) what differs from the lock at `path` but the models; where there is none, write it."""
    folder = RunFolder(path.parent)
    if not path.is_file():
        folder.write_json(path.name, dict(lock))
        return
    _hold(
        folder.read_json(path.name),
        lock,
        path,
        f"put it back or, where the claim is to be another one, remove {path}",
        RELEASED,
    )


def _hold(before: Any, now: Mapping[str, Any], where: Path, mend: str, may: Sequence[str] = ()) -> None:
    try:
        differing = _differing(before, now, may)
    except (KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"the lock is not what it should be ({error!r})", where=str(where)) from error
    if differing:
        raise BadConfig(f"the claims were frozen before the first query, on {before['created']}: {differing}; {mend}")


def _differing(before: Mapping[str, Any], now: Mapping[str, Any], may: Sequence[str]) -> str:
    """The first thing that differs and may not, in words; "" where nothing does."""
    if before["seed"] != now["seed"]:
        return f"seed was {before['seed']} and is {now['seed']}"
    old, new = ({one["name"]: one for one in lock["claims"]} for lock in (before, now))
    if list(old) != list(new):
        return f"the claims were {', '.join(old)} and are {', '.join(new)}"
    for name, one in new.items():
        for part in ("content", "identity"):
            for key in (*one[part], *(key for key in old[name][part] if key not in one[part])):
                was, value = (some[part].get(key, "") for some in (old[name], one))
                if was != value and not (part == "identity" and key in may):
                    return f"claim {name!r}: {key} was {was!r} and is {value!r}"
        if old[name]["digest"] != one["digest"]:
            return f"claim {name!r}: digest was {old[name]['digest']} and is {one['digest']}"
    return ""
