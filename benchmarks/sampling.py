"""Sampling: queued prompts through a number of slots, beside transformers' `generate` in batches of as many.

    python benchmarks/sampling.py [--runs 5] [--rows 512] [--slots 64 256] [--parts random vale]

`random`: a Llama of 5.4 M random parameters, one thread; prompts of 24 to 64 tokens, replies of 16 to 96 (log-normal,
given as each row's `max_tokens`). `vale`: the default model on Vale's tasks, two threads; replies end where it ends
them. `generate` gets the same rows in their order, a batch at a time, padded on the left, and has to go on until the
longest reply of a batch has ended. Both draw from the whole distribution at temperature 1, in float32, and decode what
they drew. Counted are useful tokens: those up to the end of each reply.

The floor is a bare loop of the same run: a static cache, every slot busy at every step, prompts and replies of the mean
length, nothing that ends. Runs take turns (we, the peer, the floor); told is the median of the ratios of paired runs,
with the lowest and highest. Writes benchmarks/results/sampling.json.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from parts.machine import command, machine, spread, versions
from parts.speed_data import demonstrations, endless
from torch.nn.functional import linear, rms_norm, scaled_dot_product_attention, silu

from groma.models import Model, Row, load, render, sample
from groma.worlds.vale import VALE

RESULT = Path(__file__).parent / "results" / "sampling.json"
TARGETS = {"random": 1.4, "vale": 3.0}
THREADS = {"random": 1, "vale": 2}


@dataclass(frozen=True)
class Work:
    """Rows for a model. ends: whether a reply may end by itself. steps: how long replies are in the mean."""

    model: Model
    rows: Sequence[Row]
    ends: bool
    steps: int


def random_work(count: int) -> Work:
    rows = [
        Row(tuple(asked.tolist()), len(said), seed=number) for number, (asked, said) in enumerate(demonstrations(count))
    ]
    return Work(endless(), rows, False, round(float(np.mean([one.max_tokens for one in rows]))))


def vale_work(count: int) -> Work:
    model = load("vale", dtype="float32", device="cpu")
    kinds = [kind for kind in VALE.kinds if kind != "errand"]
    tasks = VALE.tasks(kinds, "held_out", count, 0)
    prompts = [tuple(render(model, one.posed.messages)) for one in tasks]
    rows = [Row(one, VALE.max_tokens, seed=number) for number, one in enumerate(prompts)]
    return Work(model, rows, True, round(float(np.mean([len(one.token_ids) for one in sample(model, rows)]))))


def ours(work: Work, slots: int) -> int:
    return sum(len(one.token_ids) for one in sample(work.model, work.rows, max_batch=slots))


def peers(work: Work, slots: int) -> int:
    """transformers' generate, batch after batch."""
    model, useful = work.model, 0
    for start in range(0, len(work.rows), slots):
        batch = work.rows[start : start + slots]
        width, longest = max(len(one.prompt_ids) for one in batch), max(one.max_tokens for one in batch)
        gaps = [width - len(one.prompt_ids) for one in batch]
        ids = torch.tensor([[model.pad_id] * gap + list(one.prompt_ids) for gap, one in zip(gaps, batch, strict=True)])
        mask = torch.tensor([[0] * gap + [1] * (width - gap) for gap in gaps])
        ends = {"eos_token_id": list(model.eos_ids)} if work.ends else {}
        told = model.net.generate(
            ids, attention_mask=mask, do_sample=True, temperature=1.0, top_k=0, top_p=1.0, max_new_tokens=longest,
            pad_token_id=model.pad_id, **ends,
        )[:, width:].tolist()  # fmt: skip
        texts = []
        for row, said in zip(batch, told, strict=True):
            end = next((place + 1 for place, token in enumerate(said) if token in model.eos_ids), len(said))
            texts.append(said[: min(end, row.max_tokens)])
        model.tokenizer.batch_decode(texts, skip_special_tokens=True)
        useful += sum(map(len, texts))
    return useful


