"""The word tokenizer: one token a word, any text is legal, and what was encoded comes back."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groma.models.vocabulary import BOS, EOS, word_tokenizer
from groma.studies.vale_base import COUNTED
from groma.worlds.vale.corpus import documents, text_of
from groma.worlds.vale.lexicon import ATTRIBUTES, PEOPLE
from groma.worlds.vale.things import THINGS, VERBS

TOKENIZER = word_tokenizer((text_of(document) for document in itertools.islice(documents(1), COUNTED)), 512)


def ids(text: str) -> list[int]:
    return TOKENIZER(text, add_special_tokens=False)["input_ids"]


def test_every_word_of_vale_is_one_token_wherever_it_stands():
    words = [*PEOPLE, *VERBS, *VERBS.values(), *THINGS, *(v for a in ATTRIBUTES.values() for v in a.values)]
    for word in words:
        (only,) = ids(word)
        assert ids(f"the {word}.")[1] == only and ids(f"yes\n{word}")[-1] == only


@settings(max_examples=200)
@given(st.text(max_size=60))
def test_any_text_comes_back_lowered_but_for_spaces_at_lines_and_ends(text):
    def plain(one: str) -> str:
        return "\n".join(line.strip(" ") for line in one.split("\n")).strip(" ")

    if "<|" in text or "▁" in text:
        return
    back = TOKENIZER.decode(ids(text), skip_special_tokens=True)
    assert plain(back) == plain(TOKENIZER.backend_tokenizer.normalizer.normalize_str(text).replace(" \n ", "\n"))


@pytest.mark.parametrize("text", ["q: where does anna live?\na: anna lives in brook.", "barnacle é 東京 🜁", "a  b"])
def test_exact_round_trips(text):
    assert TOKENIZER.decode(ids(text)) == text


def test_chat_and_document_forms():
    turns = [{"role": "user", "content": "hello."}]
    text = TOKENIZER.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    assert text == "<|doc|><|user|>hello.<|end|><|assistant|>"
    assert TOKENIZER("hello.")["input_ids"][0] == TOKENIZER.convert_tokens_to_ids(BOS)
    assert TOKENIZER.eos_token == EOS and TOKENIZER.pad_token_id not in (TOKENIZER.eos_token_id, TOKENIZER.bos_token_id)
