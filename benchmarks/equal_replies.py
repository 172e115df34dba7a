"""How many replies are the same whatever else is computed beside them, and why the others are not.

    python benchmarks/equal_replies.py [EPISODES]

Vale's default model answers 2,000 held-out tasks as `chat`, and runs 2,000 held-out errands as `agent`, at temperature
1. Every way of computing that (`WAYS`) is compared with `exact`, which computes each reply alone in float32, and is
therefore the same at any width to the last bit (tests/test_play_widths.py). An episode is equal where every reply in it
has the same text and the same token ids.

A draw takes the first token whose cumulative probability exceeds a uniform number, which the request's seed decides. So
rounding alone can change a token only where that number lies as close to a boundary between two tokens as rounding
reaches. That is looked up for the first token that differs, in the probabilities of a double-precision pass over what
stands before it (of which transformers keeps norms and positions in float32). The control is the same model in
bfloat16, whose rounding is 65,536 times coarser: there replies differ, and farther from the boundaries.

At width 4,096 all 2,000 are asked at once. Writes benchmarks/results/equal_replies.json; takes about six minutes of one
core.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from groma.commands.console import Phases
from groma.formats.digest import digest
from groma.formats.requests import Generate, Reply
from groma.formats.task import Task
from groma.formats.transcript import Played
from groma.models import LocalEngine, Model, Row, load
from groma.models.draw import Draws
from groma.play import play, seed_of
from groma.studies.matrix import versions
from groma.systems import SYSTEMS, System
from groma.worlds.vale import VALE

HERE = Path(__file__).parent
RESULT = HERE / "results" / "equal_replies.json"
MODEL, SEED, EPISODES = "vale", 0, 2000
WITHIN, SHARE = 1e-4, 0.999
"""What has to hold: how near to a boundary each draw is that came out otherwise, and how many replies are equal."""


@dataclass(frozen=True)
class Way:
    """A way to compute the same replies. control: another precision, of which nothing is demanded."""

    name: str
    width: int
    max_batch: int = 256
    control: bool = False


WAYS = (
    Way("width 1", 1),
    Way("width 64", 64),
    Way("width 4096", 4096),
    Way("width 4096, batches of 4096", 4096, max_batch=4096),
    Way("control: bfloat16", 64, control=True),
)


@dataclass(frozen=True)
class Difference:
    """The first draw of an episode that came out otherwise.

    tokens:   what was drawn in the reference, and what in the other way.
    distance: of `uniform` from the boundary between them (from the farthest, where other tokens lie between them).
    other:    why it is no draw between two tokens; empty where it is one.
    """

    task: str
    call: int
    place: int | None = None
    tokens: tuple[int, int] | None = None
    uniform: float | None = None
    distance: float | None = None
    other: str = ""


def first_difference(net: PreTrainedModel, one: Played, two: Played) -> Difference | None:
    """Where two plays of a task part; None where all that they asked and were answered is equal.

    net: the model in double precision.
    """
    for number, (before, after) in enumerate(zip(one.calls, two.calls, strict=False)):
        if digest(before.request) != digest(after.request):
            return Difference(one.task.id, number, other="something else is asked, after equal replies")
        said, again = before.reply, after.reply
        if not isinstance(said, Reply) or not isinstance(again, Reply):
            return Difference(one.task.id, number, other="a request failed")
        if said.prompt_ids != again.prompt_ids:
            return Difference(one.task.id, number, other="the prompts differ")
        if said.token_ids != again.token_ids:
            return _parted(net, one.task.id, number, said, again)
        if (said.text, said.stop) != (again.text, again.stop):
            return Difference(one.task.id, number, other="the texts of equal tokens differ")
    if len(one.calls) != len(two.calls) or one.transcript != two.transcript:
        return Difference(
            one.task.id, min(len(one.calls), len(two.calls)), other="the ends differ, after equal replies"
        )
    return None


def _parted(net: PreTrainedModel, task: str, call: int, said: Reply, again: Reply) -> Difference:
    pairs = zip(said.token_ids, again.token_ids, strict=False)
    place = next((place for place, (one, two) in enumerate(pairs) if one != two), None)
    if place is None:
        return Difference(task, call, other="one reply ends where the other goes on")
    tokens = said.token_ids[place], again.token_ids[place]
    row = Row(said.prompt_ids, seed=seed_of(SEED, task, call))
    uniform = float(Draws.of([row], place + 1, torch.device("cpu")).uniforms[0, place])
    below = boundaries(net, [*said.prompt_ids, *said.token_ids[:place]])[min(tokens) : max(tokens)]
    return Difference(task, call, place, tokens, uniform, float((below - uniform).abs().max()))


def boundaries(net: PreTrainedModel, ids: Sequence[int]) -> torch.Tensor:
    """The cumulative probabilities of the token after `ids`: number k is the boundary between tokens k and k + 1."""
    with torch.inference_mode():
        logits = net(torch.tensor([list(ids)])).logits[0, -1]
    assert logits.dtype == torch.float64
    return logits.softmax(-1).cumsum(-1)


def plays(phases: Phases, model: Model, system: System, tasks: Sequence[Task], way: Way | None) -> Iterator[Played]:
    """The episodes of a way; None: of the reference."""
    if way is None:
        engine, name, width = LocalEngine(model, exact=True), "the reference (exact)", 64
    else:
        engine, name, width = LocalEngine(model, max_batch=way.max_batch), way.name, way.width
    phase, players = f"{system.name}, {name}", {"assistant": engine}
    for number, one in enumerate(play(system, tasks, players, seed=SEED, width=width, open_environment=VALE.open), 1):
        phases.show(phase, number, len(tasks))
        yield one


def compared(net: PreTrainedModel, reference: Sequence[Played], others: Iterator[Played], way: Way) -> dict[str, Any]:
    """What is told of a way: how many episodes are equal, and of each other one the draw at which it parted."""
    pairs = zip(reference, others, strict=True)
    found = [told for told in (first_difference(net, one, two) for one, two in pairs) if told is not None]
    distances = sorted(one.distance for one in found if one.distance is not None)
    share, other_reasons = 1 - len(found) / len(reference), len(found) - len(distances)
    return {
        "way": asdict(way),
        "episodes": len(reference),
        "equal": len(reference) - len(found),
        "share": share,
        "median_distance": distances[len(distances) // 2] if distances else None,
        "farthest_distance": distances[-1] if distances else None,
        "for_another_reason": other_reasons,
        "holds": share >= SHARE and not other_reasons and all(one <= WITHIN for one in distances),
        # Of the control the figures above say enough.
        "differences": [asdict(one) for one in (found[:3] if way.control else found)],
    }


def measure(phases: Phases, name: str, kinds: Sequence[str], episodes: int) -> dict[str, Any]:
    """A system on tasks of these kinds, in every way."""
    tasks = VALE.tasks(kinds, "held_out", episodes, SEED)
    system = SYSTEMS[name].with_(max_tokens=VALE.max_tokens, temperature=1.0)
    model, coarse = (load(MODEL, dtype=dtype, device="cpu") for dtype in ("float32", "bfloat16"))
    net = deepcopy(model.net).double()
    reference = list(plays(phases, model, system, tasks, None))
    said = [
        call.reply
        for one in reference
        for call in one.calls
        if isinstance(call.request, Generate) and isinstance(call.reply, Reply)
    ]
    ways = []
    for way in WAYS:
        others = plays(phases, coarse if way.control else model, system, tasks, way)
        ways.append(compared(net, reference, others, way))
        print(line(name, ways[-1]), flush=True)
    return {
        "system": name,
        "kinds": list(kinds),
        "model": model.digest,
        "replies": len(said),
        "draws": sum(len(one.token_ids) for one in said),
        "ways": ways,
    }


def line(name: str, found: Mapping[str, Any]) -> str:
    """A row of the table."""
    way, far = found["way"], found["farthest_distance"]
    verdict = "-" if way["control"] else "holds" if found["holds"] else "DOES NOT HOLD"
    equal = f"{found['equal']}/{found['episodes']}"
    distance = "-" if far is None else f"{far:.1e}"
    return f"{name:<6} {way['name']:<28} {equal:>10} {found['share']:>8.2%} {distance:>9}  {verdict}"


def machine() -> dict[str, Any]:
    """What decides how sums are rounded: the processor and the code that torch chooses for it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor(),
        "architecture": platform.machine(),
        "system": platform.system(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "capability": torch.backends.cpu.get_cpu_capability(),
    }


def main(episodes: int) -> None:
    print(f"{'system':<6} {'way':<28} {'equal':>10} {'share':>8} {'farthest':>9}")
    chats = [kind for kind in VALE.kinds if kind != "errand"]
    with Phases() as phases:
        figures = [measure(phases, "chat", chats, episodes), measure(phases, "agent", ["errand"], episodes)]
    found = {
        "command": " ".join(["python", "benchmarks/equal_replies.py", *sys.argv[1:]]),
        "machine": machine(),
        "versions": versions(),
        "demanded": {"share": SHARE, "within": WITHIN},
        "figures": figures,
    }
    RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    broken = [
        way["way"]["name"] for one in figures for way in one["ways"] if not (way["holds"] or way["way"]["control"])
    ]
    if broken:
        raise SystemExit(f"what is demanded does not hold for {', '.join(broken)}: see {RESULT.name}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else EPISODES)
