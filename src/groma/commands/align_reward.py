"""`groma align reward`: train a reward model, or several for an ensemble, and say how often it is right."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import tyro

from groma.commands.align_options import Align, tell_rows
from groma.commands.console import Phases, err, out, told_anew
from groma.commands.reward_report import report, table
from groma.formats.errors import BadConfig
from groma.formats.examples import Loaded, Preference, read_examples
from groma.formats.whole import write_whole
from groma.methods import processes, reward
from groma.methods.checkpoint import save_reward
from groma.methods.keeping import check_out, kept, stoppable
from groma.models.load import load
from groma.models.model import Model
from groma.models.reward import MEMBER, RewardModel, load_rewards

ACCURACY = "accuracy.json"
"""The report, in the folder beside the weights."""


@dataclass(frozen=True, kw_only=True)
class Reward(Align):
    """A reward model by Bradley and Terry. Columns: prompt/chosen/rejected, or chosen/rejected with whole dialogues;
    and, where there are, margin, probability (a soft label) and group (who compared).

    Writes a Hugging Face sequence-classification folder with one output, and in it accuracy.json: how often it prefers
    what people preferred, by split, group of raters and margin, with its calibration.
    """

    members: int = 1
    """How many models to train, each with a seed of its own, for an ensemble: they are written as member-1, member-2, …
    inside --out."""
    normalise: int = 256
    """The reward gets mean 0 and deviation 1 over replies of --policy to this many of the prompts. 0: it stays as it
    came out."""
    policy: str | None = None
    """Whose replies these are: the model that reinforcement learning will start from. None: --model."""
    max_tokens: int = 256
    """Longest reply to normalise on."""
    config: tyro.conf.OmitArgPrefixes[reward.Config] = field(default_factory=reward.Config)


def main(options: Reward) -> None:
    """Train what is not trained yet, and report."""
    _check(options)
    device = processes.begin(options.device)
    with processes.here().failing():
        data: Loaded[Preference] = read_examples(options.data, Preference)
        place = options.evaluation_data
        shown = read_examples(place, Preference).examples if place is not None else ()
        places = [options.out / f"{MEMBER}{number}" for number in range(1, options.members + 1)]
        for note, rows in data.notes.items():
            err.print(f"note: {options.data.name}: {rows} rows: {note}", markup=False)
    splits = _splits(options, data.examples, shown)
    for number, folder in enumerate(places if options.members > 1 else [options.out]):
        done = options.members > 1 and options.resume and (folder / "config.json").exists()
        if not done:
            _train(options, replace(options.config, seed=options.config.seed + number), folder, splits, device)
    processes.end()
    if options.members > 1 and processes.here().first:
        found = report(load_rewards(options.out, device), splits)
        write_whole(options.out / ACCURACY, json.dumps(found, indent=1).encode())
        out.print(f"the mean of {options.members} models:")
        out.print(table(found))
    out.print(f"{options.out}: written; {ACCURACY} says how often it is right")


def _splits(
    options: Reward, examples: Sequence[Preference], shown: Sequence[Preference]
) -> dict[str, Sequence[Preference]]:
    """What is learned from, and then what is evaluated on, under the names of the files, or, where these are alike,
    their paths.
    """
    place = options.evaluation_data
    if place is None:
        return {options.data.name: examples}
    if place.resolve() == options.data.resolve():
        raise BadConfig(f"--evaluation-data {place} is --data itself: give examples that are not learned from")
    alike = place.name == options.data.name
    return {str(options.data) if alike else options.data.name: examples, str(place) if alike else place.name: shown}


def _check(options: Reward) -> None:
    for name, least in (("members", 1), ("normalise", 0), ("max_tokens", 1)):
        if getattr(options, name) < least:
            raise BadConfig(f"--{name.replace('_', '-')} {getattr(options, name)}: choose {least} or more")
    if options.normalise == 1:
        raise BadConfig("--normalise 1: one reward has no deviation; choose 0 (not at all) or some hundred")
    if not options.normalise and options.policy is not None:
        raise BadConfig(f"--policy {options.policy} would have no effect: --normalise is 0")
    if not options.normalise and options.max_tokens != Reward.max_tokens:
        raise BadConfig(f"--max-tokens {options.max_tokens} would have no effect: --normalise is 0")


def _train(options: Reward, config: reward.Config, folder: Path, splits: dict[str, Any], device: str | None) -> None:
    """One model, into `folder`."""
    with processes.here().failing():
        state = check_out(folder, options.resume)
        if options.resume and state is None:
            told_anew(folder)
        start = load(options.model, device=device, trust_remote_code=options.trust_remote_code)
        made = reward.begin(start, config.seed)
        examples, *held_out = splits.values()
        steps = reward.train(made, examples, config, state, held_out[0] if held_out else ())

    def save(path: Path) -> None:
        trained = _normalised(options, start, made, examples, config.seed)
        found = report([trained], splits)
        save_reward(trained, path, {ACCURACY: json.dumps(found, indent=1)})
        out.print(table(found))

    told = False
    with Phases() as phases, stoppable() as stopped:
        for step in phases.steps(f"reward {folder.name}", kept(steps, made.model, folder, stopped, save=save), SHOWN):
            if not told:
                tell_rows(step)
            told = True


SHOWN = ("loss", "rewards/accuracies")


def _normalised(
    options: Reward, start: Model, made: RewardModel, examples: tuple[Preference, ...], seed: int
) -> RewardModel:
    """The reward model, set against the policy that is to learn from it."""
    if not options.normalise:
        return made
    device, trusted = str(start.net.device), options.trust_remote_code
    policy = start if options.policy is None else load(options.policy, device=device, trust_remote_code=trusted)
    if len(examples) < options.normalise:
        err.print(f"note: there are {len(examples)} prompts to normalise on, and {options.normalise} were asked for")
    prompts = [one.prompt for one in examples]
    return reward.against(made, policy, prompts, options.normalise, max_tokens=options.max_tokens, seed=seed)
