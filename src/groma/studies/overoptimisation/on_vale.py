"""Over-optimisation on Vale's language models: proxies are reward models, the gold is the truth that the judge knows.

As in Gao et al. 2022 comparisons are labelled by the gold without noise, and nothing is measured on a prompt of which
a proxy has learned. Two things are varied: the width of the proxy
(Llamas of the base's shape from random weights, and the fine-tuned model itself) and the number of its comparisons.
Each proxy is optimised by best-of-n from one pool of samples to n = 1,000, most by PPO with and without a KL
penalty.

We differ: proxies go twice over their comparisons; the gold has few levels (it says what a reply did, not how much it
pleases), so that pairs of equal gold are left out; and replies come in lumps, so that the KL of best-of-n lies below
its formula: both are told. The rater's own pay is a proxy, too, of which nothing has to be learned.
"""

from __future__ import annotations

import copy
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM

from groma.formats.digest import digest
from groma.formats.examples import Preference
from groma.formats.messages import Message
from groma.formats.task import Task
from groma.formats.transcript import Played
from groma.measures.statistics.values import Floats
from groma.methods import ppo, reward, sft
from groma.methods.comparisons import by_judge
from groma.methods.pay import ByReward
from groma.models.engine import LocalEngine
from groma.models.load import assemble
from groma.models.model import Model
from groma.models.reward import RewardModel
from groma.play import play
from groma.studies.lab import CHAT, Lab, working
from groma.studies.matrix import PLAYER
from groma.studies.overoptimisation import best_of, forms
from groma.studies.overoptimisation.tables import plain, standard_error
from groma.studies.pairing import unseen
from groma.studies.progress import Progress
from groma.studies.recipes import DEMONSTRATED, PPO_ON_VALE, REWARD_ON_VALE, SFT_ON_VALE
from groma.worlds.vale import VALE

WHOLE = "the fine-tuned model"
RATER = "what a rater would pay"
LEARNED_FROM = 0.9
"""Share of the prompts whose comparisons proxies may learn from; they are tested on the others'."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is optimised on Vale, and how hard."""

    demonstrated: int = DEMONSTRATED
    tuning: sft.Config = SFT_ON_VALE
    compared: int = 9000
    """Tasks whose two replies are compared."""
    widths: tuple[int, ...] = (8, 16, 32, 64)
    """Of the proxies from random weights."""
    sizes: tuple[int, ...] = (125, 500, 2000)
    """Comparisons of the proxies whose data are varied."""
    proxy: reward.Config = field(default_factory=lambda: replace(REWARD_ON_VALE, batch_size=32, warmup_steps=0))
    rounds: int = 2
    """How often each comparison is learned from."""
    narrow_rate: float = 3e-3
    """Learning rate of the proxies from random weights."""
    prompts: int = 120
    pool: int = 1000
    """Samples of each prompt."""
    best_of: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)
    fitted_up_to: int = 64
    """The form is fitted on best-of-n up to here, and predicts the last n."""
    ppo: ppo.Config = field(default_factory=lambda: replace(PPO_ON_VALE, max_steps=30, kl_limit=None))
    kl_coefs: tuple[float, ...] = (0.0, 0.1)
    climbed: tuple[str, ...] = (
        *(f"width {width}" for width in (8, 16, 64)),
        *(f"comparisons {size}" for size in (125, 500, 2000)),
        WHOLE,
    )
    """The proxies that PPO is paid by, over their widths and over their data."""
    window: int = 3
    """Steps of PPO behind a point of its curve."""


def run(config: Config, seed: int, parts: Path) -> Generator[Progress, None, dict[str, Any]]:
    """Progress; returns the results."""
    lab = Lab(parts, seed, demonstrated=config.demonstrated, tuning=config.tuning)
    yield from lab.tuned()
    pairs = (yield from lab.compared(config.compared, {"gold": by_judge(VALE.judge)}))["gold"]
    learn, test = split(pairs, seed)
    tasks = fresh(lab, config, config.prompts, seed + 3)
    pool = yield from lab.made("pool", lambda: _pool(lab, tasks, config))
    rows, proxies = [], {}
    for name, width, size in _planned(config, len(learn)):
        proxies[name] = yield from _proxy(lab, name, width, learn[:size], config)
        scored = lab.plain(f"scored {name}", partial(_scored, proxies[name], tasks, pool))
        accuracy = lab.plain(f"accuracy {name}", partial(_accuracy, proxies[name], test))
        rows.append({"name": name, "width": width, "size": size, "accuracy": accuracy} | _curve(pool, scored, config))
    rater = {"name": RATER} | _curve(pool, [[one["pay"] for one in lumps] for lumps in pool], config)
    climbs = []
    for name in config.climbed:
        for kl_coef in config.kl_coefs:
            climbs.append((yield from _climb(lab, name, proxies[name], kl_coef, config)))
    return {
        "best of n": {"n": list(config.best_of), "rows": rows, "rater": rater, "prompts": len(tasks)},
        "fitted up to": config.fitted_up_to,
        "ppo": climbs,
        "comparisons": len(learn),
        "tested": len(test),
        "lumps": float(np.mean([len(lumps) for lumps in pool])),
        "pool": config.pool,
    }


