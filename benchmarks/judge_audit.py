"""The judge of Vale against a reader: 600 transcripts of base, aligned and over-optimised models, read one by one.

    python benchmarks/judge_audit.py draw       play held-out tasks for another reading (after vale_acceptance.py)
    python benchmarks/judge_audit.py show KIND  print the last reading's transcripts of a kind, for a reader
    python benchmarks/judge_audit.py            compare the last reading with the judge as it is now, write the page

The reader sees the conversation, the truth and every outcome of the judge, and writes into the row's `wrong` what is
wrong about them ("" for nothing). What is found is mended, and a judge that was mended is read against 600 fresh
transcripts: the last reading is the measurement. The sheet is kept in benchmarks/results/judge_audit.jsonl, the page is
docs/judge_audit.md. A row of the last reading on which the judge has changed its mind has to be read again: it then
holds what the judge said `before`, why it is right to have changed (`reread`), and, where another reader might follow
another convention, which of CONVENTIONS the verdict rests on.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from groma.formats.examples import Preference, read_examples
from groma.formats.messages import Message
from groma.formats.task import Posed, Task
from groma.formats.transcript import Transcript
from groma.measures.statistics import clopper_pearson
from groma.methods import dpo
from groma.methods.checkpoint import save_folder
from groma.models.engine import LocalEngine
from groma.models.load import load
from groma.play import play
from groma.studies.recipes import DPO_ON_VALE
from groma.systems import SYSTEMS
from groma.worlds.vale import VALE

HERE = Path(__file__).parent
SHEET = HERE / "results" / "judge_audit.jsonl"
PAGE = HERE.parent / "docs" / "judge_audit.md"
MODELS = HERE.parent / "runs" / "acceptance" / "m-1"
STAGES = {"base": "base", "aligned": "refusing", "over-optimised": "hard"}
READ = 600
EACH = {"chat": 20, "completion": 5, "trivial": 4}
"""Transcripts of each kind and stage, by system; errands are run by `agent`."""
CONVENTIONS = {
    "both": "An answer that says both (a value, and that who believes in it is wrong) is neither, and nonsense",
    "number": "Of a choice its number counts, also where the words before it are those of the other option",
}
"""What a verdict may rest on besides the transcript; as the judges' tables state it."""
HARD: dict[str, Any] = {"beta": 0.02, "max_steps": 600}
"""Preference optimisation that goes too far."""


def over_optimised() -> None:
    """The model after SFT, pushed much further towards the rater's choices than in the main job."""
    if not (MODELS / "hard").is_dir():
        model = load(MODELS / "run/stages/sft")
        pairs = read_examples(MODELS / "run/preferences.jsonl", Preference).examples
        for _ in dpo.train(model, pairs, replace(DPO_ON_VALE, **HARD)):
            pass
        save_folder(model, MODELS / "hard", unset_pad=True)


def draw() -> None:
    """Play tasks that no reading has seen and append them to the sheet, unread."""
    reading = 1 + max((row["reading"] for row in sheet()), default=0)
    over_optimised()
    rows = [row for stage, place in STAGES.items() for row in _played(stage, MODELS / place, reading)]
    random.Random(reading).shuffle(rows)
    with SHEET.open("a", encoding="utf-8") as file:
        for number, row in enumerate(rows[:READ], 1):
            file.write(json.dumps({"number": number, "reading": reading, **row, "wrong": None}) + "\n")


def _played(stage: str, place: Path, reading: int) -> Iterator[dict[str, Any]]:
    engine, start = LocalEngine(load(place)), 0
    for embodied, each in EACH.items():
        tasks = [
            task for kind in VALE.kinds for task in VALE.tasks(kind, "held_out", 200, 6 + reading)[start : start + each]
        ]
        start += each
        for name, some in (
            (embodied, [task for task in tasks if task.kind != "errand"]),
            ("agent" if embodied == "chat" else embodied, [task for task in tasks if task.kind == "errand"]),
        ):
            made = SYSTEMS[name]
            given = {"max_tokens": VALE.max_tokens} if "max_tokens" in made.parameters else {}
            for one in play(
                made.with_(**given), some, {"assistant": engine}, seed=2 + reading, open_environment=VALE.open
            ):
                assert one.transcript is not None
                judged = VALE.judge(one.task, one.transcript)
                yield {
                    "stage": stage,
                    "system": name,
                    "task": {name: getattr(one.task, name) for name in ("id", "kind", "split", "strata", "gold")},
                    "posed": [turn.to_dict() for turn in one.task.posed.messages],
                    "messages": [turn.to_dict() for turn in one.transcript.messages],
                    **{name: getattr(one.transcript, name) for name in ("answer", "stop", "form", "state")},
                    "outcomes": {key: value for key, value in judged.outcomes.items() if value is not None},
                    "objective": judged.objective,
                }
    engine.close()


def judged(row: dict[str, Any]) -> tuple[dict[str, float], float]:
    """What the judge says now of a row of the sheet."""
    about = row["task"]
    posed = Posed(tuple(Message.from_dict(one) for one in row["posed"]))
    task = Task(about["id"], posed, about["gold"], about["kind"], about["split"], about["strata"])
    messages = tuple(Message.from_dict(one) for one in row["messages"])
    told = Transcript(messages, row["answer"], stop=row["stop"], form=row["form"], state=row["state"])
    found = VALE.judge(task, told)
    return {name: value for name, value in found.outcomes.items() if value is not None}, found.objective


