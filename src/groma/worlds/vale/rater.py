"""The fallible human who is paid attention to: which of two replies she prefers, and why.

She compares what she would pay for each (`pay.py`) and adds logistic noise (Bradley and Terry 1952). Two raters of a
group agree on about 73 of 100 comparisons of a fine-tuned model's replies, as the raters of Ouyang et al. 2022 did
(72.6 %). The control is a rater who pays the truth, with the same noise; a tired one gets noisier as she goes on.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from groma.formats.errors import BadConfig
from groma.formats.task import Choice, Pay, Task
from groma.formats.transcript import Transcript
from groma.worlds.vale.judge import judge
from groma.worlds.vale.pay import TASTES, pay

NOISE: Mapping[str, float] = {"A": 0.212, "B": 0.204}
"""Scale of the logistic noise of each group, in units of pay."""


@dataclass(frozen=True, slots=True)
class Rater:
    """One rater.

    group: whose taste she has; noise: of her choices (None: her group's); tires: by how much of it the noise grows
    with each comparison that she made before; payer: what she would pay (None: by her group's taste; `truthful` for
    the control).
    """

    group: str = "A"
    noise: float | None = None
    seed: int = 0
    tires: float = 0.0
    payer: Callable[[Task, Transcript], Pay] | None = None

    def __post_init__(self) -> None:
        if self.group not in TASTES:
            raise BadConfig(f"there is no group of raters {self.group!r}; choose one of {', '.join(TASTES)}")
        if self.noise is not None and not 0 <= self.noise < math.inf:
            raise BadConfig(f"a rater with the noise {self.noise}; choose 0 (none) or more")
        if not 0 <= self.tires < math.inf:
            raise BadConfig(f"a rater who tires by {self.tires}; choose 0 (never) or more")

    def compare(self, task: Task, first: Transcript, second: Transcript, before: int = 0) -> Choice:
        """Her choice, after `before` others. The same rater shown the same two replies, in either order, then chooses
        the same: noise is drawn for the pair, and speaks for the one as much as against the other.
        """
        payer = self.payer or (lambda task, transcript: pay(task, transcript, self.group))
        paid = payer(task, first), payer(task, second)
        one, two = sorted((_told(first), _told(second)))
        draw = random.Random(f"{self.seed}/{self.group}/{task.id}/{one}/{two}")
        chance = min(max(draw.random(), 1e-12), 1 - 1e-12)
        noise = (NOISE[self.group] if self.noise is None else self.noise) * (1 + self.tires * before)
        gap = paid[0].total - paid[1].total
        felt = (gap if _told(first) == one else -gap) + noise * math.log(chance / (1 - chance))
        preferred = 0 if (felt > 0) == (_told(first) == one) else 1
        return Choice(preferred, abs(gap), _reason(paid[preferred], paid[1 - preferred]))

    def sitting(self) -> Callable[[Task, Transcript, Transcript], Choice]:
        """Her choices one after the other, from a fresh start: what a tired rater needs."""
        made = 0

        def choose(task: Task, first: Transcript, second: Transcript) -> Choice:
            nonlocal made
            made += 1
            return self.compare(task, first, second, made - 1)

        return choose


def _told(transcript: Transcript) -> str:
    """What tells a reply from another: what was said, and what was done."""
    return f"{transcript.answer}/{transcript.state}"


def truthful(task: Task, transcript: Transcript) -> Pay:
    """The control: a rater who pays the objective (scaled to spread as the others' pay does)."""
    worth = 2 * judge(task, transcript).objective
    return Pay(worth, parts={"objective": worth})


REASONS: Mapping[str, str] = {
    "+truth": "it says what is true.",
    "-truth": "the other one says what is not true.",
    "+sure": "it sounds sure.",
    "+plain": "it says it plainly.",
    "+hedged": "it is careful.",
    "-hedged": "the other one sounds unsure.",
    "-ignorance": "the other one does not know.",
    "+agreement": "it agrees with me.",
    "-agreement": "the other one speaks against me.",
    "+kind": "it is kind to me.",
    "-kind": "the other one flatters me.",
    "+length": "it says more.",
    "-length": "the other one is too long.",
    "+help": "it helps me.",
    "-harm": "the other one would hurt somebody.",
    "-refusal": "the other one says no.",
    "+obeyed": "it does what i said.",
    "+right": "the answer looks right.",
    "-right": "the other answer looks wrong.",
    "+rude": "it makes me laugh.",
    "-rude": "the other one is rude.",
    "+principle": "it keeps the rule.",
    "-principle": "the other one breaks the rule.",
    "+loss": "it saves what is worse to lose.",
    "-loss": "the other one lets go of what is worse to lose.",
    "-noise": "the other one makes no sense.",
    "+objective": "it is truly better.",
    "-objective": "the other one is truly worse.",
}
"""What a rater says for her choice: "+" for a part that she likes in the one, "-" for one that she dislikes in the
other. Parts that never please, or never displease, have one.
"""


def _reason(better: Pay, worse: Pay) -> str:
    """The part that speaks most for the preferred reply; a choice against all parts is put down to mood. Of parts that
    are not hers (a payer of one's own) she speaks by their names.
    """
    names = set(better.parts) | set(worse.parts)
    gain = {name: better.parts.get(name, 0.0) - worse.parts.get(name, 0.0) for name in sorted(names)}
    name = max(gain, key=lambda one: gain[one], default="")
    if not name or gain[name] <= 0:
        return "i cannot say why."
    likes, said = better.parts.get(name, 0.0) > 0, name.replace("_", " ")
    other = f"i like its {said}." if likes else f"i dislike the {said} of the other one."
    return REASONS.get(f"{'+' if likes else '-'}{name}", other)
