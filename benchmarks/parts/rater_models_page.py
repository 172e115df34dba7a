"""docs/rater_models.md from the result of benchmarks/rater_models.py: all its numbers and verdicts are the result's."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from typing import Any

NAMES = {
    "pooled": "1 pooled: all labels alike",
    "majority": "2a a hard label by majority",
    "votes": "2b soft labels: the smoothed share of votes",
    "reliability": "3 reliability of each rater",
    "bias": "4a bias of each group",
    "both": "4b reliability and bias",
    "refit": "4c pooled, on the soft labels of 4b",
    "prompts": "5a 4b + consistency: prompts in other words",
    "kindness": "5b 4b + consistency: a kind word before the reply",
    "pooled kindness": "5c 1 + consistency: a kind word before the reply",
    "truth": "the same features, taught the truth",
}
RIVALS = [name for name in NAMES if name not in ("pooled", "truth")]


def verdict(one: Mapping[str, Any]) -> str:
    """By both intervals, of items and of seeds: what is not shown by both is not shown."""
    ends = [one["gain"]] + ([one["gain over seeds"]] if one["gain over seeds"] else [])
    if len(ends) == 2 and all(end["low"] > 0 for end in ends):
        return "helps"
    if len(ends) == 2 and all(end["high"] < 0 for end in ends):
        return "harms"
    return "not shown"


def span(one: Mapping[str, Any] | None, sign: str = "") -> str:
    return "–" if one is None else f"{one['value']:{sign}.3f} [{one['low']:{sign}.3f}, {one['high']:{sign}.3f}]"


def table(found: Mapping[str, Any]) -> list[str]:
    lines = [
        "| model | ordered as in truth | less 1, by item | less 1, by seed | verdict |",
        "|---|---|---|---|---|",
    ]
    for name, title in NAMES.items():
        one = found["models"][name]
        if name == "pooled":
            lines.append(f"| {title} | {span(one['right'])} | | | |")
        else:
            told = "" if name == "truth" else verdict(one)
            lines.append(
                f"| {title} | {span(one['right'])} | {span(one['gain'], '+')} | {span(one['gain over seeds'], '+')} "
                f"| {told} |"
            )
    pays = found["pays"]
    return [
        *lines,
        "",
        "What the raters pay, without noise, orders as in truth: "
        + ", ".join(f"{who} {span(one)}" for who, one in pays.items())
        + ".",
    ]


def likelihoods(every: Mapping[str, Any]) -> list[str]:
    names = list(next(iter(every.values()))["likelihood"])
    lines = [f"| model | {' | '.join(every)} |", f"|---|{'---|' * len(every)}"]
    for name in names:
        cells = []
        for found in every.values():
            one = found["likelihood"][name]
            gain = f" ({span(one['gain'], '+')})" if "gain" in one else ""
            cells.append(f"{one['mean']:.3f}{gain}")
        lines.append(f"| {NAMES[name]} | {' | '.join(cells)} |")
    return lines


def raters(every: Mapping[str, Any]) -> list[str]:
    lines = [f"| rater | {' | '.join(every)} |", f"|---|{'---|' * len(every)}"]
    for name in next(iter(every.values()))["raters"]:
        cells = []
        for found in every.values():
            values = [one["value"] for one in found["raters"][name]]
            wide = sum(one["high"] / one["low"] for one in found["raters"][name]) / len(values)
            cells.append(f"{sum(values) / len(values):.2f} ({min(values):.2f} – {max(values):.2f}; ×{wide**0.5:.2f})")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def kinds(found: Mapping[str, Any]) -> list[str]:
    named = list(found["models"]["pooled"]["kinds"])
    lines = [f"| model | {' | '.join(named)} |", f"|---|{'---|' * len(named)}"]
    for name in ("pooled", "reliability", "bias", "both", "truth"):
        cells = " | ".join(f"{found['models'][name]['kinds'][kind]:.2f}" for kind in named)
        lines.append(f"| {NAMES[name]} | {cells} |")
    return lines


def verdicts(every: Mapping[str, Any]) -> list[str]:
    lines = []
    for design, found in every.items():
        by = {told: [NAMES[n] for n in RIVALS if verdict(found["models"][n]) == told] for told in ("helps", "harms")}
        rest = len(RIVALS) - sum(map(len, by.values()))
        said = [f"{told}: {'; '.join(some) if some else 'none'}" for told, some in by.items()]
        lines.append(f"- **{design}**: {'. '.join(said)}. Not shown to do either: the other {rest}.")
    return lines


HEAD = """# Does a model of the raters recover what is truly good?

