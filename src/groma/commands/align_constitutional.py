"""`groma align constitutional`: from a constitution to an aligned model, in steps that a person can look into."""

from __future__ import annotations

import datetime
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from groma.commands.console import Phases, no_effect, out, told_anew
from groma.commands.players import check_player, kind_of, only_speaks, player
from groma.commands.prompted import Prompts, chat_of, constitution_of, suite_of, tasks_of
from groma.commands.red_team import taught
from groma.commands.surveying import check_same
from groma.formats import launched
from groma.formats.digest import digest, digest_files
from groma.formats.errors import BadConfig
from groma.formats.examples import Demonstration, Preference, read_examples
from groma.formats.run_folder import MANIFEST, RunFolder
from groma.formats.whole import to_json
from groma.methods.keeping import stoppable
from groma.models.load import load
from groma.studies.cai import pipeline
from groma.studies.cai.config import Config, Given
from groma.studies.matrix import versions
from groma.suites.suite import Suite
from groma.worlds.vale import demonstrations as shown
from groma.worlds.vale.demonstrations import TAME

Part = Literal["requests.jsonl", "revisions.jsonl", "sl-cai", "labels.jsonl", "preference-model", "rl-cai"]


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Who learns, who else plays, and from what."""

    model: str
    """The model that learns: a shipped one (vale), a folder, or a Hub id. In the paper a pre-trained one, which learns
    the revisions of a helpful assistant's drafts."""
    out: Path
    """Folder to write."""
    assistant: str | None = None
    """Who drafts: a model, or as groma survey's --player. None: --model."""
    critic: str | None = None
    """Who criticises. None: --model."""
    reviser: str | None = None
    """Who says it again after a critique. None: --model."""
    judge: str | None = None
    """Who compares two replies. None: --model."""
    attacker: str | None = None
    """Who writes requests for --red-team. None: --model."""
    demonstrations: str | None = None
    """What the model should go on doing, learned beside the revisions: a file of demonstrations, or vale:N for N of
    the world's own, none of them about requests that a red team would make."""
    preferences: Path | None = None
    """Comparisons of helpfulness by people, learned beside the labels: as for groma align dpo."""
    until: Part | None = None
    """Stop when this step is done, to look at what it left."""


@dataclass(frozen=True, kw_only=True)
class Constitutional(Config, Prompts, Parts):
    """Constitutional AI (Bai et al. 2022). Stage 1: a model answers prompts, is criticised by principles, revises, and
    learns the revisions. Stage 2: a judge compares its replies by the principles, and the model is optimised by these
    soft labels.

    Every step leaves a file or a folder in --out: requests.jsonl (where there is a red team), revisions.jsonl, sl-cai,
    labels.jsonl, preference-model (where PPO needs it), rl-cai. Read the rows, edit them, and go on by --resume: what
    is there is not made again.
    """


ROLES = ("assistant", "critic", "reviser", "judge", "attacker")


def main(options: Constitutional, arguments: Sequence[str]) -> None:
    """Make whatever is not made yet."""
    if launched.count() > 1:
        raise BadConfig("align constitutional plays and trains in one process: begin it without a launcher")
    config, suite = _config(options), suite_of(options)
    given = _given(options, config, suite)
    folder = _folder(options, config, given, arguments)

    def note(part: str, told: Mapping[str, Any]) -> None:
        manifest = folder.manifest()
        folder.write_json(MANIFEST, {**manifest, "counts": {**manifest["counts"], part: dict(told)}})

    until = options.until or pipeline.aligned(config)
    with Phases() as phases, stoppable() as stopped:
        for one in pipeline.run(given, config, folder, stopped, until=until, note=note, judge=suite.judge):
            phases.show(one.phase, one.done, one.of, one.text)
    _tell(folder, config)


def _tell(folder: RunFolder, config: Config) -> None:
    """What there is, and what was counted on the way."""
    counted = folder.manifest()["counts"]
    for part in pipeline.parts(config):
        if folder.file(part).exists():
            counts = dict(counted.get(part, {}))
            lines = counts.pop("told", ())
            told = ", ".join(f"{why} {count}" for why, count in sorted(counts.items()))
            out.print(f"{folder.file(part)}{': ' if told else ''}{told}", markup=False)
            for line in lines:
                out.print(f"  {line}", markup=False)


