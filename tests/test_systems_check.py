"""`check`: every system of ours is clean, and every thing that a system must not do is found, on its own line."""

from __future__ import annotations

import gc
import random
import re
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from groma.formats.messages import Message
from groma.formats.requests import Act, Differentiate, Generate, Read, Reply, Request, Score, Tool
from groma.formats.task import Posed
from groma.systems import SYSTEMS, System, find, load
from groma.systems.check import Finding, check
from groma.systems.invented import invented
from groma.worlds.vale import VALE

ROOT = Path(__file__).parents[1]
USER = (Message("user", "where does anna live?"),)
BELL = Tool("bell", "ring", {"type": "object", "properties": {"how": {"type": "string"}}})
PLAIN = Posed(USER, seed=7)
TOOLED = Posed(USER, tools=(BELL,), seed=7)
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

Write = Callable[..., System]


@pytest.fixture
def wrote(tmp_path: Path) -> Write:
    """`wrote(source)` is the system `mine` of a file that says so."""

    def write(source: str, imports: str = "") -> System:
        file = tmp_path / "mine.py"
        file.write_text(imports + HEAD + textwrap.dedent(source))
        return load(f"{file}:mine")

    return write


def checked(system: System, posed: Posed = TOOLED) -> tuple[Finding, ...]:
    return check(system, [posed], rounds=1)


VARIANTS = ("agent@order", "agent@chaos", "critique@charter", "conversation@step_by_step", "best_of_n@verified")


@pytest.mark.parametrize("name", [*SYSTEMS, *VARIANTS])
def test_systems_are_systems(name: str) -> None:
    """On every kind of Vale, and on plain tasks: with and without tools, with choices, short."""
    posed = [task.posed for task in VALE.tasks(None, "held_out", 7, 0)]
    plain = [PLAIN, TOOLED, Posed(USER, choices=("yes", "no")), Posed(USER, short=USER)]
    assert check(find(name, VALE.variants), [*posed, *plain], rounds=1) == ()


FORBIDDEN = [
    ("clock", "import time", "x = time.time()"),
    ("clock", "from time import time", "x = time()"),
    ("clock", "from time import monotonic as now", "x = now()"),
    ("clock", "import time", "x = time.perf_counter_ns()"),
    ("clock", "import time", "time.sleep(0)"),
    ("clock", "import datetime", "x = datetime.datetime.now()"),
    ("clock", "from datetime import datetime", "x = datetime.utcnow()"),
    ("clock", "from datetime import date", "x = date.today()"),
    ("randomness", "import random", "x = random.random()"),
    ("randomness", "from random import random", "x = random()"),
    ("randomness", "import random as r", "r.shuffle([1, 2, 3])"),
    ("randomness", "import random", "x = [random.choice('ab') for _ in range(3)]"),
    ("randomness", "import random", "random.seed(3)"),
    ("randomness", "import random", "x = random.Random()"),
    ("randomness", "from random import SystemRandom", "x = SystemRandom().random()"),
    ("randomness", "import numpy as np", "x = np.random.rand()"),
    ("randomness", "from numpy.random import rand", "x = rand()"),
    ("randomness", "import numpy as np", "x = np.random.default_rng().random()"),
    ("randomness", "from numpy.random import default_rng", "x = default_rng()"),
    ("randomness", "import torch", "x = torch.rand(1)"),
    ("randomness", "import secrets", "x = secrets.token_hex()"),
    ("randomness", "from secrets import choice", "x = choice('ab')"),
    ("randomness", "import uuid", "x = uuid.uuid4()"),
    ("randomness", "from uuid import uuid4", "x = uuid4()"),
    ("randomness", "import os", "x = os.urandom(4)"),
    ("outside", "", "x = open(__file__).close()"),
    ("outside", "from pathlib import Path", "x = Path(__file__).read_text()"),
    ("outside", "from pathlib import Path", "x = Path('nothing').exists()"),
    ("outside", "import os", "x = os.listdir('.')"),
    ("outside", "import os", "x = os.environ.get('HOME')"),
    ("outside", "import socket", "x = socket.socket().connect_ex(('127.0.0.1', 1))"),
    (
        "outside",
        "from contextlib import suppress\nimport socket",
        "with suppress(OSError): socket.create_connection(('127.0.0.1', 1), 0.1)",
    ),
    ("outside", "import os", "os.system('true')"),
    ("outside", "import subprocess", "x = subprocess.run(['true'])"),
    ("outside", "from threading import Thread", "Thread(target=str).start()"),
    ("outside", "", "print(end='')"),
    ("reach", "import sys", "x = sys._getframe()"),
    ("reach", "from sys import _getframe", "x = _getframe(1)"),
    ("reach", "import inspect", "x = inspect.currentframe()"),
    ("reach", "import inspect", "x = inspect.stack()"),
    ("reach", "import sys", "x = sys._current_frames()"),
    ("reach", "", "x = (one for one in posed.messages).gi_frame"),
    ("reach", "import gc", "x = gc.get_objects()"),
    ("reach", "from gc import get_referrers", "x = get_referrers(posed)"),
    ("reach", "import sys", "sys.settrace(sys.gettrace())"),
    ("reach", "import ctypes", "x = ctypes.string_at(b'x')"),
    ("reach", "from groma.worlds.vale import VALE", "x = VALE.tasks('count', 'held_out', 1, 0)"),
    ("code", "", "x = eval('1 + 1')"),
    ("code", "", "exec('x = 1')"),
    ("code", "import pickle", "x = pickle.loads(pickle.dumps(Failed))"),
]


