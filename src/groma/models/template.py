"""Text to token ids: chat templates, plain prompts, given answers, and which tokens of a dialogue the assistant said.

A model without a chat template gets this one (its Model says so in `template_note`): each turn is a line `System: …`,
`User: …`, `Tool: …` or `Assistant: …`; the assistant's ends with the tokenizer's end token; the prompt ends with
`Assistant:`, so that the answer begins with a space; and an answer also ends where a new turn begins (TURN_STOPS).

Text is tokenised in one piece. Where prompt and answer would melt into one token, the two are tokenised apart, so that
what is scored or trained always stands behind the very prompt ids that sampling feeds. Begin tokens are never doubled:
a template brings its own, plain text gets the tokenizer's unless it has one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from groma.formats.errors import BadInput, Unservable
from groma.formats.messages import Message
from groma.formats.requests import Tool
from groma.models.model import Model

NAMES = {"system": "System", "user": "User", "assistant": "Assistant", "tool": "Tool"}
TURN_STOPS = tuple(f"\n{name}:" for name in NAMES.values())


def render(model: Model, messages: Sequence[Message], tools: Sequence[Tool] = (), prefill: str = "") -> list[int]:
    """The ids of a conversation up to the point where the assistant goes on, with the answer's beginning `prefill`."""
    text = render_text(model, messages, tools)
    return encode(model, text + (lead(model) + prefill if prefill else ""), rendered=True)


def render_text(model: Model, messages: Sequence[Message], tools: Sequence[Tool] = (), answer_next: bool = True) -> str:
    """The conversation as text; `answer_next` ends it with the opening of the assistant's turn.

    BadInput where the template refuses the messages; Unservable where tools are offered and the template shows none.
    """
    if not model.has_template:
        if tools:
            raise Unservable(f"tools are offered, and {model.name} has no chat template that could show them")
        return _default_text(model.tokenizer, messages, answer_next)
    plain = [one.to_dict() for one in messages]
    text = _apply(model, plain, answer_next, None)
    if not tools:
        return text
    shown = _apply(model, plain, answer_next, [_tool_schema(tool) for tool in tools])
    if shown == text:
        raise Unservable(f"tools are offered, and the chat template of {model.name} does not show them")
    return shown


def lead(model: Model) -> str:
    """What stands between the opening of the assistant's turn and its first word."""
    return "" if model.has_template else " "


def encode(model: Model, text: str, *, rendered: bool = False) -> list[int]:
    """The ids of a text. `rendered`: it comes from `render_text`, whose template has put the special tokens in."""
    tokenizer = model.tokenizer
    begin = tokenizer.bos_token
    if (rendered and model.has_template) or (begin and text.startswith(begin)):
        return list(tokenizer.encode(text, add_special_tokens=False))
    ids = list(tokenizer.encode(text, add_special_tokens=True))
    if ids and ids[-1] in model.eos_ids:
        # Some tokenizers put an end token behind every text, but a prompt does not end there.
        plain = list(tokenizer.encode(text, add_special_tokens=False))
        return ids[:-1] if len(ids) > len(plain) and ids[-1 - len(plain) : -1] == plain else ids
    return ids


def encode_answers(
    model: Model, text: str, answers: Sequence[str], *, rendered: bool = False
) -> tuple[list[int], list[list[int]]]:
    """The ids of `text`, and of each of `answers` behind it. BadInput where an answer has no token."""
    prompt, found = encode(model, text, rendered=rendered), []
    for answer in answers:
        whole = encode(model, text + answer, rendered=rendered)
        ids = whole[len(prompt) :] if whole[: len(prompt)] == prompt else []
        ids = ids or list(model.tokenizer.encode(answer, add_special_tokens=False))
        if not ids:
            raise BadInput(
                f"the answer {answer!r} has no token in {model.name}", expected="text that its tokenizer can write"
            )
        found.append(ids)
    return prompt, found


def completion_spans(
    model: Model, messages: Sequence[Message], learned_from: int = 0, *, whole: bool = False, melts: bool = False
) -> tuple[list[int], list[bool]]:
    """A dialogue for training: its ids, and for each token whether the assistant said it, the end of its turn included.

    Turns before message `learned_from` are the prompt, earlier turns of the assistant among them. A turn reaches from
    the end of the rendering before it (with its opening) to its end token. whole: also what the template writes behind
    the last word of the assistant, which teaches nothing. melts: words may melt into the opening of their turn, as in
    a dialogue that is only read; otherwise they may not. BadInput where there is no assistant's turn to learn, or where
    the template writes a turn in another way once others follow.
    """
    turns = [number for number, one in enumerate(messages) if one.role == "assistant" and number >= learned_from]
    if not turns:
        raise BadInput("a dialogue without a turn of the assistant", expected="at least one, to learn from")
    text = render_text(model, messages, answer_next=False)
    spans = [_span(model, messages, number, text) for number in turns]
    special = not model.has_template and not (model.tokenizer.bos_token and text.startswith(model.tokenizer.bos_token))
    coded = model.tokenizer(text, add_special_tokens=special, return_offsets_mapping=True)
    ids, offsets = list(coded["input_ids"]), coded["offset_mapping"]
    mask = [any(start < last and end > first for first, last in spans) for start, end in offsets]
    if not melts:
        _check_prompts(model, text, spans, ids, offsets)
    last = max((number for number, said in enumerate(mask) if said), default=-1)
    end = ids[last : last + 1]
    if model.end_id is not None and end != [model.end_id] and not set(end) & set(model.eos_ids):
        return [*ids[: last + 1], model.end_id], [*mask[: last + 1], True]
    return (ids, mask) if whole and model.has_template else (ids[: last + 1], mask[: last + 1])


