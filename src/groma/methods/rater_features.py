"""What a model of the raters sees of a reply: a few principal components of a language model's hidden states.

They are those behind the last layer at the token that ends the reply, where reward models are read, too: it has seen
prompt and reply. With 16 components of the shipped base's, choices of Vale's raters that were held out came out
likelier than with those of the mean over the reply's tokens in three draws of four; more was not tried.

Only what sets the replies to one prompt apart matters to a comparison, so that components are those of the gaps between
compared replies: each width of the states is scaled by its spread over the gaps (a few widths of large models are a
thousand times as large as the others), and each component, too, so that its gaps have the mean square 1 and one ridge
means the same for all. Features are clipped: a few replies far from all others spoil the likelihood of held-out
choices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from groma.formats.columns import Text
from groma.formats.errors import BadInput
from groma.methods.rater_labels import Floats, Whole
from groma.models.generate import batches
from groma.models.model import Model
from groma.models.scalar import states_at
from groma.models.shared import inputs, lay
from groma.models.template import completion_spans, text_spans

BATCH, FAINT, MOST = 64, 1e-8, 2.0
"""Replies at a time; the share of the largest component's mean square below which there is nothing but rounding; the
most that a feature may be from the mean of its prompt, in spreads of gaps.
"""


def states_of(
    model: Model, items: Sequence[tuple[Text, Text]], show: Callable[[int, int], None] = lambda done, of: None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Hidden states (I, width) of each (prompt, reply) behind the last layer, at the token that ends the reply; and
    which items (I,) fit into the context (zeros for the others). show: is told how many of them were read.
    """
    rows = [_row(model, *one) for one in items]
    fits = np.array([model.context is None or len(row) <= model.context for row in rows])
    places, done = np.flatnonzero(fits), 0
    found = np.zeros((len(rows), model.net.config.get_text_config().hidden_size), dtype=np.float32)
    for batch in batches([rows[place] for place in places], BATCH):
        some = places[batch]
        found[some] = _last_states(model, [rows[place] for place in some])
        done += len(some)
        show(done, len(places))
    return found, fits


def _row(model: Model, prompt: Text, reply: Text) -> list[int]:
    if isinstance(prompt, str) or isinstance(reply, str):
        return text_spans(model, str(prompt), str(reply))[0]
    return completion_spans(model, (*prompt, *reply), len(prompt))[0]


def _last_states(model: Model, rows: Sequence[list[int]]) -> NDArray[np.float32]:
    layout = lay([[np.array(row, dtype=np.int64)] for row in rows])
    places = torch.arange(len(rows)), torch.tensor([len(row) - 1 for row in rows])
    with torch.inference_mode():
        told = states_at(model.net, *(one.to(model.device) for one in places), **inputs(model.net, layout))
    return told.float().cpu().numpy()


def axes_of(states: NDArray[np.float32], first: Whole, second: Whole, dimensions: int) -> Floats:
    """The principal axes (W, D) of the gaps between the items `first` and `second` (M,) in `states` (I, W), scaled so
    that each component's gaps have the mean square 1; D is `dimensions`, or as many as the gaps span.

    Errors: BadInput where all gaps are 0.
    """
    gaps_MW = states[first].astype(np.float64) - states[second]
    spread_W = np.sqrt(np.mean(gaps_MW**2, axis=0))
    scale_W = np.divide(1.0, spread_W, out=np.zeros_like(spread_W), where=spread_W > FAINT * spread_W.max())
    scaled_MW = gaps_MW * scale_W
    wide = len(gaps_MW) < len(spread_W)
    square = scaled_MW @ scaled_MW.T if wide else scaled_MW.T @ scaled_MW
    size_K, vector_KK = np.linalg.eigh(square)
    if not size_K[-1] > 0:
        raise BadInput("the model's hidden states do not tell any two replies apart", expected="another --model")
    kept = np.flatnonzero(size_K > FAINT * size_K[-1])[::-1][:dimensions]
    # Of the smaller of the two products; X.T @ u / sqrt(size) is a unit vector.
    unit = scaled_MW.T @ vector_KK[:, kept] / np.sqrt(size_K[kept]) if wide else vector_KK[:, kept]
    return np.asarray(scale_W[:, None] * unit * np.sqrt(len(gaps_MW) / size_K[kept]), dtype=np.float64)


def features_of(states: NDArray[np.float32], prompt: Whole, axes: Floats) -> Floats:
    """Features (I, D) of all items: what sets each apart from the mean of its prompt's (I,), along the axes (W, D)."""
    along_ID = states.astype(np.float64) @ axes
    count_P = np.bincount(prompt)
    middle_PD = np.stack([np.bincount(prompt, weights=one) / count_P for one in along_ID.T], axis=1)
    return np.clip(along_ID - middle_PD[prompt], -MOST, MOST)
