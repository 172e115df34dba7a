"""The judge of Vale against readers: 600 transcripts of base, aligned and over-optimised models, read one by one.

    python benchmarks/judge_audit.py draw               play held-out tasks anew and begin a sheet (after
                                                        vale_acceptance.py align:m:1)
    python benchmarks/judge_audit.py blind KIND         print a kind's transcripts and their truth, without the verdict
    python benchmarks/judge_audit.py show KIND          print them with everything that the judge says
    python benchmarks/judge_audit.py note FILE ...      take what readers wrote into the sheet
    python benchmarks/judge_audit.py                    compare the sheet with the judge as it is now, write the page

A reader first gives each transcript an objective by the table of its kind (worlds/vale/judge/), without seeing the
judge's, as a line {"number": 1, "read": 0.8}; then sees every outcome of the judge, and writes what is wrong about any
of them as {"number": 1, "wrong": "", "why": ""}: "wrong" is "" for nothing, "why" says what speaks for the reader's own
verdict, or for the judge's where the reader thought again. The sheet is benchmarks/results/judge_audit.jsonl, the page
docs/judge_audit.md. A sheet is of one judge: once that changes its mind on any row, 600 others are to be drawn.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from groma.formats.digest import digest
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
READINGS = HERE / "results" / "judge_readings.json"
"""How many each reading found wrong: a sheet that is begun anew takes the place of the one before."""
PAGE = HERE.parent / "docs" / "judge_audit.md"
MODELS = HERE.parent / "runs" / "acceptance" / "m-1"
STAGES = {"base": "base", "aligned": "refusing", "over-optimised": "hard"}
READ = 600
EACH = {"chat": 25, "completion": 8, "trivial": 6}
"""Transcripts of each kind and stage, by system, of which alike ones are dropped; errands are run by `agent`."""
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
    """Play tasks that no reading has seen; the sheet is begun anew, unread. No two rows are alike."""
    reading = 1 + max((row["reading"] for row in sheet()), default=0)
    over_optimised()
    rows: dict[str, dict[str, Any]] = {}
    for number, (stage, place) in enumerate(STAGES.items()):
        for row in _played(stage, MODELS / place, 100 * reading + number):
            rows.setdefault(digest(row["posed"], row["messages"], row["form"]), row)
    found, draw, share = list(rows.values()), random.Random(reading), READ // len(STAGES)
    draw.shuffle(found)
    found = [row for stage in STAGES for row in [one for one in found if one["stage"] == stage][:share]]
    draw.shuffle(found)
    given = [{"number": number, "reading": reading, **row} for number, row in enumerate(found, 1)]
    _keep([{**row, "read": None, "wrong": None, "why": ""} for row in given])


def _keep(rows: list[dict[str, Any]]) -> None:
    SHEET.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def note(files: Sequence[str]) -> None:
    """Take readers' lines into the sheet."""
    rows = {row["number"]: row for row in sheet()}
    for file in files:
        for line in Path(file).read_text(encoding="utf-8").splitlines():
            said = json.loads(line)
            if unknown := said.keys() - {"number", "read", "wrong", "why"} or {said["number"]} - rows.keys():
                raise SystemExit(f"{file}: {line}: there is no {sorted(map(str, unknown))}")
            rows[said["number"]].update(said)
    _keep(list(rows.values()))


def _played(stage: str, place: Path, seed: int) -> Iterator[dict[str, Any]]:
    engine, start = LocalEngine(load(place)), 0
    for embodied, each in EACH.items():
        tasks = [task for kind in VALE.kinds for task in VALE.tasks(kind, "held_out", 200, seed)[start : start + each]]
        start += each
        for name, some in (
            (embodied, [task for task in tasks if task.kind != "errand"]),
            ("agent" if embodied == "chat" else embodied, [task for task in tasks if task.kind == "errand"]),
        ):
            made = SYSTEMS[name]
            given = {"max_tokens": VALE.max_tokens} if "max_tokens" in made.parameters else {}
            for one in play(made.with_(**given), some, {"assistant": engine}, seed=seed, open_environment=VALE.open):
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


def show(kind: str, blind: bool) -> None:
    """A kind's transcripts with the truth and, unless the reader is blind, what the judge says."""
    for row in sheet():
        if row["task"]["kind"] != kind:
            continue
        gold = {name: value for name, value in row["task"]["gold"].items() if value and name != "hall"}
        print(f"{row['number']} [{row['form']}] {json.dumps(gold)}")
        if kind == "errand":
            print(f"    the hall: {json.dumps(row['task']['gold']['hall'])}")
        print("\n".join(f"    {one['role']}: {plain(one['content'])}" for one in row["messages"]))
        if not blind:
            said = " ".join(f"{name}={value:g}" for name, value in row["outcomes"].items())
            print(f"    => {row['objective']:g}: {said}    (reader: {row['read']})")


def plain(text: str) -> str:
    """Text whose control characters can be seen."""
    return "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in text)


