"""`completion`: the sampling loop around the model, over plain text without a chat template. One line is the answer.

The conversation stands as "Q: …" and "A: …" lines (`as_text`), and the model goes on after the last "A:" until a new
line. Choices are told by the summed log-probability of " " + choice after "A:", as in TruthfulQA (Lin et al. 2022);
sums favour short choices. Tools that a task offers are not shown: a completion has no way to use them.
"""

from __future__ import annotations

from groma.formats.messages import Message
from groma.formats.requests import Episode, Generate, Score
from groma.formats.task import Posed
from groma.formats.transcript import Transcript
from groma.systems.choose import choose
from groma.systems.text import as_text


def completion(posed: Posed, *, player: str = "assistant", max_tokens: int = 256, temperature: float = 1.0) -> Episode:
    """The line that follows. `max_tokens` and `temperature` are for sampling; choices are scored as they are."""
    prompt = f"{as_text(posed.messages)}A:"
    if posed.choices:
        answers = tuple(f" {choice}" for choice in posed.choices)
        return (yield from choose(posed, Score(prompt=prompt, answers=answers, player=player)))
    reply = yield Generate(prompt=prompt, player=player, max_tokens=max_tokens, temperature=temperature, stop=("\n",))
    answer = reply.text.strip()
    return Transcript((*posed.messages, Message("assistant", answer)), answer, stop=reply.stop)
