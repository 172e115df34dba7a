"""The tables of the page, from the results of one seed."""

from __future__ import annotations

from groma.formats.study import Table
from groma.studies.judged import Told, in_words
from groma.studies.offline_online.config import BEST, METHODS, OFFLINE
from groma.studies.offline_online.measuring import OBJECTIVE, PAY, WORDS, Row
from groma.studies.offline_online.results import Results
from groma.studies.offline_online.training import PROCESSOR, SECONDS

OUTCOMES = {"harm_done": "harm done", "accuracy": "accuracy", "over_refusal": "over-refusal"}


def tables(first: Results, of: str) -> tuple[Table, ...]:
    """All of them. of: what captions say of the seed."""
    return _ends(first, of), _equal(first, of), _followed(first, of), _costs(first, of), _options(first)


def _ends(first: Results, of: str) -> Table:
    def row(name: str, told: Row, change: str) -> tuple[str, ...]:
        seen = [told["outcomes"][outcome] for outcome in OUTCOMES]
        rates = ("" if one is None else in_words(one) for one in seen)
        kl, error = told["kl"]
        return (
            name, in_words(told[OBJECTIVE]), change, in_words(told[PAY]), f"{kl:.2f} ± {error:.2f}", *rates,
            f"{told[WORDS]['value']:.1f}",
        )  # fmt: skip

    rows = [row("start", first["start"], "")]
    for method, one in first["methods"].items():
        rows.append(row(METHODS[method], one["points"][-1], in_words(one["truth from start to end"])))
    columns = ("", "objective", "change of it", "pay", "KL, nats ± s.e.", *OUTCOMES.values(), "words")
    caption = (
        f"On the same {first['start'][PAY]['n']} held-out tasks, one reply each at temperature 1; 95 % intervals, "
        f"clustered by what tasks are about.{of}"
    )
    return Table("At the end of training", columns, tuple(rows), caption)


def _equal(first: Results, of: str) -> Table:
    rows = []
    for row in first["online and offline"]:
        name, ends = f"{METHODS[row['online']]} less {METHODS[row['offline']]}", row["end"]
        shares = " and ".join(f"{share:.0%}" for share in row["shares"])
        told = (in_words(row[PAY]), in_words(row[OBJECTIVE]), shares, in_words(ends[PAY]), in_words(ends[OBJECTIVE]))
        rows.append((name, f"{row['kl']:.2f}", *told))
    for row in first["best-of-n and methods"]:
        name = f"{BEST} less {METHODS[row['method']]}"
        rows.append((name, f"{row['kl']:.2f}", in_words(row[PAY]), in_words(row[OBJECTIVE]), "", "", ""))
    columns = (
        "", "KL, nats", "pay at this KL", "objective at this KL", "reached after", "pay at the end",
        "objective at the end",
    )  # fmt: skip
    caption = (
        "Differences over the same tasks, 95 % intervals. Online and offline: at the largest KL that both reach, "
        "linear between marks, and after which share of its training each comes past it; then both at their ends, at "
        "whatever KL. Best-of-n: at the farthest mark of the method that it reaches. The KL is taken as known; that of "
        f"best-of-n is an upper bound.{of}"
    )
    return Table("At equal KL", columns, tuple(rows), caption)


def _followed(first: Results, of: str) -> Table:
    rows = []
    for row in first["changed"]:
        paid = "old comparisons" if row["method"] in OFFLINE else "changed rater" if row["turned"] else "first rater"
        told = (
            "first rater at the half",
            "changed rater at the half",
            "changed rater at the end",
            "gain",
            "first rater at the end",
        )
        rows.append(
            (METHODS[row["method"]], paid, *(in_words(row[one]) for one in told), in_words(row["truth at the end"]))
        )
    columns = (
        "", "learns after the half from", "first rater, at the half", "changed rater, at the half", "changed rater, at "
        "the end", "her gain", "first rater, at the end", "objective, at the end",
    )  # fmt: skip
    caption = (
        "Pay by the rater of group A (first) and of group B (changed), who knows other facts and weighs otherwise. A "
        f"run under the changed rater goes on from the state of the other at the half.{of}"
    )
    return Table("The rater changes her mind", columns, tuple(rows), caption)


def _costs(first: Results, of: str) -> Table:
    costs, rows = first["costs"], []
    for method, one in first["methods"].items():
        took = dict(costs["training"][method])
        sampling = costs["sampling"][PROCESSOR] if method in OFFLINE else 0.0
        sampled = f"{sampling:.0f}" if method in OFFLINE else "within"
        rows.append(
            (METHODS[method], f"{one['replies']:,}", sampled, f"{took[PROCESSOR]:.0f}", f"{took[SECONDS]:.0f}",
             *_memory(costs["memory"].get(method)))
        )  # fmt: skip
    rows.append((BEST, "n for each answer", "", "0", "0", *_memory(costs["memory"].get(BEST))))
    columns = (
        "", "replies", "seconds to sample and compare", "seconds of training", "by the clock", "peak memory, MB",
        "of it for the steps, MB",
    )  # fmt: skip
    caption = (
        f"Seconds are processor seconds of all threads ({costs['threads']} here), so that what else runs on the "
        "machine counts little; by the clock it does count. Both offline methods learn from the same samples. Peak "
        f"memory: resident, of {costs['measured steps']} steps in a process of its own; the last column is what it "
        f"grew by once model and data were loaded.{of}"
    )
    return Table("What it costs", columns, tuple(rows), caption)


def _memory(told: Told | None) -> tuple[str, str]:
    return ("", "") if told is None else (f"{told['after']:.0f}", f"{told['after'] - told['before']:.0f}")


def _options(first: Results) -> Table:
    rows = []
    for method, one in first["methods"].items():
        told = one["options"]
        updates = (told["epochs"] or 1) * (told["minibatches"] or 1)
        pull = f"beta {told['beta']:g}" if told["beta"] is not None else f"kl_coef {told['kl_coef']:g}"
        samples = "" if told["samples"] is None else str(told["samples"])
        sizes = (str(told["max_steps"]), str(told["batch_size"]), samples, str(updates))
        rows.append((METHODS[method], f"{told['learning_rate']:g}", *sizes, pull))
    columns = ("", "step size", "steps", "batch", "replies to a task in it", "updates a step", "pull to the start")
    caption = "A batch is of pairs for DPO, of labelled replies for KTO, of episodes for the online methods."
    return Table("Options", columns, tuple(rows), caption)
