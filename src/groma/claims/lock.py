"""The lock: what was claimed, of whom and of what, frozen by digest before the first query.

A claim that is edited once its results are known is another claim. `claims.lock.json` is written before anything is
asked; who goes on with a run has to come with the same claims, models, systems and data, else he is told which of them
is another one. A lock that is kept beside the claims (`--lock`) holds every later run to the same claims on the same
items by the same judge, of whatever model: that is what a build server compares a release with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from groma.claims.trial import Bound
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
            "adversary": f"{bound.adversary.name}: {bound.adversary.budget}" if bound.adversary is not None else "",
            "items": bound.population.digest(),
            "strata": list(bound.strata),
        },
    }


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
            for key, value in one[part].items():
                was = old[name][part].get(key)
                if was != value and not (part == "identity" and key in may):
                    return f"claim {name!r}: {key} was {was!r} and is {value!r}"
        if old[name]["digest"] != one["digest"]:
            return f"claim {name!r}: digest was {old[name]['digest']} and is {one['digest']}"
    return ""
