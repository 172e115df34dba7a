"""The forward pass of the Llama family behind a cache, without what transformers does around it.

A step of a small model is mostly Python: a few dozen products, and around them output classes, hooks, masks, rotations
of halves and copies of repeated keys. Here are the products alone, with the network's own weights, which are read anew
for every `Lean`. It is equal to the network's forward pass up to rounding. `Lean.of` says None, and the plain forward
pass is taken, wherever something may have been put between: another class, a hook, an adapter, a quantised layer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, rms_norm, scaled_dot_product_attention, silu
from torch.nn.modules import module as modules
from transformers import (
    LlamaForCausalLM,
    MistralForCausalLM,
    PreTrainedModel,
    Qwen2ForCausalLM,
    Qwen3ForCausalLM,
)

from groma.models.cache import RowCache

FAMILY = (LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM)
ATTENTION = ("sdpa", "eager", "flash_attention_2")
"""Kinds of attention that compute the same; one that somebody registered may not."""
ROPES = ("default", "linear", "llama3")
"""Rotations that depend on nothing but the position; the others change with the length of the text."""

FUSED = 1 << 25
"""A layer's products of one input are made one product where all weights are at most so many bytes, as they are copied
for it: calls cost more than sums there."""

Product = tuple[Tensor, Tensor | None]


@dataclass(frozen=True, slots=True)
class _Layer:
    """Weights of a block. `norm`, `mlp_norm`: None where they are in the products behind them. `head_norms`: of queries
    and keys (Qwen3). `window`: how many places it sees (0: all).
    """

    norm: Tensor | None
    inputs: tuple[Product, ...]
    head_norms: tuple[Tensor, Tensor] | None
    out: Product
    mlp_norm: Tensor | None
    gates: tuple[Product, ...]
    down: Product
    window: int


class Lean:
    """Forward passes of `net`."""

    def __init__(self, net: PreTrainedModel) -> None:
        whole: Any = net
        config, inner = whole.config, whole.model
        self.heads, self.groups = config.num_key_value_heads, config.num_attention_heads // config.num_key_value_heads
        self.width = inner.layers[0].self_attn.head_dim
        self.scaling, self.eps = inner.layers[0].self_attn.scaling, config.rms_norm_eps
        self.embeddings, self.norm, self.head = inner.embed_tokens.weight, inner.norm.weight, _product(whole.lm_head)
        fused = sum(one.nbytes for one in net.parameters()) <= FUSED
        self.layers = [_layer(one, fused) for one in inner.layers]
        self.rotary = inner.rotary_emb
        self.least = torch.full((), self.eps, device=net.device)
        self._reach(64)

    @staticmethod
    def of(net: PreTrainedModel) -> Lean | None:
        """None where the network is not, to the last module, what `__init__` takes it for."""
        return Lean(net) if serves(net) else None

    def _reach(self, most: int) -> None:
        """Rotations of the positions below `most`: cosines, and sines with the sign that the halves have."""
        cos, sin = self.rotary(self.embeddings[:1], torch.arange(most, device=self.embeddings.device)[None])
        half = self.width // 2
        self.cos, self.sin = cos[0, :, None], torch.cat([-sin[0, :, None, :half], sin[0, :, None, half:]], -1)

    def states(
        self, ids: Tensor, positions: Tensor, valid: Tensor | None, cache: RowCache, *, ends: bool = False
    ) -> Tensor:
        """What the head gets of `ids` (rows, new), which go into the cache: (rows, new, width), or of their ends alone
        (rows, 1, width): then the last layer computes nothing but keys and values for the others.

        positions: of the ids, (rows, new) or (1, new). valid: which places of the cache, those of the ids included,
        hold a token, (rows, length); None: all.
        """
        rows, new = ids.shape
        length = cache.get_seq_length() + new
        if length > len(self.cos):  # no position is beyond the places that are held
            self._reach(2 * length)
        states = self.embeddings[ids]
        cos, sin = self.cos[positions], self.sin[positions]
        masks = {layer.window: _mask(valid, new, length, layer.window, states) for layer in self.layers}
        queries = self.heads * self.groups
        for number, layer in enumerate(self.layers):
            told = _products(self._normed(states, layer.norm), layer.inputs)
            told = told.view(rows, new, -1, self.width)
            turned, value = told[:, :, : queries + self.heads], told[:, :, queries + self.heads :]
            if layer.head_norms is not None:
                both = zip((turned[:, :, :queries], turned[:, :, queries:]), layer.head_norms, strict=True)
                turned = torch.cat([self._normed(one, norm) for one, norm in both], 2)
            turned = turned * cos + turned.roll(self.width // 2, -1) * sin
            keys, values = cache.rows[number].update(turned[:, :, queries:].transpose(1, 2), value.transpose(1, 2))
            asking, mask = turned[:, :, :queries], masks[layer.window]
            if ends and number == len(self.layers) - 1:
                states, asking, mask = states[:, -1:], asking[:, -1:], _mask(valid, 1, length, layer.window, states)
            seen = self._attend(asking, keys, values, *mask, layer.window)
            states = states + linear(seen, *layer.out)
            told = _products(self._normed(states, layer.mlp_norm), layer.gates)
            gate, up = told.chunk(2, -1)
            states = states + linear(silu(gate).mul_(up), *layer.down)
        return self._normed(states, self.norm)

    def _normed(self, states: Tensor, weight: Tensor | None) -> Tensor:
        if states.dtype != torch.float32:  # torch's own sums in float32
            return rms_norm(states, [states.shape[-1]], weight, self.eps)
        norm = torch.linalg.vector_norm(states, dim=-1, keepdim=True)
        unit = states * torch.addcmul(self.least, norm, norm, value=1 / states.shape[-1]).rsqrt_()
        return unit if weight is None else unit.mul_(weight)

    def logits(self, states: Tensor) -> Tensor:
        return linear(states, *self.head)

    def _attend(
        self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, causal: bool, window: int
    ) -> Tensor:
        """queries (rows, new, heads, width); the result is (rows, new, heads · width)."""
        rows, new = queries.shape[:2]
        if new > 1:
            grouped, turned = self.groups > 1, queries.transpose(1, 2)
            seen = scaled_dot_product_attention(
                turned, keys, values, attn_mask=mask, is_causal=causal, scale=self.scaling, enable_gqa=grouped
            )
            return seen.transpose(1, 2).reshape(rows, new, -1)
        # All heads that share keys ask at once, as if they were tokens.
        if window:
            keys, values = keys[:, :, -window:], values[:, :, -window:]
        turned = queries.view(rows, self.heads, self.groups, self.width)
        seen = scaled_dot_product_attention(turned, keys, values, attn_mask=mask, scale=self.scaling)
        return seen.reshape(rows, 1, -1)


def _mask(valid: Tensor | None, new: int, length: int, window: int, like: Tensor) -> tuple[Tensor | None, bool]:
    """What is added to the weights of attention (rows, 1, new, length), and whether instead of that they are causal."""
    if new == 1:
        told = valid[:, None, None] if valid is not None else None
        told = told[..., -window:] if window and told is not None else told
    elif valid is None and new == length and not 0 < window < length:
        return None, True
    else:
        place = torch.arange(length, device=like.device)
        back = place[-new:, None] - place
        told = (back >= 0) & (back < window) if window else back >= 0
        # A place of padding sees itself: where nothing is seen, nothing is a number.
        told = told[None, None] & valid[:, None, None] | (back == 0) if valid is not None else told[None, None]
    if told is None:
        return None, False
    return torch.zeros(told.shape, dtype=like.dtype, device=like.device).masked_fill_(~told, -torch.inf), False


def _layer(block: Any, fused: bool) -> _Layer:
    attention, mlp = block.self_attn, block.mlp
    join: Callable[..., tuple[Product, ...]] = _joined if fused else _apart
    norm, inputs = _norm_and(block.input_layernorm, join(attention.q_proj, attention.k_proj, attention.v_proj))
    mlp_norm, gates = _norm_and(block.post_attention_layernorm, join(mlp.gate_proj, mlp.up_proj))
    norms = (attention.q_norm.weight, attention.k_norm.weight) if hasattr(attention, "q_norm") else None
    return _Layer(
        norm, inputs, norms, _product(attention.o_proj), mlp_norm, gates, _product(mlp.down_proj), window_of(attention)
    )


def _norm_and(norm: Any, products: tuple[Product, ...]) -> tuple[Tensor | None, tuple[Product, ...]]:
    """A norm's weight and the products behind it; where those were joined, and so copied, they take it in."""
    if len(products) > 1:
        return norm.weight, products
    ((weight, bias),) = products
    return None, ((weight * norm.weight, bias),)


