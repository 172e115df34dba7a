"""The studies that `groma study` runs, and where each stands in the field.

approach: whether alignment is built (engineering), seen in what systems do (behaviour), or looked for inside the model
(cognition). case: on average, with a margin for doubt or in the worst stratum (pessimistic), or against somebody who
looks for the worst.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Entry:
    """What a study is about, in words for a list, and its place in the field. shares: its models are those of
    `stages.py`, so that the studies of them can share one folder of finished parts.
    """

    about: str
    approach: Literal["engineering", "behaviour", "cognition"]
    case: Literal["average", "pessimistic", "worst"]
    shares: bool = False


STUDIES: Mapping[str, Entry] = {
    "overoptimisation": Entry(
        "what happens to the truth when a proxy of it is optimised, in a simulator and on language models (Gao et al. "
        "2022)",
        "engineering",
        "pessimistic",
    ),
    "instructgpt": Entry(
        "raters, reward models, a small aligned model against a large base, toxicity (Ouyang et al. 2022); its bases "
        "take hours to build, or come from the cache after `groma world build --size s` and `--size l`",
        "engineering",
        "average",
    ),
    "sycophancy": Entry(
        "agreement, sureness and length against optimisation, by a biased rater (Sharma et al. 2023)",
        "behaviour",
        "average",
    ),
    "honest_or_seeming": Entry(
        "what is said, believed and true, before and after reinforcement learning with three raters",
        "cognition",
        "average",
    ),
    "constitutional": Entry(
        "harm over revisions, critics of several sizes, clamped labels, evasiveness (Bai et al. 2022)",
        "engineering",
        "average",
        shares=True,
    ),
    "transfer": Entry(
        "does what alignment gained in a chatbot hold when the same model becomes another system?",
        "behaviour",
        "average",
        shares=True,
    ),
    "order_chaos": Entry(
        "is an aligned model easier to make into an orderly agent, and harder to make into a chaotic one?",
        "behaviour",
        "pessimistic",
        shares=True,
    ),
    "offline_online": Entry(
        "DPO, KTO, online DPO, PPO, RLOO, GRPO, best-of-n under one rater, who changes her mind midway",
        "engineering",
        "average",
    ),
}


def field() -> list[dict[str, str]]:
    """All of them as a page lists them."""
    return [
        {"name": name, "about": one.about, "approach": one.approach, "case": one.case} for name, one in STUDIES.items()
    ]
