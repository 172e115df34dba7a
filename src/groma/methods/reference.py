"""Reference log-probabilities: computed once, before anything is trained, and kept on disk by content.

They come from the network as it is, adapters of an earlier run folded in, with dropout off, in the type of arithmetic,
the batches, the padding and the sharing of prompts in which the first epoch will run, so that the loss of the first
step is ln 2 to the last bit. A file of the cache is known by the weights, the token rows (which hold what the
tokenizer, the longest length and the truncation made of the data), the batches and the arithmetic; before it is used,
its first batch is computed afresh. Several processes each compute a part; the first alone reads and writes the cache.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from groma.formats.digest import digest
from groma.formats.whole import write_whole
from groma.methods import digests, processes, training
from groma.methods.config import Config
from groma.methods.forward import pair_logprobs
from groma.methods.processes import Processes
from groma.methods.progress import told
from groma.methods.tokens import Pair

log = logging.getLogger(__name__)
TOLERANCE = 1e-3
"""Nats by which a cached value may differ from a fresh one, per answer, plus as much relative to its size."""


def logprobs(
    net: nn.Module,
    pairs: Sequence[Pair],
    groups: Sequence[Sequence[int]],
    config: Config,
    folder: Path | None = None,
    *,
    shared: bool = False,
) -> Tensor:
    """Log-probabilities (pairs, 2) of the chosen and the rejected answers under `net` as it is.

    groups: the microbatches in which they are computed; pairs that stand in none are left NaN. folder: of the cache.
    shared: whether what both sides begin with is read once, as it will be in training.
    """
    together = processes.here()
    cached = together.from_first(lambda: _cached(net, pairs, groups, config, folder, shared))
    if isinstance(cached, Tensor):
        return cached
    values = _computed(net, pairs, groups, config, shared, together)
    if cached is not None and together.first:
        write_whole(cached, save({"logprobs": values}))
    return values


def _cached(
    net: nn.Module,
    pairs: Sequence[Pair],
    groups: Sequence[Sequence[int]],
    config: Config,
    folder: Path | None,
    shared: bool,
) -> Tensor | Path | None:
    """The values that are kept in `folder`, or else the file to keep them in."""
    if folder is None:
        return None
    file = folder / f"{_key(net, pairs, groups, config, shared)}.safetensors"
    cached = _read(file, len(pairs))
    if cached is None:
        return file
    fresh, known = next(_scored(net, pairs, groups[:1], config, shared)), cached[list(groups[0])]
    if not torch.allclose(fresh, known, rtol=TOLERANCE, atol=TOLERANCE):
        worst = (fresh - known).abs().max()
        log.warning("%s does not agree with the model (by up to %g nats): computed anew", file, worst)
        return file
    log.info("reference log-probabilities of %d pairs read from %s", len(pairs), file)
    return cached


def _key(net: nn.Module, pairs: Sequence[Pair], groups: Sequence[Sequence[int]], config: Config, shared: bool) -> str:
    rows = digests.of_arrays(array for pair in pairs for row in pair.rows for array in (row.ids, row.learned))
    order = [list(group) for group in groups]
    arithmetic = [str(training.arithmetic(net, config)), str(config.loss_megabytes), shared]
    return digest(digests.of_weights(net), rows, order, arithmetic)


def _computed(
    net: nn.Module,
    pairs: Sequence[Pair],
    groups: Sequence[Sequence[int]],
    config: Config,
    shared: bool,
    together: Processes,
) -> Tensor:
    values = torch.zeros(len(pairs), 2)
    mine = groups[together.rank :: together.count]
    watched = told(mine, "reference log-probabilities, batches", log)
    for group, scored in zip(mine, _scored(net, pairs, watched, config, shared), strict=True):
        values[list(group)] = scored
    values = together.added(values)
    absent = sorted(set(range(len(pairs))) - {index for group in groups for index in group})
    values[absent] = float("nan")
    return values


def _scored(
    net: nn.Module, pairs: Sequence[Pair], groups: Iterable[Sequence[int]], config: Config, shared: bool
) -> Iterator[Tensor]:
    for group in groups:
        with torch.no_grad(), training.autocast(net, config):
            yield pair_logprobs(net, [pairs[index] for index in group], config, shared=shared).cpu()


def _read(file: Path, count: int) -> Tensor | None:
    """The cached values, or None where there are none that can be read."""
    if not file.exists():
        return None
    try:
        values = load_file(file)["logprobs"]
    except (SafetensorError, KeyError, OSError) as error:
        log.warning("%s cannot be read (%s): computed anew", file, error)
        return None
    return values if values.shape == (count, 2) else None