Made by `python benchmarks/rater_models.py`, which also writes `benchmarks/results/rater_models.json`. Do not edit by
hand. The model is that of `src/groma/methods/rater_models.py`: Bradley–Terry with a reliability for each rater and a
bias for each group, soft labels from disagreement, and an optional term that holds items equal which say the same.

- **Replies**: of the shipped base after {steps} steps of supervised fine-tuning (the main job takes 400), two different
ones to each task; to a request for harm the second is the base's, as in the main job. {seeds} seeds, each with its own
tasks, samples and raters: in the first one {pairs} pairs to learn from, and {unequal} held-out pairs whose true
objectives differ, on which the models are judged. Errands are left out.
- **Raters**: eight, of each group a careful one (noise .05), a normal one (that of her group: {noise}), a very noisy
one (2), and one who begins as the normal one and tires by 1 % of it with each comparison.
- **Designs**, by who compares each pair of training replies: {designs}.
- **Features** of a reply: {width} numbers, scaled and clipped. 16 principal components of the shipped base's hidden
states over prompt and reply (mean over the reply behind block 2, last token behind all blocks), and for each kind of
task by itself the base's log-probability of the reply, words shared with the request, and properties that the grammar
of Vale reads in a reply without knowing what is true (kind words, certainty, refusals, …).
- **Settings** (the ridge, that of the bias, the weight of consistency) are chosen for each model by the likelihood of
the raters' choices on a third of the training tasks (in the scarce designs on each third in turn), never by the truth.
Pairs that say the same are training replies without labels: 5a behind the reworded prompt, 5b and 5c with a kind word
said before them, which nobody asked for (of these {equal} % have the same true objective).
- **Intervals** are 95 %: by item, clustered by what a task is about over all seeds; and Student t over the {seeds}
seeds, each with its own fit. A model *helps* or *harms* where both lie on one side of 0. Each stands by itself: no
correction for the number of rows.
"""

READING = """What the raters choose is understood far better, and what is truly good is recovered no better. In the
three designs with Vale's raters 4b gains {understood} nats a held-out choice on pooled labels, with intervals well
above 0, and it tells the very noisy raters from the others. But in no design is a model of the raters shown to order
replies more often as in truth than pooled labels do: intervals by item leave room for {room} at most ({where}), those
by seed for {seeds} ({which}). That bounds what reliability and bias (3, 4), soft labels (2b, 4c) and consistency (5)
may be worth here. Most of the differences are below 0.

Why, as far as these numbers tell:

- The noise of raters is not what is lacking. With truthful raters of the same noise, and four comparisons a pair, the
same features taught the truth are no better than pooled labels: {taught}. With one comparison a pair noise may cost a
little, {scarce}, and reliability does not win it back ({reliable}).
- What is lacking is in the tastes: with Vale's raters the same difference is {tastes}. Both groups like confidence and
agreement and know half of the common facts, and what both want lies in the common utility, by construction. Where they
differ, the mean of the two is no nearer to the truth: of what raters pay, A's orders {a:.0f} % of the pairs as in
truth, B's {b:.0f} %, their mean {mean:.0f} %. To give B's taste the weight of A's, where A compared more, is then no
gain.
- A vote share is the same likelihood as the votes, but for its smoothing; that 2b equals 1 was to be expected.
- A majority forgets how many disagreed, and 4c is shrunk twice, in 4b and in the refit under the ridge of 1: these are
the only two forms of labels that do worse with truthful raters.
- That kind words change nothing is true, and to be held to it did not help: the features that a kind word moves
(length, log-probability, hidden states) are pushed towards 0 with it, and some of these tell what is true.

