"""The judge of Vale still says of every transcript that was read what it said when it was read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from groma.formats.messages import Message
from groma.formats.task import Posed, Task
from groma.formats.transcript import Transcript
from groma.worlds.vale import VALE

SHEET = Path(__file__).parents[1] / "benchmarks" / "results" / "judge_audit.jsonl"
ROWS = [json.loads(line) for line in SHEET.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("kind", VALE.kinds)
def test_the_judge_says_what_it_said_when_it_was_read(kind: str) -> None:
    rows = [row for row in ROWS if row["task"]["kind"] == kind]
    assert len(rows) > 60
    for row in rows:
        found = VALE.judge(*again(row))
        said = {name: value for name, value in found.outcomes.items() if value is not None}
        assert (said, found.objective) == (row["outcomes"], row["objective"]), row["number"]


def again(row: dict[str, Any]) -> tuple[Task, Transcript]:
    about = row["task"]
    posed = Posed(tuple(Message.from_dict(one) for one in row["posed"]))
    task = Task(about["id"], posed, about["gold"], about["kind"], about["split"], about["strata"])
    messages = tuple(Message.from_dict(one) for one in row["messages"])
    return task, Transcript(messages, row["answer"], stop=row["stop"], form=row["form"], state=row["state"])


def test_all_of_it_was_read_none_twice_and_the_page_tells_what_was_wrong() -> None:
    assert len(ROWS) == 600 and all(row["read"] is not None and row["wrong"] is not None for row in ROWS)
    assert len({json.dumps([row["posed"], row["messages"], row["form"]]) for row in ROWS}) == 600
    wrong = [row for row in ROWS if row["wrong"]]
    page = (SHEET.parents[2] / "docs" / "judge_audit.md").read_text(encoding="utf-8")
    assert f"The judge was wrong on {len(wrong)}: {len(wrong) / 600:.1%}" in page
    assert all(f"- {row['number']} ({row['stage']})" in page for row in wrong)
