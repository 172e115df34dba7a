"""Pre-training: whole documents in rows, the loss of next-token prediction, the same weights from the same seed."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from groma.formats.errors import BadConfig, BadInput
from groma.methods import pretrain
from groma.methods.digests import of_weights
from groma.studies import vale_base
from groma.worlds.vale.corpus import documents

RECIPE = vale_base.Recipe(size="xs", tokens=6000, seed=3)


@pytest.fixture(scope="module")
def model():
    return vale_base.untrained(RECIPE)


def test_rows_hold_whole_documents_in_their_order(model):
    rows = pretrain.pack(documents(3), model, 4000, 512)
    flat = list(itertools.chain.from_iterable(row.tolist() for row in rows))
    begin, end = model.tokenizer.bos_token_id, model.tokenizer.eos_token_id
    expected = list(
        itertools.chain.from_iterable(pretrain.ids_of(d, model) for d in itertools.islice(documents(3), 400))
    )
    assert flat == expected[: len(flat)]
    assert all(row[0] == begin and row[-1] == end and len(row) <= 512 for row in rows)
    assert 4000 <= len(flat) < 5024 and len(flat) / (512 * len(rows)) > 0.8


def test_a_document_longer_than_a_row_is_refused(model):
    with pytest.raises(BadInput, match="at most 8"):
        pretrain.pack(documents(3), model, 100, 8)


def test_the_loss_is_the_mean_over_next_tokens(model):
    rows = [np.array([1, 300, 301, 2]), np.array([1, 300, 2])]
    loss, count = pretrain._Rows(rows).sums(model.net, [0, 1])["loss"]
    by_hand = 0.0
    for row in rows:
        logs = torch.log_softmax(model.net(torch.tensor([row.tolist()])).logits[0].detach(), -1)
        by_hand -= sum(float(logs[at, row[at + 1]]) for at in range(len(row) - 1))
    assert count == 5 and loss.item() == pytest.approx(by_hand, rel=1e-5)


def test_two_builds_are_equal_and_learn():
    def build() -> tuple[str, list[float]]:
        model = vale_base.untrained(RECIPE)
        losses = [step.metrics["loss"] for step in vale_base.build(model, RECIPE)]
        return of_weights(model.net), losses

    (digest, losses), (again, _) = build(), build()
    assert digest == again
    assert (
        losses[0] == pytest.approx(math.log(len(vale_base.untrained(RECIPE).tokenizer)), rel=0.05)
        and losses[-1] < losses[0] - 0.25
    )


def test_unknown_sizes_are_refused_with_the_choices():
    with pytest.raises(BadConfig, match="xs, s, m, l"):
        vale_base.Recipe(size="huge")


@pytest.mark.parametrize(
    "option",
    [{"max_length": 64}, {"truncation": "error"}, {"evaluate_every": 5}, {"bucket": 8}, {"loss_megabytes": 4.0}],
)
def test_options_without_effect_are_refused(option):
    with pytest.raises(BadConfig, match="no effect"):
        pretrain.Config(**option)