def text_spans(model: Model, prompt: str, completion: str) -> tuple[list[int], list[bool]]:
    """The same for a plain prompt and its completion: the end token is put behind it, unless the text ends so."""
    before, (after,) = encode_answers(model, prompt, [completion]) if prompt else ([], [encode(model, completion)])
    if model.end_id is not None and after[-1] not in model.eos_ids:
        after = [*after, model.end_id]
    mask = [False] * len(before) + [True] * len(after)
    if not prompt:
        mask[0] = False  # nothing stands before the first token from which it could be told
    return [*before, *after], mask


def turn_end(tokenizer: PreTrainedTokenizerBase) -> int | None:
    """The token that ends an assistant's turn: what the template writes behind its words, else the end token."""
    if tokenizer.chat_template is not None:
        probe = [{"role": "user", "content": "question"}, {"role": "assistant", "content": "answer"}]
        try:
            text = str(tokenizer.apply_chat_template(probe, tokenize=False))
        except TemplateError:
            return tokenizer.eos_token_id
        _, found, behind = text.rpartition("answer")
        tail = tokenizer.encode(behind, add_special_tokens=False)
        if found and tail and tail[0] in {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}:
            return int(tail[0])
    return tokenizer.eos_token_id


def _default_text(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message], answer_next: bool) -> str:
    end = tokenizer.eos_token or ""
    lines = [f"{NAMES[one.role]}: {one.content.strip()}{end if one.role == 'assistant' else ''}\n" for one in messages]
    return "".join(lines) + (f"{NAMES['assistant']}:" if answer_next else "")


def _apply(model: Model, messages: list[dict[str, Any]], answer_next: bool, tools: list[dict[str, Any]] | None) -> str:
    try:
        shown = model.tokenizer.apply_chat_template(
            messages, tools=list(tools) if tools else None, tokenize=False, add_generation_prompt=answer_next
        )
    except TemplateError as error:
        roles = ", ".join(one["role"] for one in messages)
        what = f"the chat template of {model.name} refuses turns of {roles} ({error})"
        raise BadInput(what, expected="the roles and the order that it allows") from error
    return str(shown)


def _tool_schema(tool: Tool) -> dict[str, Any]:
    told = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": told}


def _span(model: Model, messages: Sequence[Message], number: int, whole: str) -> tuple[int, int]:
    """First and last-plus-one character of turn `number` in `whole`, its end token included."""
    before = render_text(model, messages[:number])
    alone = render_text(model, messages[: number + 1], answer_next=False)
    words = messages[number].content.strip()
    start = len(before)
    end_text = str(model.tokenizer.convert_ids_to_tokens(model.end_id)) if model.end_id is not None else ""
    if whole.startswith(before) and whole.startswith(alone) and alone.startswith(before):
        at = alone.rfind(words or end_text, start) + len(words)
    elif whole.startswith(before + lead(model) + words):
        at = len(before + lead(model) + words)
    else:
        raise BadInput(
            f"the chat template of {model.name} rewrites earlier turns, so that turn {number + 1} cannot be told apart",
            expected="dialogues that end with the only turn to learn from, or a template that only appends",
        )
    rest = whole[at:].lstrip()
    return start, len(whole) - len(rest) + len(end_text) if rest.startswith(end_text) else at


def _check_prompts(
    model: Model, whole: str, spans: Sequence[tuple[int, int]], ids: list[int], offsets: Sequence[tuple[int, int]]
) -> None:
    """The tokens before each turn must be those that sampling would feed."""
    for first, _ in spans:
        count = next((number for number, (_, end) in enumerate(offsets) if end > first), len(ids))
        if encode(model, whole[:first], rendered=True) != ids[:count]:
            where = whole[max(first - 12, 0) : first + 12]
            raise BadInput(
                f"the tokenizer of {model.name} melts the opening of a turn into its words ({where!r})",
                expected="an answer that does not begin with white space, or another chat template",
            )
