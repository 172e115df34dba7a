"""The end of a forward pass: logits, log-probabilities and entropies of chosen positions, in bounded memory.

A language model's head is often its largest product (width times vocabulary), and most positions of a batch need none:
a prompt, padding. So the hidden states of the wanted positions alone are handed to the network's own head, with what it
does behind it (capping, scaling). Whether that holds for a network is tried once, against its plain forward pass.

Where the logits of all wanted positions would take more than a bound, they are made a slice at a time and made again
in the backward pass, slice by slice, at the price of one more forward product of the head. We differ from fused kernels
(Liger, Cut Cross-Entropy, arXiv 2411.09009): the head is the network's own, so nothing is to be written per family.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel

from groma.models import straight
from groma.models.branches import Branches

log = logging.getLogger(__name__)
_FAST: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()
_WARNED: WeakSet[nn.Module] = WeakSet()
BYTES, ENTROPY_BYTES = 12, 8
"""What one logit takes at its peak: float32 for itself, for its log-probability, and for the gradient; and what the
entropy takes beside that: probabilities, and their product with the log-probabilities."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a network tells of given tokens: log-probability in nats (tokens,), differentiable (once); whether each is
    the one that it holds likeliest (tokens,); and the entropy of what it expected instead (tokens,), in nats, where
    asked for.
    """

    logprobs_N: Tensor
    likeliest_N: Tensor
    entropy_N: Tensor | None = None


Reader = Callable[[Tensor], object]
"""Is handed the hidden states of the positions (positions, width) that the head gets, differentiable."""


def logits_at(net: nn.Module, rows: Tensor, columns: Tensor, also: Reader | None = None, **inputs: Any) -> Tensor:
    """The network's logits at the positions (rows[i], columns[i]) of a batch: (positions, vocabulary).

    also: who else reads the states behind them (a value head). ValueError for a network whose head cannot be told from
    the rest.
    """
    states = straight.states(net, rows, columns, inputs)
    if states is not None:
        if also is not None:
            also(states)
        return straight.logits(net, states)
    inputs = spelled(net, inputs)
    if _fast(net):
        return _gathered(net, rows, columns, inputs, also)
    if also is not None:
        raise ValueError(f"{_name(net)} has a head that cannot be told from the rest: nobody else can read its states")
    return net(**inputs).logits[rows, columns]


def tell(
    net: nn.Module,
    rows: Tensor,
    columns: Tensor,
    ids_N: Tensor,
    *,
    megabytes: float | None = None,
    entropy: bool = False,
    temperature: float = 1.0,
    also: Reader | None = None,
    **inputs: Any,
) -> Told:
    """What `net` tells of the tokens `ids_N` from the positions (rows[i], columns[i]) before them, all from one pass.

    megabytes: that logits and their gradients may take at a time, whatever their number; None: no bound.
    temperature: what logits are divided by first. also: as in `logits_at`.
    """
    most = _most(net, megabytes, BYTES + entropy * ENTROPY_BYTES)
    if len(ids_N) <= most or not _bounds(net):
        return _told(_cooled(logits_at(net, rows, columns, also, **inputs), temperature), ids_N, entropy)
    parts: list[Told] = []

    def slices(hidden_NH: Tensor, head: Callable[[Tensor], Tensor]) -> None:
        if also is not None:
            also(hidden_NH)
        for hidden, ids in zip(hidden_NH.split(most), ids_N.split(most), strict=True):
            # No random state to keep: dropout is off in scoring and in training.
            told = checkpoint(
                _slice, head, hidden, ids, entropy, temperature, use_reentrant=False, preserve_rng_state=False
            )
            parts.append(Told(*told))

    states = straight.states(net, rows, columns, inputs)
    if states is not None:
        slices(states, partial(straight.logits, net))
    else:
        _sliced(net, rows, columns, spelled(net, inputs), slices)
    entropies = [part.entropy_N for part in parts if part.entropy_N is not None]
    return Told(
        torch.cat([part.logprobs_N for part in parts]),
        torch.cat([part.likeliest_N for part in parts]),
        torch.cat(entropies) if entropies else None,
    )


def _told(logits_NV: Tensor, ids_N: Tensor, entropy: bool) -> Told:
    """Statistics of logits, in float32 whatever the arithmetic of the network."""
    if not entropy:
        return Told(*_Logprobs.apply(logits_NV, ids_N))
    logprobs_NV = logits_NV.float().log_softmax(-1)
    logprobs_N = logprobs_NV.gather(-1, ids_N[:, None])[:, 0]
    entropy_N = -(logprobs_NV.exp() * logprobs_NV).sum(-1)
    return Told(logprobs_N, logprobs_N.detach() == logprobs_NV.detach().amax(-1), entropy_N)


class _Logprobs(Function):
    """Log-probabilities of given tokens, and whether they are the likeliest. The automatic gradient goes through memory
    as large as the logits twice more often.
    """

    @staticmethod
    def forward(ctx: Any, logits_NV: Tensor, ids_N: Tensor) -> tuple[Tensor, Tensor]:
        logprobs_NV = logits_NV.log_softmax(-1, dtype=torch.float32)
        logprobs_N = logprobs_NV.gather(-1, ids_N[:, None])[:, 0]
        likeliest_N = logprobs_N == logprobs_NV.amax(-1)
        ctx.save_for_backward(logprobs_NV, ids_N)
        ctx.mark_non_differentiable(likeliest_N)
        ctx.dtype = logits_NV.dtype
        return logprobs_N, likeliest_N

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_N: Tensor, _: Tensor) -> tuple[Tensor, None]:
        logprobs_NV, ids_N = ctx.saved_tensors
        grad_NV = logprobs_NV.exp().mul_(-grad_N[:, None])
        grad_NV[torch.arange(len(ids_N), device=ids_N.device), ids_N] += grad_N
        return grad_NV.to(ctx.dtype), None


def _cooled(logits_NV: Tensor, temperature: float) -> Tensor:
    return logits_NV if temperature == 1.0 else logits_NV / temperature


def _slice(
    head: Callable[[Tensor], Tensor], hidden_NH: Tensor, ids_N: Tensor, entropy: bool, temperature: float
) -> tuple[Tensor, Tensor, Tensor | None]:
    told = _told(_cooled(head(hidden_NH), temperature), ids_N, entropy)
    return told.logprobs_N, told.likeliest_N, told.entropy_N


def _most(net: nn.Module, megabytes: float | None, each: int) -> float:
    """How many positions' logits fit into `megabytes`; at least one."""
    if megabytes is None:
        return float("inf")
    inner = whole(net)
    words = inner.config.get_text_config().vocab_size if inner is not None else None
    return max(int(megabytes * 2**20) // (each * words), 1) if words else float("inf")


def _bounds(net: nn.Module) -> bool:
    """Whether the head can be asked for a slice at a time; where it cannot, that is said once."""
    if not _fast(net) and net not in _WARNED:
        _WARNED.add(net)
        log.warning("%s has a head that cannot be called alone: the memory of its loss is not bounded", _name(net))
    return _fast(net)


def _fast(net: nn.Module) -> bool:
    if net not in _FAST:
        _FAST[net] = _head_is_last(net)
    return _FAST[net]


def whole(net: nn.Module) -> PreTrainedModel | None:
    """The network with its head, beneath whatever wraps it."""
    return next((one for one in net.modules() if isinstance(one, PreTrainedModel)), None)


def spelled(net: nn.Module, inputs: dict[str, Any]) -> dict[str, Any]:
    """Inputs as the network's own forward pass takes them: branches as masks."""
    given, inner = inputs.get("attention_mask"), whole(net)
    if not isinstance(given, Branches) or inner is None:
        return inputs
    return {**inputs, "attention_mask": given.masks(inner)}


def _name(net: nn.Module) -> str:
    inner = whole(net)
    return type(net if inner is None else inner).__name__


def _backbone(net: nn.Module) -> nn.Module | None:
    """The part of a network that makes hidden states (None: not told apart from its head)."""
    inner = whole(net)
    return None if inner is None or inner.base_model is inner else inner.base_model


def _gathered(
    net: nn.Module, rows: Tensor, columns: Tensor, inputs: dict[str, Any], also: Reader | None = None
) -> Tensor:
    """A forward pass in which the head gets the hidden states of the positions alone, as one row."""

    def pick(module: nn.Module, args: Any, output: Any) -> Any:
        hidden_NH = output["last_hidden_state"][rows, columns]
        if also is not None:
            also(hidden_NH)
        output["last_hidden_state"] = hidden_NH[None]
        return output

    backbone = _backbone(net)
    assert backbone is not None
    handle = backbone.register_forward_hook(pick)
    try:
        return net(**inputs).logits[0]
    finally:
        handle.remove()


def _sliced(
    net: nn.Module,
    rows: Tensor,
    columns: Tensor,
    inputs: dict[str, Any],
    use: Callable[[Tensor, Callable[[Tensor], Tensor]], None],
) -> None:
    """A forward pass in the midst of which `use` is given the positions' hidden states, and the head as a function.

    It stays one call of `net`, so that a wrapper that gathers or reduces weights around a call sees no more than one.
    """
    inner, backbone = whole(net), _backbone(net)
    assert inner is not None and backbone is not None

    def pick(module: nn.Module, args: Any, output: Any) -> Any:
        handle.remove()  # the head's calls below pass through here, too
        kind, hidden_NH = type(output), output["last_hidden_state"][rows, columns]

        def head(some_NH: Tensor) -> Tensor:
            """The network's forward pass with a backbone that says `some_NH` instead of computing."""
            backbone.forward = lambda *args, **kwargs: kind(last_hidden_state=some_NH[None])
            try:
                return inner.forward(input_ids=rows.new_zeros(1, len(some_NH)), use_cache=False).logits[0]
            finally:
                del backbone.forward

        use(hidden_NH, head)
        output["last_hidden_state"] = hidden_NH[None, :1].detach()  # what is left for the call's own head is not used
        return output

    handle = backbone.register_forward_hook(pick)
    try:
        net(**inputs)
    finally:
        handle.remove()


def _head_is_last(net: nn.Module) -> bool:
    """Whether `_gathered` and `_sliced` give the plain logits, on a few tokens, with dropout off."""
    if _backbone(net) is None:
        return False
    modes = {module: module.training for module in net.modules()}
    device = next(net.parameters()).device
    inputs = {"input_ids": torch.arange(12, device=device).reshape(2, 6)}
    rows, columns = torch.tensor([0, 1, 1], device=device), torch.tensor([4, 0, 3], device=device)
    net.eval()
    try:
        with torch.no_grad():
            plain, fast = net(**inputs).logits[rows, columns], _gathered(net, rows, columns, inputs)
            sliced: list[Tensor] = []
            _sliced(net, rows, columns, inputs, lambda hidden, head: sliced.append(head(hidden)))
    finally:
        for module, mode in modes.items():
            module.training = mode
    close = 1e-4 if plain.dtype in (torch.float32, torch.float64) else 5e-2
    return all(
        plain.shape == one.shape and torch.allclose(plain.float(), one.float(), atol=close, rtol=close)
        for one in (fast, *sliced)
    )
