"""From paid episodes to what is learned from: the traces of the players that learn, their scores, and the metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from groma.formats.errors import BadInput
from groma.formats.transcript import Played
from groma.methods.online_config import Config
from groma.methods.pay import Paid
from groma.methods.rollouts import Batch, Trace, batch, turns_of


@dataclass(frozen=True, slots=True, eq=False)
class Earned:
    """A batch of paid traces.

    scores_E: what each was paid, normalised and clipped, less the penalty of those that were cut off. calls_N: what
    single replies were paid, at their last token. groups: the traces of each task. moments: count, mean and summed
    squares apart from it of all pay so far, float64 (3,).
    """

    batch: Batch
    scores_E: Tensor
    calls_N: Tensor
    groups: tuple[tuple[int, ...], ...]
    moments: Tensor
    metrics: Mapping[str, float]

    @property
    def pay_E(self) -> Tensor:
        """All that a trace was paid (traces,)."""
        return self.scores_E + self.batch.sums(self.calls_N)


def earned(episodes: Sequence[Played], found: Paid, config: Config, moments: Tensor, step: int) -> Earned:
    """What the players that learn did and were paid. BadInput where too many episodes failed, or none is left."""
    if len(found.failed) > config.failed_share * len(episodes):
        raise BadInput(
            f"{len(found.failed)} of {len(episodes)} episodes of step {step} failed; the first: {found.failed[0]}",
            expected=f"at most a share of {config.failed_share} (failed_share)",
        )
    traces, of_task = [], []
    for place, (one, pay) in enumerate(zip(episodes, found.pay, strict=True)):
        for player in config.learners if pay is not None else ():
            turns = turns_of(one, player)
            if turns and pay is not None and player in pay:
                traces.append(Trace(one.task.id, turns, pay[player]))
                of_task.append((player, place // config.samples))
    if len(traces) < 2:
        raise BadInput(
            f"of {len(episodes)} episodes {len(traces)} have a reply of {' or '.join(config.learners)} that was paid",
            expected="a system that asks the players that learn (learners), and pay that names them",
        )
    spoke = {player for one in episodes for player in config.learners if turns_of(one, player)}
    if unpaid := sorted(spoke - {player for player, _ in of_task}):
        raise BadInput(
            f"{', '.join(unpaid)} learns, and no pay of step {step} is {'theirs' if len(unpaid) > 1 else 'its own'}",
            expected="pay that names every player that learns, or fewer learners",
        )
    acted = batch(traces)
    groups: dict[tuple[str, int], list[int]] = {}
    for place, task in enumerate(of_task):
        groups.setdefault(task, []).append(place)
    pay_E = torch.tensor([trace.pay.total for trace in traces], dtype=torch.float64)
    calls_N = _calls(acted)
    if config.normalise_pay:
        moments = moved(moments, pay_E + acted.sums(calls_N))
        spread = max(float((moments[2] / moments[0]).sqrt()), 1e-8)
        pay_E, calls_N = (pay_E - moments[1]) / spread, calls_N / spread
    if config.pay_clip is not None:
        pay_E, calls_N = (one.clamp(-config.pay_clip, config.pay_clip) for one in (pay_E, calls_N))
    cut_E = torch.tensor([trace.cut for trace in traces], dtype=torch.float64)
    scores_E = (pay_E - (config.missing_eos_penalty or 0.0) * cut_E).float()
    told = _metrics(acted, found, len(episodes))
    return Earned(acted, scores_E, calls_N.float(), tuple(map(tuple, groups.values())), moments, told)


def moved(moments: Tensor, values: Tensor) -> Tensor:
    """Count, mean and summed squares apart from it, with more values (Chan et al. 1983, eq. 2.1). Worked example: of
    1, 3 and then 5: 3, 3, 8.
    """
    count, mean, apart = moments.tolist()
    new, there = len(values), float(values.mean())
    total, step = count + new, there - mean
    squares = apart + float(((values - there) ** 2).sum()) + step**2 * count * new / total
    return torch.tensor([total, mean + step * new / total, squares], dtype=torch.float64)


def _calls(acted: Batch) -> Tensor:
    """What single replies were paid, at the place of their last token (tokens,)."""
    calls_N = torch.zeros(len(acted.old_N), dtype=torch.float64)
    ends = iter(acted.ends.tolist())
    for trace in acted.traces:
        if trace.pay.calls and len(trace.pay.calls) != len(trace.turns):
            what = f"{trace.task}: pay for {len(trace.pay.calls)} replies, and there are {len(trace.turns)}"
            raise BadInput(what, expected="pay for each reply of the player, or for none")
        for number, end in zip(range(len(trace.turns)), ends, strict=False):
            calls_N[end] = trace.pay.calls[number] if trace.pay.calls else 0.0
    return calls_N


def _metrics(acted: Batch, found: Paid, episodes: int) -> dict[str, float]:
    """Of the episodes as they were played: pay before it is normalised, in all and by source."""
    traces = acted.traces
    return {
        "objective/scores": float(np.mean([trace.pay.total + sum(trace.pay.calls) for trace in traces])),
        "objective/entropy": float(-acted.sums(acted.old_N).mean()),
        **{f"pay/{name}": float(np.mean(values)) for name, values in found.parts.items() if values},
        "episodes/length": float(np.mean([trace.actions for trace in traces])),
        "episodes/replies": float(np.mean([len(trace.turns) for trace in traces])),
        "episodes/cut": float(np.mean([trace.cut for trace in traces])),
        "episodes/failed": len(found.failed) / episodes,
    }
