"""Suites from the Hugging Face Hub: the one module that imports `datasets`.

It takes seconds to import, so no module of this folder imports it: who wants the Hub hands `hub.rows` to `suites.find`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from datasets import load_dataset
from datasets.exceptions import DatasetNotFoundError

from groma.formats.errors import BadInput


def rows(repository: str, configuration: str | None, split: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The rows of a data set of the Hub, numbered from 1. No code of the data set is run.

    Raises BadInput where there is no such data set, configuration or split, or where the Hub cannot be reached.
    """
    try:
        loaded = load_dataset(repository, name=configuration, split=split)
    except (DatasetNotFoundError, ValueError, ConnectionError) as trouble:
        first = (str(trouble).splitlines() or [""])[0]
        expected = "a data set that can be reached, or its files: --data PATH"
        raise BadInput(f"not loaded from the Hub: {first}", where=repository, expected=expected) from trouble
    yield from enumerate(loaded, 1)
