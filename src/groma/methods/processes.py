"""Several processes on one run (`accelerate launch`): what falls to each, and sums over all of them.

Every process holds the whole list of examples and deals a step's microbatches out by the same rule, so that no data is
sent; losses are divided by what the whole batch counts, and gradients and metrics are summed once a step. Two processes
therefore do the step of one, up to the order of a sum. Gradients go in flat pieces by an all-reduce of our own, not
through torch's DistributedDataParallel: its mean over processes would have to be undone, its wrapper would stand before
the network that methods and lenses know, and what it wins (sending while the backward pass runs) is one microbatch of a
step. Sharded weights (FSDP2) are in `sharded`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from accelerate import PartialState
from torch import Tensor, nn

from groma.formats import launched
from groma.formats.errors import BadConfig, BadInput, GromaError

log = logging.getLogger(__name__)
PIECE = 2**24
"""Numbers of a gradient that are sent at once: what it takes beside the gradients is bounded."""
REFUSED = {
    "FSDP_OFFLOAD_PARAMS": "fsdp_offload_params",
    "FSDP_ACTIVATION_CHECKPOINTING": "fsdp_activation_checkpointing",
    "FSDP_IGNORED_MODULES": "fsdp_ignored_modules",
    "FSDP_AUTO_WRAP_POLICY": "fsdp_auto_wrap_policy",
    "FSDP_TRANSFORMER_CLS_TO_WRAP": "fsdp_transformer_layer_cls_to_wrap",
}
"""Variables in which `accelerate launch` hands its options on → options that are not taken: each layer is one group."""

One = TypeVar("One")


@dataclass(frozen=True, slots=True)
class Processes:
    """Who works on a run: this process is number `rank` of `count`.

    shards: whether each holds a part of the weights.
    """

    rank: int = 0
    count: int = 1
    shards: bool = False

    @property
    def first(self) -> bool:
        """Whether this is the one that writes, prints and asks."""
        return self.rank == 0

    def deal(self, groups: Sequence[Sequence[int]]) -> list[tuple[Sequence[int], bool]]:
        """This process's microbatches, and whether each counts. All get equally many, since sharded weights are
        gathered in every pass: where one has fewer it repeats one that does not count.

        Neighbours of a sorted list are of like length, so that all are busy equally long. Where there are fewer
        microbatches than processes, the largest are halved.
        """
        if self.count == 1:
            return [(group, True) for group in groups]
        dealt = list(groups)
        while len(dealt) < self.count and max(map(len, dealt)) > 1:
            place = max(range(len(dealt)), key=lambda place: len(dealt[place]))
            group = dealt[place]
            dealt[place : place + 1] = [group[: len(group) // 2], group[len(group) // 2 :]]
        mine = [(group, True) for group in dealt[self.rank :: self.count]]
        missing = -(-len(dealt) // self.count) - len(mine)
        return mine + missing * [(dealt[-1], False)]

    def sums(self, values: Sequence[float]) -> list[float]:
        """The sum over all processes, number by number."""
        return self.added(torch.tensor(values, dtype=torch.float64)).tolist() if self.count > 1 else list(values)

    def added(self, values: Tensor) -> Tensor:
        """The sum over all processes of tensors of one shape and type; on the CPU."""
        if self.count == 1:
            return values.cpu()
        sent = values.to(_device(), copy=True)
        dist.all_reduce(sent)
        return sent.cpu()

    @contextmanager
    def failing(self) -> Iterator[None]:
        """Where what stands inside fails in one process, all end. The first alone raises the error, and so tells it."""
        failure: GromaError | OSError | None = None
        try:
            yield
        except (GromaError, OSError) as error:
            failure = error
        if self.count > 1:
            found: list[str] = [""] * self.count
            dist.all_gather_object(found, str(failure) if failure else "")
            if any(found) and not self.first:
                raise SystemExit(2)
            if any(found) and failure is None:
                rank = next(rank for rank, text in enumerate(found) if text)
                raise BadInput(f"process {rank}: {found[rank]}")
        if failure is not None:
            raise failure

    def from_first(self, function: Callable[[], One]) -> One:
        """What `function` gives in the first process; its error, where it raises one, in all."""
        if self.count == 1:
            return function()
        told: list[One | GromaError | None] = [None]
        if self.first:
            try:
                told = [function()]
            except GromaError as error:
                told = [error]
        dist.broadcast_object_list(told, device=_device())
        if isinstance(told[0], GromaError):
            raise told[0]
        return told[0]  # type: ignore[return-value]

    def agree(self, what: str, value: str) -> None:
        """BadInput unless `value` is the same in all processes."""
        if self.count == 1:
            return
        found: list[str] = [""] * self.count
        dist.all_gather_object(found, value)
        if other := next((one for one in found if one != found[0]), None):
            raise BadInput(
                f"{what} differ between the processes ({found[0]}, {other})", expected="the same files and options"
            )

    def sum_gradients(self, weights: Iterable[nn.Parameter]) -> None:
        """The gradients of whole weights, summed over all processes; None where no process has one."""
        if self.count == 1 or self.shards:
            return
        trained = list(weights)
        given = self.sums([float(weight.grad is not None) for weight in trained])
        present = [weight for weight, number in zip(trained, given, strict=True) if number]
        for weight in present:
            if weight.grad is None:
                weight.grad = torch.zeros_like(weight)
        for piece in _pieces([weight.grad for weight in present if weight.grad is not None]):
            flat = torch.cat([gradient.flatten() for gradient in piece])
            dist.all_reduce(flat)
            for gradient, summed in zip(piece, flat.split([one.numel() for one in piece]), strict=True):
                gradient.copy_(summed.view_as(gradient))


def here() -> Processes:
    """The processes of this run: those of torch's process group, where one was begun (by `begin`, or by your own
    `accelerate.Accelerator`), else this one alone.
    """
    if not (dist.is_initialized() and dist.get_world_size() > 1):
        return Processes()
    return Processes(dist.get_rank(), dist.get_world_size(), _flag("ACCELERATE_USE_FSDP"))


def begin(device: str | None) -> str | None:
    """Join the processes that a launcher began. Returns the device of this one: its own GPU, or `device` where it is
    alone. BadConfig for what a launcher asks and this does not do.
    """
    if launched.count() == 1:
        if _flag("ACCELERATE_USE_CPU") and "MASTER_ADDR" in os.environ:
            log.warning(
                "note: `accelerate launch --cpu` begins one process only (without mpirun): "
                "for several on one machine launch with --multi_gpu, which is also right where there is no GPU"
            )
        return device
    if device not in (None, "cpu", "cuda"):
        raise BadConfig(f"--device {device} with several processes: choose cpu, or cuda (each then takes its own GPU)")
    _check_launch()
    return str(PartialState(cpu=device == "cpu" or not torch.cuda.is_available()).device)


def end() -> None:
    """Leave the process group, if there is one."""
    if dist.is_initialized():
        dist.destroy_process_group()


def _check_launch() -> None:
    """Refuse what would be ignored."""
    for engine in ("DEEPSPEED", "MEGATRON_LM"):
        if _flag(f"ACCELERATE_USE_{engine}"):
            raise BadConfig(f"accelerate is to use {engine}: launch with --multi_gpu, or --use_fsdp --fsdp_version 2")
    precision = os.environ.get("ACCELERATE_MIXED_PRECISION", "no")
    if precision != "no":
        raise BadConfig(
            f"accelerate's --mixed_precision {precision} would have no effect: "
            "leave it out (in its config file, say no), and give --precision here"
        )
    if not _flag("ACCELERATE_USE_FSDP"):
        return
    if os.environ.get("FSDP_VERSION", "1") != "2":
        raise BadConfig("this is FSDP 1: launch with --use_fsdp --fsdp_version 2")
    for name, option in REFUSED.items():
        if (given := os.environ.get(name, "false")).lower() not in ("false", "no_wrap", "transformer_based_wrap"):
            raise BadConfig(f"accelerate's --{option} {given} would have no effect: leave it out")
    os.environ["FSDP_CPU_RAM_EFFICIENT_LOADING"] = "false"  # accelerate's default; under it transformers leaves the
    # weights of all processes but the first empty, for accelerate's own way of sharding to fill


def _flag(name: str) -> bool:
    return os.environ.get(name, "false").lower() in ("1", "true", "yes")


def _device() -> torch.device:
    """Where the process group sends from."""
    nccl = "nccl" in str(dist.get_backend())
    return torch.device("cuda", torch.cuda.current_device()) if nccl else torch.device("cpu")


def _pieces(gradients: Sequence[Tensor]) -> Iterable[list[Tensor]]:
    """The gradients in groups of one type and of about `PIECE` numbers."""
    for kind in dict.fromkeys(gradient.dtype for gradient in gradients):
        piece: list[Tensor] = []
        for gradient in (one for one in gradients if one.dtype == kind):
            if piece and sum(one.numel() for one in piece) + gradient.numel() > PIECE:
                yield piece
                piece = []
            piece.append(gradient)
        if piece:
            yield piece
