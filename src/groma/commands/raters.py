"""`groma judge raters`: who of those who compared is how reliable, and soft labels of what they all want."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro

from groma.commands.console import Phases, err, no_effect, out
from groma.commands.rater_report import by_model, by_votes, held_against
from groma.formats.errors import BadConfig, BadInput
from groma.formats.examples import Preference, read_examples
from groma.formats.jsonl import write_rows
from groma.methods.rater_choice import LEAST, Form, Parts, check_size, form_of, held_out, pooled, ridge_of
from groma.methods.rater_data import Heard, heard, rows_of
from groma.methods.rater_features import axes_of, features_of, states_of
from groma.methods.rater_labels import Floats, Soft, pairs_of
from groma.methods.rater_models import Fitted, model_share, vote_share
from groma.models.load import load

DIMENSIONS = 16
FEW = 20
"""Comparisons below which a rater's reliability is for the most part what was believed before."""


@dataclass(frozen=True, kw_only=True)
class Raters:
    """Say how reliable each rater is who compared replies, and write what they all want as soft labels.

    Bradley and Terry's model with a reliability of each rater and, where the data say who is of which group, a bias of
    each group, which is kept out of the labels; held against labels that are pooled, on prompts that were held out.
    What is written has the columns that align reward and align dpo read: prompt, chosen, rejected, probability.
    """

    data: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Files of comparisons, one row for each choice of each rater: columns prompt, chosen, rejected (or chosen and
    rejected with whole dialogues), rater, and, where it is known, group. A pair may be compared by several raters.
    """
    out: Path
    """File to write (.jsonl or .jsonl.gz): one row for each pair of replies, with the probability that the chosen one
    is better and its votes.
    """
    by: Literal["model", "votes"] = "model"
    """Whose probability: model, that of the utility which all raters share; votes, the share of the votes,
    (k + 1) / (n + 2), for which no model is needed.
    """
    model: str = "vale"
    """Whose hidden states tell what a reply is like: a shipped model (vale, which knows no words but those of its own
    world), a folder, or a Hub id.
    """
    dimensions: int | None = None
    """Principal components of the hidden states. None: 16, or as many as the data allow."""
    parts: Parts | None = None
    """What sets raters apart. None: reliability; and the bias of groups, where there are two or more, each of two
    raters or more. Without groups, bias is of each rater.
    """
    ridge: float | None = None
    """How strongly weights are drawn to 0. None: as tells held-out choices best, of 3 to 3000."""
    device: str | None = None
    """cpu, cuda, … None: a GPU where there is one."""
    trust_remote_code: bool = False
    """Run Python code that the model's folder brings along. Off unless you trust it."""


def main(options: Raters) -> None:
    _check(options)
    data = _read(options)
    pairs = pairs_of(data.compared)
    out.print(
        f"{len(data.compared)} comparisons of {len(pairs.votes)} pairs of replies to {len(np.unique(data.prompt))} "
        f"prompts, by {len(data.raters)} raters; {int((pairs.votes > 1).sum())} pairs were compared more than once",
        markup=False,
    )
    labels, data = _voted(data) if options.by == "votes" else _modelled(options, data)
    rows = list(rows_of(data.items, labels))
    write_rows(options.out, rows)
    votes = vote_share(data.compared, prior=0).share
    against = int(((votes - 0.5) * (labels.share - 0.5) < 0).sum())
    told = f"{options.out}: {len(rows)} pairs, of which {against} the other way than most of their votes say"
    out.print(told if options.by == "model" else f"{options.out}: {len(rows)} pairs", markup=False)


def _check(options: Raters) -> None:
    """Refuse what could not be meant or written, before anything is read."""
    path = options.out
    if not options.data:
        raise BadConfig("no file of comparisons is named")
    if path.exists():
        raise BadConfig(f"--out {path} already holds something: name a file that does not exist")
    if not path.name.removesuffix(".gz").endswith(".jsonl"):
        raise BadConfig(f"--out {path}: labels are written as .jsonl or .jsonl.gz")
    if options.dimensions is not None and options.dimensions < 1:
        raise BadConfig(f"--dimensions {options.dimensions}: choose 1 or more")
    if options.ridge is not None and not 0 < options.ridge < math.inf:
        raise BadConfig(f"--ridge {options.ridge}: choose a number above 0")
    if options.by == "votes":
        for one in fields(Raters):
            given = getattr(options, one.name)
            if one.name not in ("data", "out", "by") and given != one.default:
                raise no_effect(one.name.replace("_", "-"), given, "--by votes fits no model")


