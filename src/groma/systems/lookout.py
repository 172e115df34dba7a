"""A lookout: sees what a step of a system does besides asking, and on which line of whose source.

    with Lookout() as look:
        episode.send(reply)
    look.found

Calls of built-in functions are seen by a profile function, and what the interpreter audits (files, sockets, processes,
frames, the garbage collector) by an audit hook. What happens while a module is imported is the import's, and passed
over. Not seen: a built-in function that is called by another (`map(time.time, ...)`, `functools.partial(time.time)()`)
or by a class (`numpy.datetime64("now")`), though what the system then asks may differ by it; what other threads do
(that one is started is seen), and what depends on the hash of a text, which only another process has otherwise
(`rehashed.py`).
"""

from __future__ import annotations

import _thread
import builtins
import datetime
import os
import random
import sys
import sysconfig
import time
import uuid
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple, Self

RANDOMNESS, CLOCK, OUTSIDE, REACH, CODE = "randomness", "clock", "outside", "reach", "code"


class Sight(NamedTuple):
    """What was seen, and in which line of which file."""

    kind: str
    what: str
    file: str
    line: int


_CLOCKS = ("time", "monotonic", "perf_counter", "process_time", "thread_time", "clock_gettime")
_TIMES = (*_CLOCKS, *(f"{name}_ns" for name in _CLOCKS), "sleep", "localtime", "gmtime", "ctime", "asctime", "strftime")
_BUILT_IN: Mapping[object, tuple[str, str]] = {
    getattr(module, name): (kind, f"{module.__name__.lstrip('_')}.{name}")
    for kind, module, names in (
        (CLOCK, time, _TIMES),
        (CLOCK, datetime.datetime, ("now", "utcnow", "today")),
        (CLOCK, datetime.date, ("today",)),
        (CLOCK, os, ("times",)),
        (RANDOMNESS, os, ("urandom", "getrandom")),
        (OUTSIDE, os, ("stat", "lstat", "access", "getcwd", "getpid")),
        (OUTSIDE, builtins, ("print",)),
        (OUTSIDE, _thread, ("start_new_thread",)),
    )
    for name in names
    if hasattr(module, name)
} | {getattr(uuid, "_generate_time_safe", None): (CLOCK, "uuid.uuid1")}
"""Built-in functions that no audit event tells of."""

_AUDITED: Mapping[str, str] = {
    **dict.fromkeys(("socket", "urllib", "http", "ftplib", "smtplib", "poplib", "imaplib", "webbrowser"), OUTSIDE),
    **dict.fromkeys(("subprocess", "os", "pty", "shutil", "tempfile", "glob", "open", "mmap", "sqlite3"), OUTSIDE),
    **dict.fromkeys(("builtins.input", "builtins.breakpoint", "signal", "fcntl", "syslog"), OUTSIDE),
    **dict.fromkeys(("gc", "ctypes", "sys._getframe", "sys._current_frames", "sys._current_exceptions"), REACH),
    **dict.fromkeys(("sys.setprofile", "sys.settrace", "sys.addaudithook", "sys.monitoring.register_callback"), REACH),
    **dict.fromkeys(("exec", "compile", "marshal", "pickle"), CODE),
}
"""Audit events, by their name or by what stands before its first stop."""

_FRAMES = ("tb_frame", "gi_frame", "cr_frame", "ag_frame")
_USUAL = ("sys._getframe", "sys._getframemodulename", "exec", "compile", *_FRAMES)
"""What the standard library does for itself (`namedtuple`, `ast.literal_eval`), by which a system sees nothing."""

_KNOWING = ("groma.worlds.", "groma.suites.")
"""Modules that know what is true of tasks."""

_LOOKING: ContextVar[Lookout | None] = ContextVar("looking", default=None)
_STANDARD, _INSTALLED = (
    tuple({str(Path(sysconfig.get_path(name))) for name in names})
    for names in (("stdlib", "platstdlib"), ("purelib", "platlib"))
)
_OURS = str(Path(__file__).parents[1])


class Lookout:
    """Looks while its `with` block runs, in this thread alone. `found` is what it saw, in order."""

    def __init__(self) -> None:
        self.found: list[Sight] = []
        self._base: FrameType | None = None
        self._before: tuple[Any, Token[Lookout | None]] | None = None

    def __enter__(self) -> Self:
        _listen()
        self._base = sys._getframe(1)
        profile = sys.getprofile()
        sys.setprofile(self._called)
        self._before = profile, _LOOKING.set(self)
        return self

    def __exit__(self, *raised: object) -> None:
        assert self._before is not None
        profile, token = self._before
        _LOOKING.reset(token)
        sys.setprofile(profile)
        self._base = self._before = None

    def _called(self, frame: FrameType, event: str, called: Any) -> None:
        if event == "c_call":
            if (known := _BUILT_IN.get(called) or _seeding(called) or _inherited(called)) is not None:
                self.note(frame, *known)
        elif event == "call" and (seen := _entered(frame)) is not None and frame.f_back is not None:
            self.note(frame.f_back, *seen)

    def note(self, frame: FrameType, kind: str, what: str) -> None:
        """Note it, at the innermost line that is not of a library."""
        lines = list[tuple[str, int]]()
        one: FrameType | None = frame
        while one is not None and one is not self._base:
            lines.append((one.f_code.co_filename, one.f_lineno))
            one = one.f_back
        if not lines or any(file.startswith("<frozen importlib") for file, _ in lines):
            return
        innermost = lines[0][0]
        if what in _USUAL and _is_standard(innermost) and not _shows_frames(innermost):
            return
        file, line = next((place for place in lines if not is_library(place[0])), lines[-1])
        self.found.append(Sight(kind, what, file, line))


