"""The main job: one base model, aligned step by step, every stage as several systems, every system surveyed.

Base → supervised fine-tuning on demonstrations → from it, on the same comparisons, direct preference optimisation, and
reinforcement learning against a reward model (`rlhf`). Beside these Constitutional AI (`cai`): the base learns what a
critic, who is told a principle, made of the fine-tuned model's answers, and is optimised by AI feedback. On Vale the
demonstrations are what helpful, fallible people would say, and the comparisons are the rater's choices between samples
of the fine-tuned model and of the base; on a user's own model both come from the user's files. Every part that is
finished lies in the run folder (`stages/`, `constitutional/`, `preferences.jsonl`), so that a run that was interrupted
goes on where it stopped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from groma.formats.constitution import Constitution
from groma.formats.examples import Demonstration, Preference, read_examples
from groma.formats.jsonl import write_rows
from groma.formats.run_folder import MANIFEST, RunFolder
from groma.methods import dpo, ppo, reward, sft
from groma.methods.comparisons import as_row, compare
from groma.methods.keeping import kept, state_beside
from groma.models.engine import seat
from groma.models.load import check as load_check
from groma.models.load import load
from groma.models.model import Model
from groma.studies import rlhf
from groma.studies.cai import config as cai
from groma.studies.cai import data, pipeline
from groma.studies.cai.on_vale import CAI_ON_VALE, HARMLESS, PRINCIPLED, on_vale
from groma.studies.carried_over import carried_over
from groma.studies.matrix import Plan, survey_stages
from groma.studies.pairing import drawn, replied_twice
from groma.studies.progress import Progress, training
from groma.studies.recipes import COMPARED, DEMONSTRATED, DPO_ONCE, PPO_ON_VALE, REWARD_ONCE, SFT_ON_VALE
from groma.systems import SYSTEMS
from groma.worlds.vale import VALE, Rater, charters, demonstrations

PREFERENCES, CAI = "preferences.jsonl", "constitutional"
CARRIED = 100
STAGES: Mapping[str, str] = {"base": "", "sft": "base", "dpo": "sft", "rlhf": "sft", "cai": "base"}
"""The stages, and from which each is trained."""


@dataclass(frozen=True, kw_only=True)
class Spectrum:
    """What is aligned, on what, and how.

    demonstrations, preferences: the user's files; None: Vale's own people and rater. constitution: of the stage `cai`,
    which is left out where there is none. principled, harmless: how many of Vale's requests are revised, and how many
    demonstrations of other things are learned beside. carried: requests that every stage is asked as every system, to
    see what alignment carries over (on Vale; 0: that is not looked for). max_tokens: of a reply that is drawn to be
    compared or paid.
    """

    model: str = "vale"
    demonstrations: Path | None = None
    preferences: Path | None = None
    constitution: Constitution | None = charters.HARMLESS
    demonstrators: str = "helpful"
    demonstrated: int = DEMONSTRATED
    compared: int = COMPARED
    principled: int = PRINCIPLED
    harmless: int = HARMLESS
    carried: int = CARRIED
    sft: sft.Config = field(default_factory=lambda: SFT_ON_VALE)
    dpo: dpo.Config = field(default_factory=lambda: DPO_ONCE)
    reward: reward.Config = field(default_factory=lambda: REWARD_ONCE)
    ppo: ppo.Config = field(default_factory=lambda: PPO_ON_VALE)
    cai: cai.Config = field(default_factory=lambda: CAI_ON_VALE)
    seed: int = 0
    max_tokens: int = VALE.max_tokens
    trust_remote_code: bool = False

    @property
    def stages(self) -> tuple[str, ...]:
        return tuple(name for name in STAGES if name != "cai" or self.constitution is not None)


def check(config: Spectrum) -> None:
    """Refuse a model or a file that cannot be used, before anything is written."""
    load_check(config.model)
    if config.preferences is not None:
        read_examples(config.preferences, Preference)
    if config.demonstrations is not None:
        read_examples(config.demonstrations, Demonstration)
    if config.constitution is not None:
        pipeline.check(config.constitution, config.cai)


def run(config: Spectrum, plan: Plan, folder: RunFolder, stopped: Callable[[], bool]) -> Iterator[Progress]:
    """Do whatever of the main job is not done yet."""
    yield from _fine_tune(config, folder, stopped)
    if config.preferences is None:
        yield from _compare(config, folder, stopped)
    yield from _prefer(config, folder, stopped)
    yield from _reinforce(config, folder, stopped)
    if config.constitution is not None:
        yield from _constitute(config, config.constitution, folder, stopped)
    stages = [(name, lambda name=name: seat(_load(config, folder, name))) for name in config.stages]
    yield from survey_stages(stages, plan, folder, stopped)
    if config.carried and config.preferences is None and config.constitution is not None:
        load_stage, judge = partial(_load, config, folder), _stage(folder, "reward")
        for one in carried_over(load_stage, judge, folder, config.carried, config.seed):
            yield one
            if stopped():
                raise KeyboardInterrupt


def _note(folder: RunFolder, source: str, counts: Mapping[str, int]) -> None:
    """Keep in the manifest what was done to the data, in a form that a later run of the same part overwrites."""
    manifest = folder.manifest()
    known = dict(manifest.get("counts", {}))
    known.update({f"{source}: {why}": rows for why, rows in counts.items()})
    folder.write_json(MANIFEST, {**manifest, "counts": known})


def _stage(folder: RunFolder, name: str) -> Path:
    return folder.file(f"stages/{name}")


def _load(config: Spectrum, folder: RunFolder, name: str) -> Model:
    if name == "base":
        return load(config.model, trust_remote_code=config.trust_remote_code)
    return load(folder.file(f"{CAI}/{pipeline.aligned(config.cai)}") if name == "cai" else _stage(folder, name))


def _fine_tune(config: Spectrum, folder: RunFolder, stopped: Callable[[], bool]) -> Iterator[Progress]:
    out = _stage(folder, "sft")
    if out.exists():
        return
    shown: Sequence[Demonstration]
    source = config.demonstrations or config.preferences
    if source is not None:
        loaded = read_examples(source, Demonstration)
        shown = loaded.examples
        _note(folder, source.name, loaded.notes)
    else:
        shown = demonstrations(config.demonstrated, config.seed, config.demonstrators)
    model, resumed = _load(config, folder, "base"), state_beside(out)
    steps = kept(sft.train(model, shown, config.sft, resumed), model, out, stopped, unset_pad=True)
    yield from training("supervised fine-tuning", steps, ("loss",))


def _compare(config: Spectrum, folder: RunFolder, stopped: Callable[[], bool]) -> Iterator[Progress]:
    """Two samples for each task (see `pairing.py`) and the rater's choice."""
    out = folder.file(PREFERENCES)
    if out.exists():
        return
    tasks = drawn(config.compared, config.seed + 1)
    load_stage = partial(_load, config, folder)
    pairs = yield from replied_twice(load_stage, tasks, config.seed, config.max_tokens, stopped)
    counts: Counter[str] = Counter()
    rows = [as_row(one) for one in compare(pairs, Rater(seed=config.seed).compare, counts)]
    _note(folder, "comparisons", counts)
    write_rows(out, rows)


