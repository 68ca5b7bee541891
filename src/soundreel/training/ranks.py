"""The processes that train one model together: which of them this one is, and sums over all.

Lightning Fabric finds out who is who (`torchrun`, SLURM, or processes it starts itself) and sets
up the collectives: gloo between processors, NCCL between GPUs. Every process holds the same
weights, learns from its share of each batch, and takes the same step.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from soundreel.errors import SettingsError, TrainingError


class Ranks(Protocol):
    """The processes of a run, seen from one of them.

    rank: this process's number, 0 to count - 1; the first one writes the run folder.
    """

    @property
    def rank(self) -> int: ...

    @property
    def count(self) -> int: ...

    @property
    def device(self) -> torch.device | None:
        """The device of this process; None where it is the caller's to choose."""
        ...

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor, in place, by its mean over all processes; all call it alike."""
        ...

    def add_up(self, tensor: Tensor) -> Tensor:
        """The sum over all processes, through which gradients pass back to each."""
        ...

    def largest(self, number: int) -> int:
        """The largest of the numbers of all processes; all call it alike, and wait for it."""
        ...


@dataclass(frozen=True)
class Alone:
    """One process: nothing to add up, nobody to wait for."""

    rank: int = 0
    count: int = 1
    device: torch.device | None = None

    def average(self, tensors: Iterable[Tensor]) -> None:
        return

    def add_up(self, tensor: Tensor) -> Tensor:
        return tensor

    def largest(self, number: int) -> int:
        return number


@dataclass(frozen=True)
class Together:
    """One of several processes, joined by torch.distributed.

    Its methods raise TrainingError if another process has ended.
    """

    rank: int
    count: int
    device: torch.device

    def average(self, tensors: Iterable[Tensor]) -> None:
        """One sum for all tensors of a kind: many small ones would wait for each other."""
        by_dtype: dict[torch.dtype, list[Tensor]] = {}
        for tensor in tensors:
            by_dtype.setdefault(tensor.dtype, []).append(tensor)
        for kind in by_dtype.values():
            flat = _sum_over_all(torch.cat([tensor.reshape(-1) for tensor in kind]))
            flat /= self.count
            pieces = flat.split([tensor.numel() for tensor in kind])
            for tensor, piece in zip(kind, pieces, strict=True):
                tensor.copy_(piece.view_as(tensor))

    def add_up(self, tensor: Tensor) -> Tensor:
        summed = _SumOverAll.apply(tensor)
        assert isinstance(summed, Tensor)
        return summed

    def largest(self, number: int) -> int:
        of_all = torch.zeros(self.count, dtype=torch.int64, device=self.device)
        of_all[self.rank] = number
        return int(_sum_over_all(of_all).max())


class _SumOverAll(torch.autograd.Function):
    """A sum over all processes; what each did to it, all of them feel: gradients are summed too."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        return _sum_over_all(tensor.clone())

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Tensor:
        return _sum_over_all(gradients[0].clone())


def _sum_over_all(tensor: Tensor) -> Tensor:
    """The same tensor, summed in place over all processes."""
    try:
        torch.distributed.all_reduce(tensor)
    except RuntimeError as error:  # gloo and NCCL have no error of their own for it
        raise TrainingError(
            "another process of this run has ended: see what it said, and give the same command "
            "again"
        ) from error
    return tensor


def asked_for_several(devices: int | None) -> bool:
    """Whether this run is one of several processes: asked for, or begun by a launcher."""
    # torchrun says LOCAL_RANK and WORLD_SIZE, srun SLURM_NTASKS (also to a batch script itself,
    # whose SLURM_PROCID is 0 and which has no step of its own).
    world = os.environ.get("WORLD_SIZE") if "LOCAL_RANK" in os.environ else None
    if world is None and "SLURM_STEP_ID" in os.environ and "SLURM_PROCID" in os.environ:
        world = os.environ.get("SLURM_NTASKS")
    return (devices or 1) > 1 or int(world or 1) > 1


def join_ranks(devices: int | None = None, device: str = "auto") -> Ranks:
    """Join the processes that train together; alone where nobody asked for more.

    devices: processes on this machine, a GPU each where there are GPUs; None: as many as the
    launcher started. Where no launcher did, this starts the others, as the same command.
    device: "auto", "cpu" or "cuda".

    Raises: SettingsError if there are fewer GPUs, or fewer processes, than asked for.
    """
    if not asked_for_several(devices):
        return Alone()
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
    from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment

    launched = TorchElasticEnvironment.detect() or SLURMEnvironment.detect()
    on_gpus = device.startswith("cuda") or (device == "auto" and torch.cuda.is_available())
    told = os.environ
    world = int(told.get("WORLD_SIZE") or told.get("SLURM_NTASKS") or 1) if launched else 0
    machines = int(told.get("SLURM_NNODES") or 1)
    here = devices or int(told.get("LOCAL_WORLD_SIZE") or world // machines or 1)
    if on_gpus and torch.cuda.device_count() < here:
        raise SettingsError(
            f"--devices {here}: this machine has {torch.cuda.device_count()} GPUs: ask for fewer"
        )
    fabric = Fabric(
        accelerator="cuda" if on_gpus else "cpu",
        devices=here,
        num_nodes=max(1, world // here),
        strategy="ddp",
    )
    # It tells each process's number on stderr; who wants to know has the launcher's own log.
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    try:
        fabric.launch()
    except (ValueError, RuntimeError) as error:
        raise SettingsError(
            f"--devices {here}: the processes did not come together ({error})"
        ) from error
    return Together(fabric.global_rank, fabric.world_size, fabric.device)


def leave_ranks(ranks: Ranks) -> None:
    """Part from the other processes; nothing may be added up after it."""
    if ranks.count > 1:
        torch.distributed.destroy_process_group()
