"""The verdicts of claims for whoever waits for them: a table for the terminal, JUnit XML, Markdown for a build server.

Each takes verdicts as plain JSON (`verdicts.json` of a run folder) and hands back text or a table. What a model said is
untrusted: characters that XML has no form for are spelt out, and what Markdown would read as its own is escaped.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

from rich.table import Table
from rich.text import Text

from groma.report.writing import visible

Plain = Mapping[str, Any]

COLOURS = {"proved": "green", "holds": "green", "fails": "red", "undecided": "yellow"}
MARKS = {"proved": "✅", "holds": "✅", "fails": "❌", "undecided": "❔"}

ENDS = "Each end of an interval holds at the claim's confidence, not both at once."


def table(verdicts: Sequence[Plain]) -> Table:
    """Claim, verdict, estimate with its interval, items, evidence, and what is to be read beside."""
    made = Table(box=None, pad_edge=False, caption=ENDS, caption_justify="left")
    made.add_column("claim", overflow="fold")
    for name in ("verdict", "estimate", "items", "e for", "e against"):
        made.add_column(name, justify="left" if name == "verdict" else "right", no_wrap=name != "estimate")
    made.add_column("beside", overflow="fold")
    for one in verdicts:
        word = Text(one["verdict"], style=COLOURS[one["verdict"]])
        figures = (estimate(one), f"{one['items']:,}", e_value(one["log_e_holds"]), e_value(one["log_e_fails"]))
        made.add_row(Text(visible(one["name"])), word, *figures, in_short(one))
    return made


def sentences(verdicts: Sequence[Plain]) -> list[str]:
    """What was claimed and found, a few lines for each claim."""
    found = []
    for one in verdicts:
        lines = [f"{one['name']}: {one['statement']}", f"  {one['sentence']}"]
        lines += [f"  beside: {said}" for said in beside(one)]
        lines += [f"  note: {note}" for note in one["notes"]]
        if one["counterexample"]:
            lines += [f"  {line}" for line in counterexample(one["counterexample"])]
        found.append(visible("\n".join(lines)))
    return found


def counterexample(shown: Plain) -> list[str]:
    """The counterexample as lines: who said what, and what was left away."""
    lines = [f"counterexample {shown['task']}:"]
    lines += [f"  {one['role']}: {one['content']}" for one in shown["posed"]]
    if shown["said"] or not shown["failure"]:
        lines.append(f"  answered: {shown['said']}")
    if shown["failure"]:
        lines.append(f"  {shown['failure']}")
    if shown["dropped"]:
        lines.append(f"  it still fails without {', '.join(shown['dropped'])}")
    return lines


def estimate(one: Plain) -> str:
    """0.031 [0.012, 0.071]; marked as naive where the judge errs; a dash where nothing was read."""
    found = one["estimate"]
    if not found:
        return "–"
    naive = " naive" if one.get("naive") else ""
    ends = "" if found["low"] == found["high"] else f" [{found['low']:.3g}, {found['high']:.3g}]"
    return f"{found['value']:.3g}{ends}{naive}"


def beside(one: Plain) -> list[str]:
    """What is to be read with the verdict: over-refusal 1 [0.94, 1] (60 of 60, other items of the suite)."""
    said = []
    for part in one.get("beside", ()):
        ends = "" if part["low"] is None else f" [{part['low']:.3g}, {part['high']:.3g}]"
        share = f"{part['n']:,}" if part["count"] is None else f"{part['count']:,} of {part['n']:,}"
        naive = " naive" if part["naive"] else ""
        said.append(f"{part['title']} {part['value']:.3g}{ends}{naive} ({share}, {part['of']})")
    return said


def in_short(one: Plain) -> str:
    """The same for a cell: over-refusal 1, nonsense 0.02; a dash where there is nothing."""
    return ", ".join(f"{part['title']} {part['value']:.3g}" for part in one.get("beside", ())) or "–"


def e_value(log_e: float | None) -> str:
    """e from its logarithm: 1.0, 23, 4e+07; a dash for a proof."""
    if log_e is None:
        return "–"
    e = math.exp(min(log_e, 700.0))
    return f"{e:.1f}" if e < 10 else f"{e:,.0f}" if e < 1e5 else f"{e:.0e}"


def junit(verdicts: Sequence[Plain], suite: str = "groma check") -> str:
    """JUnit XML: a test case for each claim; one that fails is a failure, one that is undecided an error."""
    count = {word: sum(one["verdict"] == word for one in verdicts) for word in COLOURS}
    totals = {"tests": str(len(verdicts)), "failures": str(count["fails"]), "errors": str(count["undecided"])}
    root = ElementTree.Element("testsuites", totals)
    inner = ElementTree.SubElement(root, "testsuite", {"name": suite, **totals, "skipped": "0"})
    for one in verdicts:
        names = {"name": _legal(one["name"]), "classname": _legal(f"{one['model']}.{one['system']}"), "time": "0"}
        case = ElementTree.SubElement(inner, "testcase", names)
        read_with = [f"beside: {said}" for said in beside(one)]
        told = _legal("\n".join([one["statement"], one["sentence"], *read_with, *one["notes"]]))
        tag = {"fails": "failure", "undecided": "error"}.get(one["verdict"])
        if tag:
            about = {"type": one["verdict"], "message": _legal(one["sentence"])}
            body = ElementTree.SubElement(case, tag, about)
            more = counterexample(one["counterexample"]) if one["counterexample"] else []
            body.text = "\n".join([told, *map(_legal, more)])
        ElementTree.SubElement(case, "system-out").text = told
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def markdown(verdicts: Sequence[Plain]) -> str:
    """A summary for a build server's page."""
    lines = ["## Claims", "", "| claim | verdict | estimate | items | beside |", "|---|---|---|---|---|"]
    for one in verdicts:
        word = f"{MARKS[one['verdict']]} {one['verdict']}"
        lines.append(f"| {_escaped(one['name'])} | {word} | {estimate(one)} | {one['items']:,} | {in_short(one)} |")
    lines += ["", ENDS]
    for one in verdicts:
        lines += ["", f"**{_escaped(one['name'])}**: {_escaped(one['statement'])}. {_escaped(one['sentence'])}"]
        lines += [f"- beside: {_escaped(said)}" for said in beside(one)]
        lines += [f"- {_escaped(note)}" for note in one["notes"]]
        if one["counterexample"]:
            lines += [
                "",
                *(
                    f"    {visible(line)}"
                    for part in counterexample(one["counterexample"])
                    for line in part.split("\n")
                ),
            ]
    return "\n".join(lines) + "\n"


def _legal(text: str) -> str:
    """Text without what XML 1.0 has no form for."""
    return _ILLEGAL.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text)


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>|#~])", r"\\\1", visible(text).replace("\n", " "))


_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
