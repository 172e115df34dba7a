"""A command that is stopped in the midst of its work, as Ctrl-C or a killed machine do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

AT_ONCE = "import groma.methods.keeping as k; k.EVERY_SECONDS = 0.0\nfrom groma.cli import main\nmain()"
"""The command line, whose training saves its state after every step."""


def stopped(arguments: list[str], state: Path, number: signal.Signals) -> str:
    """Start `groma ARGUMENTS`, stop it by a signal as soon as it saved its `state`, and return what it said."""
    child = subprocess.Popen([sys.executable, "-c", AT_ONCE, *arguments], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not state.exists() and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(child.pid, number)
    said = child.communicate()[1]
    assert child.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL), said
    assert state.exists()
    return said
