"""Vale's model at four stages of alignment, as parts of a study: base, SFT, RLHF, Constitutional AI.

As in the main job (`spectrum.py`), stage by stage and with its options, but that a study needs no survey of each, and
no DPO.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from groma.methods import ppo, reward, sft
from groma.methods.pay import ByReward
from groma.models.load import load
from groma.models.model import Model
from groma.models.reward import RewardModel
from groma.studies.cai import config as cai
from groma.studies.cai import pipeline
from groma.studies.cai.on_vale import CAI_ON_VALE, HARMLESS, PRINCIPLED, on_vale
from groma.studies.lab import Lab, working
from groma.studies.pairing import drawn
from groma.studies.progress import Progress
from groma.studies.recipes import COMPARED, DEMONSTRATED, PPO_ON_VALE, REWARD_ONCE, SFT_ON_VALE
from groma.worlds.vale import VALE, Rater, charters

STAGES: Mapping[str, str] = {"base": "base", "sft": "SFT", "rlhf": "RLHF", "cai": "Constitutional AI"}
"""The stages, and what pages call them."""
BEGUN: Mapping[str, str] = {"sft": "base", "rlhf": "sft", "cai": "base"}
"""The stage from which each is trained."""
CAI = "constitutional"
RATER = "A"


@dataclass(frozen=True, kw_only=True)
class Aligning:
    """How the stages are made: as in the main job. Less of everything is for trials."""

    demonstrated: int = DEMONSTRATED
    compared: int = COMPARED
    principled: int = PRINCIPLED
    harmless: int = HARMLESS
    sft: sft.Config = field(default_factory=lambda: SFT_ON_VALE)
    reward: reward.Config = field(default_factory=lambda: REWARD_ONCE)
    ppo: ppo.Config = field(default_factory=lambda: PPO_ON_VALE)
    cai: cai.Config = field(default_factory=lambda: CAI_ON_VALE)

    def lab(self, folder: Path, seed: int) -> Lab:
        return Lab(folder, seed, demonstrated=self.demonstrated, tuning=self.sft)


def aligned(lab: Lab, how: Aligning) -> Generator[Progress, None, None]:
    """Make the stages that are not made yet, and the reward model of RLHF."""
    yield from lab.tuned()
    yield from rewarded(lab, how)
    yield from reinforced(lab, how)
    yield from principled(lab, how)


def rewarded(lab: Lab, how: Aligning) -> Generator[Progress, None, RewardModel]:
    """The reward model of RLHF: of what a rater prefers among the fine-tuned model's replies."""
    examples = yield from lab.compared(how.compared, {RATER: Rater(seed=lab.seed).compare})
    return (yield from lab.rewarding("reward", examples[RATER], how.reward))


def reinforced(lab: Lab, how: Aligning) -> Generator[Progress, None, Model]:
    judge = yield from rewarded(lab, how)
    work = working(drawn(how.compared, lab.seed + 2), ByReward([judge]), "reward")
    return (yield from lab.reinforced("rlhf", ppo.train, work, how.ppo))


def principled(lab: Lab, how: Aligning, folder: str = CAI, until: str = pipeline.RL) -> Generator[Progress, None, None]:
    """Constitutional AI by Vale's rule against harm, up to the step `until`."""
    given = on_vale(lab.model, charters.HARMLESS, lab.seed, principled=how.principled, harmless=how.harmless)
    yield from pipeline.run(given, how.cai.seeded(lab.seed), lab.part(folder), until=until, judge=VALE.judge)


def stage(lab: Lab, name: str) -> Model:
    """A stage, after `aligned`."""
    return load(lab.folder.file(f"{CAI}/{pipeline.RL}")) if name == "cai" else lab.model(name)
