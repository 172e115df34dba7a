"""`check` on systems that are none: each fault is found, and nothing else, on the line that does it."""

from __future__ import annotations

from pathlib import Path

import pytest

from groma.formats.messages import Message
from groma.formats.requests import Tool
from groma.formats.task import Posed
from groma.systems.check import check
from written_systems import LINE, written

BELL = Tool("bell", "ring", {"type": "object", "properties": {"how": {"type": "string"}}})
POSED = Posed((Message("user", "where does anna live?"),), tools=(BELL,), seed=7)

FAULTS = {
    "differs: asks otherwise than the last time": (
        """
        SEEN = []
        def mine(posed):
            SEEN.append(1)
            reply = yield Generate(prompt=f"{len(SEEN)}")
            return Transcript(posed.messages, reply.text)
        """,
        ("differs", 'reply = yield Generate(prompt=f"{len(SEEN)}")'),
    ),
    "differs: ends otherwise than the last time": (
        """
        SEEN = []
        def mine(posed):
            SEEN.append(1)
            reply = yield Generate(prompt="x")
            return Transcript(posed.messages, str(len(SEEN)))
        """,
        ("differs", 'reply = yield Generate(prompt="x")'),
    ),
    "differs: by a clock that nobody sees": (
        """
        import time
        def mine(posed):
            now = next(iter(time.perf_counter_ns, None))
            reply = yield Generate(prompt=str(now))
            return Transcript(posed.messages, reply.text)
        """,
        ("differs", "reply = yield Generate(prompt=str(now))"),
    ),
    "close: catches what closes it": (
        """
        def mine(posed):
            try:
                reply = yield Generate(prompt="x")
            except BaseException:
                return Transcript(posed.messages, "")
            return Transcript(posed.messages, reply.text)
        """,
        ("close", 'reply = yield Generate(prompt="x")'),
    ),
    "close: asks on": (
        """
        def mine(posed):
            said = "x"
            while len(said) < 3:
                try:
                    reply = yield Generate(prompt=said)
                except GeneratorExit:
                    pass
                said += "x"
            return Transcript(posed.messages, said)
        """,
        ("close", "reply = yield Generate(prompt=said)"),
    ),
    "close: fails": (
        """
        def mine(posed):
            try:
                reply = yield Generate(prompt="x")
            except GeneratorExit:
                reply.text
            return Transcript(posed.messages, reply.text)
        """,
        ("close", "reply.text"),
    ),
    "failure: does not expect one": (
        """
        def mine(posed):
            reply = None
            try:
                reply = yield Generate(prompt="x")
            except Failed:
                pass
            return Transcript(posed.messages, reply.text)
        """,
        ("failure", "return Transcript(posed.messages, reply.text)"),
    ),
    "failure: nor among many": (
        """
        def mine(posed):
            replies = yield (Generate(prompt="x"), Generate(prompt="y"))
            return Transcript(posed.messages, replies[0].text)
        """,
        ("failure", "return Transcript(posed.messages, replies[0].text)"),
    ),
    "clock: when something failed": (
        """
        import time
        def mine(posed):
            try:
                reply = yield Generate(prompt="x")
            except Failed:
                time.sleep(0)
                raise
            return Transcript(posed.messages, reply.text)
        """,
        ("clock", "time.sleep(0)"),
    ),
    "randomness: when it is closed": (
        """
        import random
        def mine(posed):
            try:
                reply = yield Generate(prompt="x")
            except GeneratorExit:
                random.random()
                raise
            return Transcript(posed.messages, reply.text)
        """,
        ("randomness", "random.random()"),
    ),
    "reach: from an error": (
        """
        def mine(posed):
            reply = yield Generate(prompt="x")
            try:
                raise ValueError
            except ValueError as error:
                frame = error.__traceback__.tb_frame
            return Transcript(posed.messages, reply.text)
        """,
        ("reach", "frame = error.__traceback__.tb_frame"),
    ),
    "asks: what is no request": ('def mine(posed):\n    yield "hello"\n', ("asks", 'yield "hello"')),
    "asks: nothing at once": ("def mine(posed):\n    yield ()\n", ("asks", "yield ()")),
    "asks: is no generator": ("def mine(posed):\n    return []\n", ("asks", "def mine(posed):")),
    "asks: never ends": (
        'def mine(posed):\n    while True:\n        yield Generate(prompt="x")\n',
        ("asks", 'yield Generate(prompt="x")'),
    ),
    "ends: with nothing": (
        'def mine(posed):\n    yield Generate(prompt="x")\n',
        ("ends", 'yield Generate(prompt="x")'),
    ),
    "ends: in an error": (
        'def mine(posed):\n    yield Generate(prompt="x")\n    return posed.gold\n',
        ("ends", "return posed.gold"),
    ),
    "ends: with the process": (
        'import sys\ndef mine(posed):\n    yield Generate(prompt="x")\n    sys.exit(1)\n',
        ("ends", "sys.exit(1)"),
    ),
    "changes: what is posed": (
        LINE.format(line="posed.tools[0].parameters['properties']['when'] = {}"),
        ("changes", "posed.tools[0].parameters['properties']['when'] = {}"),
    ),
    "changes: the messages": (
        LINE.format(line="object.__setattr__(posed, 'seed', 1)"),
        ("changes", "object.__setattr__(posed, 'seed', 1)"),
    ),
    "changes: a reply": (
        LINE.format(line="[call.arguments.clear() for call in reply.tool_calls]"),
        ("changes", "[call.arguments.clear() for call in reply.tool_calls]"),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_found_on_their_line(tmp_path: Path, fault: str) -> None:
    source, expected = FAULTS[fault]
    found = check(written(tmp_path, source), [POSED], rounds=4, most=10)
    assert {(one.kind, one.source) for one in found} == {expected}, list(map(str, found))


def test_whoever_asks_without_end_is_stopped(tmp_path: Path) -> None:
    (found,) = check(written(tmp_path, FAULTS["asks: never ends"][0]), [POSED], most=10)
    assert found.what == "never ends: it has asked 10 times"
