"""`groma run`: the main job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from groma.commands.console import Phases, no_effect, parse
from groma.commands.players import CHOICES, check_player, named
from groma.commands.prompted import constitution_of
from groma.commands.surveying import Surveyed, check_seed, plan_of, run_folder, seated, suite_from, surveying
from groma.formats.constitution import Constitution
from groma.formats.errors import BadConfig
from groma.formats.run_folder import MANIFEST
from groma.methods import dpo, ppo, reward, sft
from groma.studies import recipes, spectrum
from groma.studies.cai import config as cai
from groma.studies.matrix import PLAYER
from groma.studies.registry import field as field_of_studies


@dataclass(frozen=True, kw_only=True)
class Run(Surveyed):
    """Align a base model (SFT, then DPO and, beside it, RLHF; and Constitutional AI), embody every stage as systems,
    survey every one, and write the page.

    Without --preferences: on the built-in world Vale, with demonstrations by its people and comparisons by its rater.
    With --preferences FILE: the same on your own model and data; SFT then learns from --demonstrations, or from the
    chosen side.
    """

    out: Path = Path("runs/main")
    """Run folder to write; its report.html is the answer."""
    model: str = "vale"
    """The base: a shipped model, a folder, or a Hub id."""
    preferences: Path | None = None
    """Your own comparisons: prompt/chosen/rejected, or chosen/rejected with whole dialogues (.jsonl, .json, .csv,
    also .gz).
    """
    demonstrations: Path | None = None
    """Your own demonstrations: prompt/completion, messages or text. Only with --preferences."""
    demonstrators: Literal["helpful", "refusing"] = "helpful"
    """Which of Vale's people demonstrate: helpful ones, who refuse nothing, or refusing ones, who refuse what does
    harm.
    """
    demonstrated: int = recipes.DEMONSTRATED
    """How many demonstrations Vale's people give."""
    compared: int = recipes.COMPARED
    """For how many tasks Vale's rater compares two samples."""
    items: int = 900
    """How many of the suite's tasks every stage is surveyed on, as every system."""
    constitution: str | None = None
    """By which Constitutional AI is done: a .toml or .json file, or one that ships (default, vale, vale-harm). None:
    vale-harm on Vale; with --preferences there is no such stage."""
    principled: int = spectrum.PRINCIPLED
    """How many of Vale's requests are answered, criticised and revised for it."""
    carried: int = spectrum.CARRIED
    """How many held-out requests every stage is asked as every system (half as many questions, a fifth more errands),
    to see what alignment carries over from the model to the system. 0: that is not looked for."""
    sft: sft.Config = field(default_factory=lambda: recipes.SFT_ON_VALE)
    """Options of supervised fine-tuning."""
    dpo: dpo.Config = field(default_factory=lambda: recipes.DPO_ONCE)
    """Options of preference optimisation."""
    reward: reward.Config = field(default_factory=lambda: recipes.REWARD_ONCE)
    """Options of the reward model."""
    ppo: ppo.Config = field(default_factory=lambda: recipes.PPO_ON_VALE)
    """Options of reinforcement learning against it."""
    cai: cai.Config = field(default_factory=lambda: spectrum.CAI_ON_VALE)
    """Options of Constitutional AI."""


@dataclass(frozen=True, kw_only=True)
class Own(Run):
    __doc__ = Run.__doc__
    sft: sft.Config = field(default_factory=sft.Config)
    """Options of supervised fine-tuning."""
    dpo: dpo.Config = field(default_factory=dpo.Config)
    """Options of preference optimisation."""
    reward: reward.Config = field(default_factory=reward.Config)
    """Options of the reward model."""
    ppo: ppo.Config = field(default_factory=ppo.Config)
    """Options of reinforcement learning against it."""
    cai: cai.Config = field(default_factory=cai.Config)
    """Options of Constitutional AI."""