def window_of(attention: Any) -> int:
    """How many places a layer sees (0: all). Mistral's window is in the configuration, Qwen's beside it, where there
    is one.
    """
    shown = attention.sliding_window if hasattr(attention, "sliding_window") else None
    if shown is None and attention.config.model_type == "mistral":
        shown = attention.config.sliding_window
    return int(shown or 0)


def _product(module: Any) -> Product:
    return module.weight, module.bias


def _apart(*modules: Any) -> tuple[Product, ...]:
    return tuple(map(_product, modules))


def _joined(*modules: Any) -> tuple[Product, ...]:
    biases = [one.bias for one in modules if one.bias is not None]
    if len(biases) not in (0, len(modules)):
        return _apart(*modules)
    return ((torch.cat([one.weight for one in modules]), torch.cat(biases) if biases else None),)


def _products(states: Tensor, products: tuple[Product, ...]) -> Tensor:
    if len(products) == 1:
        return linear(states, *products[0])
    return torch.cat([linear(states, *one) for one in products], -1)


def serves(net: PreTrainedModel) -> bool:
    """Whether every module is one that such a network is made of, with nothing put before, behind or around it."""
    if not whole_family(net):
        return False
    whole: Any = net
    config, inner = whole.config, whole.model
    if config.hidden_act != "silu" or config.rope_parameters["rope_type"] not in ROPES:
        return False
    kinds = {nn.Linear, nn.Embedding, nn.ModuleList, nn.SiLU, type(net), type(inner), type(inner.norm)}
    kinds |= {type(inner.rotary_emb), type(inner.layers[0]), type(inner.layers[0].self_attn)}
    kinds |= {type(inner.layers[0].mlp), type(inner.layers[0].mlp.act_fn)}
    own = type(net).__module__
    for one in net.modules():
        known = type(one).__module__ in (own, "torch.nn.modules.container", "transformers.activations")
        if type(one) not in kinds or not (known or type(one) in (nn.Linear, nn.Embedding, nn.SiLU)):
            return False
        if dressed(one):
            return False
    return all(type(one) is nn.Parameter and one.device == net.device for one in net.parameters())


def whole_family(net: nn.Module, kinds: tuple[type[nn.Module], ...] = FAMILY) -> bool:
    """Whether `net` is one of the family that runs each of its blocks once, with an attention that is known, and no
    hooks are on all modules there are.
    """
    if type(net) not in kinds:
        return False
    whole: Any = net
    blocks = list(whole.model.layers)
    watched = (
        modules._global_forward_hooks,
        modules._global_forward_pre_hooks,
        modules._global_backward_hooks,
        modules._global_backward_pre_hooks,
    )
    return (
        whole.config._attn_implementation in ATTENTION
        and len(blocks) == len(set(blocks)) == whole.config.num_hidden_layers
        and not any(watched)
    )


def dressed(module: nn.Module) -> bool:
    """Whether calling `module` is more than its class's forward pass: hooks, another `forward`, dropout."""
    hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)
    return any(hooks) or "forward" in vars(module) or module.training
