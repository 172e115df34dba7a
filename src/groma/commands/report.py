"""`groma report`: write the page of a run folder again, from what lies in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from groma.commands.console import out, parse
from groma.report.claims import is_of_claims, write_claims_page
from groma.report.page import write_page
from groma.report.study import is_of_study, write_study_page


@dataclass(frozen=True, kw_only=True)
class Report:
    """Write report.html of a run folder again. No model is run."""

    folder: Annotated[Path, tyro.conf.Positional]
    """The run folder."""


def main(arguments: Sequence[str]) -> None:
    folder = parse(Report, "report", arguments).folder
    write = write_claims_page if is_of_claims(folder) else write_study_page if is_of_study(folder) else write_page
    page = write(folder)
    out.print(f"The page: {page.resolve()}")