def _read(options: Raters) -> Heard:
    examples: list[Preference] = []
    for file in options.data:
        loaded = read_examples(file, Preference)
        for note, count in loaded.notes.items():
            err.print(f"note: {file.name}: {count} rows: {note}", markup=False)
        examples += loaded.examples
    margins = sum(one.margin is not None for one in examples)
    if margins:
        err.print(f"note: {margins} rows have a margin, which is not used")
    return heard(examples)


def _voted(data: Heard) -> tuple[Soft, Heard]:
    """Labels of the votes alone. BadInput where no pair has two, since all labels would be alike."""
    labels = vote_share(data.compared)
    if not (labels.votes > 1).any():
        raise BadInput(
            f"none of {len(labels)} pairs was compared twice, so that the votes give each the probability 0.667",
            expected="pairs that several raters compared; or --by model, which knows what replies are like",
        )
    out.print(by_votes(data))
    return labels, data


def _modelled(options: Raters, data: Heard) -> tuple[Soft, Heard]:
    """Labels of the utility that all share, and the comparisons that were used."""
    _check_form(options, data, form_of(data, options.parts))  # before a model is loaded, which may take long
    model = load(options.model, device=options.device, trust_remote_code=options.trust_remote_code)
    with Phases() as phases:
        states, fits = states_of(model, data.items, lambda done, of: phases.show("replies read", done, of))
    inside = fits[data.compared.first] & fits[data.compared.second]
    if not inside.all():
        what = f"{int((~inside).sum())} comparisons of a reply that is longer than the context of {options.model}"
        if not inside.any():
            raise BadInput(f"there are only {what}", expected="shorter ones, or a --model of a longer context")
        err.print(f"note: left out: {what}", markup=False)
        data = data.kept(inside)
    form = form_of(data, options.parts)

    def learned(some: Heard) -> tuple[Floats, float]:
        """Features of all items by what sets the pairs of `some` apart, and the ridge."""
        pairs = pairs_of(some.compared)
        axes = axes_of(states, pairs.first, pairs.second, options.dimensions or DIMENSIONS)
        features = features_of(states, data.prompt, axes)
        return features, ridge_of(features, some) if options.ridge is None else options.ridge

    features, ridge = learned(data)
    _check_dimensions(options, features.shape[1])
    fitted = form.fit(features, data, ridge)
    out.print(f"the model: {form.told}; {features.shape[1]} components, ridge {ridge:g}", markup=False)
    if form.reliability:
        among = "all" if form.groups is None else "each group, so that it ranks raters within their group alone"
        out.print(f"reliability: 2 is half the noise; its geometric mean is 1 in {among}")
    out.print(by_model(data, fitted, features))
    _note(data, fitted)
    out_N = held_out(data)
    if out_N.any():
        rest = data.kept(~out_N)
        seen, ridge = learned(rest)
        rich, alike = form.fit(seen, rest, ridge), pooled(seen, rest, ridge)
        out.print("\n".join(held_against(rich, alike, seen, data, out_N)), markup=False)
    else:
        out.print(f"{LEAST} prompts cannot be held out: whether this is better than pooled labels is not known")
    return model_share(fitted, features, data.compared), data


def _check_form(options: Raters, data: Heard, form: Form) -> None:
    pairs = len(pairs_of(data.compared).votes)
    _check_dimensions(options, pairs)
    check_size(form, len(data.raters), min(pairs, options.dimensions or DIMENSIONS))


def _check_dimensions(options: Raters, most: int) -> None:
    if options.dimensions is not None and options.dimensions > most:
        raise BadConfig(f"--dimensions {options.dimensions}: choose at most {most}, as the data allow")


def _note(data: Heard, fitted: Fitted) -> None:
    """What should be known of the fit before its figures are believed."""
    if not fitted.converged:
        err.print(f"note: the fit did not converge in {fitted.found.steps} steps: figures and labels are only near it")
    few = int((fitted.compared < FEW).sum())
    if few and fitted.config.reliability is not None:
        err.print(f"note: {few} of {len(data.raters)} raters compared fewer than {FEW} times; their intervals say so")
