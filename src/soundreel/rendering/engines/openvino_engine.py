"""The engines that OpenVINO brings (extra `fast`): bfloat16, and 8-bit integers."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from soundreel.networks.bundle import load_model
from soundreel.networks.reel import Reel
from soundreel.networks.resample import fit_to
from soundreel.progress import Listener, silent
from soundreel.rendering.engines.calibration import levels_of
from soundreel.rendering.engines.engine import (
    BATCH,
    Engine,
    EngineUnavailable,
    filled_up,
    require_fixed_network,
)
from soundreel.rendering.engines.graph import picture_graph
from soundreel.rendering.engines.reel_graph import reel_graph
from soundreel.rendering.engines.reel_torch import heard

_TELEMETRY = "openvino_telemetry"


def open_openvino(
    name: Literal["openvino-bf16", "openvino-int8"],
    folder: Path,
    batch: int = BATCH,
    progress: Listener = silent,
    lanes: int | None = None,
) -> Engine:
    """The generator as an OpenVINO graph on the CPU, its norms folded.

    lanes: how many batches at once, which share the cores; None: one a core. With one lane a
    batch comes soonest.

    What is not in 8-bit integers is in bf16 where the processor has it, else in float32.

    Raises: EngineUnavailable if OpenVINO is not installed, or the model draws noise or normalises
    by the picture; ModelError if the model cannot be read.
    """
    openvino = without_telemetry()
    model = load_model(folder, "fp32", "cpu")
    require_fixed_network(model, name)
    levels = levels_of(model, progress) if name == "openvino-int8" else None
    lanes = torch.get_num_threads() if lanes is None else lanes
    generator = model.painter
    if isinstance(generator, Reel):
        graph = reel_graph(openvino, generator, batch, levels)
        inputs, cue_numbers = partial(_heard, generator), generator.cue_numbers
    else:
        graph = picture_graph(openvino, generator, batch, levels)
        inputs, cue_numbers = partial(_fitted, generator.size, generator.in_channels), 0
    compiled = _compiled(openvino, graph, lanes)
    del model, generator, levels, graph
    of_thread = threading.local()

    @torch.inference_mode()
    def infer(x_BCHW: Tensor, seeds: Sequence[int], cue_BK: Tensor | None) -> Any:
        filled_BCHW, _, filled_BK = filled_up(x_BCHW, seeds, batch, cue_BK)
        given = [
            np.ascontiguousarray(each.float().cpu().numpy())
            for each in inputs(filled_BCHW, filled_BK)
        ]
        if not hasattr(of_thread, "request"):  # a request computes one batch at a time
            of_thread.request = compiled.create_infer_request()
        return of_thread.request.infer(given, share_inputs=True, share_outputs=True)

    def run(x_BCHW: Tensor, seeds: Sequence[int], cue_BK: Tensor | None = None) -> Tensor:
        return torch.from_numpy(infer(x_BCHW, seeds, cue_BK)[0][: len(x_BCHW)].copy())

    def frames(x_BCHW: Tensor, seeds: Sequence[int], cue_BK: Tensor | None = None) -> np.ndarray:
        return infer(x_BCHW, seeds, cue_BK)[1][: len(x_BCHW)].copy()

    return Engine(name, batch, run, frames, lanes, cue_numbers)


def _fitted(size: int, channels: int, x_BCHW: Tensor, _: Tensor | None) -> list[Tensor]:
    """What a U-Net's graph takes."""
    return [fit_to(x_BCHW, size).expand(-1, channels, -1, -1)]


def _heard(reel: Reel, x_B1SS: Tensor, cue_BK: Tensor | None) -> list[Tensor]:
    """What a reel's graph takes. Which sound is nearest is found outside it, in float32."""
    return [x_B1SS, heard(reel, x_B1SS, None)[1] if cue_BK is None else cue_BK]


def without_telemetry() -> ModuleType:
    """OpenVINO, which then has no telemetry to report its use with.

    It reports to Google Analytics from its first import on, if its companion package is there
    and nobody has said no. To it the package looks as if it were not installed.

    Raises: EngineUnavailable if OpenVINO is not installed.
    """
    if (known := sys.modules.get("openvino")) is not None:
        return known
    companion = sys.modules.get(_TELEMETRY)
    sys.modules[_TELEMETRY] = None  # pyright: ignore[reportArgumentType]  # "import fails"
    try:
        import openvino
    except ImportError as error:
        raise EngineUnavailable(
            'openvino is not installed: pip install "soundreel[fast]"'
        ) from error
    finally:
        # Parts of it may be imported later, too: where nobody else uses the companion, it stays
        # out of reach.
        if companion is not None:
            sys.modules[_TELEMETRY] = companion
    return openvino


def _compiled(openvino: ModuleType, graph: Any, lanes: int) -> Any:
    core = _core(openvino)
    has_bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    settings = {
        "INFERENCE_PRECISION_HINT": "bf16" if has_bf16 else "f32",
        "PERFORMANCE_HINT": "LATENCY" if lanes == 1 else "THROUGHPUT",
        "NUM_STREAMS": str(lanes),
        "INFERENCE_NUM_THREADS": str(torch.get_num_threads()),
        # A thread that may not leave its core waits whenever another program has it.
        "ENABLE_CPU_PINNING": "NO",
    }
    return core.compile_model(graph, "CPU", settings)


@lru_cache(maxsize=1)
def _core(openvino: ModuleType) -> Any:
    return openvino.Core()
