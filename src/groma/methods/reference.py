"""Reference log-probabilities: computed once, before anything is trained, and kept on disk by content.

They come from the network as it is, adapters of an earlier run folded in, with dropout off, in the type of arithmetic,
the batches, the padding and the sharing of prompts in which the first epoch will run, so that the loss of the first
step is ln 2 to the last bit. The cache knows a pair by its token rows (which are what the tokenizer, the longest length
and the truncation made of it), under the weights, their configuration, the attention, the arithmetic and the sharing:
with another seed or more data, only batches in which a pair is new are computed, and what another batch gave is the
same up to rounding. What one run computed is one file. Before files are believed, their digests are checked, and the
first batch that they hold is computed afresh. Several processes each compute a part; the first alone reads and writes.

What is called a pair here may also be a single row (KTO): whatever has rows that are scored together.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from groma.formats.digest import digest
from groma.formats.whole import write_whole
from groma.methods import digests, processes, training
from groma.methods.config import Config
from groma.methods.forward import Rows, pair_logprobs
from groma.methods.processes import Processes
from groma.methods.progress import told
from groma.models.head import whole

log = logging.getLogger(__name__)
TOLERANCE = 1e-3
"""Nats by which a cached value may differ from a fresh one, per answer, plus as much relative to its size."""


def logprobs(
    net: nn.Module,
    pairs: Sequence[Rows],
    groups: Sequence[Sequence[int]],
    config: Config,
    folder: Path | None = None,
    *,
    shared: bool = False,
) -> Tensor:
    """Log-probabilities (pairs, 2) of the chosen and the rejected answers under `net` as it is; (rows, 1) of rows.

    groups: the microbatches in which they are computed; pairs that stand in none are left NaN. folder: of the cache.
    shared: whether what both sides begin with is read once, as it will be in training.
    """
    together, key = processes.here(), _key(net, config, shared) if folder is not None else ""
    known = together.from_first(lambda: _cached(net, pairs, groups, config, folder, key, shared))
    missing = [group for group in groups if known[list(group)].isnan().any()]
    if missing:
        fresh = _computed(net, pairs, missing, config, shared, together)
        known = torch.where(known.isnan(), fresh, known)
    known[sorted(set(range(len(pairs))) - {index for group in groups for index in group})] = math.nan
    if missing and folder is not None and together.first and not known[groups[0][0]].isnan().any():
        new = [index for group in missing for index in group]
        _write(folder, key, [pairs[index] for index in new], known[new])
    return known


def _cached(
    net: nn.Module,
    pairs: Sequence[Rows],
    groups: Sequence[Sequence[int]],
    config: Config,
    folder: Path | None,
    key: str,
    shared: bool,
) -> Tensor:
    """The values that are kept in `folder`, (pairs, 2); NaN where none is. Files that are not to be believed go."""
    found = torch.full((len(pairs), len(pairs[0].rows)), math.nan)
    if folder is None:
        return found
    files = sorted(folder.glob(f"{key}.*.safetensors"))
    kept = {name: value for file in files for name, value in _read(file).items()}
    found = torch.stack([kept.get(_name(pair), found[0]) for pair in pairs])
    held = next((list(group) for group in groups if not found[list(group)].isnan().any()), None)
    if held is None:
        return torch.full_like(found, math.nan)
    fresh = next(_scored(net, pairs, [held], config, shared))
    if not torch.allclose(fresh, found[held], rtol=TOLERANCE, atol=TOLERANCE):
        worst = (fresh - found[held]).abs().max()
        log.warning("%s does not agree with the model (by up to %g nats): computed anew", folder / key, worst)
        for file in files:
            file.unlink(missing_ok=True)
        return torch.full_like(found, math.nan)
    what = "pairs" if found.shape[1] > 1 else "rows"
    log.info("reference log-probabilities of %d %s read from %s", int((~found.isnan()).all(1).sum()), what, folder)
    return found


def _key(net: nn.Module, config: Config, shared: bool) -> str:
    """What values depend on beside the pair, but for the versions of libraries."""
    inner = whole(net)
    about = (inner.config.to_json_string(), inner.config._attn_implementation) if inner is not None else ()
    arithmetic = [str(training.arithmetic(net, config)), shared, processes.here().shards]
    return digest(digests.of_weights(net), *about, arithmetic)


def _name(pair: Rows) -> bytes:
    """By what a pair is found: a digest of its rows."""
    return bytes.fromhex(digests.of_arrays(array for row in pair.rows for array in (row.ids, row.learned)))


def _computed(
    net: nn.Module,
    pairs: Sequence[Rows],
    groups: Sequence[Sequence[int]],
    config: Config,
    shared: bool,
    together: Processes,
) -> Tensor:
    values = torch.zeros(len(pairs), len(pairs[0].rows))
    mine = groups[together.rank :: together.count]
    watched = told(mine, "reference log-probabilities, batches", log)
    for group, scored in zip(mine, _scored(net, pairs, watched, config, shared), strict=True):
        values[list(group)] = scored
    return together.added(values)


def _scored(
    net: nn.Module, pairs: Sequence[Rows], groups: Iterable[Sequence[int]], config: Config, shared: bool
) -> Iterator[Tensor]:
    for group in groups:
        with torch.no_grad(), training.autocast(net, config):
            yield pair_logprobs(net, [pairs[index] for index in group], config, shared=shared).cpu()


def _read(file: Path) -> dict[bytes, Tensor]:
    """The cached values by pair; none where there is no file that can be read."""
    if not file.exists():
        return {}
    try:
        held = load_file(file)
        names, values = held["pairs"].numpy(), held["logprobs"]
        if values.ndim != 2 or len(values) != len(names) or held["digest"].tolist() != _digest(names, values):
            raise ValueError("its values are not those that were written")
    except (SafetensorError, KeyError, OSError, ValueError) as error:
        log.warning("%s cannot be read (%s): computed anew", file, error)
        return {}
    return {name.tobytes(): value for name, value in zip(names, values, strict=True)}


def _write(folder: Path, key: str, pairs: Sequence[Rows], values: Tensor) -> None:
    """A file of these pairs."""
    names = np.frombuffer(b"".join(map(_name, pairs)), dtype=np.uint8).reshape(len(pairs), -1).copy()
    told = _digest(names, values)
    held = {"pairs": torch.from_numpy(names), "logprobs": values, "digest": torch.tensor(told, dtype=torch.uint8)}
    write_whole(folder / f"{key}.{bytes(told).hex()}.safetensors", save(held))


def _digest(names: NDArray[np.uint8], values: Tensor) -> list[int]:
    return list(bytes.fromhex(digests.of_arrays([names, values.numpy()])))