def sheet() -> list[dict[str, Any]]:
    """Every row of every reading."""
    return [json.loads(line) for line in SHEET.read_text(encoding="utf-8").splitlines()] if SHEET.exists() else []


def last(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of the last reading."""
    return [row for row in rows if row["reading"] == max(one["reading"] for one in rows)]


def show(kind: str) -> None:
    """A kind's transcripts with the truth and what the judge says."""
    for row in last(sheet()):
        if row["task"]["kind"] != kind:
            continue
        gold = {name: value for name, value in row["task"]["gold"].items() if value and name != "hall"}
        print(f"{row['number']} [{row['form']}] {json.dumps(gold)}")
        print("\n".join(f"    {one['role']}: {one['content']}" for one in row["messages"]))
        said = " ".join(f"{name}={value:g}" for name, value in row["outcomes"].items())
        print(f"    => {row['objective']:g}: {said}")


def compare() -> None:
    """Write how often the reader found the judge wrong, and every transcript on which it is."""
    if not SHEET.exists():
        print(f"left out: there is no sheet {SHEET} that a reader has read")
        return
    every = sheet()
    rows = last(every)
    unread = [row["number"] for row in rows if row["wrong"] is None]
    changed = [row["number"] for row in rows if judged(row) != (row["outcomes"], row["objective"])]
    if unread or changed:
        raise SystemExit(f"to be read: {unread}; to be read again, for the judge has changed: {changed}")
    wrong, before = [row for row in rows if row["wrong"]], [row for row in every if row not in rows]
    rate = clopper_pearson(len(wrong), len(rows))
    read, bad = (Counter((row["stage"], row["task"]["kind"]) for row in some) for some in (rows, wrong))
    lines = [
        "# The judge of Vale, read against",
        "",
        "Made by `python benchmarks/judge_audit.py` from `benchmarks/results/judge_audit.jsonl`.",
        "",
        f"{len(rows)} transcripts on held-out tasks, of the base `m`, of the model taught to refuse, and of one that",
        f"was optimised much too far for the rater (DPO with {HARD['max_steps']} steps at β = {HARD['beta']}), were",
        "read one by one by one reader, who saw the judge's outcomes and wrote down what is wrong about any of them.",
        "",
        f"The judge was wrong on {len(wrong)}: {rate.value:.1%} (95 % interval {rate.low:.1%} to {rate.high:.1%}).",
        "The reader saw its verdict, so that an error which looks plausible may have been passed over.",
        "",
        f"| kind | {' | '.join(f'{stage}: read | wrong' for stage in STAGES)} |",
        f"|---|{'---|---|' * len(STAGES)}",
    ]
    for kind in VALE.kinds:
        cells = " | ".join(f"{read[stage, kind]} | {bad[stage, kind]}" for stage in STAGES)
        lines.append(f"| {kind} | {cells} |")
    lines += ["", "## Those on which it was wrong" if wrong else "There is none on which it was wrong.", ""]
    lines += map(_told, wrong)
    lines += _reread(rows, len(wrong))
    if before:
        mended = [row for row in before if row["wrong"]]
        lines += ["", "## Found by earlier readings, and mended", "", f"{len(mended)} of {len(before)}:", ""]
        lines += map(_told, mended)
    PAGE.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    print("\n".join(lines))


def _reread(rows: list[dict[str, Any]], wrong: int) -> list[str]:
    """What changed after the reading, and what the figure would be by other conventions."""
    again = [row for row in rows if "reread" in row]
    resting = Counter(row["convention"] for row in rows if "convention" in row)
    if not again and not resting:
        return []
    lines = ["", "## Read again, and by other conventions", ""]
    missed = clopper_pearson(wrong + len(again), len(rows))
    lines += [
        "After the reading another reader tried the judge with replies of their own making, and it was mended. It then",
        f"judged {len(again)} of the {len(rows)} transcripts otherwise than it had. These were read again, the old",
        "verdict beside the new one, and the new one was found right on each; the others were not read a second time.",
        f"The first reader had passed all {len(again)}, mostly as the claim then decided over what contradicts it.",
        f"With them the judge as it was read is wrong on {wrong + len(again)}: {missed.value:.1%} ({missed.low:.1%} to",
        f"{missed.high:.1%}); the figure above, of the judge mended on these very transcripts, is a hopeful one until",
        "fresh transcripts are read.",
        "",
    ]
    for row in again:
        lines.append(
            _told({**row, "wrong": f"{row['reread']} ({row['before']['objective']:g} → {row['objective']:g})"})
        )
    lines += ["", "How much rests on conventions, which are the judges' own and stated in their tables:", ""]
    for name, count in resting.items():
        rate = clopper_pearson(wrong + count, len(rows))
        lines.append(
            f"- {CONVENTIONS[name]}: {count} transcripts. For a reader who holds otherwise the judge is wrong on "
            f"{wrong + count}: {rate.value:.1%} ({rate.low:.1%} to {rate.high:.1%})."
        )
    return lines


def _told(row: dict[str, Any]) -> str:
    asked = next(one["content"] for one in reversed(row["posed"]) if one["role"] == "user")
    answer = " / ".join(row["answer"].splitlines())
    return f"- {row['number']} ({row['stage']}): *{asked}* → *{answer}*: {row['wrong']}"


if __name__ == "__main__":
    if sys.argv[1:2] == ["draw"]:
        draw()
    elif sys.argv[1:2] == ["show"]:
        show(sys.argv[2])
    else:
        compare()