def _seeding(called: Any) -> tuple[str, str] | None:
    """What is to be said of a built-in method: a generator of torch's that seeds itself from the operating system."""
    if getattr(called, "__name__", "") != "seed" or not type(called.__self__).__module__.startswith("torch"):
        return None
    return RANDOMNESS, "a generator seeded by the operating system"


def _inherited(called: Any) -> tuple[str, str] | None:
    """What is to be said of a method of a class: one that reads the clock, which a class of the system's inherits."""
    name, whose = getattr(called, "__name__", ""), getattr(called, "__self__", None)
    if name not in ("now", "utcnow", "today") or not (isinstance(whose, type) and issubclass(whose, datetime.date)):
        return None
    return CLOCK, f"{whose.__name__}.{name}"


def _entered(frame: FrameType) -> tuple[str, str] | None:
    """What is to be said of a Python function that begins: seeding without a seed, and the world's own functions."""
    module = frame.f_globals.get("__name__", "")
    if module == random.__name__ and frame.f_code is random.Random.seed.__code__:
        return None if frame.f_locals.get("a") is not None else (RANDOMNESS, "a generator without a seed")
    if module == os.__name__ and frame.f_locals.get("self") is os.environ:
        return OUTSIDE, "os.environ"
    if isinstance(module, str) and module.startswith(_KNOWING) and frame.f_back is not None:
        before = frame.f_back.f_globals.get("__name__", "")
        return None if before.startswith(_KNOWING) else (REACH, f"a call into {module}")
    return None


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    """The audit hook. It hears every thread of the process, and of every other thread `_LOOKING` is empty."""
    look = _LOOKING.get()
    if look is None:
        return
    if event == "object.__getattr__":
        what, kind = str(arguments[1]), REACH if arguments[1] in _FRAMES else None
    else:
        what, kind = event, _AUDITED.get(event) or _AUDITED.get(event.partition(".")[0])
    if kind is None:
        return
    token = _LOOKING.set(None)  # to look at a frame is audited, too
    try:
        look.note(sys._getframe(1), kind, what)
    finally:
        _LOOKING.reset(token)


@cache
def _listen() -> None:
    """An audit hook stays for as long as the process does, so there is one, which hears nothing while nobody looks."""
    sys.addaudithook(_heard)


@cache
def is_library(file: str) -> bool:
    """Whether a file is of the standard library or an installed package (this one is none)."""
    return _is_standard(file) or (file.startswith(_INSTALLED) and not file.startswith(_OURS))


def _shows_frames(file: str) -> bool:
    """Whether a file of the standard library hands on the frames that it looks at, or what stands in them."""
    return Path(file).stem in ("inspect", "traceback") or Path(file).parent.name == "logging"


def _is_standard(file: str) -> bool:
    installed = file.startswith(_INSTALLED) or "site-packages" in file
    return file.startswith(("<frozen ", "<__array_function__")) or (file.startswith(_STANDARD) and not installed)


class LineByLine:
    """Finds the line that changes something: `look` says what must not change, and is asked after every line.

    changed: what of it was changed, and where first.
    """

    def __init__(self, look: Callable[[], Mapping[str, object]]) -> None:
        self.changed: dict[str, tuple[str, int] | None] = {}
        self._look = look
        self._base: FrameType | None = None
        self._at: tuple[str, int] | None = None
        self._seen: Mapping[str, object] = {}

    def __enter__(self) -> Self:
        self._base, self._before, self._seen = sys._getframe(1), sys.gettrace(), self._look()
        sys.settrace(self._called)
        return self

    def __exit__(self, *raised: object) -> None:
        sys.settrace(self._before)
        self._compare()
        self._base = None

    def _called(self, frame: FrameType, event: str, value: Any) -> Any:
        return None if is_library(frame.f_code.co_filename) else self._passed

    def _passed(self, frame: FrameType, event: str, value: Any) -> Any:
        self._compare()
        one = frame.f_back if event == "return" else frame
        if one is not None and one is not self._base:
            self._at = (one.f_code.co_filename, one.f_lineno)
        return self._passed

    def _compare(self) -> None:
        now = self._look()
        for name in self._seen:
            if now.get(name) != self._seen[name]:
                self.changed.setdefault(name, self._at)
        self._seen = now