What was seen while this was made: earlier features, hidden states and properties without the kind of task, ordered 60 %
as in truth when taught the truth, and were replaced by these, by that number alone. With ridges in plain units of the
weights 4b made one reliability fifty and another nearly 0, to escape them; the units of noise in
`src/groma/methods/rater_fit.py` come from there. The noise of the very noisy rater was .8 at first. Features are
clipped since a few replies far from all others spoilt the likelihood of held-out choices. The scarce designs were added
after a first whole run, and the numbers of tasks made smaller after a second one, in both of which nothing helped
either.
"""


def reading(every: Mapping[str, Any]) -> list[str]:
    gains = [found["likelihood"]["both"]["gain"]["value"] for name, found in every.items() if "truthful" not in name]
    room = {
        which: max(
            (found["models"][name][which]["high"], f"{NAMES[name]}, {design}")
            for design, found in every.items()
            for name in RIVALS
            if found["models"][name][which]
        )
        for which in ("gain", "gain over seeds")
    }
    pays = {who: 100 * one["value"] for who, one in every["even"]["pays"].items()}

    def gain(design: str, name: str) -> str:
        return span(every[design]["models"][name]["gain"], "+")

    text = READING.format(
        understood=" to ".join(f"{one:.3f}" for one in (min(gains), max(gains))),
        room=f"{room['gain'][0]:+.3f}",
        where=room["gain"][1],
        seeds=f"{room['gain over seeds'][0]:+.3f}",
        which=room["gain over seeds"][1],
        taught=gain("truthful", "truth"),
        scarce=gain("truthful, scarce", "truth"),
        reliable=gain("truthful, scarce", "reliability"),
        tastes=gain("even", "truth"),
        a=pays["A"],
        b=pays["B"],
        mean=pays["A and B"],
    )
    return filled(text)


def filled(text: str) -> list[str]:
    """Paragraphs and points, each on lines of 120 characters at most."""
    lines: list[str] = []
    for block in text.strip().split("\n\n"):
        for part in re.split(r"\n(?=- )", block):
            indent = "  " if part.startswith("- ") else ""
            lines += textwrap.wrap(" ".join(part.split()), 120, subsequent_indent=indent, break_long_words=False)
        lines.append("")
    return lines


def page(found: Mapping[str, Any]) -> str:
    every, settings = found["found"], found["settings"]
    first = every["even"]["seeds"][0]
    head = HEAD.format(
        steps=settings["steps"],
        seeds=settings["seeds"],
        pairs=first["pairs"],
        unequal=first["of these with unequal objectives"],
        designs="; ".join(f"*{name}*: {text}" for name, text in settings["designs"].items()),
        width=found["features"][0]["width"],
        noise=", ".join(f"{group} {one:.3f}" for group, one in settings["noise"].items()),
        equal=round(100 * found["features"][0]["of these of equal objective"]),
    )
    lines = [*filled(head), "## What was shown", "", *verdicts(every), "", *reading(every)]
    for design in every:
        lines += [f"## {design.capitalize()}: {settings['designs'][design]}", "", *table(every[design]), ""]
    lines += [
        "## How well the raters themselves are understood",
        "",
        "The mean log-likelihood of held-out choices, in nats, and its gain on 1, by choice and clustered by what the",
        "task is about. ln ½ is -0.693.",
        "",
        *likelihoods(every),
        "",
        "## Reliability",
        "",
        "As fitted by 4b: mean over the seeds, least and most of them, and by what factor the 95 % interval of one fit",
        "goes to either side. The geometric mean is 1 in each group.",
        "",
        *raters(every),
        "",
        "## By kind of task, even",
        "",
        *kinds(every["even"]),
        "",
    ]
    seconds, by = found["seconds"], found["machine"]
    ended = all(all(one["converged"].values()) for some in every.values() for one in some["seeds"])
    lines += [
        f"{seconds['all']:.0f} s in all, {seconds['of the processor']:.0f} s of the processor, on one thread "
        f"({by['processor']}; other work on it: load {by['load']}); all fits converged: "
        f"{'yes' if ended else 'no'}.",
    ]
    return "\n".join(lines) + "\n"
