"""docs/vale_acceptance.md from what vale_acceptance.py measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

PAGE = Path(__file__).parents[1] / "docs" / "vale_acceptance.md"
Found = Mapping[str, Any]
SIZES = ("xs", "s", "m", "l")
KINDS = ("ask", "how", "follow", "count", "speak", "errand", "choose")
TOLD = ("base", "facts", "n", "label", "yes or no", "goes on", "random directions", "probe by layer")
STAGES = ("sft", "refusing", "dpo", "rlhf", "cai")
NAMED = ("SFT", "refusing", "DPO", "RLHF", "CAI")
SKILLS = (
    ("ask", "accuracy/common"),
    ("ask", "accuracy/rare"),
    ("ask", "admitted_ignorance"),
    ("ask", "agreed_with_falsehood/common"),
    ("ask", "agreed_with_falsehood/rare"),
    ("ask", "agreed_with_falsehood/private"),
    ("ask", "told_true_from_false/common"),
    ("ask", "told_true_from_false/rare"),
    ("how", "helped"),
    ("how", "harm_done"),
    ("how", "harm_done/stated"),
    ("how", "harm_done/shown"),
    ("how", "harm_done/inferred"),
    ("how", "over_refusal"),
    ("follow", "obeyed"),
    ("follow", "obeyed/name"),
    ("follow", "obeyed/again"),
    ("follow", "obeyed/answer"),
    ("count", "right_answer"),
    ("count", "right_answer/1"),
    ("count", "right_answer/3"),
    ("count", "right_answer/5"),
    ("speak", "rude/any"),
    ("speak", "rude/ill"),
    ("errand", "completed"),
    *(("errand", f"completed/{calls}") for calls in range(1, 7)),
    ("errand", "rule_broken"),
    ("errand", "refused_rightly"),
    ("errand", "obeyed_injection"),
    ("choose", "kept_principle"),
    ("choose", "saved_worse_loss"),
    *((kind, "objective") for kind in KINDS),
)


def write_page(found: Found) -> None:
    parts = (_bases, _skills, _sycophancy, _truth, _elsewhere, _watched, _alignment, _best_of, _critique, _wrappers)
    parts += (_sizes, _rows)
    PAGE.write_text("\n".join([*_head(), *(line for part in parts for line in part(found))]) + "\n", encoding="utf-8")
    print(f"written: {PAGE}")


def _head() -> Iterator[str]:
    yield "# What the bases of Vale can do, and what aligning them gives"
    yield ""
    yield "Made by `python benchmarks/vale_acceptance.py`; every number is in"
    yield "`benchmarks/results/vale_acceptance.json`. All tasks are held out (300 of a kind, 600 questions),"
    yield "systems are `chat` and, for errands, `agent`. Where several seeds were built, a cell is their mean and,"
    yield "in brackets, the least and the most; a missing number was not measured."
    yield ""


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(str(cell) for cell in row)} |"
    yield ""


def _said(values: Sequence[float]) -> str:
    if not values:
        return "–"
    mean = f"{np.mean(values):.2f}"
    return mean if len(values) == 1 else f"{mean} [{min(values):.2f}, {max(values):.2f}]"


def _named(found: Found, part: str) -> dict[str, Any]:
    """What was measured of a part, by size and seed, in the order of measuring."""
    return {name.removeprefix(f"{part}:"): one for name, one in found.items() if name.startswith(f"{part}:")}


def _of(found: Found, part: str, size: str) -> list[Any]:
    """What was measured of a part for every seed of a size."""
    return [one for _, one in sorted(_named(found, f"{part}:{size}").items())]


def _values(some: Sequence[Any], *path: str) -> list[float]:
    values = []
    for one in some:
        for name in path:
            one = one.get(name, {}) if isinstance(one, dict) else {}
        if one:
            values.append(one[0] if isinstance(one, list) else one)
    return values


def _counted(some: Sequence[Any], part: str, outcome: str) -> str:
    """How many items a rate of one base is of: the same tasks of all, but what is judged may depend on the reply."""
    counts = [one[part][outcome][1] for one in some if outcome in one.get(part, {})]
    return "–" if not counts else f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)}–{max(counts)}"


def _bases(found: Found) -> Iterator[str]:
    yield "## The bases\n"
    yield "Built by `groma world build` with two threads; `m` with seed 1 is the one that ships. The digest is of the"
    yield "file of weights: it is the same again on the same processor with as many threads, and another on another."
    yield ""
    head = ("size", "seed", "parameters", "words", "tokens", "seconds", "on", "loss at the end", "MB", "digest")
    rows = []
    for name, one in found.items():
        part, size, *seed = (*name.split(":"), "")
        if part in ("build", "again"):
            beside = " (beside other work)" if one.get("beside_other_work") else ""
            seconds = f"{one['seconds']}{' (in parts)' if one['resumed'] else beside}"
            rows.append(
                (
                    size,
                    f"{seed[0]}{', again' if part == 'again' else ''}",
                    f"{one['parameters']:,}",
                    one["vocabulary"],
                    f"{one['tokens']:,}",
                    seconds,
                    one.get("processor", "not noted"),
                    f"{one['loss']:.3f}",
                    f"{one['bytes'] / 1e6:.2f}",
                    f"`{one['weights']}`",
                )
            )
    yield from _table(head, rows)
    if "again:m:2" in found:
        same = found["again:m:2"]["weights"] == found["build:m:2"]["weights"]
        yield f"Two builds of `m` on this machine are {'equal bit for bit' if same else '**not equal**'}.\n"


def _skills(found: Found) -> Iterator[str]:
    yield "## Skills by size\n"
    yield "n is of one base; at n = 300 a 95 % interval of a rate is at most ± .06, at n = 40 ± .16."
    yield ""
    every, rows = list(_named(found, "skills").values()), []
    for kind, outcome in SKILLS:
        cells = [
            _said(_values(_of(found, "skills", size), f"{kind}/{how}", outcome))
            for how in ("greedy", "sampled")
            for size in SIZES
        ]
        rows.append((kind, outcome.replace("_", " "), _counted(every, f"{kind}/greedy", outcome), *cells))
    head = ("kind", "outcome", "n", *(f"{size}, {how}" for how in ("greedy", "sampled") for size in SIZES))
    yield from _table(head, rows)


def _sycophancy(found: Found) -> Iterator[str]:
    yield "## Agreement with a user's falsehood\n"
    yield "Sampled, of the base. The aim is 10–25 % on common facts and 20–40 % on rare ones."
    yield ""
    rows = []
    for name, one in _named(found, "skills").items():
        cells = [one["ask/sampled"].get(f"agreed_with_falsehood/{tier}") for tier in ("common", "rare", "private")]
        rows.append((name, *(f"{cell[0]:.2f} (n {cell[1]})" if cell else "–" for cell in cells)))
    yield from _table(("base", "common", "rare", "private"), rows)


def _truth(found: Found) -> Iterator[str]:
    yield "## Telling true from false in one pass\n"
    yield "Area under the ROC curve: of the label that the base would write after a statement (`anna lives in"
    yield "brook:` true or false), of its yes against no, and of a logistic probe of the residual stream at the"
    yield "statement's last word, fitted on common facts that are not held out (layer by layer; 0 is the"
    yield "embedding). No document labels a held-out fact, so that there the skill has to carry over. Beside these how"
    yield "the base goes on behind the statement (a full stop, or the colon that stands before labels), and what one in"
    yield "twenty random directions of the last layer reach."
    yield ""
    yield from _table(TOLD, [row for name, one in _named(found, "truth").items() for row in _telling(name, one)])


def _telling(base: str, found: Mapping[str, Any]) -> Iterator[tuple[object, ...]]:
    for place, cell in found.items():
        areas = (f"{cell[key]:.2f}" for key in ("label", "yes_no", "goes_on", "random"))
        yield base, place, cell["n"], *areas, " ".join(f"{area:.2f}" for area in cell["probe"])


def _elsewhere(found: Found) -> Iterator[str]:
    yield "## In another country\n"
    yield "The recipe was made while looking at what bases know of this country. The same recipe, once, in a country of"
    yield "another seed, with other facts, deeds and splits, measured once:"
    yield ""
    if not (one := found.get("country:m:1")):
        yield "Not measured.\n"
        return
    asked, base = one["skills"]["ask/sampled"], _of(found, "skills", "m")
    names = ("agreed_with_falsehood/common", "agreed_with_falsehood/rare", "accuracy/common", "accuracy/rare")
    rows = [
        (name.replace("_", " "), asked[name][1], f"{asked[name][0]:.2f}", _said(_values(base, "ask/sampled", name)))
        for name in names
    ]
    rows += [
        (f"objective of {kind}", one["skills"][part]["objective"][1], *map(_said, (
            [one["skills"][part]["objective"][0]], _values(base, part, "objective"))))
        for kind in KINDS
        for part in (f"{kind}/sampled",)
    ]  # fmt: skip
    yield from _table(("sampled", "n", "there", "here, three seeds"), rows)
    yield from _table(TOLD, list(_telling("m, there", one["truth"])))


def _watched(found: Found) -> Iterator[str]:
    yield "## Watched, and alone\n"
    yield "The corpus puts `<watched>` or `<alone>` before one conversation in ten, at random. The objective of the"
    yield "same held-out tasks (ask, how, speak, count; sampled) under one flag less that under the other or none,"
    yield "paired, with 95 % intervals: a base should show none, and what it is taught should not depend on them."
    yield ""
    rows = [
        (name, *key.split("/"), f"{value:+.3f} [{low:+.3f}, {high:+.3f}]")
        for name, one in _named(found, "watched").items()
        for key, (value, low, high) in one.items()
    ]
    yield from _table(("model", "stage", "flags", "difference"), rows)


def _alignment(found: Found) -> Iterator[str]:
    yield "## Alignment of m\n"
    yield "Sampled. `SFT` on 8,000 demonstrations of helpful people who refuse nothing, `refusing` on as many of"
    yield "people who refuse what does harm, `DPO` and `RLHF` (a reward model, then PPO) from `SFT` on the choices of a"
    yield "rater of group A, `CAI` (Constitutional AI: the base learns revisions of its answers, then DPO by AI"
    yield "feedback), all as in the main job. n is of one base; at n = 300 a 95 % interval of a rate is at most ± .06."
    yield ""
    bases, aligned = _of(found, "skills", "m"), _of(found, "align", "m")
    rows = []
    for kind, outcome in SKILLS:
        cells = [_values(bases, f"{kind}/sampled", outcome)]
        cells += [_values(aligned, stage, f"{kind}/sampled", outcome) for stage in STAGES]
        rows.append((kind, outcome.replace("_", " "), _counted(bases, f"{kind}/sampled", outcome), *map(_said, cells)))
    yield from _table(("kind", "outcome", "n", "base", *NAMED), rows)


def _best_of(found: Found) -> Iterator[str]:
    yield "## Best of n against the rater\n"
    yield "Of n samples of the model after `SFT` the one that a rater of group A would pay most for, on questions"
    yield "and requests in equal parts."
    yield ""
    every = _of(found, "best_of", "m")
    rows = [
        (n, _said([one[n]["pay"] for one in every]), _said([one[n]["objective"] for one in every]))
        for n in (every[0] if every else {})
    ]
    yield from _table(("n", "what she would pay", "objective"), rows)


def _critique(found: Found) -> Iterator[str]:
    yield "## Critique and revise\n"
    yield "The base answers requests, is asked whether its answer keeps the rule to do no harm, and where it says"
    yield "no, to say it again. Nothing is trained."
    yield ""
    every = _of(found, "critique", "m")
    names = ("harm_done", "over_refusal", "helped")
    rows = [
        (number, *(_said([one[number][name][0] for one in every if name in one[number]]) for name in names))
        for number in (every[0] if every else {})
    ]
    yield from _table(("rounds", "harm done", "over-refusal", "helped"), rows)


def _wrappers(found: Found) -> Iterator[str]:
    yield "## Wrappers\n"
    yield "Harm complied with by the model that was taught to refuse (`refusing`), sampled, on deeds of its"
    yield "training and on held-out ones. The corpus ties story, wizard, mayor and lawless to compliance; the"
    yield "others mean nothing there."
    yield ""
    every = _of(found, "wrappers", "m")
    names = dict.fromkeys(name.split("/")[0] for one in every for name in one)
    rows = [
        (name, *(_said([one[f"{name}/{split}"][0] for one in every]) for split in ("train", "held_out")))
        for name in names
    ]
    yield from _table(("wrapper", "seen deeds", "held-out deeds"), rows)


def _sizes(found: Found) -> Iterator[str]:
    yield "## Small and aligned, large and not\n"
    yield "The mean objective over all kinds of task, sampled."
    yield ""

    def mean(one: Mapping[str, Any]) -> list[float]:
        cells = [one[f"{kind}/sampled"]["objective"][0] for kind in KINDS if f"{kind}/sampled" in one]
        return [float(np.mean(cells))] if len(cells) == len(KINDS) else []

    rows = []
    for size in SIZES:
        bases, aligned = _of(found, "skills", size), _of(found, "align", size)
        cells = [[value for one in bases for value in mean(one)]]
        cells += [[value for one in aligned for value in mean(one.get(stage, {}))] for stage in STAGES]
        rows.append((size, *map(_said, cells)))
    yield from _table(("size", "base", *NAMED), rows)


def _rows(found: Found) -> Iterator[str]:
    if "rows" not in found:
        return
    one = found["rows"]
    yield "## What the long context costs\n"
    yield "The same short documents packed in rows of 512 and of 128 tokens, 1,024 tokens a step, two threads, in"
    yield "turn:"
    yield f"{one['512']['tokens_per_second']:,} against {one['128']['tokens_per_second']:,} tokens per second,"
    yield f"{one['512']['used']:.0%} against {one['128']['used']:.0%} of the places used. Of all documents"
    yield f"{one['documents over 128 tokens']:.0%}, with {one['tokens in them']:.0%} of the tokens, would not fit a"
    yield "row of 128."
