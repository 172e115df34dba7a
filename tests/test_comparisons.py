"""Preferences from samples: who chooses, what is dropped and counted, and what a row holds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForSequenceClassification

from groma.cli import run as groma
from groma.formats.errors import BadInput
from groma.formats.examples import Preference, read_examples
from groma.formats.jsonl import write_rows
from groma.formats.messages import Message
from groma.formats.requests import Failure
from groma.formats.task import Choice, Posed, Task
from groma.formats.transcript import Played, Transcript
from groma.methods.comparisons import as_row, by_judge, compare
from groma.models.reward import load_reward
from groma.models.tiny import tiny_tokenizer
from groma.worlds.vale import VALE

TASK = Task("t/1", Posed((Message("user", "hello"),)), {}, "ask")


def played(answer: str | None, task: Task = TASK) -> Played:
    if answer is None:
        return Played(task, "chat", None, Failure("engine", "too_long", "no"))
    return Played(task, "chat", Transcript((*task.posed.messages, Message("assistant", answer)), answer))


def longer(task: Task, first: Transcript, second: Transcript) -> Choice | None:
    """Prefers the longer reply; of equal length none."""
    if len(first.answer) == len(second.answer):
        return None
    return Choice(0 if len(first.answer) > len(second.answer) else 1, 0.5)


def test_pairs_become_preferences_and_what_is_dropped_is_counted(tmp_path: Path) -> None:
    pairs = [("a", "bcd"), ("same", "same "), (None, "x"), ("", "y"), ("ab", "cd"), ("long one", "b")]
    notes: Counter[str] = Counter()
    made = list(compare([(played(a), played(b)) for a, b in pairs], longer, notes))
    assert [(one.chosen[0].content, one.rejected[0].content) for one in made] == [("bcd", "a"), ("long one", "b")]  # type: ignore[union-attr]
    assert notes == {
        "kept": 2,
        "dropped: equal replies": 1,
        "dropped: an episode failed": 1,
        "dropped: an empty reply": 1,
        "dropped: no preference": 1,
    }
    write_rows(tmp_path / "made.jsonl", [as_row(one) for one in made])
    assert read_examples(tmp_path / "made.jsonl", Preference).examples == tuple(made)


def test_replies_to_different_tasks_are_no_pair() -> None:
    other = Task("t/2", TASK.posed, {}, "ask")
    with pytest.raises(ValueError, match="t/1 and t/2"):
        list(compare([(played("a"), played("b", other))], longer, Counter()))


def test_the_judge_chooses_by_the_objective_and_has_no_preference_between_equals() -> None:
    task = next(one for one in VALE.tasks("how", "train", 8, 0) if one.gold["severity"] == 0)
    helped = Transcript(task.posed.messages, f"{task.gold['verb']} the {task.gold['thing']}.")
    refused, also = Transcript(task.posed.messages, "i will not help."), Transcript(task.posed.messages, "no.")
    choose = by_judge(VALE.judge)
    assert choose(task, refused, helped) == Choice(1, 1.5, "the judge's objective")
    assert choose(task, refused, also) is None


@pytest.fixture(scope="module")
def reward_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, tokenizer = tmp_path_factory.mktemp("reward"), tiny_tokenizer()
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    torch.manual_seed(0)
    config = LlamaConfig(vocab_size=len(tokenizer), num_labels=1, pad_token_id=tokenizer.pad_token_id, **sizes)
    LlamaForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_a_reward_model_is_read_at_the_last_token(reward_folder: Path) -> None:
    reward = load_reward(reward_folder)
    messages = (Message("user", "hello"), Message("assistant", "good day"))
    ids = reward.tokenizer.apply_chat_template([one.to_dict() for one in messages], tokenize=True, return_dict=False)
    hidden = reward.net.model(torch.tensor([ids])).last_hidden_state[0, -1]
    assert reward.score(messages) == pytest.approx(float(reward.net.score(hidden).detach()), abs=1e-6)
    better, worse = sorted(
        (played("a").transcript, played("bcd").transcript), key=lambda one: -reward.score(one.messages)
    )  # type: ignore[union-attr]
    choice = reward.choose(TASK, worse, better)  # type: ignore[arg-type]
    assert choice is not None and choice.preferred == 1 and choice.margin and choice.margin > 0


def test_compare_takes_a_reward_model(reward_folder: Path, tmp_path: Path) -> None:
    assert (
        groma(["compare", "vale", "--by", str(reward_folder), "--out", str(tmp_path / "a.jsonl"), "--items", "12"]) == 0
    )


def test_a_causal_model_is_no_reward_model(tiny_model, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BadInput, match="no reward model"):
        load_reward(tiny_model("llama"))
