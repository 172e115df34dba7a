"""From rows to log-probabilities of what is learned in them: one forward pass, the head on learned positions only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from groma.methods import batches
from groma.methods.tokens import Pair, Row
from groma.models.score import logits_at


@dataclass(frozen=True, slots=True)
class Learned:
    """All learned tokens of some rows, row after row: logits that tell them (tokens, vocabulary), their ids, rows."""

    logits_NV: Tensor
    ids_N: Tensor
    rows_N: Tensor

    def logprobs(self) -> Tensor:
        """Of each learned token (tokens,), in nats, differentiable."""
        return -functional.cross_entropy(self.logits_NV, self.ids_N, reduction="none")

    def likeliest(self) -> Tensor:
        """Whether each learned token (tokens,) is the one that the model holds likeliest."""
        return self.logits_NV.detach().argmax(-1) == self.ids_N


def learned(net: nn.Module, rows: Sequence[Row]) -> Learned:
    """The learned tokens of `rows` under `net`. Rows are padded on the right, which nothing looks at."""
    device = next(net.parameters()).device
    ids_RT, _ = batches.pad([row.ids for row in rows], device)
    wanted_RT, _ = batches.pad([row.learned for row in rows], device)
    rows_N, columns_N = wanted_RT.nonzero(as_tuple=True)
    # No attention mask: a real token never sees what pads its row on the right, and kernels are faster without.
    logits_NV = logits_at(net, rows_N, columns_N - 1, input_ids=ids_RT, use_cache=False)
    return Learned(logits_NV.float(), ids_RT[rows_N, columns_N], rows_N)


def pair_logprobs(net: nn.Module, pairs: Sequence[Pair]) -> Tensor:
    """Summed log-probabilities (pairs, 2) of the chosen and the rejected answers, all in one forward pass."""
    said = learned(net, [row for pair in pairs for row in pair.rows])
    logprobs_N = said.logprobs()
    return logprobs_N.new_zeros(2 * len(pairs)).index_add(0, said.rows_N, logprobs_N).view(-1, 2)
