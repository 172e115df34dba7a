"""Whether this process is one of several that a launcher began: by torchrun's variables, which accelerate sets, too."""

from __future__ import annotations

import os


def count() -> int:
    """How many processes there are; 1 where nothing was launched."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "LOCAL_RANK" in os.environ else 1


def rank() -> int:
    """The number of this one among them; 0 is the first, which alone prints and writes."""
    return int(os.environ.get("RANK", "0")) if count() > 1 else 0
