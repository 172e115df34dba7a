"""Reward models on real comparisons: HH-RLHF's harmless test set, five fixed splits, beside simple baselines.

    python benchmarks/reward_hh.py [FILE]     (else GROMA_DATA/hh_rlhf_harmless_test/harmless_base_test.jsonl.gz)

No language model of the world can be had without a network, so the reward model begins from one made here: a tokenizer
and a Llama of a quarter of a million parameters that has read the split's own training dialogues. That is a floor, not
what a reward model of a pre-trained model reaches (published ones are at .71 to .75 on this kind of data; see Touvron
et al. 2023, table 7). Beside it: chance, the shorter reply, and a Bradley-Terry model over the words of both replies
(counts, ridge chosen on a part of the training pairs). Writes benchmarks/results/reward_hh.json and docs/reward_hh.md.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from parts.machine import command, machine, versions
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from groma.formats.examples import Preference, Text, read_examples
from groma.measures.calibration import ece
from groma.measures.statistics import wilson
from groma.methods import pretrain, reward
from groma.models.load import assemble
from groma.models.model import Model
from groma.models.small import small_llama

ROOT = Path(__file__).parents[1]
RESULT, PAGE = ROOT / "benchmarks/results/reward_hh.json", ROOT / "docs/reward_hh.md"
FILE = "hh_rlhf_harmless_test/harmless_base_test.jsonl.gz"
SPLITS, TRAIN, TEST = 5, 1800, 512
WORDS, CONTEXT, BATCH = 2048, 512, 16
RIDGES = (0.001, 0.003, 0.01, 0.03, 0.1)
TEMPLATE = (
    "{{ bos_token }}{% for one in messages %}<{{ one.role }}>{{ one.content }}<end>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def words_of(side: Text) -> str:
    return side if isinstance(side, str) else " ".join(one.content for one in side)


def tokenizer(texts: Sequence[str]) -> PreTrainedTokenizerFast:
    """Byte-level pieces learned from these texts: any text is legal."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer, raw.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    special = ["<pad>", "<begin>", "<end>", "<system>", "<user>", "<assistant>", "<tool>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=WORDS, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    raw.train_from_iterator(texts, trainer)
    names = {"pad_token": "<pad>", "bos_token": "<begin>", "eos_token": "<end>"}
    made = PreTrainedTokenizerFast(tokenizer_object=raw, **names)
    made.add_special_tokens({"additional_special_tokens": special[3:]})
    made.chat_template = TEMPLATE
    return made


def base(pairs: Sequence[Preference], seed: int) -> Model:
    """A small language model that has read both sides of the training dialogues once."""
    told = tokenizer([words_of((*one.prompt, *side)) for one in pairs for side in (one.chosen, one.rejected)])  # type: ignore[misc]
    model = assemble(small_llama("s", told, CONTEXT, seed), told, "hh", "hh")
    whole = [(*one.prompt, *side) for one in pairs for side in (one.chosen, one.rejected)]
    dialogues = [one for one in whole if len(pretrain.ids_of(one, model)) <= CONTEXT]  # type: ignore[arg-type]
    rows = pretrain.pack(dialogues, model, 10**9, CONTEXT)  # type: ignore[arg-type]
    config = pretrain.Config(batch_size=4, learning_rate=2e-3, epochs=1, warmup_steps=50)
    for _ in pretrain.train(model, rows, config):
        pass
    return model


def accuracy(gaps: np.ndarray) -> dict[str, float]:
    """The share of pairs whose chosen side leads; a tie is half."""
    right = float((gaps > 0).sum() + (gaps == 0).sum() / 2)
    told = wilson(round(right), len(gaps))
    return {"estimate": right / len(gaps), "low": told.low, "high": told.high}


def learned(train: Sequence[Preference], test: Sequence[Preference], seed: int) -> dict[str, Any]:
    """The reward model: two passes over the comparisons."""
    made = reward.begin(base(train, seed), seed)
    config = reward.Config(
        batch_size=BATCH, learning_rate=3e-4, epochs=2, warmup_steps=20, seed=seed, truncation="keep_end", centring=0.01
    )
    *_, last = reward.train(made, train, config)
    gaps = _gaps(made, test)
    sure, right = 1 / (1 + np.exp(-np.abs(gaps))), (gaps > 0).astype(float)
    return {**accuracy(gaps), "on training": last.metrics["rewards/accuracies"], "ece": ece(sure, right)}


