"""Examples to token rows: what is learned, where turns end, and what becomes of rows that are too long."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from groma.formats.errors import BadConfig, BadInput
from groma.formats.examples import Demonstration, Preference
from groma.formats.messages import Message
from groma.methods import sft, tokens
from groma.models.load import Model, load
from groma.models.template import render


def user(text: str) -> Message:
    return Message("user", text)


def assistant(text: str) -> Message:
    return Message("assistant", text)


@pytest.fixture(scope="module")
def model(tiny_model: Callable[..., Path]) -> Model:
    return load(tiny_model("llama"))


def learned_text(model: Model, row: tokens.Row) -> str:
    return model.tokenizer.decode(row.ids[row.learned])


def row_of(model: Model, example: Demonstration, **options: Any) -> tokens.Row:
    return tokens.demonstrations(model, [example], sft.Config(**options)).rows[0]


DIALOGUE = Demonstration((user("one"),), (assistant("first"), user("two"), assistant("second")))


def test_all_turns_of_the_assistant_are_learned_with_their_ends(model: Model) -> None:
    row = row_of(model, DIALOGUE)
    assert learned_text(model, row) == "first<end>second<end>"
    assert (row.completions, row.ended) == (2, 2)
    assert model.tokenizer.decode(row.ids).startswith("<bos><user>one<end><assistant>first<end><user>two<end>")


def test_the_assistants_words_in_a_prompt_are_not_learned(model: Model) -> None:
    row = row_of(model, Demonstration((user("one"), assistant("first"), user("two")), (assistant("second"),)))
    assert learned_text(model, row) == "second<end>"
    assert (row.completions, row.ended) == (1, 1)


def test_what_stands_before_an_answer_is_what_the_model_is_fed(model: Model) -> None:
    row = row_of(model, DIALOGUE)
    first = int(row.learned.argmax())
    assert row.ids[:first].tolist() == render(model, DIALOGUE.prompt)


def test_plain_text_begins_and_ends_as_it_should(model: Model) -> None:
    row = row_of(model, Demonstration("Q: the\nA:", " hello"))
    assert model.tokenizer.decode(row.ids) == "<bos>Q: the\nA: hello<end>"
    assert learned_text(model, row) == " hello<end>"
    alone = row_of(model, Demonstration("", "hello"))
    assert learned_text(model, alone) == "hello<end>" and not alone.learned[0]


def test_a_model_without_a_template_learns_its_end_token(tiny_model: Callable[..., Path]) -> None:
    plain = load(tiny_model("llama", chat_template=False))
    row = row_of(plain, DIALOGUE)
    assert learned_text(plain, row) == " first<eos> second<eos>"
    assert (row.completions, row.ended) == (2, 2)


def test_both_sides_of_a_pair_share_their_prompt(model: Model) -> None:
    example = Preference((user("the question"),), (assistant("yes"),), (assistant("no no"),))
    (pair,) = tokens.preferences(model, [example], sft.Config()).rows
    prompt = render(model, example.prompt)
    for row, words in zip(pair.rows, ("yes", "no no"), strict=True):
        assert row.ids[: len(prompt)].tolist() == prompt and not row.learned[: len(prompt)].any()
        assert learned_text(model, row) == f"{words}<end>"
    assert pair.length == pair.rejected.length + pair.chosen.length


def test_a_pair_that_becomes_the_same_tokens_is_dropped_and_counted(model: Model) -> None:
    same = Preference("ab", "cdefgh", "cdefxy")
    other = Preference("ab", "x", "y")
    done = tokens.preferences(model, [same, other], sft.Config(max_length=6, truncation="keep_start"))
    assert len(done.rows) == 1 and done.notes["dropped: both sides are the same tokens"] == 1


class TestTruncation:
    long = Demonstration("abcdefgh", "uvwxyz")  # <bos> + 8 + 6 + <end> = 16 tokens
    short = Demonstration("ab", "z")

    def done(self, model: Model, example: Any, length: int, policy: Any) -> tokens.Tokenised[tokens.Row]:
        config = sft.Config(max_length=length, truncation=policy)
        return tokens.demonstrations(model, [example, self.short], config)

    def text(self, model: Model, length: int, policy: str) -> str:
        return model.tokenizer.decode(self.done(model, self.long, length, policy).rows[0].ids)

    @pytest.mark.parametrize("policy", ["error", "drop", "keep_start", "keep_end"])
    def test_what_fits_is_left_alone(self, model: Model, policy: str) -> None:
        assert self.text(model, 16, policy) == "<bos>abcdefghuvwxyz<end>"

    def test_error_names_the_example(self, model: Model) -> None:
        with pytest.raises(BadInput, match="example 1: it takes 16 tokens, and at most 15 fit"):
            self.done(model, self.long, 15, "error")

    def test_drop_is_counted_and_logged(self, model: Model, caplog: pytest.LogCaptureFixture) -> None:
        done = self.done(model, self.long, 15, "drop")
        assert len(done.rows) == 1 and done.notes == {"dropped: longer than 15 tokens": 1}
        assert "1 of 2 examples dropped: longer than 15 tokens" in caplog.text

    def test_nothing_left_is_an_error(self, model: Model) -> None:
        with pytest.raises(BadInput, match="no example is left to learn from"):
            tokens.demonstrations(model, [self.long], sft.Config(max_length=15))

    def test_keep_start_loses_the_end_and_says_so(self, model: Model) -> None:
        row = self.done(model, self.long, 12, "keep_start").rows[0]
        assert model.tokenizer.decode(row.ids) == "<bos>abcdefghuvw"
        assert (row.completions, row.ended) == (1, 0)

    def test_keep_start_refuses_a_row_without_anything_to_learn(self, model: Model) -> None:
        with pytest.raises(BadInput, match="example 1: its first 9 of 16 tokens hold nothing to learn"):
            self.done(model, self.long, 9, "keep_start")

    def test_keep_end_keeps_the_answer_and_the_begin_token(self, model: Model) -> None:
        assert self.text(model, 12, "keep_end") == "<bos>efghuvwxyz<end>"
        assert self.text(model, 8, "keep_end") == "<bos>uvwxyz<end>"
        assert "an answer alone is longer than 7 tokens" in next(iter(self.done(model, self.long, 7, "keep_end").notes))

    def test_keep_end_cuts_both_sides_of_a_pair_alike(self, model: Model) -> None:
        config = sft.Config(max_length=10, truncation="keep_end")
        (pair,) = tokens.preferences(model, [Preference("abcdefgh", "uvwx", "y")], config).rows
        assert [model.tokenizer.decode(row.ids) for row in pair.rows] == ["<bos>efghuvwx<end>", "<bos>efghy<end>"]

    def test_keep_end_of_a_dialogue_keeps_its_last_turn(self, model: Model) -> None:
        row = row_of(model, DIALOGUE, max_length=len(row_of(model, DIALOGUE).ids) - 10, truncation="keep_end")
        assert learned_text(model, row).endswith("second<end>") and row.ids[0] == model.tokenizer.bos_token_id

    def test_no_longer_than_the_models_positions(self, model: Model) -> None:
        with pytest.raises(BadConfig, match="more than the 1024 positions"):
            self.done(model, self.long, 1025, "drop")
        done = tokens.demonstrations(model, [Demonstration("", "x" * 1024), self.short], sft.Config())
        assert done.notes == {"dropped: longer than 1024 tokens": 1}


def test_rows_are_told_apart_by_lengths_never_by_the_pad_token(model: Model) -> None:
    """A pad token in the text is a token like any other."""
    row = row_of(model, Demonstration("a", "b<pad>c"))
    pad = model.tokenizer.pad_token_id
    assert pad in row.ids.tolist() and row.learned[np.flatnonzero(row.ids == pad)].all()
