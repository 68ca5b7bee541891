"""What an engine is: a model made ready to compute so many pictures at a time, always as many."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from soundreel.errors import ModelError
from soundreel.networks.bundle import Model
from soundreel.networks.folding import can_fold
from soundreel.rendering.staging import in_lanes

EngineName = Literal[
    "torch-fp32", "torch-bf16", "compiled", "openvino-bf16", "openvino-int8", "cuda"
]

#: Windows that engines on the CPU take at once. Measured on two cores at width 64: with 8 a
#: picture takes three quarters of the processor time that it takes alone.
BATCH = 8


class EngineUnavailable(ModelError):  # noqa: N818  # a state of things, said as one
    """An engine cannot be had: here, or for this model."""


@dataclass(frozen=True)
class Engine:
    """A model ready to generate.

    name: which engine it is.
    batch: how many windows it computes at once. Fewer are filled up to it, so that a picture has
      the same bits wherever it stands in a film.
    run: sound images B x 1 x S x S (or what the network takes, B x C x size x size), float32 in
      [-1, 1], and a seed each -> pictures B x 3 x size x size, float32 in [-1, 1]; B <= batch.
    frames: the same as bytes, B x size x size x 3 uint8, as `to_frames` makes them.
    lanes: in how many threads at once it may be called. Each call then computes on one core:
      calls that share no work do not wait for each other where another program, or another
      stage of a render, has one of the cores.
    """

    name: EngineName
    batch: int
    run: Callable[[Tensor, Sequence[int]], Tensor]
    frames: Callable[[Tensor, Sequence[int]], np.ndarray]
    lanes: int = 1


def computed(
    engine: Engine, batches: Iterable[tuple[Tensor, Sequence[int]]]
) -> Iterator[np.ndarray]:
    """The frames of batches (sound images, seeds), in their order, in all of an engine's lanes."""
    threads = torch.get_num_threads()
    try:
        yield from in_lanes(
            lambda batch: engine.frames(*batch),
            batches,
            engine.lanes,
            partial(torch.set_num_threads, max(1, threads // engine.lanes)),
        )
    finally:
        # torch remembers what a lane set for threads that are still to come.
        torch.set_num_threads(threads)


def to_frames(y_B3HW: Tensor) -> np.ndarray:
    """A network's pictures, B x 3 x H x W in [-1, 1], as frames: B x H x W x 3 uint8."""
    bytes_B3HW = y_B3HW.float().add(1).mul(127.5).round().clamp(0, 255).byte()
    return bytes_B3HW.permute(0, 2, 3, 1).contiguous().cpu().numpy()


def filled_up(x_BCHW: Tensor, seeds: Sequence[int], batch: int) -> tuple[Tensor, list[int]]:
    """Windows and seeds as many as `batch`, the last one repeated.

    Raises: ValueError if there are none, more than `batch`, or not a seed for each.
    """
    count = len(x_BCHW)
    if not 1 <= count <= batch:
        raise ValueError(f"{count} windows: give from 1 to {batch} at once")
    if len(seeds) != count:
        raise ValueError(f"{len(seeds)} seeds for {count} windows: give one for each")
    missing = batch - count
    if missing:
        x_BCHW = torch.cat([x_BCHW, x_BCHW[-1:].expand(missing, -1, -1, -1)])
    return x_BCHW, [*seeds, *([seeds[-1]] * missing)]


def require_fixed_network(model: Model, name: EngineName) -> None:
    """Raises: EngineUnavailable if its pictures depend on more than its weights and the input.

    Engines that compute ahead what does not change need norms that can be folded, and no noise.
    """
    if model.generator.depends_on_noise:
        why = "it draws noise when it generates (dropout_at_generation)"
    elif not can_fold(model.generator):
        why = f"it normalises by each picture (norm = '{model.generator.norm}')"
    else:
        return
    raise EngineUnavailable(f"{name} cannot compute this model: {why}")
