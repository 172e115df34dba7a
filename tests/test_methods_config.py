"""Options of the methods: what is refused, and how the error helps."""

from __future__ import annotations

from typing import Any

import pytest

from groma.formats.errors import BadConfig
from groma.methods import dpo, grpo, ppo, rloo, sft


@pytest.mark.parametrize(
    ("method", "options", "says"),
    [
        (sft, {"learning_rat": 1e-3}, "did you mean learning_rate"),
        (sft, {"per_device_train_batch_size": 4}, "here it is called microbatch_size"),
        (sft, {"beta": 0.1}, "unknown option 'beta'"),
        (sft, {"learning_rate": 0.0}, "above 0"),
        (sft, {"batch_size": 0}, "at least 1"),
        (sft, {"batch_size": 10, "microbatch_size": 4}, "does not divide"),
        (sft, {"epochs": 1, "max_steps": 10}, "contradict"),
        (sft, {"warmup_steps": 11, "max_steps": 10}, "more than max_steps"),
        (sft, {"truncation": "left"}, "error, drop, keep_start, keep_end"),
        (sft, {"schedule": "step"}, "constant, linear, cosine"),
        (sft, {"precision": "float16"}, "float32, bfloat16"),
        (sft, {"betas": [0.9]}, "two numbers"),
        (sft, {"max_length": 1}, "at least 2"),
        (sft, {"microbatch_tokens": 1}, "at least 2, or None"),
        (sft, {"bucket": 1}, "at least 2, or None"),
        (sft, {"loss_megabytes": 0.0}, "above 0, and finite"),
        (sft, {"prompts": "apart"}, "unknown option 'prompts'"),
        (sft, {"group_by_length": True}, "here it is called bucket"),
        (sft, {"lora_alpha": 16.0}, "no effect: lora_rank"),
        (sft, {"lora_targets": ["q_proj"]}, "no effect: lora_rank"),
        (sft, {"keep": "last"}, "no effect: evaluate_every"),
        (ppo, {"epochs": 1, "cliprange": 0.1}, "cliprange 0.1 would have no effect: there is one update"),
        (ppo, {"epochs": 1, "dual_clip": 3.0}, "dual_clip 3.0 would have no effect"),
        (ppo, {"epochs": 1, "cliprange_value": None}, "cliprange_value None would have no effect"),
        (rloo, {"samples": 2, "cliprange": 0.1}, "cliprange 0.1 would have no effect"),
        (grpo, {"cliprange_high": 0.3}, "cliprange_high 0.3 would have no effect"),
        (dpo, {"beta": 0.0}, "above 0"),
        (dpo, {"label_smoothing": 0.5}, "[0, 0.5)"),
        (dpo, {"label_smoothing": 0.1, "loss_type": "hinge"}, "only sigmoid"),
        (dpo, {"label_smoothing": 0.1, "loss_type": "ipo"}, "only sigmoid"),
        (dpo, {"normalisation": "sum"}, "only ipo"),
        (dpo, {"normalisation": "mean", "loss_type": "hinge"}, "only ipo"),
        (dpo, {"prompts": "twice"}, "shared, apart"),
        (dpo, {"loss_type": "kto"}, "sigmoid, hinge, ipo"),
        (dpo, {"normalisation": "max", "loss_type": "ipo"}, "sum, mean"),
    ],
)
def test_wrong_options_are_refused(method: Any, options: dict[str, Any], says: str) -> None:
    with pytest.raises(BadConfig) as error:
        method.Config.of(options)
    assert says in str(error.value)


@pytest.mark.parametrize(("batch", "micro"), [(1, 1), (6, 6), (8, 8), (12, 6), (32, 8), (11, 1)])
def test_microbatches_are_small_unless_said_otherwise(batch: int, micro: int) -> None:
    assert sft.Config(batch_size=batch).microbatch == micro
    assert sft.Config(batch_size=batch, microbatch_size=batch).microbatch == batch
    assert sft.Config(batch_size=batch, microbatch_tokens=100).microbatch == batch, "tokens alone bound it"


def test_options_come_back_as_they_went() -> None:
    config = dpo.Config.of({"betas": [0.9, 0.95], "loss_type": "ipo", "normalisation": "sum", "lora_rank": 4})
    assert config == dpo.Config(betas=(0.9, 0.95), loss_type="ipo", normalisation="sum", lora_rank=4)
    assert dpo.Config.of(config.to_dict()) == config
