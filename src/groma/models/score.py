"""Log-probabilities of given tokens: of answers behind prompts, and, differentiable, of chosen positions of a batch.

The head is asked for the wanted positions alone, see `models.head`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from groma.formats.errors import BadConfig, BadInput
from groma.models.cache import RowCache, compacts
from groma.models.decode import Decoder
from groma.models.generate import batches
from groma.models.head import logits_at
from groma.models.model import Model


def token_logprobs(
    net: nn.Module,
    input_ids: Tensor,
    attention_mask: Tensor | None,
    targets_mask: Tensor,
    *,
    temperature: float = 1.0,
) -> Tensor:
    """Natural log-probability of each target given what is before it: float32 (rows, length), 0 where there is none.

    input_ids, attention_mask, targets_mask: (rows, length). No attention_mask is needed for padding on the right.
    Logits are divided by `temperature` first. Differentiable in the weights. ValueError for a first token as a target.
    """
    if bool(targets_mask[:, 0].any()):
        raise ValueError("the first token of a row has nothing before it: it cannot be a target")
    rows, columns = targets_mask.nonzero(as_tuple=True)
    logits = logits_at(net, rows, columns - 1, None, input_ids=input_ids, **_mask(attention_mask))
    found = -cross_entropy(_at(logits, temperature), input_ids[rows, columns], reduction="none")
    return found.new_zeros(targets_mask.shape).index_put((rows, columns), found)


def answer_logprobs(
    model: Model,
    prompts: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
    *,
    temperature: float = 1.0,
    max_batch: int = 256,
    exact: bool = False,
) -> list[Tensor]:
    """Log-probability of each token of answers[i] behind prompts[i]: for each pair a float32 vector on the CPU.

    A prompt with several answers is read once. `exact`: every prompt and answer alone, in float32. No gradient.
    """
    if exact and model.net.dtype != torch.float32:
        raise BadConfig(f"exact scoring needs dtype='float32', and {model.name} is loaded in {model.net.dtype}")
    for prompt, answer in zip(prompts, answers, strict=True):
        if not prompt or not answer:
            raise BadInput("an empty prompt or an empty answer cannot be scored", expected="at least one token of each")
        if model.context is not None and len(prompt) + len(answer) > model.context:
            expected = f"at most {model.context}, the context of {model.name}"
            raise BadInput(f"a prompt and an answer of {len(prompt) + len(answer)} tokens", expected=expected)
    most = 1 if exact else max_batch
    found: dict[int, Tensor] = {}
    with torch.inference_mode():
        if compacts(model.net.config):
            unique = list(dict.fromkeys(map(tuple, prompts)))
            behind: dict[tuple[int, ...], list[int]] = {one: [] for one in unique}
            for number, prompt in enumerate(prompts):
                behind[tuple(prompt)].append(number)
            for batch in batches(unique, most):
                _share(model.net, [unique[one] for one in batch], behind, answers, temperature, most, found)
        else:
            for batch in batches([(*prompt, *answer) for prompt, answer in zip(prompts, answers, strict=True)], most):
                _whole(model.net, batch, prompts, answers, temperature, found)
    return [found[number] for number in range(len(prompts))]


def _share(
    net: PreTrainedModel,
    prompts: list[tuple[int, ...]],
    behind: dict[tuple[int, ...], list[int]],
    answers: Sequence[Sequence[int]],
    temperature: float,
    most: int,
    found: dict[int, Tensor],
) -> None:
    """Read the prompts, then each one's answers: the first token is told by the prompt, the others by a second pass."""
    decoder = Decoder(net)
    logits, order = decoder.read(prompts)
    logits = _at(logits, temperature)
    pairs = [(row, number) for row, place in enumerate(order) for number in behind[prompts[place]]]
    ids = decoder.index([list(answers[number])[:1] for _, number in pairs])[:, 0]
    places = decoder.index([row for row, _ in pairs])
    first = logits[places, ids] - logits.logsumexp(-1)[places]
    for (_, number), value in zip(pairs, first.cpu(), strict=True):
        found[number] = value[None]
    longer = sorted((pair for pair in pairs if len(answers[pair[1]]) > 1), key=lambda pair: len(answers[pair[1]]))
    for start in range(0, len(longer), most):
        chosen = longer[start : start + most]
        texts = [list(answers[number]) for _, number in chosen]
        rest = _second(decoder, decoder.index([row for row, _ in chosen]), texts, temperature)
        for (_, number), text, values in zip(chosen, texts, rest.cpu(), strict=True):
            found[number] = torch.cat([found[number], values[: len(text) - 1]])


def _second(decoder: Decoder, rows: Tensor, texts: list[list[int]], temperature: float) -> Tensor:
    """Log-probabilities of all but the first token of each of `texts` behind the rows read, padded on the right."""
    assert isinstance(decoder.cache, RowCache)
    width = max(map(len, texts)) - 1
    ids = decoder.index([text + [0] * (width + 1 - len(text)) for text in texts])
    wanted = torch.arange(width, device=ids.device) < decoder.index([[len(text) - 1] for text in texts])
    cache = RowCache.gathered(decoder.net.config, [(decoder.cache, rows)])
    seen = torch.cat([decoder.valid[rows], torch.ones_like(wanted)], -1)
    positions = decoder.lengths[rows][:, None] + torch.arange(width, device=ids.device)
    at, columns = wanted.nonzero(as_tuple=True)
    inputs = {"attention_mask": seen, "position_ids": positions, "past_key_values": cache, "use_cache": True}
    if decoder.lean is not None:
        logits = decoder.lean.logits(decoder.lean.states(ids[:, :-1], positions, seen, cache)[at, columns])
    else:
        logits = logits_at(decoder.net, at, columns, None, input_ids=ids[:, :-1], **inputs)
    values = -cross_entropy(_at(logits, temperature), ids[:, 1:][at, columns], reduction="none")
    return values.new_zeros(wanted.shape).index_put((at, columns), values)


def _whole(
    net: PreTrainedModel,
    batch: list[int],
    prompts: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
    temperature: float,
    found: dict[int, Tensor],
) -> None:
    """Prompt and answer in one piece, for networks whose cache cannot be shared."""
    texts = [[*prompts[number], *answers[number]] for number in batch]
    width = max(map(len, texts))
    ids = torch.tensor([text + [0] * (width - len(text)) for text in texts], device=net.device)
    spans = [(len(prompts[number]), len(text)) for number, text in zip(batch, texts, strict=True)]
    place, ends = torch.arange(width, device=net.device), torch.tensor(spans, device=net.device)
    wanted = (place >= ends[:, :1]) & (place < ends[:, 1:])
    values = token_logprobs(net, ids, None, wanted, temperature=temperature)
    for number, (first, last), row in zip(batch, spans, values.cpu(), strict=True):
        found[number] = row[first:last]


def _at(logits: Tensor, temperature: float) -> Tensor:
    return logits.float() if temperature == 1.0 else logits.float() / temperature


def _mask(attention_mask: Tensor | None) -> dict[str, Tensor]:
    """What the network needs to know of padding: nothing, if it is on the right, where no real token looks."""
    if attention_mask is None or bool((attention_mask[:, :-1] >= attention_mask[:, 1:]).all()):
        return {}
    return {"attention_mask": attention_mask, "position_ids": (attention_mask.long().cumsum(-1) - 1).clamp(min=0)}