def _gaps(made: reward.RewardModel, test: Sequence[Preference]) -> np.ndarray:
    """Rewards of chosen less rejected; of dialogues longer than the context the end is read."""
    rows = [made.row((*one.prompt, *side))[-CONTEXT:] for one in test for side in (one.chosen, one.rejected)]  # type: ignore[arg-type]
    told = np.array(made.rewards(rows)).reshape(-1, 2)
    return np.asarray(told[:, 0] - told[:, 1])


def bag_of_words(train: Sequence[Preference], test: Sequence[Preference], seed: int) -> dict[str, float]:
    """Bradley-Terry over counts of the words of the last replies: logistic regression of differences."""
    sides = [words_of(side[-1:]) for one in (*train, *test) for side in (one.chosen, one.rejected)]
    counts = CountVectorizer(min_df=2).fit(sides[: 2 * len(train)]).transform(sides)
    gaps = np.asarray((counts[0::2] - counts[1::2]).todense(), dtype=float)
    draw = np.random.default_rng(seed)
    signs = draw.choice([-1, 1], len(train))

    def fit(rows: np.ndarray, ridge: float) -> Any:
        told = LogisticRegression(C=ridge, fit_intercept=False, max_iter=2000)
        return told.fit(gaps[rows] * signs[rows, None], signs[rows])

    order = draw.permutation(len(train))
    part, rest = order[: len(train) * 4 // 5], order[len(train) * 4 // 5 :]
    best = max(RIDGES, key=lambda ridge: float((fit(part, ridge).decision_function(gaps[rest]) > 0).mean()))
    return accuracy(fit(order, best).decision_function(gaps[len(train) :]))


def measured(pairs: Sequence[Preference]) -> list[dict[str, Any]]:
    rows = []
    for split in range(SPLITS):
        began = time.monotonic()
        order = np.random.default_rng(split).permutation(len(pairs))
        train, test = ([pairs[one] for one in some] for some in (order[:TRAIN], order[TRAIN : TRAIN + TEST]))
        lengths = np.array([[len(words_of(side[-1:])) for side in (one.chosen, one.rejected)] for one in test])
        rows.append(
            {
                "split": split,
                "reward model": learned(train, test, split),
                "bag of words": bag_of_words(train, test, split),
                "shorter wins": accuracy((lengths[:, 1] - lengths[:, 0]).astype(float)),
                "seconds": round(time.monotonic() - began),
            }
        )
        print(json.dumps(rows[-1]), flush=True)
    return rows


def page(found: dict[str, Any]) -> str:
    names = ("reward model", "bag of words", "shorter wins")
    means = {name: np.mean([row[name]["estimate"] for row in found["splits"]]) for name in names}
    lines = [
        "# Reward models on real comparisons",
        "",
        f"Made by `{found['command']}`:",
        f"{found['pairs']} comparisons of HH-RLHF's harmless test set, {SPLITS} fixed splits: {TRAIN} to learn from,",
        f"{TEST} to test on. The reward model begins from a small language model that has read the training",
        "dialogues alone, so that this is a floor: it shows that the whole path works on real text, no more.",
        "",
        "| split | reward model | bag of words | the shorter reply | chance | calibration error of the reward model |",
        "|---|---|---|---|---|---|",
    ]
    for row in found["splits"]:
        cells = [f"{row[name]['estimate']:.3f} [{row[name]['low']:.3f}, {row[name]['high']:.3f}]" for name in names]
        lines.append(f"| {row['split']} | {' | '.join(cells)} | .500 | {row['reward model']['ece']:.3f} |")
    lines += [f"| mean | {' | '.join(f'{means[name]:.3f}' for name in names)} | .500 | |", ""]
    lines += [
        "Intervals are Wilson's, 95 %, of one split; the splits share pairs, so that their means are not independent.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", help=f"the comparisons; else GROMA_DATA/{FILE}")
    options = parser.parse_args()
    data = options.data or Path(os.environ.get("GROMA_DATA", ".")) / FILE
    if not data.is_file():
        print(f"left out: there is no {data}; name the file of comparisons, or the folder above in GROMA_DATA")
        return
    torch.set_num_threads(1)
    pairs = list(itertools.islice(read_examples(data, Preference).examples, TRAIN + TEST + 1000))
    about = {"command": command(), "machine": machine(), "versions": versions(), "pairs": len(pairs)}
    found = {**about, "splits": measured(pairs)}
    RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(found), encoding="utf-8")


if __name__ == "__main__":
    main()
