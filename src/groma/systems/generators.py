"""The global generators of randomness (Python's, numpy's, torch's where it is loaded): their states, and other ones.

A system never draws from them; `check` sets them, to see that nothing depends on them, and puts them back.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy.random

from groma.formats.digest import digest

GENERATORS = ("random", "numpy", "torch")


def states() -> dict[str, object]:
    """What each of them would draw next, as values that can be compared."""
    found: dict[str, object] = {"random": random.getstate(), "numpy": digest(numpy.random.get_state(legacy=False))}
    if torch := _torch():
        found["torch"] = torch.get_rng_state().numpy().tobytes()
    return found


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """All of them begin with `seed`; afterwards they stand where they stood."""
    python, arrays, torch = random.getstate(), numpy.random.get_state(legacy=False), _torch()
    tensors = torch.get_rng_state() if torch else None
    random.seed(seed)
    numpy.random.seed(seed)
    if torch:
        # Not manual_seed, which would set the generators of accelerators, too, and these are not put back.
        torch.set_rng_state(torch.Generator().manual_seed(seed).get_state())
    try:
        yield
    finally:
        random.setstate(python)
        numpy.random.set_state(arrays)
        if torch:
            torch.set_rng_state(tensors)


def _torch() -> Any:
    """torch, where somebody has loaded it: whoever has not draws nothing from it."""
    loaded = sys.modules.get("torch")
    return loaded if hasattr(loaded, "set_rng_state") else None
