"""Opening an engine by its name."""

from __future__ import annotations

from pathlib import Path

from soundreel.networks.bundle import describe_model, require_direction
from soundreel.progress import Listener, silent
from soundreel.rendering.engines.cuda import open_cuda
from soundreel.rendering.engines.engine import Engine, EngineName
from soundreel.rendering.engines.openvino_engine import open_openvino
from soundreel.rendering.engines.torch_engines import open_compiled, open_torch


def open_engine(
    name: EngineName, model_folder: Path, device: str = "auto", progress: Listener = silent
) -> Engine:
    """A model made ready to be computed by an engine.

    device: where the torch engines and `cuda` compute; the others know only the CPU.
    progress: hears of the preparation of `openvino-int8`, which is done once for a model.

    Raises: EngineUnavailable if the engine cannot be had here or for this model; ModelError if
    the model cannot be read, or goes from picture to sound.
    """
    described = describe_model(model_folder)
    require_direction(described.folder, described.direction, "sound-to-picture")
    folder = described.folder
    if name == "torch-fp32":
        return open_torch(name, folder, "fp32", device)
    if name == "torch-bf16":
        return open_torch(name, folder, "bf16", device)
    if name == "compiled":
        return open_compiled(folder)
    if name == "cuda":
        return open_cuda(folder, device)
    return open_openvino(name, folder, progress=progress)
