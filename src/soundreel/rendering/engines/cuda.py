"""The engine for a CUDA device: the generator in bf16 as one CUDA graph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from soundreel.networks.bundle import load_model
from soundreel.networks.reel import Reel
from soundreel.networks.resample import fit_to
from soundreel.networks.unet import UNet
from soundreel.rendering.engines.engine import (
    Engine,
    EngineUnavailable,
    filled_up,
    require_fixed_network,
)
from soundreel.rendering.engines.reel_torch import draw_with, drawn, heard

_BATCH = 32
_WARM_UP = 3  # cuDNN chooses its algorithms in the first calls, which must not be captured


def open_cuda(folder: Path, device: str = "auto") -> Engine:
    """Folded bf16 weights, channels last, captured once and replayed for every batch.

    Of a reel the drawing is captured; its sound codes and cues are computed before, in float32.
    This has not been run yet: there was no CUDA device where it was written.

    Raises: EngineUnavailable if there is no CUDA device, or the model draws noise or normalises
    by the picture; ModelError if the model cannot be read.
    """
    if not torch.cuda.is_available():
        raise EngineUnavailable("cuda needs a CUDA device: there is none here")
    model = load_model(folder, "auto", "cuda" if device == "auto" else device)
    require_fixed_network(model, "cuda")
    generator = model.painter
    # Where pictures begin: what is copied into these is what the graph computes with.
    if isinstance(generator, Reel):
        if model.precision == "bf16":
            draw_with(generator, torch.bfloat16)
        starts, cue_numbers = _starts_of_reel(generator), generator.cue_numbers
    else:
        starts, cue_numbers = _starts_of_unet(generator), 0
    on = starts[0].device

    def compute() -> tuple[Tensor, Tensor]:
        made = drawn(generator, *starts) if isinstance(generator, Reel) else generator(*starts)
        y_B3HW = made.float()
        bytes_B3HW = y_B3HW.add(1).mul(127.5).round().clamp(0, 255).byte()
        return y_B3HW, bytes_B3HW.permute(0, 2, 3, 1).contiguous()

    with torch.no_grad(), torch.cuda.device(on):
        # As torch's notes on graphs ask: warmed up on another stream than the default one.
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(_WARM_UP):
                compute()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            y_B3HW, frames_BHW3 = compute()

    @torch.no_grad()
    def replay(given_BCHW: Tensor, seeds: Sequence[int], cue_BK: Tensor | None) -> int:
        filled_BCHW, _, filled_BK = filled_up(given_BCHW, seeds, _BATCH, cue_BK)
        with torch.cuda.device(on):
            if isinstance(generator, Reel):
                given = heard(generator, filled_BCHW, filled_BK)
            else:
                given = (fit_to(filled_BCHW.to(on), generator.size),)  # one channel for all
            for start, each in zip(starts, given, strict=True):
                start.copy_(each)
            graph.replay()
        return len(given_BCHW)

    def run(given_BCHW: Tensor, seeds: Sequence[int], cue_BK: Tensor | None = None) -> Tensor:
        return y_B3HW[: replay(given_BCHW, seeds, cue_BK)].cpu()

    def frames(
        given_BCHW: Tensor, seeds: Sequence[int], cue_BK: Tensor | None = None
    ) -> np.ndarray:
        return frames_BHW3[: replay(given_BCHW, seeds, cue_BK)].cpu().numpy()

    return Engine("cuda", _BATCH, run, frames, cue_numbers=cue_numbers)


def _starts_of_unet(unet: UNet) -> tuple[Tensor, ...]:
    """A place for what a U-Net takes."""
    weight = next(unet.parameters())
    shape = (_BATCH, unet.in_channels, unet.size, unet.size)
    x_BCHW = torch.zeros(shape, dtype=weight.dtype, device=weight.device)
    return (x_BCHW.contiguous(memory_format=torch.channels_last),)


def _starts_of_reel(reel: Reel) -> tuple[Tensor, ...]:
    """Places for sound codes and cues: what a reel hears is found before, in float32."""
    silent_B1SS = torch.zeros(_BATCH, 1, reel.sound_size, reel.sound_size)
    sound_BA, cue_BK = heard(reel, silent_B1SS, torch.zeros(_BATCH, reel.cue_numbers))
    return sound_BA.to(reel.base.dtype), cue_BK.to(reel.base.dtype)