def main(arguments: Sequence[str]) -> None:
    own = any(one.split("=")[0] == "--preferences" for one in arguments)
    options = parse(Own if own else Run, "run", arguments)
    _check(options)
    check_seed(options.seed)
    others = named(options.player, "player", CHOICES)
    if PLAYER in others:
        raise no_effect("player", f"{PLAYER}={others[PLAYER]}", "every stage plays the assistant in its turn")
    for what in others.values():
        check_player(what)
    config = spectrum.Spectrum(
        model=options.model,
        demonstrations=options.demonstrations,
        preferences=options.preferences,
        demonstrators=options.demonstrators,
        demonstrated=options.demonstrated,
        compared=options.compared,
        sft=replace(options.sft, seed=options.seed),
        dpo=replace(options.dpo, seed=options.seed),
        reward=replace(options.reward, seed=options.seed),
        ppo=replace(options.ppo, seed=options.seed),
        constitution=_constitution(options),
        principled=options.principled,
        carried=options.carried,
        cai=options.cai.seeded(options.seed),
        seed=options.seed,
        max_tokens=options.max_tokens or suite_from(options.on, options.data).max_tokens,
        trust_remote_code=options.trust_remote_code,
    )
    plan = seated(plan_of(options), others, [options.model], options.trust_remote_code)
    spectrum.check(config)
    starts = {stage: spectrum.STAGES[stage] for stage in config.stages}
    stages = [{"name": stage, **({"from": start} if start else {})} for stage, start in starts.items()]
    folder = run_folder(options, "run", arguments, _settings(options), stages, options.model)
    folder.write_json(MANIFEST, {**folder.manifest(), "field": field_of_studies()})
    with surveying(folder) as stopped, Phases() as phases:
        for one in spectrum.run(config, plan, folder, stopped):
            phases.show(one.phase, one.done, one.of, one.text)


def _constitution(options: Run) -> Constitution | None:
    """By which the stage `cai` is made; None: there is no such stage."""
    if options.constitution is None:
        return None if options.preferences is not None else spectrum.Spectrum().constitution
    return constitution_of(options.constitution)


def _check(options: Run) -> None:
    if options.demonstrations is not None and options.preferences is None:
        raise no_effect(
            "demonstrations", options.demonstrations, "without --preferences the people of Vale demonstrate"
        )
    if options.preferences is not None:
        for name in ("demonstrators", "demonstrated", "compared", "principled", "carried"):
            default = Run.__dataclass_fields__[name].default
            if getattr(options, name) != default:
                raise no_effect(name, getattr(options, name), "with --preferences nothing is drawn from Vale")
        if options.constitution is None and options.cai != cai.Config():
            raise no_effect("cai", "…", "with --preferences there is no such stage without --constitution")
    for name, least in (("demonstrated", 1), ("compared", 10), ("principled", 1), ("carried", 0)):
        if getattr(options, name) < least:
            raise BadConfig(f"--{name} {getattr(options, name)}: choose at least {least}")
    _check_cai(options)
    parts = {name: getattr(options, name) for name in ("sft", "dpo", "reward", "ppo")}
    parts |= {f"cai.{name}": getattr(options.cai, name) for name in ("sft", "dpo", "reward", "ppo")}
    for name, part in parts.items():
        if part.seed != 0:
            raise no_effect(f"{name}.seed", part.seed, "--seed sets it for every part")


def _check_cai(options: Run) -> None:
    """Refuse options of Constitutional AI that have no effect, where they differ from what they are by default."""
    usual = cai.Config() if options.preferences is not None else spectrum.CAI_ON_VALE
    for name, why in options.cai.inert.items():
        if getattr(options.cai, name) != getattr(usual, name):
            raise no_effect(f"cai.{name}", "…", why)


def _settings(options: Run) -> dict[str, Any]:
    return {
        "model": options.model,
        "preferences": str(options.preferences or ""),
        "demonstrations": str(options.demonstrations or ""),
        "demonstrators": options.demonstrators,
        "demonstrated": options.demonstrated,
        "compared": options.compared,
        "sft": options.sft.to_dict(),
        "dpo": options.dpo.to_dict(),
        "reward": options.reward.to_dict(),
        "ppo": options.ppo.to_dict(),
        "constitution": options.constitution or "",
        "principled": options.principled,
        "carried": options.carried,
        "cai": options.cai.to_dict(),
    }
