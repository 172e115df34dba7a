"""What stands beside every measured time: the machine, the versions, the command; how a command of ours is timed, and
how times are summed up.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median

from groma.formats.digest import digest
from groma.worlds.vale.frozen import DIGESTS

PACKAGES = ("groma", "torch", "transformers", "numpy")


def machine() -> dict[str, str | int | float]:
    """The processor, its cores, and how busy they were with other work when this was asked."""
    names = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else -1.0
    return {
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "cores": os.cpu_count() or 0,
        "system": platform.system(),
        "load": round(load, 2),
    }


def versions() -> dict[str, str]:
    """Of Python and the packages, of this repository, and of the built-in world, by the digest of all its digests."""
    about = {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
    return {**about, "revision": _revision(), "vale": digest(dict(DIGESTS))}


def _revision() -> str:
    """The commit that is checked out, with + where files differ from it."""
    asked = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    try:
        told = subprocess.run(asked, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "not noted"
    return told.stdout.strip()


def command() -> str:
    """How this process was started; of a path only its last part, which says what it was."""
    return " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *(Path(one).name for one in sys.argv[1:])])


def timed(*given: str) -> float:
    """Wall seconds of `groma` with these arguments, start of the interpreter included. What it says is not shown."""
    began = time.perf_counter()
    groma = str(Path(sys.executable).parent / "groma")
    subprocess.run([groma, *given], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def spread(values: Sequence[float]) -> dict[str, float | int]:
    return {"median": median(values), "low": min(values), "high": max(values), "n": len(values)}


def _lines(path: str) -> list[str]:
    file = Path(path)
    return file.read_text(errors="replace").splitlines() if file.is_file() else []
