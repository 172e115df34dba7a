"""A folder to decide claims in, and what was found there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest


def laid(place: Path, monkeypatch: pytest.MonkeyPatch, prompts: Sequence[str], fakes: str, claims: str) -> Path:
    """The folder, with prompts, fakes and claims, as the working folder, on no build server."""
    (place / "prompts.jsonl").write_text("".join(json.dumps({"prompt": one}) + "\n" for one in prompts))
    (place / "fakes.py").write_text(fakes)
    (place / "claims.toml").write_text(claims)
    monkeypatch.chdir(place)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    return place


def found(out: str = "runs/check") -> list[dict[str, object]]:
    """The verdicts of a run."""
    verdicts: list[dict[str, object]] = json.loads(Path(out, "verdicts.json").read_text())
    return verdicts
