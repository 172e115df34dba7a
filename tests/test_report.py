"""The page: self-contained, escaped, complete, refused where there is nothing to show, the same for the same run."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from groma.formats.errors import BadInput
from groma.formats.records import Record
from groma.formats.run_folder import RunFolder
from groma.report.episodes import CLIP, Source, embed
from groma.report.page import TEMPLATES, render, write_page
from groma.report.run import read_run
from groma.report.writing import UNSEEN, interval, level
from report_folder import HOSTILE, STAGES, SYSTEMS, run_folder

VOID = {"meta", "br", "input", "link", "img", "path", "circle", "line"}


class Page(HTMLParser):
    """The page as a browser reads it: its elements, the text of scripts and styles, and the cells by record."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self.cells: dict[int, str] = {}
        self.text: list[str] = []
        self.open: list[tuple[str, int | None]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attributes}
        self.elements.append((tag, named))
        record = int(named["data-record"]) if "data-record" in named else None
        if record is not None:
            self.cells.setdefault(record, "")
        if tag in self.raw:
            self.raw[tag].append("")
        if tag not in VOID:
            self.open.append((tag, record))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1][0] in self.raw:
            self.raw[self.open[-1][0]][-1] += data
            return
        self.text.append(data)
        for record in {record for _, record in self.open if record is not None}:
            self.cells[record] += data

    @property
    def data(self) -> dict[str, Any]:
        return json.loads(self.raw["script"][0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_folder(tmp_path_factory.mktemp("run") / "run", episodes=60)


@pytest.fixture(scope="module")
def html(folder: Path) -> str:
    return write_page(folder).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_nothing_is_asked_of_a_network(html: str, page: Page) -> None:
    assert {tag for tag, _ in page.elements} & {
        "link",
        "img",
        "iframe",
        "object",
        "embed",
        "base",
        "video",
        "audio",
    } == set()
    for _, attributes in page.elements:
        assert attributes.get("href", "#").startswith("#")
        assert "src" not in attributes and "srcset" not in attributes and "action" not in attributes
    for css in page.raw["style"]:
        assert "url(" not in css and "@import" not in css
    for script in page.raw["script"][1:]:
        assert not re.search(r"\b(fetch|XMLHttpRequest|WebSocket|import|sendBeacon|EventSource)\b", script)
    outside_data = html.replace(page.raw["script"][0], "")
    assert "http://" not in outside_data and "https://" not in outside_data


def test_only_the_pages_own_script_may_run(page: Page) -> None:
    policy = next(
        one["content"]
        for tag, one in page.elements
        if tag == "meta" and "content" in one and "default-src" in one["content"]
    )
    digest = base64.b64encode(hashlib.sha256(page.raw["script"][1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy and "default-src 'none'" in policy
    assert len(page.raw["script"]) == 2
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", page.raw["script"][1]
    )


def test_hostile_text_stays_text(html: str, page: Page) -> None:
    assert not UNSEEN.search(html.replace("\r", ""))
    assert "<" not in page.raw["script"][0] and page.raw["script"][0].isascii()
    assert HOSTILE[0] in "".join(page.text)  # the note in the manifest, read back as text
    answers = {row[4] for row in page.data["episodes"]}
    assert set(HOSTILE) <= answers
    assert page.open == []


def test_every_record_is_on_the_page(folder: Path, page: Page) -> None:
    records = read_run(folder).records
    assert set(page.cells) == set(range(len(records)))
    titles = {int(one["data-record"]): one.get("title", "") for _, one in page.elements if "data-record" in one}
    assert sum(record.estimate is None for record in records) > 10
    for place, record in enumerate(records):
        text = " ".join(page.cells[place].split()).replace("\N{NO-BREAK SPACE}", " ")
        if record.estimate is None:
            assert record.why_not in titles[place] and "n/a" in text and record.why_not in text
        else:
            signed = bool(record.against)
            assert f"{level(record.estimate, signed=signed)}" in text
            assert interval(record.estimate, signed=signed) in text
            assert f"n {record.estimate.n}" in text or record.case == "pessimistic"


def test_details_carry_baselines_and_the_way_to_the_transcripts(folder: Path, page: Page) -> None:
    records, details = read_run(folder).records, page.data["details"]
    for record, detail in zip(records, details, strict=True):
        assert detail["find"][:3] == [record.suite, record.stage, record.system]
        said = " ".join(value for _, value in detail["lines"])
        assert all(rival in said for rival in record.baseline) or record.against
    assert any(attributes.get("class") == "rival" for _, attributes in page.elements)


def test_all_episodes_are_embedded_once(folder: Path, page: Page) -> None:
    rows = {}
    for file in sorted((folder / "transcripts").glob("*.jsonl")):
        for line, text in enumerate(file.read_text(encoding="utf-8").split("\n")[:-1], 1):
            rows[f"transcripts/{file.name}", line] = json.loads(text)
    data = page.data
    assert len(data["episodes"]) == len(rows) == 60 * 18
    for item, source, line, prompt, answer, objective, pay, values, rest in data["episodes"]:
        row = rows.pop((data["sources"][source]["file"], line))
        assert answer == row["answer"] and data["items"][item]["id"] == row["task"]
        assert [text for _, text in data["prompts"][prompt]] == [
            one["content"] for one in row["messages"] if one["role"] == "user"
        ]
        assert objective == row["objective"] and (pay is None) == (row["pay"] is None)
        told = {name: value for name, value in zip(data["outcomes"], values, strict=True) if value is not None}
        assert told == {name: value for name, value in row["outcomes"].items() if value is not None}
        assert bool(row["failure"]) == bool(rest and rest.get("failure"))
    assert rows == {}
    assert len(data["prompts"]) < len(data["episodes"]) / 4


def test_where_there_are_too_many_a_whole_sample_is_kept_and_said(folder: Path) -> None:
    run = read_run(folder)
    full = embed(run.sources)
    run = read_run(folder)
    part = embed(run.sources, 60_000)
    assert 0 < part.shown < part.total == full.total == 1080 and part.items == 120
    assert part.shown == 9 * part.items_shown  # every stage and system of each item drawn
    assert embed(read_run(folder).sources, 60_000) == part
    text = " ".join("".join(Page(render(read_run(folder), 60_000)).text).split())
    assert f"holds {part.shown} of 1,080 episodes" in text and "all of them lie in transcripts/" in text


def test_ten_thousand_episodes_are_a_small_page(tmp_path: Path) -> None:
    path = run_folder(tmp_path / "run", episodes=556)
    size = write_page(path).stat().st_size
    assert 18 * 556 > 10_000 and size < 6_000_000


def test_odd_rows_are_embedded_as_they_are() -> None:
    rows = [
        {
            "task": "t",
            "messages": [],
            "answer": "x" * (CLIP + 5),
            "scores": [float("nan"), -float("inf"), -1.0],
            "pay": float("inf"),
        },
        {
            "task": "t",
            "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "other"}],
            "answer": None,
        },
    ]
    found = embed([Source("s", "a", "f", "transcripts/x.jsonl", rows)])
    json.dumps(found.data, allow_nan=False)
    assert found.clipped == 1 and "5 more characters" in found.data["episodes"][0][4]
    assert found.data["episodes"][0][8]["scores"] == [None, None, -1.0] and found.data["episodes"][0][6] is None
    assert found.data["prompts"][found.data["episodes"][1][3]] == [["user", "q"], ["assistant", "other"]]
    with pytest.raises(BadInput, match=r"x\.jsonl:1"):
        embed([Source("s", "a", "f", "transcripts/x.jsonl", [{"task": "t"}])])


def test_the_same_run_gives_the_same_page(folder: Path, html: str) -> None:
    assert render(read_run(folder)) == html


def test_whether_the_objective_follows_the_pay_stands_before_single_outcomes(html: str) -> None:
    places = [html.index(f">{title}<") for title in (
        "Does the objective follow what the rater would have paid?", "Outcome by outcome", "Paired differences"
    )]  # fmt: skip
    assert places == sorted(places)


def test_a_folder_without_records_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not a run folder"):
        write_page(tmp_path / "nowhere")
    empty = RunFolder.create(tmp_path / "empty", {"model": "m"})
    with pytest.raises(BadInput, match="nothing to report"):
        write_page(empty.path)
    empty.write_json("records.json", [])
    with pytest.raises(BadInput, match="nothing to report"):
        write_page(empty.path)
    assert not (empty.path / "report.html").exists()


def test_what_cannot_be_shown_truly_is_refused(tmp_path: Path, folder: Path) -> None:
    record = read_run(folder).records[0]
    twice = RunFolder.create(tmp_path / "twice", {"model": "m"})
    twice.add_records([record, record])
    with pytest.raises(BadInput, match=f"two records of {record.outcome}"):
        write_page(twice.path)
    stray = RunFolder.create(tmp_path / "stray", {"model": "m"})
    stray.add_records([replace(record, transcripts="")])
    stray.append("transcripts/whose.jsonl", {"task": "t", "messages": [], "answer": ""})
    with pytest.raises(BadInput, match="nobody's transcripts"):
        write_page(stray.path)
    wrong = RunFolder.create(tmp_path / "wrong", {"stages": "base"})
    wrong.add_records([record])
    with pytest.raises(BadInput, match="a list of names"):
        write_page(wrong.path)


def test_a_survey_of_one_model_without_transcripts_or_pay(tmp_path: Path, folder: Path) -> None:
    """`groma survey MODEL`: no stage, one system, nothing compared."""
    records = [replace(one, stage="", system="chat", transcripts="") for one in levels(folder) if one.system == "chat"]
    one = RunFolder.create(tmp_path / "one", {"model": "my/model"})
    one.add_records([record for record in records if record.property != "pay" and record.suite == "vale"][:5])
    page = Page(write_page(one.path).read_text(encoding="utf-8"))
    assert set(page.cells) == set(range(5))
    assert "holds no transcripts" in "".join(page.text)


def test_pay_without_an_objective_is_shown_all_the_same(tmp_path: Path, folder: Path) -> None:
    pays = [one for one in levels(folder) if one.property == "pay"]
    one = RunFolder.create(tmp_path / "pay", {"model": "m"})
    one.add_records(pays)
    assert set(Page(write_page(one.path).read_text(encoding="utf-8")).cells) == set(range(len(pays)))


def test_names_may_be_hostile_too(tmp_path: Path, folder: Path) -> None:
    name = '<b x="1">&\u202e\ud800</script>'
    record = replace(levels(folder)[0], stage=name, system=name, why_not="", model=name, suite=name)
    pay = replace(
        next(one for one in levels(folder) if one.property == "pay"), stage=name, system=name, suite=name, model=name
    )
    run = RunFolder.create(
        tmp_path / "names", {"model": name, "notes": [name], "versions": {name: name}, "command": name}
    )
    objective = replace(record, property="objective", outcome="objective", good="high")
    run.add_records([objective, pay, replace(record, outcome=name, transcripts="")])
    page = Page(write_page(run.path).read_text(encoding="utf-8"))
    assert "b" not in {tag for tag, attributes in page.elements if "x" in attributes}
    assert len(page.raw["script"]) == 2 and "svg" in {tag for tag, _ in page.elements}
    assert "⟨U+202E⟩⟨U+D800⟩" in "".join(page.text)


def test_the_first_stop_is_a_skip_link_and_grids_have_roles(page: Page) -> None:
    stops = [one for tag, one in page.elements if tag in ("a", "button", "select", "input", "summary")]
    assert stops[0] == {"class": "skip", "href": "#answer"}
    ids = {one["id"] for _, one in page.elements if "id" in one}
    targets = [one["href"][1:] for _, one in page.elements if one.get("href", "").startswith("#")]
    labels = [name for _, one in page.elements for name in one.get("aria-labelledby", "").split()]
    controls = [one["aria-controls"] for _, one in page.elements if "aria-controls" in one]
    assert {*targets, *labels, *controls} <= ids | {"item-title"}
    grids = [one for _, one in page.elements if one.get("role") == "grid"]
    assert len(grids) > 10 and all(one["aria-label"] for one in grids)


def test_script_and_python_spell_out_the_same_characters() -> None:
    source = (TEMPLATES / "shell.js").read_text(encoding="utf-8")
    said = re.search(r"UNSEEN = /\[(.*)\]/gu", source)
    assert said is not None
    python = re.sub(r"\\u\{([0-9a-f]+)\}", lambda found: f"\\U{int(found[1], 16):08x}", said[1])
    ours = re.compile(f"[{python}]")
    for code in range(sys.maxunicode + 1):
        assert bool(ours.match(chr(code))) == bool(UNSEEN.match(chr(code))), hex(code)


def levels(folder: Path) -> list[Record]:
    found = [one for one in read_run(folder).records if not one.against and one.case == "average"]
    assert {one.stage for one in found} == set(STAGES) and {one.system for one in found} == set(SYSTEMS)
    return found
