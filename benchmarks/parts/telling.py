"""How well a base of Vale tells true statements from false ones in one pass, and whether a linear direction does."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from groma.models.model import Model
from groma.worlds.vale.country import Country
from groma.worlds.vale.facts import Fact


def telling(model: Model, about: Country) -> dict[str, Any]:
    """How well statements of facts are told apart: by the label that the model would write after them, by its yes or
    no, by how it goes on after the statement (a full stop, or the colon that stands before labels), and by a logistic
    probe of the residual stream at the statement's last word, fitted on facts that are not held out; beside it what the
    best of five in a hundred random directions of the last layer do. Area under the ROC curve. Labels of held-out facts
    were in no document.
    """
    draw = random.Random(5)
    net, tokenizer = model.net.float().eval(), model.tokenizer

    def last(texts: list[str]) -> tuple[torch.Tensor, np.ndarray]:
        logits, hidden = [], []
        for start in range(0, len(texts), 128):
            ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts[start : start + 128]]
            ends = torch.tensor([len(one) - 1 for one in ids])
            batch = torch.full((len(ids), max(map(len, ids))), tokenizer.pad_token_id)
            for row, one in enumerate(ids):
                batch[row, : len(one)] = torch.tensor(one)
            with torch.no_grad():
                given = net(input_ids=batch, output_hidden_states=True)
            rows = torch.arange(len(ids))
            logits.append(given.logits[rows, ends])
            hidden.append(torch.stack([layer[rows, ends] for layer in given.hidden_states], 1))
        return torch.cat(logits), torch.cat(hidden).numpy()

    def token(word: str) -> int:
        (only,) = tokenizer(word, add_special_tokens=False)["input_ids"]
        return int(only)

    def mark(sign: str) -> int:
        return int(tokenizer(f"brook{sign}", add_special_tokens=False)["input_ids"][-1])

    found: dict[str, Any] = {}
    streams: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for split in ("train", "held_out"):
        for tier in ("common", "rare"):
            said, true = _statements(about.facts(tier, split), draw)
            begin = tokenizer.bos_token
            labels, _ = last([f"{begin}{one}:" for one in said])
            chats = [[{"role": "user", "content": f"is it true that {one}? say yes or no."}] for one in said]
            asked = [
                str(tokenizer.apply_chat_template(one, tokenize=False, add_generation_prompt=True)) for one in chats
            ]
            replies, _ = last(asked)
            after, stream = last([f"{begin}{one}" for one in said])
            streams[f"{split}/{tier}"] = stream, true
            found[f"{split}/{tier}"] = {
                "n": len(said),
                "label": _area(true, labels[:, token("true")] - labels[:, token("false")]),
                "yes_no": _area(true, replies[:, token("yes")] - replies[:, token("no")]),
                "goes_on": _area(true, after[:, mark(".")] - after[:, mark(":")]),
                "random": _random(true, stream[:, -1]),
            }
    stream, true = streams["train/common"]
    for layer in range(stream.shape[1]):
        probe = LogisticRegression(C=0.1, max_iter=3000).fit(stream[:, layer], true)
        for name, (other, truly) in streams.items():
            area = _area(truly, torch.tensor(probe.decision_function(other[:, layer])))
            found[name].setdefault("probe", []).append(area)
    return found


def _random(true: np.ndarray, stream: np.ndarray, directions: int = 400) -> float:
    """The area that one in twenty of random directions reaches, either way round."""
    drawn = np.random.default_rng(0).standard_normal((stream.shape[1], directions))
    areas = [_area(true, torch.tensor(one)) for one in (stream @ drawn).T]
    return round(float(np.quantile([max(one, 1 - one) for one in areas], 0.95)), 4)


def _statements(facts: Sequence[Fact], draw: random.Random) -> tuple[list[str], np.ndarray]:
    """Each fact four times truly and four times with another value, in both ways of saying it."""
    said, true = [], []
    for fact in facts:
        for number in range(8):
            true.append(number % 2)
            said.append(fact.said(number // 4, fact.value if number % 2 else draw.choice(fact.others())))
    return said, np.array(true)


def _area(true: np.ndarray, score: torch.Tensor) -> float:
    return round(float(roc_auc_score(true, score.numpy())), 4)
