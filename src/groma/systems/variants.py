"""Variants: the same system with other parameters, by name: `agent@order`, `best_of_n@wide.json`.

A variant is plain data, a mapping from the system's parameters to values. A world or suite offers some by name,
simulated users (`conversation@pushes_back`) there are everywhere; a .json file holds one. In a file `inner` is the name
of a system; `scaffold` and `constitution` are written out, or name a file that holds them; `persona` is written out, or
a name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from groma.formats.constitution import Constitution, read_constitution
from groma.formats.errors import BadConfig, BadInput
from groma.formats.jsonl import loads
from groma.formats.persona import PERSONAS, Persona
from groma.formats.scaffold import Scaffold, read_scaffold
from groma.formats.values_file import located
from groma.systems.system import System

GENERAL: Mapping[str, Mapping[str, Any]] = {name: {"persona": persona} for name, persona in PERSONAS.items()}
"""Variants that there are everywhere; a world's own of the same name take their place."""
Find = Callable[[str], System]


def variant(system: System, name: str, offered: Mapping[str, Mapping[str, Any]], find: Find) -> System:
    """`system` as the variant `name`, one of those offered or a .json file, called `system@name`."""
    offered = {**GENERAL, **offered}
    if name in offered:
        values = dict(offered[name])
        if unknown := sorted(set(values) - set(system.parameters)):
            raise BadConfig(f"{system.name}@{name}: {system.name} has no {unknown[0]}, which {name} sets")
    elif name.endswith(".json"):
        values = _read(Path(name), find)
    else:
        fitting = sorted(one for one, values in offered.items() if set(values) <= set(system.parameters))
        choices = f"choose one of {', '.join(fitting)}, or a .json file" if fitting else "name a .json file of your own"
        raise BadConfig(f"there is no variant {name!r} of {system.name}; {choices}")
    try:
        return System(f"{system.name}@{Path(name).stem}", system.function, {**system.parameters, **values})
    except BadConfig as error:
        raise BadConfig(f"{name}: {error}") from None


def _persona(given: object) -> Persona:
    """A persona by its name, or as it is written out."""
    if isinstance(given, str) and given not in PERSONAS:
        raise BadInput(f"there is no persona {given!r}", expected=f"one of {', '.join(PERSONAS)}, or one written out")
    return PERSONAS[given] if isinstance(given, str) else Persona.from_dict(given)


def _read(path: Path, find: Find) -> dict[str, Any]:
    try:
        plain = loads(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"the file cannot be read ({error})", where=str(path)) from error
    if not isinstance(plain, dict):
        raise BadInput(f"a variant is a {type(plain).__name__}", where=str(path), expected="a mapping of parameters")
    made = dict(plain)
    if isinstance(made.get("inner"), str):
        made["inner"] = find(made["inner"])
    with located(path):
        for key, kind, read in (
            ("scaffold", Scaffold.from_dict, read_scaffold),
            ("constitution", Constitution.from_dict, read_constitution),
        ):
            if key in made:
                given = made[key]
                made[key] = read(path.parent / given) if isinstance(given, str) else kind(given)
        if "persona" in made:
            made["persona"] = _persona(made["persona"])
    return {key: tuple(value) if isinstance(value, list) else value for key, value in made.items()}