def _prefer(config: Spectrum, folder: RunFolder, stopped: Callable[[], bool]) -> Iterator[Progress]:
    out = _stage(folder, "dpo")
    if out.exists():
        return
    source = config.preferences or folder.file(PREFERENCES)
    loaded = read_examples(source, Preference)
    _note(folder, source.name, loaded.notes)
    model, resumed = _load(config, folder, "sft"), state_beside(out)
    steps = kept(dpo.train(model, loaded.examples, config.dpo, resumed), model, out, stopped, unset_pad=True)
    yield from training("preference optimisation", steps, ("loss", "rewards/accuracies"))


def _reinforce(config: Spectrum, folder: RunFolder, stopped: Callable[[], bool]) -> Iterator[Progress]:
    out, judge = _stage(folder, "rlhf"), _stage(folder, "reward")
    if out.exists():
        return
    examples = read_examples(config.preferences or folder.file(PREFERENCES), Preference).examples
    start = _load(config, folder, "sft")
    if not judge.exists():
        steps = rlhf.train_reward(start, examples, config.reward, judge, config.max_tokens, stopped)
        yield from training("reward model", steps, ("loss", "rewards/accuracies"))
    own = config.preferences is not None
    tasks = rlhf.tasks_of(examples) if own else drawn(config.compared, config.seed + 2)
    steps = rlhf.reinforce(start, tasks, judge, config.ppo, out, config.max_tokens, stopped)
    yield from training("reinforcement learning", steps, ("objective/scores", "objective/kl"))


def _constitute(
    config: Spectrum, constitution: Constitution, folder: RunFolder, stopped: Callable[[], bool]
) -> Iterator[Progress]:
    """On Vale as in `cai/on_vale.py`. On a user's own data the fine-tuned model, who was taught to do as it is told,
    criticises, revises and judges; what people preferred is learned beside its labels.
    """
    load_stage = partial(_load, config, folder)
    if config.preferences is None:
        given = on_vale(
            load_stage,
            constitution,
            config.seed,
            principled=config.principled,
            harmless=config.harmless,
            max_tokens=config.max_tokens,
        )
    else:
        compared = read_examples(config.preferences, Preference).examples
        shown = config.demonstrations
        given = cai.Given(
            start=partial(load_stage, "base"),
            cast=dict.fromkeys(("assistant", "critic", "reviser", "judge", "attacker"), "sft"),
            seat=lambda name: seat(load_stage(name)),
            constitution=constitution,
            tasks=data.seeded(rlhf.tasks_of(compared), config.seed),
            demonstrations=() if shown is None else read_examples(shown, Demonstration).examples,
            helpful=tuple(map(rlhf.conversational, compared)),
            chat=SYSTEMS["chat"].with_(max_tokens=config.max_tokens),
            max_tokens=config.max_tokens,
            seed=config.seed,
        )
    judge = VALE.judge if config.preferences is None else None
    work = RunFolder(folder.file(CAI))
    yield from pipeline.run(given, config.cai, work, stopped, note=partial(_note, folder), judge=judge)
