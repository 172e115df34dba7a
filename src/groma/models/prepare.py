"""Requests made ready for a model: rendered, tokenised and checked, before they wait for their batch."""

from __future__ import annotations

from dataclasses import dataclass

from groma.formats.digest import digest
from groma.formats.errors import BadInput, Unservable
from groma.formats.messages import Message
from groma.formats.requests import Differentiate, Edit, Generate, Prompt, Read, Request, Score, Tool
from groma.models.activations import check_edits, check_layers, check_positions
from groma.models.generate import Row
from groma.models.model import Model
from groma.models.template import TURN_STOPS, encode, encode_answers, lead, render_text


@dataclass(frozen=True, slots=True)
class Generating:
    """strip: what a reply begins with that is no part of it. tools: whether calls are looked for."""

    row: Row
    logprobs: bool
    strip: str
    edits: tuple[Edit, ...]
    tools: bool

    @property
    def prompt_ids(self) -> tuple[int, ...]:
        return self.row.prompt_ids

    @property
    def tokens(self) -> int:
        """How many must fit into the context."""
        return len(self.prompt_ids) + 1

    @property
    def kind(self) -> str:
        """What may be computed together has the same; "" is computed alone: edits at positions bear no padding."""
        return "" if any(one.positions is not None for one in self.edits) else digest("edits", self.edits)


@dataclass(frozen=True, slots=True)
class Scoring:
    prompt_ids: tuple[int, ...]
    answers: tuple[tuple[int, ...], ...]
    kind: str = "scores"

    @property
    def tokens(self) -> int:
        return len(self.prompt_ids) + max(map(len, self.answers))


@dataclass(frozen=True, slots=True)
class Looking:
    """A look inside at one prompt. `target` is empty where activations are read."""

    prompt_ids: tuple[int, ...]
    request: Read | Differentiate
    target: tuple[int, ...] = ()
    kind: str = ""

    @property
    def tokens(self) -> int:
        return len(self.prompt_ids) + len(self.target)


Prepared = Generating | Scoring | Looking


def prepare(model: Model, request: Request, seed: int) -> Prepared:
    """BadInput where this model cannot answer for the request's content, Unservable where no model answers its kind."""
    if isinstance(request, Generate):
        return _generating(model, request, seed)
    if isinstance(request, Score):
        return _scoring(model, request)
    if isinstance(request, Read):
        ids = tuple(_ids(model, request.prompt))
        check_layers(model.net, request.layers)
        check_positions(request.positions or (), len(ids))
        return Looking(ids, request)
    if isinstance(request, Differentiate):
        scored = _scoring(model, Score(prompt=request.prompt, answers=(request.target,)))
        check_positions(request.positions, len(scored.prompt_ids))
        return Looking(scored.prompt_ids, request, scored.answers[0])
    kind = type(request).__name__
    raise Unservable(f"a model answers no {kind}(player={request.player!r}): that is for the task's environment")


def _generating(model: Model, request: Generate, seed: int) -> Generating:
    check_edits(model.net, request.edits)
    prompt, spoken = request.prompt, not model.has_template and is_messages(request.prompt)
    text = _text(model, prompt, request.tools)
    if text is None:
        ids = [*_checked(model, prompt), *model.tokenizer.encode(request.prefill, add_special_tokens=False)]
    else:
        prefill = lead(model) + request.prefill if spoken and request.prefill else request.prefill
        ids = encode(model, text + prefill, rendered=is_messages(prompt))
    stop = (*request.stop, *TURN_STOPS) if spoken else request.stop
    row = Row(tuple(ids), request.max_tokens, request.temperature, request.top_k, request.top_p, stop, seed)
    strip = lead(model) if spoken and not request.prefill else ""
    return Generating(row, request.logprobs, strip, request.edits, bool(request.tools))


def _scoring(model: Model, request: Score) -> Scoring:
    prompt, text = request.prompt, _text(model, request.prompt)
    if text is None:
        before = _checked(model, prompt)
        answers = [list(model.tokenizer.encode(one, add_special_tokens=False)) for one in request.answers]
    else:
        spoken = is_messages(prompt)
        words = [lead(model) + one if spoken else one for one in request.answers]
        before, answers = encode_answers(model, text, words, rendered=spoken)
    if not before or not all(answers):
        raise BadInput(f"the prompt {prompt!r} or an answer has no token", expected="text that the tokenizer can write")
    if request.ended:
        if model.end_id is None:
            raise BadInput(f"Score(ended=True), and {model.name} has no end token", expected="ended=False")
        answers = [[*ids, model.end_id] for ids in answers]
    return Scoring(tuple(before), tuple(map(tuple, answers)))


def is_messages(prompt: Prompt) -> bool:
    return not isinstance(prompt, str) and isinstance(prompt[0], Message)


def _text(model: Model, prompt: Prompt, tools: tuple[Tool, ...] = ()) -> str | None:
    """The prompt as text; None where it is token ids."""
    messages = [one for one in prompt if isinstance(one, Message)]
    if messages:
        return render_text(model, messages, tools)
    if tools:
        raise BadInput(
            "tools are offered beside a prompt of plain text", expected="messages, whose template shows them"
        )
    return prompt if isinstance(prompt, str) else None


def _ids(model: Model, prompt: Prompt) -> list[int]:
    text = _text(model, prompt)
    ids = _checked(model, prompt) if text is None else encode(model, text, rendered=is_messages(prompt))
    if not ids:
        raise BadInput(f"the prompt {prompt!r} has no token", expected="text that the tokenizer can write")
    return ids


def _checked(model: Model, prompt: Prompt) -> list[int]:
    size = model.vocabulary
    ids = [one for one in prompt if isinstance(one, int)]
    wrong = [one for one in ids if not 0 <= one < size]
    if wrong:
        raise BadInput(f"the prompt has the token id {wrong[0]}", expected=f"0 to {size - 1}, as {model.name} has")
    return ids
