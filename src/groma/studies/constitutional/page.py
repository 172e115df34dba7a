"""The page of the study: harm over revisions, the stages, labels, evasiveness, Elo."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from groma.formats.study import Chart, Point, Summary, Table
from groma.studies.constitutional.arms import ARMS
from groma.studies.constitutional.criteria import Results, criteria
from groma.studies.constitutional.measured import CONTEST, CRITICS, MODELS, OUTCOMES, PPO_HELPED, TOLD
from groma.studies.items import found_together
from groma.studies.raters import number, points, share
from groma.studies.stage_pages import caption

STARTED: Mapping[str, str] = {
    name: "SL-CAI" if name.startswith("RL-CAI") or name == "SL-CAI, critiques" else "sft"
    for name in MODELS
    if name != "sft"
}
"""Against which model each is held."""
CALLED = {"base": "base", "sft": "helpful (SFT)", "rlhf": "RLHF"}


def summary(results: Mapping[int, Results]) -> Summary:
    first = results[min(results)]
    return Summary(
        "Harmlessness from a rule: critiques, revisions and AI feedback",
        "Bai et al. 2022 (arXiv:2212.08073)",
        "Can a model be made harmless without labels of harm, and without growing evasive?",
        (*findings(results), _sizes(first)),
        criteria(results),
        (_rounds(results), _frontier(results)),
        (_by_round(results), _models(results), _told(results), _arms(results), _elo(results)),
    )


def _sizes(first: Results) -> str:
    base, small = (f"{first['parameters'][name]:,}" for name in ("base", "small"))
    return (
        f"Held-out requests a seed: {first['requests']}, half of them harmful. The base has {base} parameters, the "
        f"small one {small}."
    )


def findings(results: Mapping[int, Results]) -> tuple[str, ...]:
    """Sentences about all seeds together, the first is the answer."""

    def harm(name: str) -> str:
        return share(found_together(results, "models", name, "harm"))

    def level(name: str, what: str) -> str:
        return share(found_together(results, "models", name, what))

    lead = (
        f"Harm done when asked for it: {harm('sft')} of the helpful model, {harm('SL-CAI')} after learning revisions, "
        f"{harm('RL-CAI')} after AI feedback; no label of harm was used in either."
    )
    lost = found_together(results, "from sft", "RL-CAI", "helped")
    price = (
        f"The price: it helps with what is harmless in {level('RL-CAI', 'helped')} (helpful model "
        f"{level('sft', 'helped')}: {points(lost)}), and refuses what only looks harmful in "
        f"{level('RL-CAI', 'dual use')}; RLHF, with a rater's preferences, in {level('rlhf', 'dual use')}, at "
        f"{harm('rlhf')} harm, while it helps in {level('rlhf', 'helped')}."
    )
    rounds = ", ".join(_of_round(results, "base", place, "harm") for place in range(_last(results) + 1))
    direct = ", ".join(_of_round(results, "nobody", place, "harm") for place in range(_last(results) + 1))
    revised = (
        f"Harm over rounds of revision, from the draft on: {rounds} with the base as critic; {direct} where nobody "
        "criticises."
    )
    pairs = found_together(results, "change", "SL-CAI, critiques", "harm")
    learned = (
        f"Learning critiques and revisions, in place of the last revisions alone, changes harm by {points(pairs)}."
    )
    untold = found_together(results, "models", "RL-CAI", "harm by what is told", "inferred")
    known = found_together(results, "models", "RL-CAI", "harm by what is told", "stated")
    apart = f"Where the corpus states the harm, {share(known)} is left; where it has to be inferred, {share(untold)}."
    return lead, price, revised, apart, learned, _reinforced(results)


def _reinforced(results: Mapping[int, Results]) -> str:
    said = [
        f"{share(found_together(results, 'models', name, 'harm'))} harm, helping in "
        f"{share(found_together(results, 'models', name, 'helped'))}"
        for name in ("RL-CAI, PPO", PPO_HELPED)
    ]
    return (
        f"PPO against a preference model that learned the labels of harm alone: {said[0]}; one that learned a person's "
        f"labels of helpfulness, too: {said[1]}."
    )


def _last(results: Mapping[int, Results]) -> int:
    return len(results[min(results)]["curves"]["base"]["rounds"]) - 1


def _round(results: Mapping[int, Results], critic: str, place: int) -> dict[int, Any]:
    return {seed: one["curves"][critic]["rounds"][place] for seed, one in results.items()}


def _of_round(results: Mapping[int, Results], critic: str, place: int, what: str) -> str:
    told = found_together(_round(results, critic, place), what)
    return "none" if told is None else f"{told['value']:.1%}"


def _rounds(results: Mapping[int, Results]) -> Chart:
    made = []
    for critic, shown in CRITICS.items():
        for place in range(_last(results) + 1):
            if told := found_together(_round(results, critic, place), "harm"):
                made.append(Point(shown, place, told["value"], told["low"], told["high"]))
    title = "Harm left after each round, by who criticises"
    return Chart(title, "rounds of revision", "share of harmful requests", tuple(made), tuple(CRITICS.values()),
                 caption=caption(results))  # fmt: skip


def _frontier(results: Mapping[int, Results]) -> Chart:
    made = []
    for name in MODELS:
        harm, helped = (found_together(results, "models", name, what) for what in ("harm", "helped"))
        if harm is not None and helped is not None:
            made.append(
                Point(CALLED.get(name, name), 1 - harm["value"], helped["value"], helped["low"], helped["high"])
            )
    return Chart("Helpful and harmless", "harmless: share of harmful requests without harm done",
                 "share of harmless requests helped with", tuple(made), caption=caption(results))  # fmt: skip


def _by_round(results: Mapping[int, Results]) -> Table:
    rows = []
    for critic, shown in CRITICS.items():
        for place in range(_last(results) + 1):
            told = _round(results, critic, place)
            cells = (share(found_together(told, what)) for what in ("harm", "over-refusal", "helped"))
            rows.append((shown, str(place), *cells))
    titles = (OUTCOMES[what].title for what in ("harm", "over-refusal", "helped"))
    told_of = (_ended(results, critic) for critic in CRITICS)
    return Table(
        "Round by round, on held-out requests",
        ("criticised by", "round", *titles),
        tuple(rows),
        f"Round 0 is the draft. {caption(results)} How rounds ended, in all seeds: {'; '.join(told_of)}.",
    )


def _ended(results: Mapping[int, Results], critic: str) -> str:
    counts: Counter[str] = sum((Counter(one["curves"][critic]["outcomes"]) for one in results.values()), Counter())
    return f"{CRITICS[critic]}: " + ", ".join(f"{why} {count:,}" for why, count in sorted(counts.items()))


def _models(results: Mapping[int, Results]) -> Table:
    rows = []
    for name in MODELS:
        levels = [found_together(results, "models", name, what) for what in OUTCOMES]
        cells = [number(one) if what == "objective" else share(one) for what, one in zip(OUTCOMES, levels, strict=True)]
        rows.append((CALLED.get(name, name), *cells))
    columns = ("model", *(one.title for one in OUTCOMES.values()))
    return Table("The models, in chat", columns, tuple(rows), caption(results))


def _told(results: Mapping[int, Results]) -> Table:
    rows = tuple(
        (
            CALLED.get(name, name),
            *(share(found_together(results, "models", name, "harm by what is told", kind)) for kind in TOLD),
        )
        for name in MODELS
    )
    return Table("Harm, by what the corpus tells of it", ("model", *TOLD.values()), rows, caption(results))


def _arms(results: Mapping[int, Results]) -> Table:
    rows = []
    for name, arm in ARMS.items():
        called = "RL-CAI" if name == "soft" else f"RL-CAI, {name}"
        changes = (found_together(results, "change", called, what) for what in ("harm", "helped", "objective"))
        harm, helped, objective = changes
        told = [one["labels"][name] for one in results.values()]
        right = [f"{_mean(told, what):{form}}" for what, form in (("right", ".0%"), ("sure", ".2f"), ("ece", ".2f"))]
        rows.append((arm.title, *right, points(harm), points(helped), number(objective)))
    columns = ("labels", "right", "sure", "calibration error", "harm", "helped", "objective")
    said = (
        "right: of pairs of which one reply is truly better. The others: change from SL-CAI, after as many steps of "
        f"DPO on the same pairs. {caption(results)}"
    )
    return Table("What labels are learned from", columns, tuple(rows), said)


def _mean(told: Sequence[Mapping[str, Any]], what: str) -> float:
    values = [one[what] for one in told if one[what] is not None]
    return sum(values) / len(values) if values else float("nan")


def _elo(results: Mapping[int, Results]) -> Table:
    rows = tuple(
        (
            CALLED.get(name, name),
            *(number(found_together(results, "elo", what, name), 0) for what in ("helpfulness", "harmlessness")),
        )
        for name in CONTEST
    )
    said = (
        "By Bradley and Terry, against the helpful model. Helpfulness: a rater who pays no attention to harm, on "
        f"harmless requests and questions. Harmlessness: less severe harm on harmful requests. {caption(results)}"
    )
    return Table("Elo", ("model", "helpfulness", "harmlessness"), rows, said)
