"""Who plays whom: `--player NAME=WHAT`, and what they may spend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from groma.formats.digest import digest, digest_files
from groma.formats.errors import BadConfig, Unservable
from groma.formats.requests import Generate, Request
from groma.models.engine import seat
from groma.models.load import check, digested, load
from groma.models.names import resolve
from groma.models.reward import RewardEngine, is_reward, load_reward
from groma.play import Budget, FakeEngine, PersonEngine, RemoteEngine, ReplayEngine, Seat, Server
from groma.play.person import of_person
from groma.play.remote import asked
from groma.systems.system import load_function

CHOICES = "a model, http://HOST:PORT/v1#MODEL, replay:LOG.jsonl, fake:TEXT, fake:FILE.py:FUNCTION, or person"


def named(given: Sequence[str], option: str, choices: str) -> dict[str, str]:
    """`NAME=WHAT` of each, by name. BadConfig for one without, and for a name given twice."""
    found: dict[str, str] = {}
    for one in given:
        name, sign, what = one.partition("=")
        if not (sign and name.strip() and what.strip()):
            raise BadConfig(f"--{option} {one}: give NAME=WHAT, where WHAT is {choices}")
        if name.strip() in found:
            raise BadConfig(f"--{option}: {name.strip()} is given twice; name each player once")
        found[name.strip()] = what.strip()
    return found


Kind = Literal["person", "server", "replay", "fake", "words", "model"]


def kind_of(what: str) -> Kind:
    """What kind of player is meant, by how it is written; "words": a fake that always says the same."""
    if what.startswith(("http://", "https://")):
        return "server"
    if what.startswith("fake:"):
        return "fake" if ".py:" in what else "words"
    return "replay" if what.startswith("replay:") else "person" if what == "person" else "model"


def only_speaks(what: str) -> bool:
    """Whether it answers in words alone, without scores."""
    return kind_of(what) in ("person", "server", "words")


def unservable(what: str, request: Request) -> str:
    """Why a player that the user wrote so cannot answer `request`; "" where it may."""
    kind = kind_of(what)
    try:
        if kind == "server":
            asked(_server(what).model, request, 0)
        elif kind == "person":
            of_person(request)
        elif kind == "words" and not isinstance(request, Generate):
            raise Unservable(f"a fake that only speaks answers Generate, not {type(request).__name__}")
    except Unservable as error:
        return str(error)
    return ""


def check_player(what: str) -> None:
    """Refuse what `player` would refuse at a glance, before anything is made."""
    kind = kind_of(what)
    if kind == "server":
        _server(what)
    elif kind == "replay":
        ReplayEngine.of_file(what.removeprefix("replay:"))
    elif kind in ("fake", "words"):
        _fake(what)
    elif kind == "model":
        check(what)


def player(what: str, trust_remote_code: bool = False) -> Seat:
    """Who plays, by what the user wrote. A model is loaded now."""
    kind = kind_of(what)
    if kind == "person":
        return Seat("person", digest("person"), PersonEngine(), ("a person at the terminal answered",))
    if kind == "server":
        server = _server(what)
        note = f"{server.model} was played by the server {server.base}: its weights are not known, only its name"
        return Seat(server.model, digest("server", server.base, server.model), RemoteEngine(server), (note,))
    if kind == "replay":
        file = Path(what.removeprefix("replay:"))
        return Seat(file.name, digest_files([file]), ReplayEngine.of_file(file), (f"{file.name} is replayed",))
    if kind in ("fake", "words"):
        return _fake(what)
    if is_reward(resolve(what)):
        model = load_reward(what)
        return Seat(model.name, model.digest, RewardEngine(model))
    return seat(load(what, trust_remote_code=trust_remote_code))


def identity_of(what: str) -> str:
    """What tells a player from another one, without loading it: of a model's folder its content."""
    return digest_files(digested(resolve(what))) if kind_of(what) == "model" else digest(what)


def players(given: Mapping[str, str], trust_remote_code: bool = False) -> dict[str, Seat]:
    """Every player's seat; what is named twice is loaded once, and shared."""
    seats = {what: player(what, trust_remote_code) for what in dict.fromkeys(given.values())}
    return {name: seats[what] for name, what in given.items()}


def budgets(given: Sequence[str], option: str) -> dict[str, Budget]:
    """`assistant=calls:100,tokens:20000,seconds:60` of each, by player."""
    return {name: _budget(name, text, option) for name, text in named(given, option, "calls:100,tokens:20000").items()}


def _budget(name: str, text: str, option: str) -> Budget:
    kinds = ("calls", "tokens", "seconds")
    limits: dict[str, Any] = {}
    for part in text.split(","):
        kind, _, number = part.strip().partition(":")
        try:
            if kind not in kinds or kind in limits:
                raise ValueError
            limits[kind] = float(number) if kind == "seconds" else int(number)
        except ValueError:
            what = f"--{option} {name}={text}: {part.strip()!r} is no limit; choose calls:N, tokens:N and seconds:S"
            raise BadConfig(what) from None
    return Budget(**limits)


def _server(what: str) -> Server:
    base, sign, model = what.partition("#")
    if not (sign and model):
        raise BadConfig(f"the server {what!r} is given without a model: write {base.rstrip('/')}#MODEL")
    return Server(base, model)


def _fake(what: str) -> Seat:
    """A function of the user's, `function(request, seed)`, or one that always says the same."""
    text = what.removeprefix("fake:")
    if ".py:" in text:
        function = load_function(text)
        file = text.rpartition(":")[0]
        return Seat(text, digest(digest_files([file]), function.__name__), FakeEngine(function), (f"{text} is a fake",))
    if not text.strip():
        raise BadConfig(f"a fake that says nothing; choose {CHOICES}")
    return Seat(f"“{text}”", digest("fake", text), FakeEngine(lambda request, seed: text), (f"“{text}” is a fake",))