def split(pairs: Sequence[Preference], seed: int) -> tuple[list[Preference], list[Preference]]:
    """Those that proxies learn from, in an order of their own, and those that they are tested on: no prompt is in
    both.
    """
    prompts = list(dict.fromkeys(one.prompt for one in pairs))
    draw = np.random.default_rng(seed)
    learned = {prompts[place] for place in draw.permutation(len(prompts))[: int(LEARNED_FROM * len(prompts))]}
    order = [pairs[place] for place in draw.permutation(len(pairs))]
    return [one for one in order if one.prompt in learned], [one for one in order if one.prompt not in learned]


def fresh(lab: Lab, config: Config, count: int, seed: int) -> tuple[Task, ...]:
    """So many tasks whose prompts were not compared."""
    return unseen(count, seed, lab.tasks_compared(config.compared))


def _planned(config: Config, every: int) -> list[tuple[str, int | None, int]]:
    """Name, width (None: the fine-tuned model's) and comparisons of every proxy, the least first."""
    widths = [(f"width {one}", one, every) for one in config.widths]
    sizes = [(f"comparisons {one}", None, one) for one in config.sizes if one < every]
    return [*widths, *sizes, (WHOLE, None, every)]


def _proxy(
    lab: Lab, name: str, width: int | None, examples: Sequence[Preference], config: Config
) -> Generator[Progress, None, RewardModel]:
    steps = max(1, config.rounds * len(examples) // config.proxy.batch_size)
    settings = replace(config.proxy, max_steps=steps, warmup_steps=min(10, steps // 4))
    if width is None:
        return lab.rewarding(name, examples, settings)
    settings = replace(settings, learning_rate=config.narrow_rate)
    start = lab.model("sft")
    return lab.rewarding(name, examples, settings, lambda: reward.begin(narrow(start, width, lab.seed), lab.seed))


def narrow(model: Model, width: int, seed: int) -> Model:
    """A network of the same shape as `model`'s but for its width, of random weights, that reads with its tokenizer."""
    config = copy.deepcopy(model.net.config)
    config.hidden_size, config.intermediate_size = width, 11 * width // 4
    config.num_attention_heads = config.num_key_value_heads = max(1, width // 16)
    config.head_dim = width // config.num_attention_heads
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = AutoModelForCausalLM.from_config(config)
    net.generation_config = copy.deepcopy(model.net.generation_config)
    return assemble(net, model.tokenizer, f"width {width}", digest(model.digest, width, seed))


def _pool(lab: Lab, tasks: Sequence[Task], config: Config) -> Generator[Progress, None, list[list[dict[str, Any]]]]:
    """For each task the different replies of "sft": what was said, how often, the gold, and what a rater would pay."""
    engine = LocalEngine(lab.model("sft"))
    many = [replace(task, id=f"{task.id}#{number}") for task in tasks for number in range(config.pool)]
    lumps: list[dict[tuple[str, str], dict[str, Any]]] = [{} for _ in tasks]
    place = {task.id: number for number, task in enumerate(tasks)}
    for done, one in enumerate(play(CHAT, many, {PLAYER: engine}, seed=lab.seed + 11), 1):
        said = one.transcript
        if said is not None:
            number = place[one.task.id.rpartition("#")[0]]
            found = lumps[number].setdefault((said.answer, said.stop), {})
            found["count"] = found.get("count", 0) + 1
            if "gold" not in found:
                found |= {"answer": said.answer, "stop": said.stop} | _worth(one)
        yield Progress("samples to choose among", done, len(many))
    engine.close()
    return [list(some.values()) for some in lumps]


def _worth(one: Played) -> dict[str, float]:
    assert one.transcript is not None
    return {
        "gold": VALE.judge(one.task, one.transcript).objective,
        "pay": VALE.pay(one.task, one.transcript).total,
    }


def _scored(proxy: RewardModel, tasks: Sequence[Task], pool: Sequence[Sequence[dict[str, Any]]]) -> list[list[float]]:
    """The proxy's reward of every lump."""
    rows = [
        proxy.row((*task.posed.messages, Message("assistant", one["answer"])), one["stop"] != "length")
        for task, lumps in zip(tasks, pool, strict=True)
        for one in lumps
    ]
    told = iter(proxy.rewards(rows, 256))
    return [[next(told) for _ in lumps] for lumps in pool]


def _accuracy(proxy: RewardModel, test: Sequence[Preference]) -> float:
    """Share of the comparisons in which the proxy prefers the better one; a tie counts half."""
    told = proxy.score_texts([(one.prompt, side) for one in test for side in (one.chosen, one.rejected)])
    gap_N = np.subtract(told[::2], told[1::2])
    return float(np.mean((gap_N > 0) + 0.5 * (gap_N == 0)))


def _curve(
    pool: Sequence[Sequence[dict[str, Any]]], scored: Sequence[Sequence[float]], config: Config
) -> dict[str, Any]:
    """Gold and proxy of the best of n, in the mean over prompts, with the gold's standard error; the KL; the fit."""
    curves, kls = [], []
    for lumps, scores in zip(pool, scored, strict=True):
        counts = [one["count"] for one in lumps]
        gold_N, proxy_N = np.repeat([one["gold"] for one in lumps], counts), np.repeat(scores, counts)
        ns = [min(n, len(proxy_N)) for n in config.best_of]
        curves.append(best_of.expected(np.stack([gold_N, proxy_N]), proxy_N, ns))
        shares = np.array(counts) / sum(counts)
        kls.append([best_of.discrete_kl(shares, scores, n) for n in ns])
    gold_Pn, proxy_Pn = np.stack(curves, axis=1)
    d_n = np.sqrt([best_of.kl(n) for n in config.best_of])
    return {
        "d": plain(d_n),
        "gold": plain(gold_Pn.mean(0)),
        "gold error": plain(standard_error(gold_Pn)),
        "gain error": plain(standard_error(gold_Pn - gold_Pn[:, :1])),
        "proxy": plain(proxy_Pn.mean(0)),
        "kl of lumps": plain(np.mean(kls, axis=0)),
    } | _fitted(d_n, gold_Pn.mean(0) - gold_Pn.mean(0)[0], config)


def _fitted(d_n: Floats, gain_n: Floats, config: Config) -> dict[str, Any]:
    """The form, fitted to what best-of-n gains up to `fitted_up_to`, and what it predicts of the last n."""
    limit = float(np.sqrt(best_of.kl(config.fitted_up_to))) + 1e-9
    told = forms.predict("bon", d_n[1:], gain_n[1:], limit)
    return {
        "alpha": told.fit.alpha,
        "beta": told.fit.beta,
        "r2": told.fit.r2,
        "predicted": told.predicted,
        "measured": told.measured,
        "share": told.share if np.isfinite(told.share) else None,
    }


def _climb(
    lab: Lab, name: str, proxy: RewardModel, kl_coef: float, config: Config
) -> Generator[Progress, None, dict[str, Any]]:
    """PPO against a proxy: gold, proxy and KL along it."""
    part = f"ppo {name} kl {kl_coef:g}"
    settings = replace(config.ppo, kl_coef=kl_coef)
    played = config.ppo.batch_size * (config.ppo.max_steps or 1)
    work = working(fresh(lab, config, played, lab.seed + 2), ByReward([proxy]))
    yield from lab.reinforced(part, ppo.train, work, settings)
    log = lab.log(part)
    windows = [log[start : start + config.window] for start in range(0, len(log), config.window)]

    def mean(metric: str) -> list[float]:
        return [float(np.mean([row[metric] for row in some])) for some in windows]

    error = [
        float(np.sqrt(np.mean([row["truth/objective_error"] ** 2 for row in some]) / len(some))) for some in windows
    ]
    return {
        "name": name,
        "kl_coef": kl_coef,
        "d": [max(one, 0.0) ** 0.5 for one in mean("objective/kl")],
        "gold": mean("truth/objective"),
        "gold error": error,
        "proxy": mean("objective/scores"),
    }
