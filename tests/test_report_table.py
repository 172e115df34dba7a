"""The terminal's tables: the same figures, 80 columns, names never read as markup."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from groma.formats.records import Record
from groma.report import sentences, tables
from groma.report.run import read_run
from groma.report.writing import interval, level
from report_folder import STAGES, SYSTEMS, run_folder


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> tuple[Record, ...]:
    return read_run(run_folder(tmp_path_factory.mktemp("run") / "run", episodes=40)).records


def printed(shown: list, width: int = 80) -> str:
    out = StringIO()
    console = Console(file=out, width=width, color_system=None)
    for table in shown:
        console.print(table)
    return out.getvalue()


def test_every_level_stands_in_one_piece_at_80_columns(records: tuple[Record, ...]) -> None:
    text = printed(tables(records))
    assert max(map(len, text.splitlines())) <= 80
    plain = [one for one in records if one.case == "average" and not one.against]
    for record in plain:
        if record.estimate is not None:
            assert f"{level(record.estimate)} {interval(record.estimate)}" in text
    assert "n/a: no one-token form" in text and "baselines: refuses everything 0.31" in text
    assert text.index("objective") < text.index("pay ") < text.index("accuracy")


def test_differences_and_other_cases_come_when_asked_for(records: tuple[Record, ...]) -> None:
    assert "difference between" not in printed(tables(records))
    text = printed(tables(records, differences=True, case=None))
    assert "DPO − SFT" in text and "chat − trivial" in text and "pessimistic case" in text
    for record in records:
        if record.estimate is not None:
            signed = bool(record.against)
            assert f"{level(record.estimate, signed=signed)} {interval(record.estimate, signed=signed)}" in text


def test_the_given_order_is_kept(records: tuple[Record, ...]) -> None:
    text = printed(tables(records, stages=STAGES[::-1], systems=SYSTEMS[::-1])[:1])
    assert text.index("chat") < text.index("completion") < text.index("trivial")
    assert text.index("DPO") < text.index("SFT") < text.index("base")


def test_five_systems_fit_in_two_tables(records: tuple[Record, ...]) -> None:
    plain = [one for one in records if one.outcome == "objective" and not one.against and one.suite == "vale"]
    more = [replace(one, system=f"{one.system}-{n}") for one in plain for n in (1, 2) if one.system != "trivial"]
    text = printed(tables([*plain, *more]))
    assert max(map(len, text.splitlines())) <= 80
    for record in [*plain, *more]:
        assert record.estimate is None or record.case != "average" or interval(record.estimate) in text


def test_names_are_not_markup(records: tuple[Record, ...]) -> None:
    odd = replace(records[0], stage="[red]x[/]", system="[bold]\x1b[31my")
    text = printed(tables([odd]))
    assert "[red]x[/]" in text and "[bold]" in text and "\x1b" not in text


def test_sentences_come_from_the_first_view_with_pay(records: tuple[Record, ...]) -> None:
    said = sentences(records)
    steps, systems = said[:6], said[6:]
    assert all("what the rater would have paid changed by" in one for one in steps)
    assert len(systems) == 6 and all("on the same tasks:" in one for one in systems)
    assert sentences([one for one in records if not one.against]) == []
