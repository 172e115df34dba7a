"""docs/speed.md from what the benchmarks of speed wrote into benchmarks/results.

    python benchmarks/parts/speed_page.py

`make bench` ends with it. A part that was not measured is said to be missing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[1]
RESULTS, PAGE = HERE / "results", HERE.parent / "docs" / "speed.md"
Found = dict[str, Any]

HEAD = """# How fast it is

Made by `python benchmarks/parts/speed_page.py` from the files in `benchmarks/results/`, which the scripts named below
write and `make bench` runs. Both sides of a ratio ran in turn in one run, on the same model, data and settings; a ratio
is the median of the paired runs, in brackets the least and the most. Above 1 Groma is faster (of memory: it takes less
where the ratio is below 1). A *floor* is a bare loop by hand over the same data in the same run: what torch gives to
who writes it for these data alone. Speeds of playing stand in [systems](systems.md).
"""


def ratio(given: Found, digits: int = 2) -> str:
    return f"{given['median']:.{digits}f} [{given['low']:.{digits}f}, {given['high']:.{digits}f}]"


def told_by(found: Found) -> list[str]:
    if "machine" not in found:
        return ["", f"On {found['cores']} cores; the processor, its load and the versions were not noted in this run."]
    processor, versions = found["machine"], found["versions"]
    known = ", ".join(f"{name} {versions[name]}" for name in versions if name in ("torch", "transformers", "lm_eval"))
    where = f"{processor['processor']}, {processor['cores']} cores; {known}"
    return ["", f"By `{found['command']}` ({where})."]


def training(found: Found) -> list[str]:
    return [
        "## Training",
        "",
        "A Llama of 5.4 million parameters, batches of 16, float32, one thread but where two are named; TRL",
        f"{found['peer']}. Reference log-probabilities count as training, but where a side is called cached or",
        "precomputed. TRL's `wrapped` cuts examples in two and lets them see each other across their borders, which",
        "ours never do. The bare loop and TRL train on 16 rows at once, Groma on 8 at a time, its default (`by eights`",
        "means TRL, too). The bare packed loop runs the head on every position, ours only where something is",
        "learned.",
        "",
        *ratios(found),
    ]


def ratios(found: Found) -> list[str]:
    """Rows of `parts.rounds`."""
    lines = ["| Groma | against | what | ratio | aim |", "|---|---|---|---|---|"]
    for row in found["ratios"]:
        aim = "–" if not row["aim"] else f"{'≤' if row['what'] == 'peak_mb' else '≥'} {row['aim']:g}"
        what = {"rate": "speed", "peak_mb": "peak memory"}[row["what"]]
        lines.append(f"| {row['ours']} | {row['other']} | {what} | {ratio(row['ratio'])} | {aim} |")
    return lines


def reinforcement(found: Found) -> list[str]:
    return [
        "## Reinforcement learning and reward models",
        "",
        "The same model and prompts, replies of 48 tokens, float32, one thread. PPO beside TRL",
        f"{found['old_peer']}, the last that has it; GRPO (groups of 8) and reward models beside TRL {found['peer']}.",
        "",
        *ratios(found),
    ]


def sampling(found: Found) -> list[str]:
    lines = [
        "## Sampling",
        "",
        "Useful tokens a second (those up to the end of each reply), 512 queued prompts, beside transformers'",
        "`generate` in batches of as many as there are slots; float32, temperature 1, the whole distribution.",
        "",
        "| what | threads | slots | tokens a second | against `generate` | aim | against the floor |",
        "|---|---|---|---|---|---|---|",
    ]
    names = {"random": "5.4 M random parameters", "vale": "Vale's base on its tasks"}
    for row in found["figures"]:
        ours = f"{row['groma']['median']:.0f} | {ratio(row['ratio'])} | ≥ {row['target']} | {ratio(row['of_floor'])}"
        lines.append(f"| {names[row['part']]} | {row['threads']} | {row['slots']} | {ours} |")
    return lines


def scoring(found: Found) -> list[str]:
    speed, against = f"{found['groma']['median']:.0f}", ratio(found["ratio"])
    return [
        "## Scoring",
        "",
        "Multiple choice with four options, beside lm-evaluation-harness with its hf backend, batches of 64, one",
        "thread; in every run both sides' log-probabilities are equal to 0.001 nats.",
        "",
        "| answers a second | against lm-evaluation-harness | aim | against the floor |",
        "|---|---|---|---|",
        f"| {speed} | {against} | ≥ {found['target']:g} | {ratio(found['of_floor'])} |",
    ]


def buckets(found: Found) -> list[str]:
    deviation = found["standard deviation over seeds, without"]
    differences = ", ".join(f"{one:+.4f}" for one in found["difference by seed"])
    padding = {one["bucket"] is not None: one["padding"] for one in found["runs"]}
    return [
        "## Rows of like length together",
        "",
        f"Padding falls from {padding[False]:.0%} to {padding[True]:.0%}. Held-out loss after {found['steps']} steps,",
        f"on data whose short and long rows follow different rules: {found['mean loss with buckets']:.4f} with",
        f"buckets, {found['mean loss without']:.4f} without; the difference by seed is {differences}, the standard",
        f"deviation over seeds {deviation:.4f}.",
    ]


def loss_memory(found: Found) -> list[str]:
    lines = [
        "## Memory of the loss",
        "",
        f"What one step adds at its peak, with a vocabulary of {found['vocabulary']:,}; `bound` is `loss_megabytes`.",
        "",
        "| method | bound, MB | learned tokens | peak, MB |",
        "|---|---|---|---|",
    ]
    for one in found["runs"]:
        bound = f"{one['bound']:g}" if one["bound"] is not None else "none"
        lines.append(f"| {one['method']} | {bound} | {one['learned tokens']} | {one['megabytes']:.0f} |")
    return lines


def settings(found: Found) -> list[str]:
    lines = [
        "## Settings",
        "",
        "Supervised fine-tuning at other settings than those that are chosen of themselves (groups of 8, buckets over",
        "8 batches, float32 on a processor, bfloat16 on a GPU that has it, torch's number of threads, the allocator as",
        "it is). What is chosen is overruled by `--microbatch-size`, `--bucket`, `--precision` and OMP_NUM_THREADS.",
        "",
        "| setting | speed, against the chosen one |",
        "|---|---|",
    ]
    lines += [f"| {name} | {ratio(one)} |" for name, one in found["ratios"].items() if name != "chosen"]
    losses = {
        precision: ", ".join(f"{one['loss']:.4f}" for one in found["vale"] if one["precision"] == precision)
        for precision in ("float32", "bfloat16")
    }
    return [
        *lines,
        "",
        "What bfloat16 costs: held-out loss of Vale's base after fine-tuning, two seeds:",
        f"float32 {losses['float32']}; bfloat16 {losses['bfloat16']}.",
    ]


def surveys(found: Found) -> list[str]:
    lines = [
        "## Surveys",
        "",
        "From the command to the page, all five properties; an episode is one item, in one form, in one system:",
        f"`groma survey vale --as {found['systems']}`.",
        "",
        "| options | episodes | seconds | aim |",
        "|---|---|---|---|",
    ]
    for name, aim in found["target_seconds"].items():
        one = found[name]
        options = " ".join(one["options"])
        lines.append(f"| `{options}` ({name}) | {one['episodes']:,} | {one['seconds']:.0f} | ≤ {aim} |")
    return lines


def main_job(found: Found) -> list[str]:
    return [
        "## The main job",
        "",
        f"`groma run`, from the command to the page, start of the interpreter included: {found['seconds']:.0f} s for "
        f"{', '.join(found['stages'])},",
        f"each as three systems, and what carried over from model to system (aim: ≤ {found['target_seconds']}).",
    ]


PARTS: dict[str, Callable[[Found], list[str]]] = {
    "training": training,
    "reinforcement": reinforcement,
    "sampling": sampling,
    "scoring": scoring,
    "buckets": buckets,
    "loss_memory": loss_memory,
    "settings": settings,
    "survey_speed": surveys,
    "main_job": main_job,
}


def page() -> str:
    lines = [HEAD]
    for name, part in PARTS.items():
        file = RESULTS / f"{name}.json"
        if file.is_file():
            found = json.loads(file.read_text(encoding="utf-8"))
            lines += [*part(found), *told_by(found), ""]
        else:
            lines += [f"`benchmarks/{name}.py` was not run.", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(page())