def floor(work: Work, slots: int) -> int:
    """A bare Llama: one batch of prompts of the mean length, as many steps as a reply is long in the mean."""
    net, rows, steps = work.model.net, work.rows, work.steps
    prompt = round(float(np.mean([len(one.prompt_ids) for one in rows])))
    config, inner = net.config, net.model
    heads, groups, width = config.num_key_value_heads, config.num_attention_heads, inner.layers[0].self_attn.head_dim
    cache = torch.zeros(len(inner.layers), 2, slots, heads, prompt + steps, width)
    cos, sin = (one[0] for one in inner.rotary_emb(cache, torch.arange(prompt + steps)[None]))
    ids = torch.randint(2, config.vocab_size, (slots, prompt), generator=torch.Generator().manual_seed(0))
    uniforms = torch.rand(steps, slots, 1, generator=torch.Generator().manual_seed(1))
    groups //= heads

    def turned(states: torch.Tensor, at: slice) -> torch.Tensor:
        one, two = states.chunk(2, -1)
        return states * cos[at] + torch.cat([-two, one], -1) * sin[at]

    def forward(ids: torch.Tensor, at: slice) -> torch.Tensor:
        states, (count, new) = inner.embed_tokens.weight[ids], ids.shape
        for number, layer in enumerate(inner.layers):
            normed = rms_norm(states, states.shape[-1:], layer.input_layernorm.weight, config.rms_norm_eps)
            attention, mlp = layer.self_attn, layer.mlp
            products = (attention.q_proj, attention.k_proj, attention.v_proj)
            query, key, value = (
                linear(normed, one.weight).view(count, new, -1, width).transpose(1, 2) for one in products
            )
            cache[number, 0, :, :, at], cache[number, 1, :, :, at] = turned(key, at), value
            keys, values = cache[number, :, :, :, : at.stop]
            query = turned(query, at)
            if new == 1:
                query = query.reshape(count, heads, groups, width)
            seen = scaled_dot_product_attention(query, keys, values, is_causal=new > 1, enable_gqa=new > 1)
            seen = seen.reshape(count, 1, -1) if new == 1 else seen.transpose(1, 2).reshape(count, new, -1)
            states = states + linear(seen, attention.o_proj.weight)
            normed = rms_norm(states, states.shape[-1:], layer.post_attention_layernorm.weight, config.rms_norm_eps)
            gated = silu(linear(normed, mlp.gate_proj.weight)).mul_(linear(normed, mlp.up_proj.weight))
            states = states + linear(gated, mlp.down_proj.weight)
        states = rms_norm(states[:, -1], states.shape[-1:], inner.norm.weight, config.rms_norm_eps)
        return linear(states, net.lm_head.weight)

    with torch.inference_mode():
        each = max(512 // prompt, 1)
        whole = cache
        parts = []
        for start in range(0, slots, each):
            cache = whole[:, :, start : start + each]
            parts.append(forward(ids[start : start + each], slice(0, prompt)))
        cache, logits = whole, torch.cat(parts)
        for step in range(steps):
            mass = logits.softmax(-1).cumsum(-1)
            tokens = torch.searchsorted(mass, uniforms[step] * mass[:, -1:], right=True)
            logits = forward(tokens.clamp(max=config.vocab_size - 1), slice(prompt + step, prompt + step + 1))
    return slots * steps


def rate(way: Callable[[Work, int], int], work: Work, slots: int) -> float:
    began = time.perf_counter()
    return way(work, slots) / (time.perf_counter() - began)


def compared(work: Work, slots: int, runs: int) -> dict[str, Any]:
    """Useful tokens a second, each way in turn; the first, unmeasured turn warms up."""
    ways = {"groma": ours, "generate": peers, "floor": floor}
    turns = [{name: rate(way, work, slots) for name, way in ways.items()} for _ in range(runs + 1)][1:]
    return {
        "slots": slots,
        **{name: spread([one[name] for one in turns]) for name in ways},
        "ratio": spread([one["groma"] / one["generate"] for one in turns]),
        "of_floor": spread([one["groma"] / one["floor"] for one in turns]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rows", type=int, default=512)
    parser.add_argument("--slots", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--parts", nargs="+", choices=list(TARGETS), default=list(TARGETS))
    given = parser.parse_args()
    figures = []
    for part in given.parts:
        torch.set_num_threads(THREADS[part])
        work = (random_work if part == "random" else vale_work)(given.rows)
        for slots in given.slots:
            found = {"part": part, "threads": THREADS[part], "target": TARGETS[part], "rows": given.rows}
            figures.append({**found, **compared(work, slots, given.runs)})
            told = figures[-1]
            low, middle, high = (told["ratio"][one] for one in ("low", "median", "high"))
            print(
                f"{part:<7} {slots:>4} slots: {told['groma']['median']:7.0f} tokens/s, {middle:.2f} of generate"
                f" ({low:.2f} to {high:.2f}; target {TARGETS[part]}), {told['of_floor']['median']:.2f} of the floor",
                flush=True,
            )
    about = {"command": command(), "machine": machine(), "versions": versions(), "dtype": "float32"}
    RESULT.write_text(json.dumps({**about, "figures": figures}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
