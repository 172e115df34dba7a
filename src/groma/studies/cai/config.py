"""How a model learns from principles, and from what."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from groma.formats.constitution import Constitution
from groma.formats.errors import BadConfig
from groma.formats.examples import Demonstration, Preference
from groma.formats.task import Task
from groma.judges.feedback import By
from groma.methods import dpo, ppo, reward, sft
from groma.methods.constitutional import Learning
from groma.models.model import Model
from groma.play.engine import Seat
from groma.studies.cai.labels import check_clamp
from groma.systems.blame import Reading
from groma.systems.system import System

Optimiser = Literal["dpo", "ppo", "none"]


@dataclass(frozen=True, kw_only=True)
class Config:
    """How a model learns from principles, in two stages: from revisions, and from AI feedback on its own replies."""

    red_team: int = 0
    """Episodes in which an attacker looks for requests that are answered badly; those that the critic finds bad join
    the prompts. 0: none."""
    tries: int = 8
    """Requests that the attacker may try in each."""
    rounds: int = 4
    """Rounds of critique and revision for each draft."""
    critic_temperature: float = 1.0
    """Of critiques and revisions."""
    learn: Learning = "revisions"
    """What stage 1 learns from: the last revisions, or the critiques and revisions on the way, too."""
    by: By | None = None
    """How the judge compares: both replies at once, in both orders (comparison), or each apart, by a critique. None:
    comparison, where the constitution has one."""
    read: Reading = "scores"
    """How bad an answer is, for the red team, and which reply is better: by the scores of the critic and the judge, or
    by their words, for those that only speak (behind a server, say)."""
    reasons: bool = False
    """The judge first writes why (chain of thought); its labels are clamped."""
    clamp: tuple[float, float] | None = None
    """The least and the greatest probability of a label. None: 0.4 and 0.6 with reasons, else none."""
    optimise: Optimiser = "dpo"
    """What stage 2 does with the labels: DPO on them; a preference model and PPO against it; or none: stage 1 alone."""
    sft: sft.Config = field(default_factory=sft.Config)
    """Options of learning from revisions."""
    dpo: dpo.Config = field(default_factory=dpo.Config)
    """Options of DPO on the labels."""
    reward: reward.Config = field(default_factory=reward.Config)
    """Options of the preference model, for PPO."""
    ppo: ppo.Config = field(default_factory=ppo.Config)
    """Options of PPO against it."""

    def __post_init__(self) -> None:
        for name, least in (("red_team", 0), ("tries", 1), ("rounds", 1), ("critic_temperature", 0)):
            if getattr(self, name) < least:
                raise BadConfig(f"{name} is {getattr(self, name)}; choose {least} or more")
        check_clamp(self.clamp)

    @property
    def inert(self) -> Mapping[str, str]:
        """Options that have no effect beside the others, and why."""
        found = {} if self.red_team else {"tries": "there is no red team"}
        if self.optimise == "none":
            why = "optimise is none: there is no stage 2"
            found |= {} if self.red_team else {"read": f"{why}, and no red team"}
            return {**found, **dict.fromkeys(("by", "reasons", "clamp", "dpo", "reward", "ppo"), why)}
        unused = ("reward", "ppo") if self.optimise == "dpo" else ("dpo",)
        return {**found, **dict.fromkeys(unused, f"optimise is {self.optimise}, which does without it")}

    def seeded(self, seed: int) -> Config:
        """The same, every training by that seed."""
        parts = {name: replace(getattr(self, name), seed=seed) for name in ("sft", "dpo", "reward", "ppo")}
        return replace(self, **parts)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Given:
    """From what a model learns.

    start: the model that learns; cast: who else plays, by part: `assistant` (who drafts), `critic`, `reviser`, `judge`
    and `attacker`; seat: lets somebody of the cast take a seat. chat: how replies are drawn. red_teaming: parameters of
    the system `red_team`. demonstrations: what it should go on doing, learned beside the revisions. helpful:
    comparisons of helpfulness by people, learned beside the labels. max_tokens: of critiques and revisions.
    """

    start: Callable[[], Model]
    cast: Mapping[str, str]
    seat: Callable[[str], Seat]
    constitution: Constitution
    tasks: Sequence[Task]
    chat: System
    max_tokens: int
    red_teaming: Mapping[str, Any] = field(default_factory=dict)
    demonstrations: Sequence[Demonstration] = ()
    helpful: Sequence[Preference] = ()
    seed: int = 0
