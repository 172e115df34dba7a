"""One side of benchmarks/training.py in a process of its own: trains, and prints its time and its peak memory as JSON.

    python benchmarks/parts/training_worker.py SIDE MODEL_FOLDER BATCHES THREADS

Sides: see SIDES. Every side reads the same model and data in batches of 16, at a constant step size, in float32, with
no checkpointing of activations, nothing saved and nothing reported. A short run of the same side goes before the one
that is timed.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from parts.speed_data import BATCH, demonstrations, text, tokenizer
from parts.worker import RATE, Clock, Side, Timed, pairs, plain, tell
from torch.nn import functional
from transformers import LlamaForCausalLM
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

from groma.formats.examples import Demonstration, Preference
from groma.formats.messages import Message
from groma.methods import dpo, sft
from groma.models.load import load

PACKED = 112
"""Tokens of a row of the bare loop."""


def examples(count: int) -> list[tuple[str, str]]:
    return [(text(asked), text(said)) for asked, said in demonstrations(count)]


def ours_sft(folder: Path, batches: int, **options: Any) -> Timed:
    data = [
        Demonstration((Message("user", asked),), (Message("assistant", said),))
        for asked, said in examples(BATCH * batches)
    ]
    model, config = load(folder), sft.Config(batch_size=BATCH, learning_rate=RATE, epochs=1, **options)
    run, begun, tokens = sft.train(model, data, config), time.perf_counter(), 0
    for step in run:
        tokens += int(step.metrics["tokens"])
    return Timed(time.perf_counter() - begun, tokens)


def ours_dpo(folder: Path, batches: int, cached: bool = False) -> Timed:
    data = [
        Preference((Message("user", asked),), (Message("assistant", good),), (Message("assistant", bad),))
        for asked, good, bad in pairs(BATCH * batches)
    ]
    config, preparing = dpo.Config(batch_size=BATCH, learning_rate=RATE, epochs=1), 0.0
    with tempfile.TemporaryDirectory() as cache:
        where = Path(cache) if cached else None
        if cached:
            begun = time.perf_counter()
            next(dpo.train(load(folder), data, config, cache=where))
            preparing = time.perf_counter() - begun
        model = load(folder)
        begun = time.perf_counter()
        for _ in dpo.train(model, data, config, cache=where):
            pass
        return Timed(time.perf_counter() - begun, len(data), preparing)


def peer_sft(folder: Path, batches: int, **options: Any) -> Timed:
    data = examples(BATCH * batches)
    rows = Dataset.from_list([{"prompt": f"{asked} ", "completion": said} for asked, said in data])
    clock, told = Clock(), tokenizer()
    made = SFTConfig(**plain("sft"), per_device_train_batch_size=options.pop("batch", BATCH), **options)
    trainer = SFTTrainer(
        LlamaForCausalLM.from_pretrained(folder), made, train_dataset=rows, processing_class=told, callbacks=[clock]
    )
    trainer.train()
    return Timed(clock.seconds, sum(len(f"{asked} {said}".split()) + 1 for asked, said in data))


def peer_dpo(folder: Path, batches: int, precomputed: bool = False, eights: bool = False) -> Timed:
    """eights: eight pairs at a time, as many as ours, and a step after two of them."""
    data = pairs(BATCH * batches)
    rows = Dataset.from_list([{"prompt": f"{a} ", "chosen": good, "rejected": bad} for a, good, bad in data])
    clock, begun = Clock(), time.perf_counter()
    made = DPOConfig(
        **plain("dpo"),
        per_device_train_batch_size=8 if eights else BATCH,
        gradient_accumulation_steps=BATCH // 8 if eights else 1,
        max_length=None,
        precompute_ref_log_probs=precomputed,
    )
    trainer = DPOTrainer(
        LlamaForCausalLM.from_pretrained(folder),
        None if precomputed else LlamaForCausalLM.from_pretrained(folder),
        made,
        train_dataset=rows,
        processing_class=tokenizer(),
        callbacks=[clock],
    )
    preparing = time.perf_counter() - begun
    trainer.train()
    return Timed(clock.seconds, len(data), preparing)


def bare_sft(folder: Path, batches: int) -> Timed:
    """What the machine can do: the same tokens, packed into rows of one length, every one of them learned."""
    told = tokenizer()
    ids = [
        token
        for asked, said in examples(BATCH * batches)
        for token in [*told(f"{asked} {said}")["input_ids"], told.eos_token_id]
    ]
    rows = torch.tensor(ids[: len(ids) // PACKED * PACKED]).view(-1, PACKED)
    net = LlamaForCausalLM.from_pretrained(folder)
    steps = torch.optim.AdamW(net.parameters(), lr=RATE, fused=True)
    begun = time.perf_counter()
    for some in rows.split(BATCH):
        logits = net(input_ids=some, use_cache=False).logits[:, :-1]
        functional.cross_entropy(logits.flatten(0, 1), some[:, 1:].flatten()).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        steps.step()
        steps.zero_grad(set_to_none=True)
    return Timed(time.perf_counter() - begun, rows.numel())


def bare_dpo(folder: Path, batches: int) -> Timed:
    """A loop by hand over pairs that share their prompt: in rows of prompt, chosen and rejected under a block mask,
    sorted by length, the reference beforehand. Nothing is checked, logged or resumed.
    """
    told, ends = tokenizer(), tokenizer().eos_token_id
    rows = []
    for asked, *answers in pairs(BATCH * batches):
        prompt = told(asked)["input_ids"]
        rows.append((prompt, *([*told(one)["input_ids"], ends] for one in answers)))
    rows.sort(key=lambda row: sum(map(len, row)))
    groups = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
    net = LlamaForCausalLM.from_pretrained(folder)
    steps = torch.optim.AdamW(net.parameters(), lr=RATE, fused=True)
    begun = time.perf_counter()
    with torch.no_grad():
        reference = [_sides(net, group) for group in groups]
    for group, known in zip(groups, reference, strict=True):
        found = _sides(net, group) - known
        (-functional.logsigmoid(0.1 * (found[:, 0] - found[:, 1])).mean()).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        steps.step()
        steps.zero_grad(set_to_none=True)
    return Timed(time.perf_counter() - begun, len(rows))


def _sides(net: LlamaForCausalLM, group: list[Any]) -> torch.Tensor:
    width = max(sum(map(len, row)) for row in group)
    ids, places = torch.zeros(len(group), width, dtype=torch.long), torch.zeros(len(group), width, dtype=torch.long)
    part = torch.full((len(group), width), -1)
    for number, (prompt, good, bad) in enumerate(group):
        whole, first, second = [*prompt, *good, *bad], len(prompt), len(prompt) + len(good)
        ids[number, : len(whole)] = torch.tensor(whole)
        part[number, :first], part[number, first:second], part[number, second : len(whole)] = 0, 1, 2
        places[number, :second] = torch.arange(second)
        places[number, second : len(whole)] = first + torch.arange(len(bad))
    seen = (part[:, None] == part[:, :, None]) | (part[:, None] == 0)
    mask = (seen & torch.ones(width, width, dtype=torch.bool).tril())[:, None]
    hidden = net.model(input_ids=ids, attention_mask=mask, position_ids=places, use_cache=False)[0]
    where = (part > 0).nonzero(as_tuple=True)
    before = where[1] - 1
    begins = part[where[0], before] != part[where]
    ends = (part == 0).sum(1) - 1
    before = torch.where(begins, ends[where[0]], before)
    told = -functional.cross_entropy(net.lm_head(hidden[where[0], before]), ids[where], reduction="none")
    return told.new_zeros(2 * len(group)).index_add(0, 2 * where[0] + part[where] - 1, told).view(-1, 2)


SIDES: dict[str, Side] = {
    "sft": ours_sft,
    "sft, bare packed loop": bare_sft,
    "sft, TRL padded": lambda folder, batches: peer_sft(folder, batches),
    "sft, TRL bfd": lambda folder, batches: peer_sft(folder, batches, packing=True, max_length=256, batch=8),
    "sft, TRL wrapped": lambda folder, batches: peer_sft(
        folder, batches, packing=True, packing_strategy="wrapped", max_length=128
    ),
    "dpo": ours_dpo,
    "dpo, cached": lambda folder, batches: ours_dpo(folder, batches, cached=True),
    "dpo, bare loop": bare_dpo,
    "dpo, TRL": peer_dpo,
    "dpo, TRL by eights": lambda folder, batches: peer_dpo(folder, batches, eights=True),
    "dpo, TRL precomputed": lambda folder, batches: peer_dpo(folder, batches, precomputed=True),
}


if __name__ == "__main__":
    tell(SIDES, sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
