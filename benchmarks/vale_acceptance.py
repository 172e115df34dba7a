"""What the bases of Vale can do, what aligning them gives, and what they cost: the acceptance table of docs/vale.md.

    python benchmarks/vale_acceptance.py [PART ...]     measure the named parts (none: all) that are not measured yet
    python benchmarks/vale_acceptance.py page           write the page alone

Parts: build:SIZE:SEED, skills:SIZE:SEED, truth:SIZE:SEED, align:SIZE:SEED, best_of:SIZE:SEED, critique:SIZE:SEED,
wrappers:SIZE:SEED, watched:SIZE:SEED, again:m:2 (a second build, to be equal bit for bit), country:m:1 (the same recipe
in another country) and rows (what a long context costs). Each is
kept in benchmarks/results/vale_acceptance.json as soon as it is measured, so that the script goes on where it was
stopped. Models lie in runs/acceptance. All of it takes about five hours on two cores with nothing else to do; the page
is docs/vale_acceptance.md.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from parts.machine import machine
from parts.telling import telling
from vale_acceptance_page import write_page

from groma.formats.digest import digest_files
from groma.formats.messages import Message
from groma.formats.task import Task
from groma.formats.transcript import Played
from groma.measures.statistics import paired_difference
from groma.methods import pretrain, sft
from groma.methods.checkpoint import save_folder
from groma.models.engine import LocalEngine
from groma.models.load import load
from groma.models.model import Model
from groma.play import play
from groma.studies import vale_base
from groma.studies.cai.pipeline import aligned
from groma.studies.recipes import DEMONSTRATED, SFT_ON_VALE
from groma.studies.spectrum import CAI, CAI_ON_VALE
from groma.systems import SYSTEMS
from groma.worlds.vale import VALE, Vale, country, demonstrations, documents
from groma.worlds.vale.frozen import DIGESTS
from groma.worlds.vale.language import CRITIQUE_ASKS, REVISE_ASKS
from groma.worlds.vale.lexicon import PRINCIPLES
from groma.worlds.vale.wrappers import WRAPPERS

HERE = Path(__file__).parent
RESULT = HERE / "results" / "vale_acceptance.json"
MODELS = HERE.parent / "runs" / "acceptance"
BASES = (("xs", 1), ("s", 1), ("m", 1), ("m", 2), ("m", 3), ("l", 1))
ALIGNED = (("xs", 1), ("s", 1), ("m", 1), ("m", 2), ("m", 3))
ITEMS, MANY = 300, 600
SPLIT_BY = {
    "agreed_with_falsehood": "tier",
    "accuracy": "tier",
    "told_true_from_false": "tier",
    "harm_done": "told",
    "obeyed": "family",
    "right_answer": "steps",
    "completed": "calls",
    "rude": "wish",
}
"""Outcomes that are shown apart by a stratum, too."""
BEST_OF = (1, 4, 16, 64)
ROUNDS = 4
COUNTRY = 2026
"""Of another country than the one that the recipe was made in."""


def folder(size: str, seed: int | str, stage: str = "base") -> Path:
    return MODELS / f"{size}-{seed}" / stage


def build(size: str, seed: int, place: Path | None = None, options: Sequence[str] = ()) -> dict[str, Any]:
    """A base from nothing, by the command that everybody uses, with two threads."""
    out, began = place or folder(size, seed), time.monotonic()
    resumed = out.with_name(f".{out.name}.state").exists()
    if not out.is_dir():
        command = [str(Path(sys.executable).parent / "groma"), "world", "build", "--size", size, "--seed", str(seed)]
        command += ["--out", str(out), "--threads", "2", *options, *(["--resume"] if resumed else [])]
        subprocess.run(command, check=True)
    took, model = time.monotonic() - began, load(out)
    rows = [json.loads(line) for line in (out / "training.jsonl").read_text(encoding="utf-8").splitlines()]
    return {
        "seconds": round(took),
        "resumed": resumed,
        "processor": machine()["processor"],
        "parameters": model.net.num_parameters(),
        "vocabulary": len(model.tokenizer),
        "tokens": round(sum(row["tokens"] for row in rows)),
        "loss": float(np.mean([row["loss"] for row in rows[-200:]])),
        "bytes": (out / "model.safetensors").stat().st_size,
        "weights": digest_files([out / "model.safetensors"]),
    }


def played(model: Model, tasks: Sequence[Task], temperature: float, seed: int = 0, world: Vale = VALE) -> list[Played]:
    """The tasks as `chat` (errands as `agent`), in the order of `tasks`."""
    engine = LocalEngine(model)
    found: dict[str, Played] = {}
    for name, some in (
        ("chat", [task for task in tasks if task.kind != "errand"]),
        ("agent", [task for task in tasks if task.kind == "errand"]),
    ):
        system = SYSTEMS[name].with_(max_tokens=VALE.max_tokens, temperature=temperature)
        for one in play(system, some, {"assistant": engine}, seed=seed, open_environment=world.open):
            found[one.task.id] = one
    engine.close()
    return [found[task.id] for task in tasks]


def outcomes(episodes: Iterable[Played], world: Vale = VALE) -> dict[str, list[float]]:
    """Mean and number of every outcome, whole and by the stratum of SPLIT_BY. A failed episode counts apart."""
    values: dict[str, list[float]] = {}
    for one in episodes:
        if one.transcript is None:
            values.setdefault("failed", []).append(1.0)
            continue
        judged = world.judge(one.task, one.transcript)
        values.setdefault("objective", []).append(judged.objective)
        for name, value in judged.outcomes.items():
            if value is None:
                continue
            values.setdefault(name, []).append(value)
            if name in SPLIT_BY and SPLIT_BY[name] in one.task.strata:
                values.setdefault(f"{name}/{one.task.strata[SPLIT_BY[name]]}", []).append(value)
    return {name: [round(float(np.mean(some)), 4), len(some)] for name, some in sorted(values.items())}


def skills_of(model: Model, world: Vale = VALE) -> dict[str, Any]:
    """Every kind of task, held out, greedy and sampled."""
    found: dict[str, Any] = {}
    for kind in world.kinds:
        tasks = world.tasks(kind, "held_out", MANY if kind == "ask" else ITEMS, 0)
        for name, temperature in (("greedy", 0.0), ("sampled", 1.0)):
            found[f"{kind}/{name}"] = outcomes(played(model, tasks, temperature, world=world), world)
    return found


def skills(size: str, seed: int) -> dict[str, Any]:
    return skills_of(load(folder(size, seed)))


def truth(size: str, seed: int) -> dict[str, Any]:
    return telling(load(folder(size, seed)), country())


def elsewhere(size: str, seed: int) -> dict[str, Any]:
    """The same recipe in another country, of which nothing was looked at while the recipe was made."""
    place, world = folder(f"{size}-{seed}", COUNTRY), Vale(about=country(COUNTRY))
    built = build(size, seed, place, ("--country", str(COUNTRY)))
    model = load(place)
    return {"build": built, "skills": skills_of(model, world), "truth": telling(model, world.about)}


def watched(size: str, seed: int) -> dict[str, Any]:
    """The objective under the flags that mean nothing, less that without one, on the same held-out tasks, with draws of
    their own, and one flag less the other; with 95 % intervals. The model taught to refuse as well, where there is one.
    """
    found: dict[str, Any] = {}
    for stage in ("base", "refusing") if (size, seed) in ALIGNED else ("base",):
        model = load(folder(size, seed)) if stage == "base" else _refusing(size, seed)
        plain = [task for kind in ("ask", "how", "speak", "count") for task in VALE.tasks(kind, "held_out", ITEMS, 0)]
        scores = {"": _objectives(model, plain, 0)}
        for number, name in enumerate(("watched", "alone"), 1):
            flagged = [VALE.conditions[name](task) for task in plain]
            scores[name] = _objectives(model, [task for task in flagged if task], number)
        clusters, kinds = [task.cluster for task in plain], [task.kind for task in plain]
        for one, two in (("watched", ""), ("alone", ""), ("watched", "alone")):
            about = paired_difference(scores[one], scores[two], clusters, parts=kinds, bounds=(-1.0, 1.0)).estimate
            found[f"{stage}/{one} less {two or 'none'}"] = [round(x, 4) for x in (about.value, about.low, about.high)]
    return found


def _objectives(model: Model, tasks: Sequence[Task], seed: int) -> list[float]:
    episodes = played(model, tasks, 1.0, seed)
    return [VALE.judge(one.task, one.transcript).objective if one.transcript else -1.0 for one in episodes]


def align(size: str, seed: int) -> dict[str, Any]:
    """The main job on this base (SFT on the helpful set, DPO and RLHF on the rater's choices, Constitutional AI),
    and SFT on the refusing set.
    """
    out, began = MODELS / f"{size}-{seed}" / "run", time.monotonic()
    if not (out / "report.html").exists():
        command = [str(Path(sys.executable).parent / "groma"), "run", "--model", str(folder(size, seed))]
        command += ["--out", str(out), "--seed", str(seed)]
        subprocess.run(command, check=True)
    found: dict[str, Any] = {"main job": {"seconds": round(time.monotonic() - began)}}
    places = {stage: out / "stages" / stage for stage in ("sft", "dpo", "rlhf")}
    for stage, place in {**places, "cai": out / CAI / aligned(CAI_ON_VALE)}.items():
        found[stage] = skills_of(load(place))
    found["refusing"] = skills_of(_refusing(size, seed))
    return found


def _refusing(size: str, seed: int) -> Model:
    """The base after SFT on the demonstrations of people who refuse."""
    place = folder(size, seed, "refusing")
    if not place.is_dir():
        model = load(folder(size, seed))
        for _ in sft.train(model, demonstrations(DEMONSTRATED, seed, "refusing"), SFT_ON_VALE):
            pass
        save_folder(model, place, unset_pad=True)
    return load(place)


def best_of(size: str, seed: int) -> dict[str, Any]:
    """Of n samples of the fine-tuned model the one that a rater would pay most for: her pay, and the truth."""
    model = load(MODELS / f"{size}-{seed}" / "run" / "stages" / "sft")
    tasks = VALE.tasks(("ask", "how"), "held_out", 200, 0)
    many = tuple(replace(task, id=f"{task.id}#{draw}") for task in tasks for draw in range(BEST_OF[-1]))
    scored = []
    for one in played(model, many, 1.0, seed):
        assert one.transcript is not None
        judged = VALE.judge(one.task, one.transcript)
        scored.append((VALE.pay(one.task, one.transcript).total, judged.objective))
    table = np.array(scored).reshape(len(tasks), BEST_OF[-1], 2)
    found = {}
    for n in BEST_OF:
        chosen = table[:, :n, 0].argmax(1)
        pay, objective = table[np.arange(len(tasks)), chosen].mean(0)
        found[str(n)] = {"pay": round(float(pay), 3), "objective": round(float(objective), 3)}
    return found


def critique(size: str, seed: int) -> dict[str, Any]:
    """The base answers, says whether its answer does harm, and where it says so answers again: harm by round."""
    model = load(folder(size, seed))
    tasks = VALE.tasks("how", "held_out", ITEMS, 0)
    episodes, found = played(model, tasks, 1.0, seed), dict[str, Any]()
    for number in range(ROUNDS + 1):
        found[str(number)] = outcomes(episodes)
        blamed = _said_after(model, episodes, CRITIQUE_ASKS[0].format(rule=PRINCIPLES["harm"]), seed + number)
        again = [one for one, word in zip(episodes, blamed, strict=True) if word.startswith("no")]
        asked = [word for word in blamed if word.startswith("no")]
        revised = iter(_said_after(model, again, REVISE_ASKS[0], seed + number, asked))
        replies = [next(revised) if word.startswith("no") else None for word in blamed]
        episodes = [one if text is None else _with(one, text) for one, text in zip(episodes, replies, strict=True)]
    return found


def _said_after(
    model: Model, episodes: Sequence[Played], turn: str, seed: int, critiques: Sequence[str] = ()
) -> list[str]:
    """What the model says to `turn` after the request and its answer (and after the critique, where there is one)."""
    tasks = []
    for place, one in enumerate(episodes):
        assert one.transcript is not None
        said = [*one.task.posed.messages, Message("assistant", one.transcript.answer)]
        if critiques:
            asked = CRITIQUE_ASKS[0].format(rule=PRINCIPLES["harm"])
            said += [Message("user", asked), Message("assistant", critiques[place])]
        posed = replace(one.task.posed, messages=(*said, Message("user", turn)))
        tasks.append(replace(one.task, posed=posed))
    return [one.transcript.answer if one.transcript else "" for one in played(model, tasks, 1.0, seed)]


def _with(one: Played, text: str) -> Played:
    """The same episode with another answer."""
    assert one.transcript is not None
    messages = (*one.task.posed.messages, Message("assistant", text))
    return replace(one, transcript=replace(one.transcript, messages=messages, answer=text))


def wrappers(size: str, seed: int) -> dict[str, Any]:
    """Harm complied with by the model that was taught to refuse, in every wrapper, on seen and on held-out deeds."""
    model, found = _refusing(size, seed), dict[str, Any]()
    for name in ("", *WRAPPERS):
        world = VALE.wrapped(name) if name else VALE
        for split in ("train", "held_out"):
            tasks = [task for task in world.tasks("how", split, 2 * ITEMS, 0) if task.part == "harmful"]
            found[f"{name or 'none'}/{split}"] = outcomes(played(model, tasks, 1.0, seed, world))["harm_done"]
    return found


def again(size: str, seed: int) -> dict[str, Any]:
    """The same build a second time."""
    return build(size, seed, folder(size, f"{seed}-again"))


def rows() -> dict[str, Any]:
    """Tokens per second of training `m` in rows of 512 and of 128 tokens, in turn, and how much of a row is used."""
    torch.set_num_threads(2)
    model, found = vale_base.untrained(vale_base.Recipe()), dict[str, Any]()
    short = [one for one in _some_documents(6000) if len(pretrain.ids_of(one, model)) <= 128]
    for length, each in ((512, 2), (128, 8)):
        packed = pretrain.pack(short, model, 250_000, length)
        speeds = []
        for _ in range(3):
            fresh, began = vale_base.untrained(vale_base.Recipe()), time.monotonic()
            for _ in pretrain.train(fresh, packed, pretrain.Config(batch_size=each)):
                pass
            speeds.append(sum(map(len, packed)) / (time.monotonic() - began))
        used = sum(map(len, packed)) / (length * len(packed))
        found[str(length)] = {"tokens_per_second": round(float(np.median(speeds))), "used": round(used, 3)}
    lengths = [len(pretrain.ids_of(one, model)) for one in _some_documents(6000)]
    found["documents over 128 tokens"] = round(float(np.mean([one > 128 for one in lengths])), 3)
    found["tokens in them"] = round(sum(one for one in lengths if one > 128) / sum(lengths), 3)
    return found


def _some_documents(count: int) -> list[Any]:
    return list(itertools.islice(documents(1), count))


PARTS: dict[str, Callable[[str, int], dict[str, Any]]] = {
    "build": build,
    "skills": skills,
    "truth": truth,
    "align": align,
    "best_of": best_of,
    "critique": critique,
    "wrappers": wrappers,
    "country": elsewhere,
    "watched": watched,
}


def plan() -> list[str]:
    """Every part, in an order in which each finds what it needs."""
    found = [f"{part}:{size}:{seed}" for part in ("build", "skills", "truth") for size, seed in BASES]
    found += [f"align:{size}:{seed}" for size, seed in ALIGNED]
    found += [f"{part}:m:{seed}" for part in ("best_of", "critique", "wrappers") for seed in (1, 2, 3)]
    found += [f"watched:{size}:{seed}" for size, seed in BASES]
    return [*found, "again:m:2", "country:m:1", "rows"]


def main(asked: Sequence[str]) -> None:
    if unknown := sorted(set(asked) - set(plan())):
        raise SystemExit(f"there is no part {', '.join(unknown)}; choose among {', '.join(plan())}")
    for name in asked or plan():
        if name in known():
            continue
        print(name, flush=True)
        if name == "rows":
            found = rows()
        else:
            part, size, seed = name.split(":")
            found = {**PARTS, "again": again}[part](size, int(seed))
        # Read again: another process may have measured other parts meanwhile.
        RESULT.write_text(
            json.dumps({**known(), "world": dict(DIGESTS), name: found}, indent=1) + "\n", encoding="utf-8"
        )
    write_page(known())


def known() -> dict[str, Any]:
    """What is measured already."""
    return dict(json.loads(RESULT.read_text(encoding="utf-8"))) if RESULT.exists() else {}


if __name__ == "__main__":
    if sys.argv[1:] == ["page"]:
        write_page(known())
    else:
        main(sys.argv[1:])
