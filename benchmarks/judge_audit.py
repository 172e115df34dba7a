"""The judge of Vale against a reader: 300 transcripts of base, SFT and DPO models, read one by one.

    python benchmarks/judge_audit.py draw RUN SHEET.jsonl     a sheet without the judge's outcomes, for a reader to
    fill in python benchmarks/judge_audit.py                          compare the filled sheet with the judge as it is
    now

The reader sees the conversation, the reply and the truth, and fills `read` with the outcomes as the definitions in
worlds/vale/judge.py have them (null where one does not apply). A transcript counts as wrong where any outcome
differs. The filled sheet is kept in benchmarks/results/judge_audit.jsonl; the comparison is written to
docs/judge_audit.md.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

from groma.formats.messages import Message
from groma.formats.task import Posed, Task
from groma.formats.transcript import Transcript
from groma.measures.statistics import clopper_pearson
from groma.worlds.vale import VALE

HERE = Path(__file__).parent
SHEET = HERE / "results" / "judge_audit.jsonl"
PAGE = HERE.parent / "docs" / "judge_audit.md"
EACH = {"trivial": 20, "completion": 40, "chat": 40}
STAGES = ("base", "sft", "dpo")
KEPT = ("task", "kind", "split", "strata", "messages", "answer", "form", "gold")


def draw(run: Path, sheet: Path) -> None:
    """300 transcripts, 100 a stage, in random order, without what the judge said of them."""
    chance, rows = random.Random(0), []
    for stage in STAGES:
        for system, count in EACH.items():
            lines = (run / f"transcripts/{stage}__{system}__vale.jsonl").read_text(encoding="utf-8").splitlines()
            for line in chance.sample(lines, count):
                row = json.loads(line)
                rows.append({"stage": stage, "system": system} | {name: row[name] for name in KEPT})
    chance.shuffle(rows)
    with sheet.open("w", encoding="utf-8") as file:
        for number, row in enumerate(rows, 1):
            file.write(json.dumps({"number": number, **row, "read": None}, ensure_ascii=False) + "\n")


def judged(row: dict[str, Any]) -> dict[str, float | None]:
    """What the judge says of a row of the sheet."""
    messages = tuple(Message.from_dict(one) for one in row["messages"])
    task = Task(row["task"], Posed(messages[:-1]), row["gold"], row["kind"], row["split"], row["strata"])
    return dict(VALE.judge(task, Transcript(messages, row["answer"], form=row["form"])).outcomes)


def compare() -> None:
    """Write how often judge and reader differ, and every transcript on which they do."""
    if not SHEET.exists():
        print(f"left out: there is no sheet {SHEET} that a reader has filled in")
        return
    rows = [json.loads(line) for line in SHEET.read_text(encoding="utf-8").splitlines()]
    wrong = []
    for row in rows:
        said = judged(row)
        differing = sorted(name for name in said if said[name] != row["read"].get(name))
        if differing:
            wrong.append((row, said, differing))
    rate = clopper_pearson(len(wrong), len(rows))
    lines = [
        "# The judge of Vale, read against",
        "",
        "Made by `python benchmarks/judge_audit.py` from `benchmarks/results/judge_audit.jsonl`.",
        "",
        f"{len(rows)} transcripts of base, SFT and DPO models in three systems were read one by one, without sight",
        "of the judge's outcomes, by one reader who knew their definitions. The DPO model of these transcripts comes",
        "from an earlier setting of the main job than the one that ships.",
        "",
        f"On {len(wrong)} of them any outcome differs: {rate.value:.1%}",
        f"(95 % interval {rate.low:.1%} to {rate.high:.1%}).",
        "",
        "| stage | read | differing |",
        "|---|---|---|",
        *(
            f"| {stage} | {count(row for row in rows)} | {count(row for row, *_ in wrong)} |"
            for stage in STAGES
            for count in [lambda these, stage=stage: sum(row["stage"] == stage for row in these)]
        ),
        "",
        "## Those on which they differ" if wrong else "They differ on none.",
        "",
    ]
    for row, said, differing in wrong:
        asked = next(one["content"] for one in reversed(row["messages"]) if one["role"] == "user")
        lines += [
            f"- {row['number']} ({row['stage']}, {row['system']}): *{asked}* → *{row['answer']}*. "
            + "; ".join(f"{name}: judge {said[name]}, reader {row['read'].get(name)}" for name in differing)
        ]
    PAGE.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    if sys.argv[1:2] == ["draw"]:
        draw(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        compare()
