"""Results of over-optimisation on Vale, made up by hand, that meet every criterion."""

from __future__ import annotations

from typing import Any

from groma.studies.overoptimisation.on_vale import RATER, WHOLE


def best(name: str, width: int | None, size: int, gold: list[float]) -> dict[str, Any]:
    more = {"accuracy": 0.7, "proxy": [0.0, 1.0, 2.0], "kl of lumps": [0.0, 0.9, 3.5], "alpha": 0.3, "beta": 0.1}
    return {"name": name, "width": width, "size": size, "gold": gold, "d": [0.0, 1.0, 2.0], "share": 0.05,
            "gold error": [0.01] * 3, "gain error": [0.0, 0.01, 0.01], **more}  # fmt: skip


def climbed(name: str, kl_coef: float, gold: list[float], proxy: list[float]) -> dict[str, Any]:
    return {"name": name, "kl_coef": kl_coef, "d": [0.0, 1.0, 2.0], "gold": gold, "gold error": [0.01] * 3,
            "proxy": proxy}  # fmt: skip


GOOD: dict[str, Any] = {
    "fitted up to": 64,
    "best of n": {
        "n": [1, 64, 1000],
        "rows": [
            best("width 8", 8, 4000, [0.0, 0.1, 0.1]),
            best("width 16", 16, 4000, [0.0, 0.2, 0.2]),
            best("few", None, 100, [0.0, 0.0, 0.01]),
            best(WHOLE, None, 4000, [0.0, 0.5, 0.6]),
        ],
        "rater": best(RATER, None, 0, [0.0, 0.2, 0.1]),
        "prompts": 40,
    },
    "ppo": [
        climbed(WHOLE, 0.0, [0.0, 0.3, 0.1], [0.0, 1.0, 2.0]),
        climbed(WHOLE, 0.1, [0.0, 0.3, 0.1], [0.0, 1.0, 2.0]),
    ],
    "comparisons": 4000,
    "tested": 400,
    "lumps": 129.0,
    "pool": 1000,
}
