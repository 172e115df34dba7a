"""The forward pass of the Llama family for learning and scoring, up to the hidden states that the head is asked for.

It is the network's own, up to rounding, with its weights, and takes less time for two reasons. Normalisation and
rotation have gradients written by hand: automatic ones go through memory more than twice as often, and on a processor
a small model spends as long on that as on its products. And behind the last attention only the wanted positions go on:
a prompt is read for its keys and values, nobody asks what its last layer thinks of it. Where a device has attention
for texts of unlike length, rows are packed, too (`packed`); where texts share rows, they are attended to one by one
(`branches`).

Products are the network's own modules, with whatever wraps them, adapters among it. `states` says None, and the plain
forward pass is to be taken, where something may have been put between the modules, where the weights are not float32 or
more, and within `plain`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn.functional import scaled_dot_product_attention
from transformers import (
    LlamaForSequenceClassification,
    MistralForSequenceClassification,
    Qwen2ForSequenceClassification,
    Qwen3ForSequenceClassification,
)

from groma.models import packed
from groma.models.branches import Branches, picked
from groma.models.lean import FAMILY, dressed, whole_family, window_of

log = logging.getLogger(__name__)
KINDS = (
    *FAMILY,
    LlamaForSequenceClassification,
    MistralForSequenceClassification,
    Qwen2ForSequenceClassification,
    Qwen3ForSequenceClassification,
)
"""Networks whose backbone is known, whatever reads its states."""


class _Normed(Function):
    """Root mean square normalisation (Zhang and Sennrich 2019) of states (..., width), by a weight (width,)."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, weight: Tensor, eps: float) -> Tensor:
        ctx.save_for_backward(states, weight)
        states = states.to(weight.dtype)  # half precision comes from mixed arithmetic, and sums are not left to it
        scale = _scale(states, eps)
        ctx.scale = scale
        return (states * scale).mul_(weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        states, weight = ctx.saved_tensors
        grad, scale = grad.to(weight.dtype), ctx.scale
        unit = states * scale
        each = grad * unit
        of_weight = each.flatten(0, -2).sum(0) if ctx.needs_input_grad[1] else None
        mean = (each @ weight).div_(states.shape[-1]).unsqueeze(-1)
        return (grad * weight).addcmul_(unit, mean, value=-1).mul_(scale), of_weight, None


def _scale(states: Tensor, eps: float) -> Tensor:
    norm = torch.linalg.vector_norm(states, dim=-1, keepdim=True)
    return norm.square_().div_(states.shape[-1]).add_(eps).rsqrt_()


class _Turned(Function):
    """Rotary embedding (Su et al. 2021) of queries or keys (rows, tokens, heads, width); the halves rotate.

    cos, sin: (rows or 1, tokens, 1, width); the first half of `sin` has its sign turned.
    """

    @staticmethod
    def forward(ctx: Any, told: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return (told * cos).addcmul_(told.roll(told.shape[-1] // 2, -1), sin)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        cos, sin = ctx.saved_tensors
        return (grad * cos).addcmul_(grad.roll(grad.shape[-1] // 2, -1), sin, value=-1), None, None


_PLAIN: ContextVar[bool] = ContextVar("plain", default=False)
_TOLD: WeakSet[nn.Module] = WeakSet()
_TRIED: WeakKeyDictionary[nn.Module, dict[torch.dtype, bool]] = WeakKeyDictionary()

Mask = tuple[Tensor | None, bool]
"""What attention may see: a mask (rows or 1, 1, tokens, tokens), or, where there is none, whether it is causal."""


@contextmanager
def plain() -> Iterator[None]:
    """Within it every network takes its own forward pass: what is compared to the last bit is to be computed alike."""
    before = _PLAIN.set(True)
    try:
        yield
    finally:
        _PLAIN.reset(before)


def states(net: nn.Module, rows: Tensor, columns: Tensor, inputs: dict[str, Any]) -> Tensor | None:
    """What the head of `net` gets at the positions (rows[i], columns[i]): (positions, width), differentiable."""
    if _PLAIN.get() or not _known(inputs):
        return None
    if not serves(net):
        if net not in _TOLD:
            _TOLD.add(net)
            log.info("%s takes its own forward pass: the one for learning does not know all of it", type(net).__name__)
        return None
    lone = inputs.get("attention_mask") is None and inputs.get("position_ids") is None  # each row one text, whole
    if not lone or not _packs(net):
        return _padded(net, rows, columns, inputs)
    return _packed(net, packed.pack(inputs["input_ids"], rows, columns))


def _padded(net: Any, rows: Tensor, columns: Tensor, inputs: dict[str, Any]) -> Tensor:
    """Over rows as they are given."""
    ids, positions = inputs["input_ids"], inputs.get("position_ids")
    if positions is None:
        positions = torch.arange(ids.shape[1], device=ids.device)[None]
    given = inputs.get("attention_mask")
    branches = given if given is not None and given.cheaper else None
    masks = _masks(net, given, ids.shape[1]) if branches is None else _masks(net, None, branches.apart_SL.shape[1])
    mask = dict(zip(net.model.layers, masks, strict=True))

    def attend(block: Any, *told: Tensor) -> Tensor:
        if branches is None:
            return _attended(block.self_attn, told, mask[block])
        apart = [picked(one, branches.apart_SL) for one in told]
        return picked(_attended(block.self_attn, apart, mask[block]), branches.together_RT)

    return _through(net, ids, positions, attend, (rows, columns))


def _packed(net: Any, texts: packed.Texts) -> Tensor:
    """Over texts without padding."""
    dtype = _arithmetic(net)

    def attend(block: Any, *told: Tensor) -> Tensor:
        window, scale = window_of(block.self_attn), block.self_attn.scaling
        query, key, value = (one[0] for one in told)
        return packed.attend(query, key, value, texts, window, scale, dtype)[None].flatten(2)

    return _through(net, texts.ids_1N, texts.positions_1N, attend, (torch.zeros_like(texts.asked), texts.asked))


def _through(
    net: Any, ids: Tensor, positions: Tensor, attend: Callable[..., Tensor], asked: tuple[Tensor, Tensor]
) -> Tensor:
    """The layers. attend: of a block, queries, keys and values (rows, tokens, heads, width) → what is seen (rows,
    tokens, heads · width).
    """
    inner = net.model
    stream = inner.embed_tokens(ids)
    cos, sin = (one[:, :, None] for one in inner.rotary_emb(stream, positions))
    half = cos.shape[-1] // 2
    turn = cos, torch.cat([-sin[..., :half], sin[..., half:]], -1)
    for block in inner.layers:
        seen = attend(block, *_heads(block.self_attn, _norm(block.input_layernorm, stream), turn))
        if block is inner.layers[-1]:
            seen, stream = seen[asked], stream[asked]
        stream = stream + block.self_attn.o_proj(seen)
        told = _norm(block.post_attention_layernorm, stream)
        stream = stream + block.mlp.down_proj(block.mlp.act_fn(block.mlp.gate_proj(told)) * block.mlp.up_proj(told))
    return _norm(inner.norm, stream)


def logits(net: nn.Module, states: Tensor) -> Tensor:
    """What the head of `net` makes of hidden states (positions, width)."""
    whole: Any = net
    made: Tensor = whole.lm_head(states[None])[0]
    return made


def serves(net: nn.Module) -> bool:
    """Whether the modules whose forward passes are gone round are the family's own, with nothing put around them."""
    if not whole_family(net, KINDS):
        return False
    whole: Any = net
    own, blocks = type(net).__module__, list(whole.model.layers)
    parts = [part for one in blocks for part in (one, one.self_attn, one.mlp, *_norms(one))]
    return whole.dtype in (torch.float32, torch.float64) and all(
        type(one).__module__ == own and not dressed(one) for one in (whole, whole.model, whole.model.norm, *parts)
    )


def _norms(block: Any) -> list[nn.Module]:
    heads = [block.self_attn.q_norm, block.self_attn.k_norm] if hasattr(block.self_attn, "q_norm") else []
    return [block.input_layernorm, block.post_attention_layernorm, *heads]


def _known(inputs: dict[str, Any]) -> bool:
    """Whether that is all: no cache, no mask by tokens."""
    mask = inputs.get("attention_mask")
    plain = {"input_ids", "position_ids", "attention_mask", "use_cache"} >= set(inputs) and not inputs.get("use_cache")
    return plain and (mask is None or isinstance(mask, Branches))


def _masks(whole: Any, given: Branches | None, tokens: int) -> list[Mask]:
    """Of each layer; as branches ask for, or causal, within the layer's window."""
    if given is not None:
        masks = given.masks(whole)
        kinds = getattr(whole.config, "layer_types", None) or [""] * len(whole.model.layers)
        return [(masks if isinstance(masks, Tensor) else masks[kind], False) for kind in kinds]
    windows = [window_of(block.self_attn) for block in whole.model.layers]
    place = torch.arange(tokens, device=whole.device)
    back = place[:, None] - place
    slid = {window: ((back >= 0) & (back < window))[None, None] for window in set(windows) if 0 < window < tokens}
    return [(slid[window], False) if window in slid else (None, True) for window in windows]


def _norm(module: Any, states: Tensor) -> Tensor:
    return _Normed.apply(states, module.weight, module.variance_epsilon)


def _heads(attention: Any, told: Tensor, turn: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values, turned to their positions."""
    query, key, value = (
        made(told).view(*told.shape[:2], -1, attention.head_dim)
        for made in (attention.q_proj, attention.k_proj, attention.v_proj)
    )
    if hasattr(attention, "q_norm"):
        query, key = _norm(attention.q_norm, query), _norm(attention.k_norm, key)
    return _Turned.apply(query, *turn), _Turned.apply(key, *turn), value


def _attended(attention: Any, told: Sequence[Tensor], mask: Mask) -> Tensor:
    query, key, value = told
    groups = attention.num_key_value_groups
    grouped = groups > 1 and (query.device.type == "cpu" or mask[0] is None)
    if groups > 1 and not grouped:  # the fast kernels of a GPU know no groups beside a mask
        key, value = key.repeat_interleave(groups, 2), value.repeat_interleave(groups, 2)
    query, key, value = (one.transpose(1, 2) for one in (query, key, value))
    seen = scaled_dot_product_attention(
        query, key, value, attn_mask=mask[0], is_causal=mask[1], scale=attention.scaling, enable_gqa=grouped
    )
    return seen.transpose(1, 2).flatten(2)


def _arithmetic(net: Any) -> torch.dtype:
    device = net.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else net.dtype


def _packs(net: Any) -> bool:
    """Whether rows are to be packed: where there is a kernel for it, and it was tried once against padded rows."""
    dtype = _arithmetic(net)
    if not packed.has_kernel(net.device, dtype) or torch.is_inference_mode_enabled():
        return False
    known = _TRIED.setdefault(net, {})
    if dtype not in known:
        why = _differs(net)
        if why:
            log.warning("%s reads rows with their padding, since packed ones %s", type(net).__name__, why)
        known[dtype] = not why
    return known[dtype]


def _differs(net: Any) -> str:
    """How packed rows differ from padded ones, or "" where they do not: tried forward and backward, on short texts and
    on one that is longer than a window, with a few of the weights.
    """
    longest = max(8, *(min(window_of(block.self_attn) + 3, 256) for block in net.model.layers))
    ids = torch.arange(2 * longest, device=net.device).view(2, -1) % net.config.vocab_size
    rows, columns = (torch.tensor(one, device=net.device) for one in ([0, 0, 1, 1], [1, 0, 3, longest - 1]))
    learns = [one for one in net.parameters() if one.requires_grad]
    learns = learns[:: len(learns) // 4 + 1]

    def tried(states: Callable[[], Tensor]) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            found = states().float()
            weighed = (found * torch.linspace(-1, 1, found.numel(), device=found.device).view_as(found)).sum()
        grads = torch.autograd.grad(weighed, learns, allow_unused=True) if learns else ()
        pairs = zip(learns, grads, strict=True)
        flat = [torch.zeros_like(to).flatten() if one is None else one.flatten() for to, one in pairs]
        return found.detach(), torch.cat([found.new_zeros(1), *flat])

    try:
        together = tried(lambda: _packed(net, packed.pack(ids, rows, columns)))
        apart = tried(lambda: _padded(net, rows, columns, {"input_ids": ids}))
        errors = [float((a - b).norm() / b.norm().clamp(min=1e-12)) for a, b in zip(together, apart, strict=True)]
    except (RuntimeError, ValueError, TypeError, AssertionError) as error:
        return f"fail ({type(error).__name__}: {error})"
    return "" if all(one <= 5e-2 for one in errors) else f"differ by {max(errors):.2g} of their size"
