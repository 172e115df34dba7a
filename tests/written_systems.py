"""Systems that tests write into a file, so that what is said of them names a line of it."""

from __future__ import annotations

import textwrap
from pathlib import Path

from groma.systems import System, load

HEAD = """
from groma.formats.messages import Message
from groma.formats.requests import Failed, Generate
from groma.formats.transcript import Transcript

"""
LINE = """
def mine(posed):
    reply = yield Generate(prompt=posed.messages, tools=posed.tools)
    {line}
    return Transcript((*posed.messages, Message("assistant", reply.text)), reply.text)
"""


def written(folder: Path, source: str, imports: str = "") -> System:
    """The system `mine` of a file that says so."""
    file = folder / "mine.py"
    file.write_text(imports + HEAD + textwrap.dedent(source))
    return load(f"{file}:mine")


def with_line(folder: Path, line: str, imports: str = "") -> System:
    """A plain system that does `line`, too."""
    return written(folder, LINE.format(line=line), imports)
