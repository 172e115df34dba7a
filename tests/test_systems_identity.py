"""The identity of a system: its name, parameters and source; and systems loaded from a user's file."""

from __future__ import annotations

import functools
import sys
from pathlib import Path

import pytest

from groma.formats.errors import BadConfig, BadInput
from groma.formats.messages import Message
from groma.formats.requests import Reply
from groma.formats.task import Posed
from groma.systems import SYSTEMS, System, find, system, text

POSED = Posed((Message("user", "hello"),))
OWN = """
from groma.formats.messages import Message
from groma.formats.requests import Generate
from groma.formats.transcript import Transcript

def twice(posed, *, loud=False):
    reply = yield Generate(prompt=posed.messages)
    again = yield Generate(prompt=(*posed.messages, Message("assistant", reply.text), Message("user", "again")))
    return Transcript(posed.messages, again.text.upper() if loud else again.text)

NOT_A_FUNCTION = 3
"""


def asks(posed, *, times=1):
    yield


def other(posed, *, times=1):
    yield


def wraps(posed, *, inner, how):
    yield


def needs(posed, *, value):
    yield


@pytest.fixture
def own(tmp_path: Path) -> Path:
    file = tmp_path / "mine.py"
    file.write_text(OWN)
    return file


def test_parameters_are_the_defaults_and_what_was_given():
    chat = SYSTEMS["chat"].with_(max_tokens=40)
    assert chat.parameters == {"player": "assistant", "max_tokens": 40, "temperature": 1.0, "system_prompt": ""}
    assert next(chat(POSED)).max_tokens == 40 and next(SYSTEMS["chat"](POSED)).max_tokens == 256


def test_an_unknown_or_missing_parameter_is_refused_with_the_choices():
    with pytest.raises(BadConfig, match="'chat' has no parameter temprature; choose among player, max_tokens, temper"):
        SYSTEMS["chat"].with_(temprature=1.0)
    with pytest.raises(BadConfig, match="'needs' needs a value for value"):
        System("needs", needs)


def test_identity_is_of_name_function_and_parameters():
    digests = [
        System("a", asks).digest,
        System("b", asks).digest,
        System("a", other).digest,
        System("a", asks, {"times": 2}).digest,
        System("a", asks, {"times": 2.0}).digest,
    ]
    assert len(set(digests)) == 5
    assert System("a", asks, {"times": 1}).digest == System("a", asks).digest
    assert System("a", asks, {"times": 2}).with_(times=1) == System("a", asks)


def test_identity_of_a_wrapper_depends_on_the_system_and_function_that_it_wraps():
    wrapped = [
        System("w", wraps, {"inner": inner, "how": how}).digest
        for inner in (System("a", asks), System("a", asks, {"times": 2}))
        for how in (asks, other)
    ]
    assert len(set(wrapped)) == 4


def test_identity_depends_on_values_that_a_function_takes_from_around_it():
    def make(n):
        def closed(posed):
            yield n

        return System("closed", closed)

    assert make(1).digest != make(2).digest and make(1).digest == make(1).digest
    with pytest.raises(BadConfig, match="no identity"):
        make(object())


def test_identity_depends_on_shared_files_that_a_system_uses(monkeypatch, tmp_path):
    read = Path.read_text

    def edited(path: Path, **how: str) -> str:
        return read(path, **how) + ("# edited" if path == Path(text.__file__) else "")

    monkeypatch.setattr(system.Path, "read_text", edited)
    now = {name: System(name, one.function).digest for name, one in SYSTEMS.items()}
    same = {name: now[name] == one.digest for name, one in SYSTEMS.items()}
    assert {name for name, one in same.items() if not one} == {"trivial", "completion"}


def test_only_plain_functions_are_systems():
    with pytest.raises(BadConfig, match="partial; give a plain function"):
        System("p", functools.partial(asks, times=2))
    with pytest.raises(BadConfig, match="takes no argument"):
        System("p", make_nothing)
    with pytest.raises(BadConfig, match="cannot be read"):
        exec("def unread(posed):\n    yield", space := {"__name__": "unread"})
        System("p", space["unread"])


def make_nothing():
    yield


def test_a_users_own_system_plays_like_any_other(own):
    found = find(f"{own}:twice")
    assert found.name == "mine.twice" and found.parameters == {"loud": False}
    episode = found.with_(loud=True)(POSED)
    next(episode)
    episode.send(Reply(text="one"))
    with pytest.raises(StopIteration) as end:
        episode.send(Reply(text="two"))
    assert end.value.value.answer == "TWO"


def test_identity_of_a_users_own_system_is_its_text_not_its_place(own, tmp_path):
    before = find(f"{own}:twice").digest
    elsewhere = tmp_path / "other" / "mine.py"
    elsewhere.parent.mkdir()
    elsewhere.write_text(OWN)
    assert find(f"{elsewhere}:twice").digest == before
    own.write_text(OWN.replace('"again"', '"once more"'))
    assert find(f"{own}:twice").digest != before


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("{folder}/none.py:twice", "no such file"),
        ("{folder}/mine.py:thrice", "no function 'thrice'[^$]*one of twice"),
        ("{folder}/mine.py:NOT_A_FUNCTION", "no function 'NOT_A_FUNCTION'"),
        ("{folder}/broken.py:twice", "cannot be run: SyntaxError"),
        ("{folder}/undefined.py:twice", "cannot be run: NameError: name 'Nowhere'"),
    ],
)
def test_what_is_wrong_with_a_users_file_is_said(own, name, says):
    (own.parent / "broken.py").write_text("def twice(:")
    (own.parent / "undefined.py").write_text("def twice(posed: Nowhere): yield")
    with pytest.raises(BadInput, match=says):
        find(name.format(folder=own.parent))
    kept = {vars(module).get("__file__") for module in list(sys.modules.values())}
    assert str(own.parent / "broken.py") not in kept and str(own.parent / "undefined.py") not in kept
