"""Templates: what a conversation becomes, and which of its tokens the assistant said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tokenizers.processors import TemplateProcessing

from groma.formats.errors import BadInput, Unservable
from groma.formats.messages import Message
from groma.formats.requests import Tool
from groma.models.load import assemble, load
from groma.models.model import Model
from groma.models.template import completion_spans, encode, encode_answers, render, render_text, text_spans
from groma.models.vocabulary import word_tokenizer

TinyModel = Callable[..., Path]

TALK = (
    Message("system", "be brief"),
    Message("user", "hello"),
    Message("assistant", "the one"),
    Message("user", "and then?"),
    Message("assistant", "on and on."),
)

# Written like those of Qwen3: a new line behind each end, and thoughts before the last answer alone.
THINKING = (
    "{% for m in messages %}<{{ m.role }}>\n{% if m.role == 'assistant' and loop.last %}(think)\n{% endif %}"
    "{{ m.content }}<end>\n{% endfor %}{% if add_generation_prompt %}<assistant>\n{% endif %}"
)
# Marks the last message, whoever speaks, so that earlier turns change when others follow.
REWRITING = (
    "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{% if not loop.last %}(old) {% endif %}{{ m.content }}<end>"
    "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)
NO_SYSTEM = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system here') }}{% endif %}"
    "{{ m.content }}{% endfor %}"
)
WITH_TOOLS = (
    "{% for one in tools or [] %}[{{ one.function.name }}]{% endfor %}"
    "{% for m in messages %}{{ m.content }}{% endfor %}"
)
OPENING = "{% if add_generation_prompt %}<assistant>{% endif %}"
ENDLESS = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}" + OPENING
MELTING = "{% for m in messages %}{{ m.role }} t{{ m.content }}<end>{% endfor %}" + OPENING.replace(
    "<assistant>", "assistant t"
)


@pytest.fixture
def model(tiny_model: TinyModel) -> Model:
    return load(tiny_model("llama"))


@pytest.fixture
def bare(tiny_model: TinyModel) -> Model:
    """A model without a chat template."""
    return load(tiny_model("llama", chat_template=False))


def templated(model: Model, template: str) -> Model:
    model.tokenizer.chat_template = template
    return assemble(model.net, model.tokenizer, "templated", "")


def said(model: Model, ids: list[int], mask: list[bool]) -> list[str]:
    """The stretches of supervised tokens, as text."""
    stretches, last = [], False
    for one, supervised in zip(ids, mask, strict=True):
        if supervised:
            stretches = [*stretches, [one]] if not last else [*stretches[:-1], [*stretches[-1], one]]
        last = supervised
    return [model.tokenizer.decode(one, skip_special_tokens=False) for one in stretches]


# -- rendering


def test_rendering_is_the_templates_own(model: Model) -> None:
    expected = model.tokenizer.apply_chat_template(
        [one.to_dict() for one in TALK[:2]], add_generation_prompt=True, return_dict=False
    )
    assert render(model, TALK[:2]) == expected
    assert expected.count(model.tokenizer.bos_token_id) == 1, "the begin token must not be doubled"
    assert render(model, TALK[:2], prefill="the") == [
        *expected,
        *model.tokenizer.encode("the", add_special_tokens=False),
    ]


def test_the_default_template(bare: Model) -> None:
    text = "System: be brief\nUser: hello\nAssistant: the one<eos>\nUser: and then?\nAssistant:"
    assert render_text(bare, TALK[:4]) == text
    ids = render(bare, TALK[:4])
    assert ids == bare.tokenizer.encode(text) and ids[0] == bare.tokenizer.bos_token_id
    assert bare.tokenizer.decode(render(bare, TALK[:2], prefill="the")).endswith("Assistant: the")


def test_plain_text_has_one_begin_token(model: Model) -> None:
    begin = model.tokenizer.bos_token_id
    assert encode(model, "hello").count(begin) == encode(model, "<bos>hello").count(begin) == 1
    assert encode(model, "hello") == encode(model, "<bos>hello")


def test_a_tokenizer_that_ends_every_text_does_not_end_a_prompt(model: Model) -> None:
    plain, end = encode(model, "hello"), model.tokenizer.eos_token_id
    model.tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<bos> $A <eos>", special_tokens=[("<bos>", plain[0]), ("<eos>", end)]
    )
    assert model.tokenizer.encode("hello") == [*plain, end]
    assert encode(model, "hello") == plain
    assert encode(model, "hello<eos>") == [*plain, end], "a text's own last token is not one put behind it"


def test_roles_that_the_template_refuses(model: Model) -> None:
    with pytest.raises(BadInput, match=r"refuses turns of system, user(.|\n)*no system here"):
        render(templated(model, NO_SYSTEM), TALK[:2])


def test_tools_are_shown_or_refused(model: Model, bare: Model) -> None:
    tools = (Tool("ledger", "reads the ledger"),)
    for silent in (model, bare):
        with pytest.raises(Unservable, match="tools"):
            render_text(silent, TALK[:2], tools)
    assert render_text(templated(model, WITH_TOOLS), TALK[:2], tools).startswith("[ledger]")


# -- answers


def test_an_answer_stands_behind_the_very_prompt(model: Model) -> None:
    prompt, (answer, other) = encode_answers(model, "in", [" the end", "!"])
    assert prompt == encode(model, "in") and prompt + answer == encode(model, "in the end")
    assert prompt + other == encode(model, "in!")


def test_an_answer_that_melts_into_its_prompt_is_tokenised_apart(model: Model) -> None:
    prompt, (answer,) = encode_answers(model, "t", ["he"])
    assert encode(model, "the") != prompt + answer
    assert prompt == encode(model, "t") and model.tokenizer.decode(answer) == "he"


def test_an_empty_answer_is_refused(model: Model) -> None:
    with pytest.raises(BadInput, match="no token"):
        encode_answers(model, "hello", [""])


# -- what is learned


def test_all_turns_of_the_assistant_with_their_ends(model: Model) -> None:
    ids, mask = completion_spans(model, TALK)
    assert ids == model.tokenizer.encode(render_text(model, TALK, answer_next=False), add_special_tokens=False)
    assert said(model, ids, mask) == ["the one<end>", "on and on.<end>"]
    assert ids[: mask.index(True)] == render(model, TALK[:2]), "what is fed in sampling must stand before the answer"


def test_earlier_turns_can_be_prompt(model: Model) -> None:
    ids, mask = completion_spans(model, TALK, learned_from=3)
    assert said(model, ids, mask) == ["on and on.<end>"]


def test_without_a_template_turns_end_with_the_end_token(bare: Model) -> None:
    ids, mask = completion_spans(bare, TALK)
    assert said(bare, ids, mask) == [" the one<eos>", " on and on.<eos>"]
    assert ids[: mask.index(True)] == render(bare, TALK[:2]) and ids[0] == bare.tokenizer.bos_token_id


def test_a_template_with_thoughts_and_new_lines_behind_the_end(model: Model) -> None:
    thinking = templated(model, THINKING)
    assert thinking.end_id == model.tokenizer.convert_tokens_to_ids("<end>")
    ids, mask = completion_spans(thinking, TALK)
    assert said(thinking, ids, mask) == ["the one<end>", "(think)\non and on.<end>"]


def test_a_template_that_rewrites_earlier_turns_is_refused(model: Model) -> None:
    rewriting = templated(model, REWRITING)
    with pytest.raises(BadInput, match="rewrites earlier turns"):
        completion_spans(rewriting, TALK)


def test_a_template_without_an_end_gets_the_end_token(model: Model) -> None:
    endless = templated(model, ENDLESS)
    ids, mask = completion_spans(endless, TALK)
    assert said(endless, ids, mask) == ["the one", "on and on.<eos>"]


def test_an_answer_that_melts_into_the_opening_is_refused(model: Model) -> None:
    melting = templated(model, MELTING)
    with pytest.raises(BadInput, match="melts"):
        completion_spans(melting, (Message("user", "x"), Message("assistant", "he")))


@pytest.mark.parametrize("words", ["", "  the end \n", "<end> is a word", "Straße 東京 🙂"])
def test_unusual_words_are_learned_whole(model: Model, words: str) -> None:
    ids, mask = completion_spans(model, (Message("user", "x"), Message("assistant", words)))
    assert said(model, ids, mask) == [f"{words}<end>"]


def test_trailing_turns_of_others_teach_nothing(model: Model) -> None:
    assert completion_spans(model, TALK[:4]) == completion_spans(model, TALK[:3])


def test_a_dialogue_without_an_answer_is_refused(model: Model) -> None:
    with pytest.raises(BadInput, match="without a turn of the assistant"):
        completion_spans(model, TALK[:2])


def test_plain_strings_get_the_end_token_once(model: Model) -> None:
    ids, mask = text_spans(model, "in", " the end")
    assert said(model, ids, mask) == [" the end<end>"] and ids[0] == model.tokenizer.bos_token_id
    again, mask = text_spans(model, "in", " the end<end>")
    assert again == ids


def test_a_text_without_a_prompt_is_learned_from_its_second_token(model: Model) -> None:
    ids, mask = text_spans(model, "", "the end")
    assert mask == [False] + [True] * (len(ids) - 1) and ids[-1] == model.end_id


def test_the_words_of_vale(model: Model) -> None:
    words = "what is the home of ada ? it mill . i do not know"
    tokenizer = word_tokenizer([words] * 5, context=64)
    vale = assemble(model.net, tokenizer, "words", "")
    talk = (Message("user", "What is the home of Ada?"), Message("assistant", "the mill.\nzounds"))
    ids, mask = completion_spans(vale, talk)
    assert ids[: mask.index(True)] == render(vale, talk[:1])
    assert ids[-1] == vale.end_id and mask[-1] and said(vale, ids[:-1], mask[:-1]) == ["the mill.\nzounds"]
