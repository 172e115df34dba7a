"""Reference log-probabilities: computed once, before anything is trained, and kept on disk by content.

They come from the network as it is, adapters of an earlier run folded in, with dropout off, in the type of arithmetic,
the batches, the padding and the sharing of prompts in which the first epoch will run, so that the loss of the first
step is ln 2 to the last bit. A file of the cache is known by the weights, the token rows (which hold what the
tokenizer, the longest length and the truncation made of the data), the batches and the arithmetic; before it is used,
its first batch is computed afresh.
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
from groma.methods import digests, training
from groma.methods.config import Config
from groma.methods.forward import pair_logprobs
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
    file = folder and folder / f"{_key(net, pairs, groups, config, shared)}.safetensors"
    cached = _read(file, len(pairs)) if file is not None else None
    if cached is not None:
        fresh, known = next(_scored(net, pairs, groups[:1], config, shared)), cached[list(groups[0])]
        if torch.allclose(fresh, known, rtol=TOLERANCE, atol=TOLERANCE):
            log.info("reference log-probabilities of %d pairs read from %s", len(pairs), file)
            return cached
        worst = (fresh - known).abs().max()
        log.warning("%s does not agree with the model (by up to %g nats): computed anew", file, worst)
    values = _computed(net, pairs, groups, config, shared)
    if file is not None:
        write_whole(file, save({"logprobs": values}))
    return values


def _key(net: nn.Module, pairs: Sequence[Pair], groups: Sequence[Sequence[int]], config: Config, shared: bool) -> str:
    rows = digests.of_arrays(array for pair in pairs for row in pair.rows for array in (row.ids, row.learned))
    order = [list(group) for group in groups]
    arithmetic = [str(training.arithmetic(net, config)), str(config.loss_megabytes), shared]
    return digest(digests.of_weights(net), rows, order, arithmetic)


def _computed(
    net: nn.Module, pairs: Sequence[Pair], groups: Sequence[Sequence[int]], config: Config, shared: bool
) -> Tensor:
    values = torch.full((len(pairs), 2), float("nan"))
    watched = told(groups, "reference log-probabilities, batches", log)
    for group, scored in zip(groups, _scored(net, pairs, watched, config, shared), strict=True):
        values[list(group)] = scored
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