@pytest.mark.parametrize(("kind", "imports", "line"), FORBIDDEN, ids=[f"{kind}: {line}" for kind, _, line in FORBIDDEN])
def test_what_is_forbidden_is_found_on_its_line(wrote: Write, kind: str, imports: str, line: str) -> None:
    found = checked(wrote(LINE.format(line=line), imports))
    assert (kind, line) in {(one.kind, one.source) for one in found}, list(map(str, found))
    assert {one.source for one in found} == {line}


@pytest.mark.parametrize(
    ("imports", "line"),
    [
        ("import random", "x = random.Random(posed.seed).random()"),
        ("import numpy as np", "x = np.random.default_rng(posed.seed).random()"),
        ("from collections import namedtuple", "x = namedtuple('Pair', 'a b')(1, 2)"),
        ("from ast import literal_eval", "x = literal_eval('[1, 2]')"),
        ("import datetime", "x = datetime.date(2024, 1, 2).isoformat()"),
        ("", "import busy"),
    ],
)
def test_what_is_allowed_is_let_pass(
    wrote: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, imports: str, line: str
) -> None:
    (tmp_path / "busy.py").write_text("import time\nNOW, TEXT = time.time(), open(__file__).read()\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "busy", raising=False)
    assert checked(wrote(LINE.format(line=line), imports)) == ()
    monkeypatch.delitem(sys.modules, "busy", raising=False)


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
def test_faults_are_found_on_their_line(wrote: Write, fault: str) -> None:
    source, expected = FAULTS[fault]
    found = check(wrote(source), [TOOLED], rounds=4, most=10)
    assert {(one.kind, one.source) for one in found} == {expected}, list(map(str, found))


def test_what_another_file_does_for_it_is_found_there(
    wrote: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "helper_of_mine.py").write_text("import time\n\ndef now():\n    return time.time()\n")
    monkeypatch.syspath_prepend(tmp_path)
    (only,) = checked(wrote(LINE.format(line="x = now()"), "from helper_of_mine import now"))
    assert str(only) == "helper_of_mine.py:4: clock: time.time: return time.time()"


def test_a_system_within_a_system_is_looked_at(wrote: Write) -> None:
    inner = wrote(LINE.format(line="x = time.time()"), "import time")
    (only,) = checked(SYSTEMS["best_of_n"].with_(inner=inner, n=2))
    assert (only.kind, only.source) == ("clock", "x = time.time()")


def test_everything_stands_afterwards_where_it_stood(wrote: Write) -> None:
    before = random.getstate(), repr(np.random.get_state()), sys.getprofile(), sys.gettrace(), gc.isenabled()
    assert checked(
        wrote(LINE.format(line="x = random.random(), rand()"), "import random\nfrom numpy.random import rand")
    )
    assert before == (random.getstate(), repr(np.random.get_state()), sys.getprofile(), sys.gettrace(), gc.isenabled())
    assert checked(SYSTEMS["chat"]) == () and time.time() and open(__file__).close() is None
    assert checked(SYSTEMS["chat"]) == ()


def test_replies_may_be_given_and_a_plain_function_checked(wrote: Write) -> None:
    asked = list[Request]()

    def answer(request: Request, seed: int) -> str:
        random.random(), time.time(), open(__file__).close()  # what its author does is no fault of the system
        asked.append(request)
        return "no."

    mine = wrote(LINE.format(line="assert reply.text == 'no.'")).function
    assert check(mine, [PLAIN], answer=answer) == () and asked


def test_the_page_on_systems_says_what_runs(wrote: Write) -> None:
    page = (ROOT / "docs" / "systems.md").read_text(encoding="utf-8")
    own, its_test = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {"mine": wrote(own)}
    exec(compile(its_test.replace("from mine import mine\n", ""), "docs/systems.md", "exec"), names)
    names["test_mine_is_a_system"]()
    (found,) = checked(wrote(own.replace("    reply =", "    now = time.time()\n    reply ="), "import time"))
    assert re.sub(r":\d+:", ":9:", str(found)) in page


def test_a_system_that_refuses_a_task_is_no_fault() -> None:
    assert checked(SYSTEMS["trivial"], PLAIN) == ()
    assert checked(SYSTEMS["conversation"], Posed(USER, choices=("yes", "no"))) == ()


def test_invented_replies_fit_what_was_asked() -> None:
    answer = invented((BELL,))
    seen = set[str]()
    for seed in range(64):
        reply = answer(Generate(prompt=USER, tools=(BELL,), max_tokens=3, logprobs=True), seed)
        assert reply == answer(Generate(prompt=USER, tools=(BELL,), max_tokens=3, logprobs=True), seed)
        assert isinstance(reply, Reply) and len(reply.logprobs) == len(reply.token_ids) <= 3
        seen |= {"call"} if reply.tool_calls else {reply.text, reply.stop}
        words = answer(Generate(prompt="where?"), seed)
        assert isinstance(words, Reply)
        seen |= {"use"} if words.text.startswith("use bell: ") else set()
    assert {"call", "use", "yes.", "no.", "end", "length"} <= seen
    scored, read, told = (
        answer(one, 0)
        for one in (
            Score(prompt=USER, answers=("a", "b")),
            Read(prompt=(1, 2), layers=(0, 3)),
            Differentiate(prompt="a", target="b", positions=(1,), top_k=5),
        )
    )
    assert isinstance(scored, Reply) and len(scored.scores) == 2
    assert isinstance(read, Reply) and set(read.arrays) == {0, 3} and isinstance(told, Reply)
    said = answer(Act(tool="bell"), 0)
    assert isinstance(said, Reply) and said.text
