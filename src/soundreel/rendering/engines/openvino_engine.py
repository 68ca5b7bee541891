"""The engines that OpenVINO brings (extra `fast`): bfloat16, and 8-bit integers."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from soundreel.networks.bundle import load_model
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

_TELEMETRY = "openvino_telemetry"


def open_openvino(
    name: Literal["openvino-bf16", "openvino-int8"],
    folder: Path,
    batch: int = BATCH,
    progress: Listener = silent,
    lanes: int | None = None,
) -> Engine:
    """The folded generator as an OpenVINO graph on the CPU.

    lanes: how many batches at once, which share the cores; None: one a core. With one lane a
    batch comes soonest.

    What is not in 8-bit integers is in bf16 where the processor has it, else in float32.

    Raises: EngineUnavailable if OpenVINO is not installed, or the model draws noise or normalises
    by the picture; ModelError if the model cannot be read.
    """
    openvino = without_telemetry()
    model = load_model(folder, "fp32", "cpu")
    require_fixed_network(model, name)
    size, channels = model.generator.size, model.generator.in_channels
    levels = levels_of(model, progress) if name == "openvino-int8" else None
    lanes = torch.get_num_threads() if lanes is None else lanes
    graph = picture_graph(openvino, model.generator, batch, levels)
    compiled = _compiled(openvino, graph, lanes)
    del model, levels, graph
    of_thread = threading.local()

    @torch.inference_mode()
    def infer(x_BCHW: Tensor, seeds: Sequence[int]) -> Any:
        filled_BCHW, _ = filled_up(x_BCHW, seeds, batch)
        filled_BCHW = fit_to(filled_BCHW, size).expand(-1, channels, -1, -1)
        given = np.ascontiguousarray(filled_BCHW.float().cpu().numpy())
        if not hasattr(of_thread, "request"):  # a request computes one batch at a time
            of_thread.request = compiled.create_infer_request()
        return of_thread.request.infer([given], share_inputs=True, share_outputs=True)

    def run(x_BCHW: Tensor, seeds: Sequence[int]) -> Tensor:
        return torch.from_numpy(infer(x_BCHW, seeds)[0][: len(x_BCHW)].copy())

    def frames(x_BCHW: Tensor, seeds: Sequence[int]) -> np.ndarray:
        return infer(x_BCHW, seeds)[1][: len(x_BCHW)].copy()

    return Engine(name, batch, run, frames, lanes)


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
