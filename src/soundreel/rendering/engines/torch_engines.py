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
from soundreel.networks.reel import Reel
from soundreel.networks.resample import fit_to
from soundreel.networks.unet import UNet
from soundreel.rendering.engines.engine import (
    BATCH,
    Engine,
    EngineName,
    EngineUnavailable,
    filled_up,
    require_fixed_network,
    to_frames,
)
from soundreel.rendering.engines.reel_torch import draw_with, drawn, heard

_Pictures = Callable[[Tensor, Sequence[int], Tensor | None], Tensor]


def open_torch(
    name: EngineName, folder: Path, precision: Precision, device: str, batch: int = BATCH
) -> Engine:
    """The model as `Model.pictures` computes it; any model, on any device.

    A reel in bfloat16 hears in float32 and holds the weights that it draws with in bfloat16.

    Raises: ModelError if it cannot be read.
    """
    model = load_model(folder, precision, device)
    generator = model.painter
    on_cpu = next(generator.parameters()).device.type == "cpu"
    lanes = torch.get_num_threads() if on_cpu else 1
    if not isinstance(generator, Reel):
        return _of_batches(name, model.pictures, batch, lanes)
    if precision == "fp32":
        return _of_batches(name, model.pictures, batch, lanes, generator.cue_numbers)
    draw_with(generator, torch.bfloat16)

    @torch.inference_mode()
    def pictures(x_B1SS: Tensor, seeds: Sequence[int], cue_BK: Tensor | None) -> Tensor:
        return drawn(generator, *heard(generator, x_B1SS, cue_BK)).float()

    return _of_batches(name, pictures, batch, lanes, generator.cue_numbers)


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
    generator = model.painter
    dtype = torch.bfloat16 if model.precision == "bf16" else torch.float32
    if isinstance(generator, Reel):
        pictures, size = _compiled_reel(generator, dtype), generator.sound_size
    else:
        pictures, size = _compiled_unet(generator, dtype), generator.size
    try:
        pictures(torch.zeros(BATCH, 1, size, size), range(BATCH), None)
    except Exception as error:  # a compiler's troubles come as errors of many classes
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise EngineUnavailable(f"compiled cannot be compiled here: {reason}") from error
    cue_numbers = generator.cue_numbers if isinstance(generator, Reel) else 0
    return _of_batches("compiled", pictures, BATCH, 1, cue_numbers)


def _compiled_unet(unet: UNet, dtype: torch.dtype) -> _Pictures:
    compiled = torch.compile(unet, fullgraph=True, dynamic=False, options={"freezing": True})

    @torch.no_grad()  # freezing asks for this one: inference mode is not enough for it
    def pictures(x_BCHW: Tensor, seeds: Sequence[int], cue_BK: Tensor | None) -> Tensor:
        x_BCHW = fit_to(x_BCHW, unet.size).expand(-1, unet.in_channels, -1, -1)
        x_BCHW = x_BCHW.to(dtype).contiguous(memory_format=torch.channels_last)
        return compiled(x_BCHW).float()

    return pictures


def _compiled_reel(reel: Reel, dtype: torch.dtype) -> _Pictures:
    draw_with(reel, dtype)
    draw = torch.compile(reel.draw, fullgraph=True, dynamic=False, options={"freezing": True})

    @torch.no_grad()
    def pictures(x_B1SS: Tensor, seeds: Sequence[int], cue_BK: Tensor | None) -> Tensor:
        return draw(*(each.to(dtype) for each in heard(reel, x_B1SS, cue_BK))).float()

    return pictures


def gains_by_bf16(device_type: str = "cpu") -> bool:
    """Whether bfloat16 is faster than float32 on this machine's processor."""
    return resolve_precision("auto", device_type) == "bf16"


def multiplies_bf16_in_tiles() -> bool:
    """Whether the processor has AMX.

    A reel has few channels, so there bfloat16 spends its time on moving numbers: 8-bit integers
    took .85 to .95 of it. With AMX switched off they took .4 to .55, with AVX2 alone .75.
    """
    return bool(torch.cpu.get_capabilities().get("amx_bf16"))


def _of_batches(
    name: EngineName,
    pictures: _Pictures,
    batch: int,
    lanes: int,
    cue_numbers: int = 0,
) -> Engine:
    def run(x_BCHW: Tensor, seeds: Sequence[int], cue_BK: Tensor | None = None) -> Tensor:
        filled = filled_up(x_BCHW, seeds, batch, cue_BK)
        return pictures(*filled)[: len(x_BCHW)].cpu()

    def frames(x_BCHW: Tensor, seeds: Sequence[int], cue_BK: Tensor | None = None) -> np.ndarray:
        return to_frames(run(x_BCHW, seeds, cue_BK))

    return Engine(name, batch, run, frames, lanes, cue_numbers)
