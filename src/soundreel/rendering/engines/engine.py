"""What an engine is: a model made ready to compute so many pictures at a time, always as many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from soundreel.errors import ModelError
from soundreel.networks.bundle import Model
from soundreel.networks.folding import can_fold
from soundreel.networks.reel import Reel
from soundreel.rendering.staging import in_lanes

EngineName = Literal[
    "torch-fp32", "torch-bf16", "compiled", "openvino-bf16", "openvino-int8", "cuda"
]

#: Windows that engines on the CPU take at once. Measured on two cores at width 64: with 8 a
#: picture takes three quarters of the processor time that it takes alone.
BATCH = 8


class EngineUnavailable(ModelError):  # noqa: N818  # a state of things, said as one
    """An engine cannot be had: here, or for this model."""


#: What an engine computes at once: sound images, a seed each and, for a reel, perhaps a cue each.
Batch = tuple[Tensor, Sequence[int]] | tuple[Tensor, Sequence[int], Tensor | None]


class _Run(Protocol):
    def __call__(
        self, x_B1SS: Tensor, seeds: Sequence[int], cue_BK: Tensor | None = None, /
    ) -> Tensor: ...


class _Frames(Protocol):
    def __call__(
        self, x_B1SS: Tensor, seeds: Sequence[int], cue_BK: Tensor | None = None, /
    ) -> np.ndarray: ...


@dataclass(frozen=True)
class Engine:
    """A model ready to generate.

    name: which engine it is.
    batch: how many windows it computes at once. Fewer are filled up to it, so that a picture has
      the same bits wherever it stands in a film.
    run: sound images B x 1 x S x S (for a U-Net also what it takes, B x C x size x size), float32
      in [-1, 1], and a seed each -> pictures B x 3 x H x W, float32 in [-1, 1]; B <= batch. For a
      reel also a cue each, B x K float32 (K: its `cue_numbers`); without, the cues of the
      remembered frames whose sound is nearest. A U-Net takes no cues.
    frames: the same as bytes, B x H x W x 3 uint8, as `to_frames` makes them.
    cue_numbers: how many numbers a cue has, K; 0 for a U-Net.
    lanes: in how many threads at once it may be called. Each call then computes on one core:
      calls that share no work do not wait for each other where another program, or another
      stage of a render, has one of the cores.
    """

    name: EngineName
    batch: int
    run: _Run
    frames: _Frames
    lanes: int = 1
    cue_numbers: int = 0


def in_batches(
    batch: int, x_B1SS: Tensor, seeds: Sequence[int], cue_BK: Tensor | None = None
) -> Iterator[tuple[Tensor, Sequence[int], Tensor | None]]:
    """Windows, their seeds and, where there are any, their cues, `batch` at a time."""
    for first in range(0, len(x_B1SS), batch):
        part = slice(first, first + batch)
        yield x_B1SS[part], seeds[part], None if cue_BK is None else cue_BK[part]


def computed(engine: Engine, batches: Iterable[Batch]) -> Iterator[np.ndarray]:
    """The frames of batches (sound images, seeds, perhaps cues), in their order.

    All of an engine's lanes are used.
    """

    def frames(batch: Batch) -> np.ndarray:
        if len(batch) == 2:
            return engine.frames(batch[0], batch[1])
        return engine.frames(batch[0], batch[1], batch[2])

    threads = torch.get_num_threads()
    try:
        yield from in_lanes(
            frames,
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


def filled_up(
    x_BCHW: Tensor, seeds: Sequence[int], batch: int, cue_BK: Tensor | None = None
) -> tuple[Tensor, list[int], Tensor | None]:
    """Windows, seeds and cues (if any) as many as `batch`, the last one repeated.

    Raises: ValueError if there are none, more than `batch`, or not a seed or a cue for each.
    """
    count = len(x_BCHW)
    if not 1 <= count <= batch:
        raise ValueError(f"{count} windows: give from 1 to {batch} at once")
    if len(seeds) != count:
        raise ValueError(f"{len(seeds)} seeds for {count} windows: give one for each")
    if cue_BK is not None and len(cue_BK) != count:
        raise ValueError(f"{len(cue_BK)} cues for {count} windows: give one for each")
    missing = batch - count
    if missing:
        x_BCHW = torch.cat([x_BCHW, x_BCHW[-1:].expand(missing, -1, -1, -1)])
        if cue_BK is not None:
            cue_BK = torch.cat([cue_BK, cue_BK[-1:].expand(missing, -1)])
    return x_BCHW, [*seeds, *([seeds[-1]] * missing)], cue_BK


def require_fixed_network(model: Model, name: EngineName) -> None:
    """Raises: EngineUnavailable if its pictures depend on more than its weights and the input.

    Engines that compute ahead what does not change need norms that can be folded, and no noise.
    A reel has neither.
    """
    generator = model.painter
    if isinstance(generator, Reel):
        return
    if generator.depends_on_noise:
        why = "it draws noise when it generates (dropout_at_generation)"
    elif not can_fold(generator):
        why = f"it normalises by each picture (norm = '{generator.norm}')"
    else:
        return
    raise EngineUnavailable(f"{name} cannot compute this model: {why}")
