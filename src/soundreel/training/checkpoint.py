"""Checkpoints: everything that a run needs to go on as if it had never stopped.

One safetensors file a checkpoint, `checkpoints/step-00001000.safetensors`: tensors of both
networks, both optimizers and the average, and the few numbers as JSON in its header. No pickle.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from soundreel.atomic import atomic_file
from soundreel.errors import TrainingError
from soundreel.networks.bundle import as_storage_error
from soundreel.training.learner import Learner

_KEPT = 2
_STATES = ("step", "exp_avg", "exp_avg_sq")


def save_checkpoint(
    folder: Path, networks: Learner, step: int, sums: Tensor, numbers: dict[str, Any]
) -> Path:
    """Write the checkpoint after `step` steps; of older ones, the last is kept.

    sums: losses summed since the last row of metrics. numbers: JSON values, e.g. seconds so far.

    Raises: TrainingError if a number of it is none; StorageError. The checkpoint before is then
    still there.
    """
    path = folder / f"step-{step:08}.safetensors"
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in _tensors(networks)}
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise TrainingError(
                f"{folder}: after step {step} {name} holds what are no numbers, so nothing is kept "
                "of it: go on from the checkpoint before with another --out, a lower learning_rate "
                "or precision fp32"
            )
    tensors["sums"] = sums.detach().cpu()
    _remove_unfinished(folder)
    with atomic_file(path) as partial:
        try:
            save_file(tensors, partial, metadata={"numbers": json.dumps(numbers)})
        except safetensors.SafetensorError as error:
            raise as_storage_error(error) from error
    for old in checkpoints(folder)[:-_KEPT]:
        old.unlink()
    return path


def _remove_unfinished(folder: Path) -> None:
    """Remove what a killed process was writing: ours, and safetensors' own `.tmp` files."""
    for pattern in (".step-*.partial.safetensors", ".tmp*"):
        for unfinished in folder.glob(pattern):
            unfinished.unlink()


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in a folder, oldest first."""
    return sorted(folder.glob("step-*.safetensors"))


def step_of(checkpoint: Path) -> int:
    """After how many steps it was written."""
    return int(checkpoint.stem.removeprefix("step-"))


@torch.no_grad()
def load_checkpoint(path: Path, networks: Learner) -> tuple[Tensor, dict[str, Any]]:
    """Put a checkpoint's state into networks of the same settings; returns sums and numbers.

    Raises: TrainingError if it is damaged or of other networks.
    """
    try:
        with safetensors.safe_open(path, "pt") as file:
            numbers = json.loads((file.metadata() or {})["numbers"])
            for name, tensor in _tensors(networks):
                # In place: the tensor keeps its memory layout, and so its order of summation.
                tensor.copy_(file.get_tensor(name))
            return file.get_tensor("sums"), numbers
    except (safetensors.SafetensorError, KeyError, ValueError, RuntimeError, OSError) as error:
        raise TrainingError(
            f"{path}: not a checkpoint of this run ({error}): remove it, and the one before goes on"
        ) from error


def _tensors(networks: Learner) -> Iterator[tuple[str, Tensor]]:
    """Every tensor of the state, by name; Adam makes its own at its first step, until then here."""
    trained = (
        ("generator", networks.generator, networks.generator_optimizer),
        ("discriminator", networks.discriminator, networks.discriminator_optimizer),
    )
    for name, network, optimizer in trained:
        yield from _named(name, network)
        for key, parameter in network.named_parameters():
            state = optimizer.state[parameter]
            if not state:
                state["step"] = torch.zeros((), dtype=torch.float32, device=parameter.device)
                state["exp_avg"] = torch.zeros_like(parameter)
                state["exp_avg_sq"] = torch.zeros_like(parameter)
            for part in _STATES:
                yield f"{name}_optimizer.{key}.{part}", state[part]
    if networks.averaged is not None:
        yield from _named("averaged", networks.averaged)


def _named(prefix: str, network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for key, tensor in (*network.named_parameters(), *network.named_buffers()):
        yield f"{prefix}.{key}", tensor
