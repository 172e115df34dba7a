"""Tool calls in the forms in which models write them; what is malformed is no call and stays in the text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from groma.formats.messages import Message, ToolCall
from groma.formats.requests import Generate, Tool
from groma.models.load import assemble, load
from groma.models.prepare import prepare
from groma.models.tool_calls import parse

TinyModel = Callable[..., Path]
PAY = ToolCall("pay", {"to": "ben", "coins": 2})
PAY_JSON = '{"name": "pay", "arguments": {"to": "ben", "coins": 2}}'


@pytest.fixture(scope="module")
def folder(tiny_model: TinyModel) -> Path:
    return tiny_model("llama")


@pytest.mark.parametrize(
    ("written", "text", "calls"),
    [
        ("hello", "hello", ()),
        (f"<tool_call>\n{PAY_JSON}\n</tool_call>", "", (PAY,)),
        (f"i pay. <tool_call>{PAY_JSON}</tool_call><tool_call>{PAY_JSON}</tool_call>", "i pay.", (PAY, PAY)),
        (f"<tool_call>{PAY_JSON}", "", (PAY,)),
        (f"[TOOL_CALLS] [{PAY_JSON}]", "", (PAY,)),
        ('[TOOL_CALLS]pay[ARGS]{"to": "ben", "coins": 2}', "", (PAY,)),
        ('{"name": "pay", "parameters": {"to": "ben", "coins": 2}}', "", (PAY,)),
        ('{"name": "pay", "arguments": "{\\"to\\": \\"ben\\", \\"coins\\": 2}"}', "", (PAY,)),
        ('{"name": "ben"}', '{"name": "ben"}', ()),
        ('<tool_call>{"name": pay}</tool_call>', '<tool_call>{"name": pay}</tool_call>', ()),
        (f"<tool_call>{PAY_JSON}</tool_call><tool_call>no</tool_call>",
         f"<tool_call>{PAY_JSON}</tool_call><tool_call>no</tool_call>", ()),
        ('<tool_call>{"name": "", "arguments": {}}</tool_call>',
         '<tool_call>{"name": "", "arguments": {}}</tool_call>', ()),
        ("[TOOL_CALLS] [broken", "[TOOL_CALLS] [broken", ()),
    ],
)  # fmt: skip
def test_calls_are_found_in_what_was_written(folder: Path, written: str, text: str, calls: Sequence[ToolCall]) -> None:
    tokenizer = load(folder).tokenizer
    assert parse(tokenizer, tokenizer.encode(written, add_special_tokens=False), written) == (text, tuple(calls))


def test_a_mark_that_is_a_special_token_is_seen(folder: Path) -> None:
    model = load(folder)
    model.tokenizer.add_special_tokens({"additional_special_tokens": ["[TOOL_CALLS]"]})
    for rest, calls in ((f" [{PAY_JSON}]", (PAY,)), (" [broken", ())):
        ids = model.tokenizer.encode(f"[TOOL_CALLS]{rest}", add_special_tokens=False)
        shown = str(model.tokenizer.decode(ids, skip_special_tokens=True))
        assert "[TOOL_CALLS]" not in shown
        text, found = parse(model.tokenizer, ids, shown)
        assert found == calls and text.startswith("" if calls else "[TOOL_CALLS]")


def test_a_template_that_shows_tools_is_given_them(folder: Path) -> None:
    model = load(folder)
    model.tokenizer.chat_template = (
        "{% for one in tools or [] %}[{{ one.function.name }}: {{ one.function.parameters.properties | list }}]"
        "{% endfor %}"
        "{% for m in messages %}{{ m.content }}{% endfor %}"
    )
    shown = assemble(model.net, model.tokenizer, "templated", "")
    tool = Tool("pay", "pay somebody", {"type": "object", "properties": {"to": {"type": "string"}}})
    prepared = prepare(shown, Generate(prompt=(Message("user", "hello"),), tools=(tool,)), 0)
    assert "[pay: ['to']]hello" in model.tokenizer.decode(list(prepared.prompt_ids))
