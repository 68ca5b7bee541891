"""The engine for a CUDA device: the generator in bf16 as one CUDA graph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from soundreel.networks.bundle import load_model
from soundreel.networks.resample import fit_to
from soundreel.rendering.engines.engine import (
    Engine,
    EngineUnavailable,
    filled_up,
    require_fixed_network,
)

_BATCH = 32
_WARM_UP = 3  # cuDNN chooses its algorithms in the first calls, which must not be captured


def open_cuda(folder: Path, device: str = "auto") -> Engine:
    """Folded bf16 weights, channels last, captured once and replayed for every batch.

    This has not been run yet: there was no CUDA device where it was written.

    Raises: EngineUnavailable if there is no CUDA device, or the model draws noise or normalises
    by the picture; ModelError if the model cannot be read.
    """
    if not torch.cuda.is_available():
        raise EngineUnavailable("cuda needs a CUDA device: there is none here")
    model = load_model(folder, "auto", "cuda" if device == "auto" else device)
    require_fixed_network(model, "cuda")
    generator = model.generator
    weight = next(generator.parameters())
    x_BCHW = torch.zeros(
        _BATCH,
        generator.in_channels,
        generator.size,
        generator.size,
        dtype=weight.dtype,
        device=weight.device,
    ).contiguous(memory_format=torch.channels_last)

    def compute() -> tuple[Tensor, Tensor]:
        y_B3HW = generator(x_BCHW).float()
        bytes_B3HW = y_B3HW.add(1).mul(127.5).round().clamp(0, 255).byte()
        return y_B3HW, bytes_B3HW.permute(0, 2, 3, 1).contiguous()

    with torch.no_grad(), torch.cuda.device(weight.device):
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
    def replay(given_BCHW: Tensor, seeds: Sequence[int]) -> int:
        filled_BCHW, _ = filled_up(given_BCHW, seeds, _BATCH)
        x_BCHW.copy_(fit_to(filled_BCHW.to(x_BCHW.device), generator.size))  # one channel for all
        with torch.cuda.device(x_BCHW.device):
            graph.replay()
        return len(given_BCHW)

    def run(given_BCHW: Tensor, seeds: Sequence[int]) -> Tensor:
        return y_B3HW[: replay(given_BCHW, seeds)].cpu()

    def frames(given_BCHW: Tensor, seeds: Sequence[int]) -> np.ndarray:
        return frames_BHW3[: replay(given_BCHW, seeds)].cpu().numpy()

    return Engine("cuda", _BATCH, run, frames)
