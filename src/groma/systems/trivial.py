"""`trivial`: the bare model, asked once, in plain text without a chat template, for a single token.

A task with choices is shown as a lettered list ("A) …", one line each, then "Answer:"), and the letter of the highest
log-probability is the answer: Hendrycks et al. 2021, "Measuring massive multitask language understanding". Letters
are scored with the space before them (" A"): after "Answer:" that is how byte-pair tokenizers write a word, as one
token; where a tokenizer splits it, its parts are summed. Models favour some letters, so whoever poses the task draws
the order of choices. A task with a one-token form is asked as "Q: …\\nA:" and answered with one sampled token.
"""

from __future__ import annotations

from string import ascii_uppercase

from groma.formats.errors import BadInput
from groma.formats.messages import Message
from groma.formats.requests import Episode, Generate, Score
from groma.formats.task import Posed
from groma.formats.transcript import Transcript
from groma.systems.choose import choose
from groma.systems.system import NoForm
from groma.systems.text import as_text


def trivial(posed: Posed, *, player: str = "assistant", temperature: float = 1.0) -> Episode:
    """One token. Raises NoForm for a task with neither choices nor a one-token form, where `temperature` counts."""
    if posed.choices:
        letters = _letters(len(posed.choices))
        options = "".join(f"{letter}) {choice}\n" for letter, choice in zip(letters, posed.choices, strict=True))
        prompt, answers = f"{as_text(posed.messages)}{options}Answer:", tuple(f" {letter}" for letter in letters)
        return (yield from choose(posed, Score(prompt=prompt, answers=answers, player=player)))
    if posed.short is None:
        raise NoForm("this task cannot be answered in one token: it has neither choices nor a one-token form")
    reply = yield Generate(prompt=f"{as_text(posed.short)}A:", player=player, max_tokens=1, temperature=temperature)
    answer = reply.text.strip()
    return Transcript((*posed.short, Message("assistant", answer)), answer, stop=reply.stop, form="short")


def _letters(count: int) -> str:
    if count > len(ascii_uppercase):
        raise BadInput(f"a task has {count} choices", expected=f"at most {len(ascii_uppercase)}, a letter for each")
    return ascii_uppercase[:count]
