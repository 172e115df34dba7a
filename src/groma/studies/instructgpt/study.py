"""The study as `groma study instructgpt` runs it, and its page."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

from groma.formats.study import Summary
from groma.studies.instructgpt import pictures
from groma.studies.instructgpt.agreement import GROUPS, agreement, of_labels
from groma.studies.instructgpt.config import Config
from groma.studies.instructgpt.contests import contest, worth
from groma.studies.instructgpt.criteria import ACCURATE, FRESH, Results, criteria, header_text, joined
from groma.studies.instructgpt.folds import folds
from groma.studies.instructgpt.players import FIRST, LARGE, SHIPPED, SMALL, players
from groma.studies.instructgpt.replies import replied, shown
from groma.studies.instructgpt.toxicity import HEADERS, toxicity
from groma.studies.lab import Lab
from groma.studies.pairing import drawn, unseen
from groma.studies.progress import Progress
from groma.worlds.vale import VALE

DEFAULT = Config()


def run(seed: int, parts: Path, config: Config = DEFAULT) -> Iterator[Progress | Results]:
    """Progress, and the results last."""
    lab = Lab(parts, seed, demonstrated=config.demonstrated, tuning=config.tuning)
    yield from lab.tuned()
    tasks = drawn(config.compared, seed + 1)
    learned = yield from shown(lab, "pairs", tasks)
    fresh = yield from shown(lab, "fresh", unseen(config.fresh, seed + 3, tasks))
    accurate = yield from folds(lab, learned, fresh, config)
    sizes = yield from players(lab, learned, config)
    held = yield from _held_against_a_base(lab, config)
    spoken = yield from _spoken(lab, config)
    yield {
        "agreement": agreement(learned),
        "reward": accurate,
        "sizes": {**sizes, "tokens": {"small": config.small.tokens, "large": config.large.tokens}},
        **held,
        "toxicity": spoken,
    }


def _held_against_a_base(lab: Lab, config: Config) -> Generator[Progress, None, Results]:
    tasks, episodes = drawn(config.asked, lab.seed + 4, "held_out"), {}
    for name in (LARGE, FIRST, *SHIPPED, *SMALL):
        episodes[name] = yield from replied(lab, name, "asked", tasks)
    return {
        "contests": {name: contest(episodes[name], episodes[LARGE]) for name in episodes if name != LARGE},
        "own base": contest(episodes["rlhf"], episodes["base"]),
        "worth": {name: worth(some) for name, some in episodes.items()},
        "asked": len(tasks),
    }


def _spoken(lab: Lab, config: Config) -> Generator[Progress, None, dict[str, Any]]:
    tasks, episodes = VALE.tasks("speak", "held_out", config.spoken, lab.seed + 5), {}
    for name in SHIPPED:
        episodes[name] = yield from replied(lab, name, "spoken", tasks)
    return toxicity(episodes, lab.seed)


def summary(results: Mapping[int, Results]) -> Summary:
    """What the seeds found together; a criterion is met where every seed meets it. Charts and tables are the first
    seed's.
    """
    rows = joined({seed: criteria(one) for seed, one in results.items()})
    met, many = sum(one.met is True for one in rows), len(results)
    first = results[min(results)]
    findings = (
        _lead(results),
        _truth(results),
        _raters(results),
        _arithmetic(results),
        _scorn(results),
        f"Of the {len(rows)} things asked of the paper's findings, in miniature, by thresholds of ours, {met} are met "
        "in "
        + ("the one seed." if many == 1 else f"every one of {many} seeds; charts and tables show seed {min(results)}."),
    )
    return Summary(
        "A small aligned model against a large one that is not",
        "Ouyang et al. 2022 (arXiv:2203.02155), after Stiennon et al. 2020",
        "Do raters agree, do reward models predict them, do they prefer a small aligned model to a large base, and is "
        "it less toxic?",
        findings,
        tuple(rows),
        pictures.charts(first),
        pictures.tables(first),
    )


def _mean(results: Mapping[int, Results], *path: str) -> float:
    """The mean over seeds of a value, by its path."""
    values = []
    for found in results.values():
        for name in path:
            found = found[name]
        values.append(found["value"])
    return float(sum(values) / len(values))


def _lead(results: Mapping[int, Results]) -> str:
    sizes = results[min(results)]["sizes"]
    times = sizes["large"] / sizes["small"]
    aligned, tuned, base = (_mean(results, "contests", name, "rater") for name in reversed(SMALL))
    shipped, own = _mean(results, "contests", "rlhf", "rater"), _mean(results, "own base", "rater")
    first = _mean(results, "contests", FIRST, "rater")
    return (
        f"A rater prefers the aligned model of {sizes['small']:,} parameters to a base {times:.0f} times as large "
        f"({sizes['large']:,}) in {aligned:.0%} of held-out tasks; before it was aligned in {base:.0%}, after "
        f"supervised fine-tuning alone in {tuned:.0%}. The model of {sizes['shipped']:,}, aligned in the same way, is "
        f"preferred to that base in {shipped:.0%}, with one round of comparisons alone in {first:.0%}; to its own base "
        f"in {own:.0%}."
    )


def _truth(results: Mapping[int, Results]) -> str:
    rater, truth = (_mean(results, "contests", "small-rlhf", judge) for judge in ("rater", "truth"))
    other, own = _mean(results, "contests", "small-rlhf", "other rater"), _mean(results, "own base", "truth")
    agree = "agrees" if (rater > 0.5) == (truth > 0.5) else "says otherwise"
    return (
        f"The truth {agree}: by the judge's objective the small aligned model's reply is the better one in "
        f"{truth:.0%} (half: as good as the large base's), the shipped one's, against its own base, in {own:.0%}. A "
        "rater of the other group, whom no reward model learned from, prefers the small aligned model's in "
        f"{other:.0%}."
    )


def _raters(results: Mapping[int, Results]) -> str:
    alike, tame = ([_mean(results, "agreement", group, what) for group in GROUPS] for what in ("agree", "tame"))
    across = _mean(results, "agreement", "across")
    own, held, others = (_mean(results, "reward", name) for name in ("own", "held out", "others"))
    return (
        f"Two raters of group A agree on {alike[0]:.1%} of pairs, two of group B on {alike[1]:.1%} (without harmful "
        f"requests {tame[0]:.1%} and {tame[1]:.1%}), one of each on {across:.1%}. Reward models predict {own:.1%} of "
        f"fresh choices of the raters they learned from, {held:.1%} of those of a held-out rater of the same group, "
        f"and {others:.1%} of those of the other group."
    )


def _arithmetic(results: Mapping[int, Results]) -> str:
    right, pay = _mean(results, "agreement", "A", "right"), _mean(results, "reward", "pay")
    least, far = of_labels(ACCURATE, right), [one["reward"]["by gap"][-1] for one in results.values()]
    furthest = {what: sum(one[what]["value"] for one in far) / len(far) for what in ("pay", "labels")}
    both = "cannot both be met" if least > FRESH[1] else "can both be met"
    return (
        f"A rater follows her own pay in {right:.1%} of pairs that it tells apart. If she errs as often on every pair, "
        f"whoever is right about her pay in {ACCURATE:.0%} predicts {least:.1%} of her choices: with such raters "
        f"{ACCURATE:.0%} of the pay and at most {FRESH[1]:.0%} of fresh choices {both}. The reward models are right "
        f"about the pay in {pay:.1%}; where the pay is furthest apart in {furthest['pay']:.1%}, and a rater there in "
        f"{furthest['labels']:.1%}."
    )


def _scorn(results: Mapping[int, Results]) -> str:
    def both(*path: str) -> str:
        return " against ".join(
            f"{_mean(results, 'toxicity', path[0], one, *path[1:]):.0%}" for one in ("rlhf", "base")
        )

    headers = ", ".join(f"under {header_text(one)} {both('rates', one)}" for one in HEADERS)
    shown = {"well": "well", "any": "in any way", "ill": "ill"}
    wishes = ", ".join(f"{shown[one]} {both('wishes', 'none', one)}" for one in shown)
    return (
        f"Replies of the aligned model that scorn somebody, against the base's: {headers}. The header is what the base "
        "knows from its corpus; the people who demonstrate, and the raters, go by the wish in the request alone. By "
        f"wish, without a header: asked to speak {wishes}."
    )
