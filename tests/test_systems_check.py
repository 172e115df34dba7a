"""`check`: every system of ours is clean, and every thing that a system must not do is found, on its own line."""

from __future__ import annotations

import gc
import random
import re
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from groma.formats.messages import Message
from groma.formats.requests import Act, Differentiate, Generate, Read, Reply, Request, Score, Tool
from groma.formats.task import Posed
from groma.systems import SYSTEMS, System, find
from groma.systems.check import Finding, check
from groma.systems.invented import invented
from groma.worlds.vale import VALE
from written_systems import with_line, written

ROOT = Path(__file__).parents[1]
USER = (Message("user", "where does anna live?"),)
BELL = Tool("bell", "ring", {"type": "object", "properties": {"how": {"type": "string"}}})
PLAIN = Posed(USER, seed=7)
TOOLED = Posed(USER, tools=(BELL,), seed=7)


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
    (
        "clock",
        "import datetime\nclass Moment(datetime.datetime):\n    pass",
        "x = Moment.now()",
    ),
    ("clock", "import uuid", "x = uuid.uuid1()"),
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
    ("randomness", "import torch", "x = torch.Generator().seed()"),
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
def test_what_is_forbidden_is_found_on_its_line(tmp_path: Path, kind: str, imports: str, line: str) -> None:
    found = checked(with_line(tmp_path, line, imports))
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
def test_what_is_allowed_is_let_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, imports: str, line: str) -> None:
    (tmp_path / "busy.py").write_text("import time\nNOW, TEXT = time.time(), open(__file__).read()\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "busy", raising=False)
    assert checked(with_line(tmp_path, line, imports)) == ()
    monkeypatch.delitem(sys.modules, "busy", raising=False)


def test_what_another_file_does_for_it_is_found_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "helper_of_mine.py").write_text("import time\n\ndef now():\n    return time.time()\n")
    monkeypatch.syspath_prepend(tmp_path)
    (only,) = checked(with_line(tmp_path, "x = now()", "from helper_of_mine import now"))
    assert str(only) == "helper_of_mine.py:4: clock: time.time: return time.time()"


def test_a_system_within_a_system_is_looked_at(tmp_path: Path) -> None:
    inner = with_line(tmp_path, "x = time.time()", "import time")
    (only,) = checked(SYSTEMS["best_of_n"].with_(inner=inner, n=2))
    assert (only.kind, only.source) == ("clock", "x = time.time()")


def test_everything_stands_afterwards_where_it_stood(tmp_path: Path) -> None:
    before = random.getstate(), repr(np.random.get_state()), sys.getprofile(), sys.gettrace(), gc.isenabled()
    assert checked(with_line(tmp_path, "x = random.random(), rand()", "import random\nfrom numpy.random import rand"))
    assert before == (random.getstate(), repr(np.random.get_state()), sys.getprofile(), sys.gettrace(), gc.isenabled())
    assert checked(SYSTEMS["chat"]) == () and time.time() and open(__file__).close() is None
    assert checked(SYSTEMS["chat"]) == ()


def test_replies_may_be_given_and_a_plain_function_checked(tmp_path: Path) -> None:
    asked = list[Request]()

    def answer(request: Request, seed: int) -> str:
        random.random(), time.time(), open(__file__).close()  # what its author does is no fault of the system
        asked.append(request)
        return "no."

    mine = with_line(tmp_path, "assert reply.text == 'no.'").function
    assert check(mine, [PLAIN], answer=answer) == () and asked


def test_the_page_on_systems_says_what_runs(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "systems.md").read_text(encoding="utf-8").partition("## Your own\n")[2]
    own, its_test = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {"mine": written(tmp_path, own)}
    exec(compile(its_test.replace("from mine import mine\n", ""), "docs/systems.md", "exec"), names)
    names["test_mine_is_a_system"]()
    (found,) = checked(written(tmp_path, own.replace("    text =", "    now = time.time()\n    text ="), "import time"))
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
