"""Where a model is found: shipped and cached ones by name, a folder by its path, any other by its Hub id."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError, RepositoryNotFoundError

from groma.formats.errors import BadInput

SHIPPED: Mapping[str, str] = {"vale": "worlds/vale/checkpoints/m"}
"""The name of each shipped model and its folder inside the package."""

CACHED: Mapping[str, tuple[str, str]] = {
    f"vale-{size}": (f"vale-1/{size}", f"groma world build --size {size}") for size in ("xs", "s", "l")
}
"""Models that one command builds: their names, their folders in the cache, and the command. The folder's number
changes whenever the models of that name do.
"""

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_KINDS = ("*.json", "*.jinja", "*.txt", "*.model", "*.safetensors")


def cached(name: str) -> Path:
    """Where a model of CACHED lies once it was built: under $GROMA_CACHE, or `groma` in the user's cache folder."""
    base = os.environ.get("GROMA_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "groma"
    return Path(base).expanduser() / CACHED[name][0]


def resolve(name: str | Path, *, code: bool = False) -> Path:
    """The folder of the model `name`: a key of SHIPPED or of CACHED, a folder, or a Hub id (fetched once).

    code: fetch the repository's Python files as well. BadInput where there is no such model or no way to reach it.
    """
    text = str(name)
    if text in SHIPPED:
        folder = Path(str(files("groma"))) / SHIPPED[text]
        if not folder.is_dir():
            raise BadInput(
                f"the shipped model {text!r} is not in this installation",
                where=str(folder),
                expected="a complete package",
            )
        return folder
    if text in CACHED:
        if not cached(text).is_dir():
            raise BadInput(
                f"the model {text!r} was not built on this machine yet", expected=f"`{CACHED[text][1]}`, once"
            )
        return cached(text)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists():
        raise BadInput("a model is named by its folder, and this is a file", where=text, expected=_choices())
    if not _HUB_ID.fullmatch(text):
        raise BadInput(f"there is no model {text!r}", expected=_choices())
    return _fetch(text, code)


def _choices() -> str:
    named = ", ".join((*SHIPPED, *CACHED))
    return f"a model of groma ({named}), a folder with config.json and safetensors, or a Hub id such as Qwen/Qwen3-0.6B"


def _fetch(name: str, code: bool) -> Path:
    """The local snapshot of a Hub repository: only what is loaded, never a pickle."""
    try:
        kinds = [*_KINDS, "*.py"] if code else list(_KINDS)
        return Path(snapshot_download(name, allow_patterns=kinds, ignore_patterns=["*/*", "consolidated*"]))
    except GatedRepoError as error:
        raise BadInput(
            f"the Hub model {name!r} is gated", expected="its terms accepted on the Hub, and a login (`hf auth login`)"
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise BadInput(f"there is no folder and no public Hub model {name!r}", expected=_choices()) from error
    except (HfHubHTTPError, OSError, RuntimeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BadInput(
            f"the Hub model {name!r} is not on this machine, and the Hub cannot be reached ({reason})",
            expected="a network connection (and HF_HUB_OFFLINE unset) for the first use, or the path of a folder",
        ) from error
