"""What all tests share: one thread, the public data that may lie beside the repository, tiny random models."""

from __future__ import annotations

import os

# Before torch is imported by anyone: many small tests in two processes are slower with more threads than cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import settings

DATA = Path(__file__).parents[1] / ".." / "shared" / "data"

settings.register_profile("groma", deadline=None, max_examples=100, derandomize=True)
settings.load_profile("groma")


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """`shared_data("xstest")` is the public data of that name, file or folder; a test is skipped where it is absent."""

    def find(name: str) -> Path:
        path = DATA / name
        if not path.exists():
            pytest.skip(f"the public data {name!r} does not lie in {DATA.resolve()}")
        return path

    return find


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`tiny_model("qwen3")` is the folder of a tiny random model of that architecture, made once per arguments."""
    made: dict[tuple[object, ...], Path] = {}

    def make(architecture: str = "llama", **options: object) -> Path:
        key = (architecture, *sorted(options.items(), key=lambda item: item[0]))
        if key not in made:
            torch = import_module("torch")  # here, so that tests without a model run without torch
            torch.set_num_threads(1)
            folder = tmp_path_factory.mktemp(architecture)
            made[key] = import_module("groma.models.tiny").make_tiny(folder, architecture, **options)
        return made[key]

    return make
