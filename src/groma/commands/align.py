"""`groma align METHOD`: train a model and write a plain Hugging Face folder.

Also by several processes that `accelerate launch` begins (docs/distributed.md); the first alone prints and writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tyro

from groma.commands import align_constitutional, align_online, align_reward
from groma.commands.align_options import Align, loaded, tell_rows
from groma.commands.console import Phases, hush, out, parse, told_anew
from groma.formats import launched
from groma.formats.errors import BadConfig
from groma.formats.examples import Demonstration, Labelled, Loaded, Preference, read_examples
from groma.methods import dpo, kto, processes, sft
from groma.methods.keeping import LOG, check_out, kept, stoppable
from groma.methods.state import State, Step
from groma.models.model import Model

METHODS = {
    "sft": "supervised fine-tuning on demonstrations",
    "dpo": "direct preference optimisation on comparisons",
    "kto": "Kahneman-Tversky optimisation on completions that are labelled good or bad, without pairs",
    "reward": "a reward model from comparisons, for the methods below",
    "ppo": "proximal policy optimisation: a system plays, is paid, and learns, with a critic",
    "rloo": "the same without a critic: each reply against the others to its task",
    "grpo": "the same, each reply against its group",
    "online-dpo": "DPO on the best and the worst paid of the replies that are drawn as it goes",
    "constitutional": "Constitutional AI: from a constitution to an aligned model, by critiques and by AI feedback",
}


@dataclass(frozen=True, kw_only=True)
class Sft(Align):
    """Supervised fine-tuning. Columns: prompt/completion, messages, text, or a preference's (the chosen side is
    shown).
    """

    config: tyro.conf.OmitArgPrefixes[sft.Config] = field(default_factory=sft.Config)


@dataclass(frozen=True, kw_only=True)
class Dpo(Align):
    """Direct preference optimisation. Columns: prompt/chosen/rejected, or chosen/rejected with whole dialogues."""

    cache: Path | None = None
    """Folder that keeps the reference's log-probabilities by content, for runs that share them. None: they are not
    kept.
    """
    config: tyro.conf.OmitArgPrefixes[dpo.Config] = field(default_factory=dpo.Config)


@dataclass(frozen=True, kw_only=True)
class Kto(Align):
    """Kahneman-Tversky optimisation. Columns: prompt/completion/label (true or false)."""

    cache: Path | None = None
    """Folder that keeps the reference's log-probabilities by content, for runs that share them. None: they are not
    kept.
    """
    config: tyro.conf.OmitArgPrefixes[kto.Config] = field(default_factory=kto.Config)


def main(arguments: Sequence[str]) -> None:
    if launched.rank():
        hush()
    if not arguments or arguments[0] in ("-h", "--help"):
        out.print(f"usage: groma align {'|'.join(METHODS)} --model MODEL --out DIR [options]\n")
        for method, what in METHODS.items():
            out.print(f"  {method:<15}{what}")
        return
    name, *rest = arguments
    if name == "sft":
        shown = parse(Sft, "align sft", rest)
        align(shown, ("loss", "mean_token_accuracy"))
    elif name == "dpo":
        compared = parse(Dpo, "align dpo", rest)
        align(compared, ("loss", "rewards/accuracies", "rewards/margins"))
    elif name == "kto":
        align(parse(Kto, "align kto", rest), ("loss", "kl", "rewards/margins"))
    elif name in align_online.METHODS:
        align_online.main(parse(align_online.METHODS[name], f"align {name}", rest))
    elif name == "constitutional":
        align_constitutional.main(parse(align_constitutional.Constitutional, "align constitutional", rest), rest)
    elif name == "reward":
        align_reward.main(parse(align_reward.Reward, "align reward", rest))
    else:
        raise BadConfig(f"there is no method {name!r}; choose one of {', '.join(METHODS)}")


KINDS = {Sft: Demonstration, Dpo: Preference, Kto: Labelled}


def align(options: Sft | Dpo | Kto, shown: tuple[str, ...]) -> None:
    """Train and write the model; what was dropped or handled is told."""
    device = processes.begin(options.device)
    with processes.here().failing():
        model, begun = _begun(options, device)
    last = None
    with Phases() as phases, stoppable() as stopped:
        steps = kept(begun, model, options.out, stopped, unset_pad=True)
        for step in phases.steps(f"align {options.data.name}", steps, shown):
            if last is None:
                tell_rows(step)
            last = step
    processes.end()
    if last is not None:
        out.print(f"{options.out}: {last.number} steps, loss {last.metrics['loss']:.4f}; {LOG} has every step")


def _begun(options: Sft | Dpo | Kto, device: str | None) -> tuple[Model, Iterator[Step]]:
    """The model and its training, of which nothing is done yet but what can be refused."""
    data: Loaded[Any] = read_examples(options.data, KINDS[type(options)])
    state = check_out(options.out, options.resume)
    if options.resume and state is None:
        told_anew(options.out)
    notes = [f"{options.data.name}: {rows} rows: {why}" for why, rows in data.notes.items()]
    model = loaded(options.model, device, options.trust_remote_code, notes)
    return model, _steps(options, data, model, state)


def _steps(options: Sft | Dpo | Kto, data: Loaded[Any], model: Model, state: State | None) -> Iterator[Step]:
    place = options.evaluation_data
    if isinstance(options, Sft):
        shown = read_examples(place, Demonstration).examples if place is not None else ()
        return sft.train(model, data.examples, options.config, state, shown)
    if isinstance(options, Kto):
        labelled = read_examples(place, Labelled).examples if place is not None else ()
        return kto.train(model, data.examples, options.config, state, labelled, cache=options.cache)
    held_out = read_examples(place, Preference).examples if place is not None else ()
    return dpo.train(model, data.examples, options.config, state, held_out, cache=options.cache)