def _config(options: Constitutional) -> Config:
    """How it learns. Options that would have no effect are refused."""
    given = {one.name: getattr(options, one.name) for one in fields(Config)}
    inert = dict(Config(**given).inert)
    inert |= {} if options.red_team else {"attacker": inert["tries"]}
    inert |= {"judge": inert["by"], "preferences": inert["by"]} if options.optimise == "none" else {}
    check_inert(options, inert)
    for name in ("sft", "dpo", "reward", "ppo"):
        if given[name].seed != 0:
            raise no_effect(f"{name}.seed", given[name].seed, "--seed sets it for every step")
    config = Config(**given).seeded(options.seed)
    if options.until is not None and options.until not in pipeline.parts(config):
        choices = ", ".join(pipeline.parts(config))
        raise BadConfig(f"--until {options.until}: with these options there is no such step; choose one of {choices}")
    return config


def check_inert(options: Any, inert: Mapping[str, str], prefix: str = "") -> None:
    """Refuse options that were given and have no effect."""
    known = {one.name: one for one in fields(options)}
    for name, why in inert.items():
        one, value = known[name], getattr(options, name)
        if value != (one.default_factory() if one.default_factory is not MISSING else one.default):
            said = value if isinstance(value, str | int | float) else "…"
            raise no_effect(f"{prefix}{name.replace('_', '-')}", said, why)


def _given(options: Constitutional, config: Config, suite: Suite) -> Given:
    told, tasks, chat = constitution_of(options.constitution), tasks_of(options, suite), chat_of(options, suite)
    roles = {name: getattr(options, name) or options.model for name in ROLES}
    for what in {*roles.values(), options.model}:
        check_player(what)
    if kind_of(options.model) != "model":
        raise BadConfig(f"--model {options.model} cannot learn: name a shipped model, a folder, or a Hub id")
    scoring = ["judge"] * (config.optimise != "none") + ["critic"] * bool(config.red_team)
    for name in scoring if config.read == "scores" else []:
        if only_speaks(roles[name]):
            raise BadConfig(f"the {name} {roles[name]} only speaks: choose --read words, or name a model")
    pipeline.check(told, config)
    return Given(
        start=lambda: load(options.model),
        cast=roles,
        seat=player,
        constitution=told,
        tasks=tasks,
        chat=chat,
        max_tokens=options.max_tokens or suite.max_tokens,
        red_teaming=taught(roles["attacker"]),
        demonstrations=_demonstrations(options),
        helpful=() if options.preferences is None else read_examples(options.preferences, Preference).examples,
        seed=options.seed,
    )


def _demonstrations(options: Constitutional) -> Sequence[Demonstration]:
    given = options.demonstrations
    if given is None:
        return ()
    name, sign, count = given.partition(":")
    if name != "vale":
        return read_examples(Path(given), Demonstration).examples
    if not (sign and count.isdigit() and int(count)):
        raise BadConfig(f"--demonstrations {given}: say how many, vale:4000")
    return shown(int(count), options.seed, "helpful", TAME)


def _folder(options: Constitutional, config: Config, given: Given, arguments: Sequence[str]) -> RunFolder:
    """The folder: made, or, with --resume, the one that is there, if its options, and what lies in the files that they
    name, are the same.
    """
    names = {one.name for one in fields(options)} - {one.name for one in fields(Config)} - {"resume", "until", "out"}
    plain = {name: getattr(options, name) for name in sorted(names)}
    settings = {name: str(value) if isinstance(value, Path) else value for name, value in plain.items()}
    files = [Path(one) for one in (options.on, options.demonstrations, options.preferences) if one is not None]
    contents = digest_files([one for one in files if one.is_file()])
    told = {"of the constitution": digest(given.constitution.to_dict()), "of the files": contents}
    settings = json.loads(to_json({**settings, **config.to_dict(), **told}))
    begun = options.out.exists() and any(options.out.iterdir()) if options.out.is_dir() else False
    if options.resume and not begun:
        told_anew(options.out)
    if not (options.resume and begun):
        manifest = {
            "command": shlex.join(["groma", "align", "constitutional", *arguments]),
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "versions": versions(),
            "settings": settings,
            "counts": {},
        }
        return RunFolder.create(options.out, manifest)
    folder = RunFolder.open(options.out)
    check_same(options.out, folder.manifest().get("settings", {}), settings)
    return folder
