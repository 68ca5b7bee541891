"""Engines that torch brings: in float32, in bfloat16, and compiled."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from soundreel.networks.bundle import load_model
from soundreel.networks.precision import Precision, resolve_precision
from soundreel.networks.resample import fit_to
from soundreel.rendering.engines.engine import (
    BATCH,
    Engine,
    EngineName,
    EngineUnavailable,
    filled_up,
    require_fixed_network,
    to_frames,
)


def open_torch(
    name: EngineName, folder: Path, precision: Precision, device: str, batch: int = BATCH
) -> Engine:
    """The model as `Model.pictures` computes it; any model, on any device.

    Raises: ModelError if it cannot be read.
    """
    model = load_model(folder, precision, device)
    on_cpu = next(model.generator.parameters()).device.type == "cpu"
    return _of_batches(name, model.pictures, batch, torch.get_num_threads() if on_cpu else 1)


def open_compiled(folder: Path) -> Engine:
    """The generator through torch.compile, its weights frozen into the code; bf16 where it pays.

    Compiling takes about a minute, in this call.

    Raises: EngineUnavailable if there is no compiler or the model draws noise or normalises by
    the picture; ModelError if the model cannot be read.
    """
    compiler = os.environ.get("CXX", "g++")
    if not any(map(shutil.which, (compiler, "clang++"))):
        raise EngineUnavailable("compiled needs a C++ compiler: install g++")
    model = load_model(folder, "auto", "cpu")
    require_fixed_network(model, "compiled")
    generator = model.generator
    dtype = torch.bfloat16 if model.precision == "bf16" else torch.float32
    compiled = torch.compile(generator, fullgraph=True, dynamic=False, options={"freezing": True})

    @torch.no_grad()  # freezing asks for this one: inference mode is not enough for it
    def pictures(x_BCHW: Tensor, seeds: Sequence[int]) -> Tensor:
        x_BCHW = fit_to(x_BCHW, generator.size).expand(-1, generator.in_channels, -1, -1)
        x_BCHW = x_BCHW.to(dtype).contiguous(memory_format=torch.channels_last)
        return compiled(x_BCHW).float()

    size = generator.size
    try:
        pictures(torch.zeros(BATCH, 1, size, size), range(BATCH))
    except Exception as error:  # a compiler's troubles come as errors of many classes
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise EngineUnavailable(f"compiled cannot be compiled here: {reason}") from error
    return _of_batches("compiled", pictures, BATCH, lanes=1)


def gains_by_bf16(device_type: str = "cpu") -> bool:
    """Whether bfloat16 is faster than float32 on this machine's processor."""
    return resolve_precision("auto", device_type) == "bf16"


def _of_batches(
    name: EngineName, pictures: Callable[[Tensor, Sequence[int]], Tensor], batch: int, lanes: int
) -> Engine:
    def run(x_BCHW: Tensor, seeds: Sequence[int]) -> Tensor:
        filled_BCHW, filled_seeds = filled_up(x_BCHW, seeds, batch)
        return pictures(filled_BCHW, filled_seeds)[: len(x_BCHW)].cpu()

    def frames(x_BCHW: Tensor, seeds: Sequence[int]) -> np.ndarray:
        return to_frames(run(x_BCHW, seeds))

    return Engine(name, batch, run, frames, lanes)
