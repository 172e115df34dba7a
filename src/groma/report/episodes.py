"""Transcripts → what the page embeds: episodes as short rows, prompts once, a stated sample where they are too many.

The sample is drawn by item, not by episode, so that an item that is shown is shown for every stage and system; which
items are drawn depends only on a digest of their names. Model output stays plain data: `as_script` writes it in a form
that cannot end its script element, and the page shows it by `textContent` alone.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from groma.formats.errors import BadInput

LIMIT = 4_500_000
"""Bytes of transcripts that a page holds, so that it opens at once on a phone."""
CLIP = 6_000
"""Characters of one text that are shown; the rest is in the file."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file of transcripts: whose they are, where they lie in the run folder, and its rows."""

    stage: str
    system: str
    suite: str
    file: str
    rows: Iterable[Mapping[str, Any]]


@dataclass(slots=True)
class Item:
    """One task as it was posed to every stage and system, with its episodes; `size`: roughly its bytes in the page."""

    facts: dict[str, Any]
    episodes: list[dict[str, Any]] = field(default_factory=list)
    size: int = 0


@dataclass(frozen=True, slots=True)
class Embedded:
    """The data for the page, and how much of all there is it holds."""

    data: Mapping[str, Any]
    shown: int
    total: int
    items_shown: int
    items: int
    clipped: int


def embed(sources: Sequence[Source], limit: int = LIMIT) -> Embedded:
    """Gather the episodes of all sources by item, and keep as many items as `limit` bytes hold."""
    items: dict[tuple[str, str, str], Item] = {}
    clipped = 0
    for place, source in enumerate(sources):
        for line, row in enumerate(source.rows, 1):
            episode, facts, cut = _episode(row, place, line, source)
            clipped += cut
            item = items.setdefault((source.suite, facts["split"], facts["id"]), Item(facts, size=_size(facts)))
            item.size += _size(episode) - (_size(episode["prompt"]) if item.episodes else 0)
            item.episodes.append(episode)
    kept = _sample(items, limit)
    total = sum(len(item.episodes) for item in items.values())
    data = _pack(kept, [{"stage": s.stage, "system": s.system, "suite": s.suite, "file": s.file} for s in sources])
    return Embedded(data, sum(len(item.episodes) for item in kept), total, len(kept), len(items), clipped)


def as_script(value: Any) -> str:
    """JSON in ASCII without `<`, `>` and `&`: inert in a script element whatever the texts hold."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def finite(value: Any) -> Any:
    """Plain data in which every number that JSON has no form for is None."""
    if isinstance(value, Mapping):
        return {str(key): finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _episode(
    row: Mapping[str, Any], source: int, line: int, named: Source
) -> tuple[dict[str, Any], dict[str, Any], int]:
    """An episode, the facts about its task, and how many of its texts were clipped."""
    cuts: list[int] = []

    def clip(text: object) -> str:
        whole = str(text)
        cuts.extend([1] if len(whole) > CLIP else [])
        return whole if len(whole) <= CLIP else f"{whole[:CLIP]} […{len(whole) - CLIP:,} more characters in the file]"

    try:
        turns = [(str(one["role"]), one["content"]) for one in row["messages"]]
        answer, task = row["answer"] or "", str(row["task"])
    except (KeyError, TypeError) as error:
        where = f"{named.file}:{line}"
        raise BadInput(f"a transcript without {error}", where=where, expected="task, messages and answer") from error
    if turns and turns[-1] == ("assistant", answer):
        turns = turns[:-1]
    outcomes = {name: value for name, value in finite(row.get("outcomes") or {}).items() if value is not None}
    failure = row.get("failure") or {}
    rest = {
        "stop": row.get("stop") or "",
        "form": "" if row.get("form") in (None, "full") else row["form"],
        "scores": [None if one is None else round(one, 3) for one in finite(row.get("scores") or [])],
        "failure": clip(" · ".join(str(failure[key]) for key in ("boundary", "kind", "message") if failure.get(key))),
    }
    episode = {
        "source": source,
        "line": line,
        "prompt": [[role, clip(text)] for role, text in turns],
        "answer": clip(answer),
        "outcomes": outcomes,
        "objective": finite(row.get("objective")),
        "pay": finite(row.get("pay")),
        "rest": {key: value for key, value in rest.items() if value},
    }
    facts = {
        "id": task,
        "suite": named.suite,
        "kind": str(row.get("kind") or ""),
        "split": str(row.get("split") or ""),
        "strata": {str(key): str(value) for key, value in (row.get("strata") or {}).items()},
        "choices": [clip(one) for one in row.get("choices") or []],
        "gold": clip(json.dumps(row["gold"], ensure_ascii=False, default=str)) if row.get("gold") else "",
    }
    return episode, facts, len(cuts)


def _sample(items: Mapping[tuple[str, str, str], Item], limit: int) -> list[Item]:
    """All items where they fit, else those of the lowest digests until the limit is reached, in their first order."""
    if sum(item.size for item in items.values()) <= limit:
        return list(items.values())
    drawn, used = set(), 0
    for key in sorted(items, key=lambda key: hashlib.sha256(json.dumps(key).encode()).digest()):
        if used + items[key].size <= limit:
            used += items[key].size
            drawn.add(key)
    return [item for key, item in items.items() if key in drawn]


def _pack(items: Sequence[Item], sources: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Rows in place of objects, and each prompt once: what transcripts.js unpacks."""
    found = {name for item in items for episode in item.episodes for name in episode["outcomes"]}
    names = {name: place for place, name in enumerate(sorted(found))}
    prompts: dict[str, int] = {}
    rows = []
    for number, item in enumerate(items):
        for one in item.episodes:
            prompt = prompts.setdefault(json.dumps(one["prompt"]), len(prompts))
            values: list[float | None] = [None] * len(names)
            for name, value in one["outcomes"].items():
                values[names[name]] = round(value, 4)
            pay, objective = (None if one[key] is None else round(one[key], 3) for key in ("pay", "objective"))
            rows.append(
                [number, one["source"], one["line"], prompt, one["answer"], objective, pay, values, one["rest"] or 0]
            )
    facts = [item.facts for item in items]
    return {
        "sources": list(sources),
        "outcomes": list(names),
        "prompts": [json.loads(one) for one in prompts],
        "items": facts,
        "episodes": rows,
    }


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=True))