def compare() -> None:
    """Write how often the readers found the judge wrong, and every transcript on which it is."""
    if not SHEET.exists():
        print(f"left out: there is no sheet {SHEET} that a reader has read")
        return
    rows = sheet()
    unread = [row["number"] for row in rows if row["wrong"] is None or row["read"] is None]
    unsaid = [row["number"] for row in rows if differs(row) and not row["why"]]
    changed = [row["number"] for row in rows if judged(row) != (row["outcomes"], row["objective"])]
    if unread or unsaid or changed:
        raise SystemExit(f"to be read: {unread}; to be explained: {unsaid}; on which the judge has changed: {changed}")
    wrong, apart = [row for row in rows if row["wrong"]], [row for row in rows if differs(row)]
    rate = clopper_pearson(len(wrong), len(rows))
    missed = clopper_pearson(sum(map(differs, wrong)), len(rows))
    lines = [
        "# The judge of Vale, read against",
        "",
        "Made by `python benchmarks/judge_audit.py` from `benchmarks/results/judge_audit.jsonl`.",
        "",
        f"{len(rows)} transcripts on held-out tasks, of the base `m`, of the model taught to refuse, and of one that",
        f"was optimised much too far for the rater (DPO, {HARD['max_steps']} steps at β = {HARD['beta']}: much is",
        "word salad), were read one by one, each kind of task by a reader of its own (language models, which",
        "were given the tables of `worlds/vale/judge/`). A reader first gave every transcript an objective without",
        "seeing the judge's, then saw all outcomes of the judge and wrote down what is wrong about any of them.",
        "",
        f"The judge was wrong on {len(wrong)}: {rate.value:.1%} (95 % interval {rate.low:.1%} to {rate.high:.1%}).",
        f"Its objective was wrong on {sum(map(differs, wrong))} of these: {missed.value:.1%} ({missed.low:.1%} to",
        f"{missed.high:.1%}). The aim is 1 %. Blind, readers gave another objective to {len(apart)}.",
        "",
        *_before(rows[0]["reading"], len(rows), len(wrong), sum(map(differs, wrong))),
        *_by_kind(rows, wrong),
        "",
        "## Those on which it was wrong" if wrong else "There is none on which it was wrong.",
        "",
        *(f"- {_told(row)}: {row['wrong']}" for row in wrong),
        *_otherwise(rows),
    ]
    PAGE.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    print("\n".join(lines))


def _before(reading: int, read: int, wrong: int, objective: int) -> Iterator[str]:
    """Keep what this reading found, and tell what those before it did."""
    kept = json.loads(READINGS.read_text(encoding="utf-8")) if READINGS.exists() else []
    kept = [one for one in kept if one["reading"] != reading]
    found = {"reading": reading, "read": read, "wrong": wrong, "objective": objective}
    READINGS.write_text(json.dumps([*kept, found], indent=1) + "\n", encoding="utf-8")
    if kept:
        told = (f"{one['wrong']} of {one['read']} (the objective: {one['objective']})" for one in kept)
        yield f"Earlier readings, of others and of the judge as it was, found wrong: {'; '.join(told)}. What each found"
        yield "was mended, or stated in the tables where they had left it open, before the next was drawn."
        yield ""


def differs(row: dict[str, Any]) -> bool:
    """Whether the blind reader gave another objective, to a hundredth."""
    return row["read"] is not None and abs(row["read"] - row["objective"]) > 0.01


def _by_kind(rows: list[dict[str, Any]], wrong: list[dict[str, Any]]) -> Iterator[str]:
    some = (rows, wrong, [row for row in wrong if differs(row)])
    counts = [Counter((row["stage"], row["task"]["kind"]) for row in one) for one in some]
    yield f"| kind | {' | '.join(f'{stage}: read | wrong | its objective' for stage in STAGES)} |"
    yield f"|---|{'---|---|---|' * len(STAGES)}"
    for kind in VALE.kinds:
        yield f"| {kind} | {' | '.join(str(one[stage, kind]) for stage in STAGES for one in counts)} |"


def _otherwise(rows: list[dict[str, Any]]) -> Iterator[str]:
    """What the reader thought again about."""
    yield from ("", "## Those on which the reader thought again", "")
    again = (row for row in rows if row["why"] and not row["wrong"])
    yield from (f"- {_told(row)}: {row['why']}" for row in again)


def _told(row: dict[str, Any]) -> str:
    asked, answer = (plain(text).replace("|", "\\|") for text in (row["posed"][-1]["content"], row["answer"]))
    return (
        f"{row['number']} ({row['stage']}): *{asked}* → *{answer}* (judge {row['objective']:g}, reader {row['read']:g})"
    )


def main(arguments: Sequence[str]) -> None:
    match list(arguments):
        case []:
            compare()
        case ["draw"]:
            draw()
        case ["blind" | "show" as how, kind] if kind in VALE.kinds:
            show(kind, how == "blind")
        case ["note", *files] if files:
            note(files)
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
