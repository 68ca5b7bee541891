"""A model as an ONNX file, for programs that know nothing of Soundreel.

The file says in its metadata what its windows and sound images are (the recipe), which weights
these are, and whose rights. Making sound images is left to whoever runs it.
"""

from __future__ import annotations

import json
import logging
import math
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from soundreel import __version__
from soundreel.atomic import atomic_file
from soundreel.errors import ModelError
from soundreel.networks.bundle import Model, load_model
from soundreel.networks.folding import can_fold
from soundreel.networks.harmony import STRETCHES
from soundreel.networks.reel import Reel
from soundreel.networks.score import Score
from soundreel.networks.unet import UNet
from soundreel.progress import Listener, Step, silent
from soundreel.sharing.no_paths import without_paths
from soundreel.sharing.shared_card import rights_note

OPSET = 18
#: How far a picture may lie from torch's own, of values in [-1, 1].
LARGEST_ERROR = 1e-3
_EXAMPLES = 2  # a batch of one could be taken for a constant
_LARGEST_BYTES = 2**31 - 2**20  # a protobuf message has at most 2 GiB


@dataclass(frozen=True)
class Exported:
    """An ONNX file that was written.

    inputs, outputs: name -> shape, "batch" where any number may stand; all float32.
    error: the largest difference from torch's own output; None where ONNX Runtime is not
      installed, so that nobody has run it.
    """

    out: Path
    inputs: dict[str, tuple[int | str, ...]]
    outputs: dict[str, tuple[int | str, ...]]
    opset: int
    error: float | None

    @property
    def summary(self) -> str:
        """A line for a person."""
        takes, gives = (
            ", ".join(f"{name} {' x '.join(map(str, shape))}" for name, shape in those.items())
            for those in (self.inputs, self.outputs)
        )
        ran = "not run" if self.error is None else f"ONNX Runtime is within {self.error:.1e}"
        return f"{self.out}: {takes} -> {gives}, opset {self.opset}, {ran}"


@dataclass(frozen=True)
class Graph:
    """What is to be exported: a network, examples of its inputs in their order, its output.

    network: takes the inputs by place and returns one tensor; all float32, batch first, and a
      row of its output depends on that row of the inputs alone.
    """

    network: nn.Module
    examples: Mapping[str, Tensor]
    output: str


def export_onnx(model_place: str | Path, out: Path, progress: Listener = silent) -> Exported:
    """Write the generator of a model as an ONNX file, in float32, for batches of any size.

    A U-Net from sound to picture takes `sound`, B x 1 x S x S in [-1, 1], S being the network's
    own size, and gives `picture`, B x 3 x S x S in [-1, 1]; the inverse takes `picture` and gives
    `sound`. A `reel` takes `sound` at the recipe's size and `cue`, B x K: a look's numbers and
    then a reference code's. The looks stand in the metadata; zeros are the average code. A
    `score` takes `frames`, B x F x 3 x side x side, `voice`, B x V, and `harmony`, B x S x 4, and
    gives `sound`.

    Where ONNX Runtime is installed, the file is run and compared.

    Raises: ModelError if the model cannot be read, draws noise or normalises by the picture, the
    packages of the extra `onnx` are not installed, or the file computes something else;
    StorageError.
    """
    if out.suffix.lower() != ".onnx":
        raise ModelError(f"{out}: an ONNX file: give --out a name that ends in .onnx")
    onnx = _packages()
    progress(Step("export", 0, 3, "steps", "read the model"))
    model = load_model(model_place, "fp32", "cpu")
    graph = _graph(model)
    progress(Step("export", 1, 3, "steps", "trace it"))
    written = _traced(onnx, graph, _metadata(model))
    if written.ByteSize() > _LARGEST_BYTES:
        raise ModelError(f"{model.folder}: is too large for one ONNX file (2 GiB at most)")
    progress(Step("export", 2, 3, "steps", "write and compare"))
    with atomic_file(out) as partial:
        onnx.save(written, str(partial))
        error = _error(partial, graph)
        if error is not None and not error <= LARGEST_ERROR:
            raise ModelError(
                f"{out}: ONNX Runtime makes something else of it (off by {error:.1e}): not written"
            )
    progress(Step("export", 3, 3, "steps"))
    return Exported(out, _shapes(written.graph.input), _shapes(written.graph.output), OPSET, error)


def _packages() -> ModuleType:
    try:
        import onnx
        import onnxscript  # noqa: F401 - torch's exporter needs it, and says so at length
    except ImportError as error:
        raise ModelError(
            f'{error.name or "onnx"} is not installed: pip install "soundreel[onnx]"'
        ) from error
    return onnx


def _graph(model: Model) -> Graph:
    """Each architecture's own inputs and output."""
    generator = model.generator
    if isinstance(generator, Reel):
        side, numbers = generator.sound_size, generator.cue_numbers
        examples = {"sound": _example(1, side, side), "cue": _example(numbers)}
        return Graph(generator, examples, "picture")
    if isinstance(generator, Score):
        side = generator.side
        examples = {
            "frames": _example(generator.frames, 3, side, side),
            "voice": _example(generator.voice_NV.shape[1]),
            "harmony": _example(generator.sound_size, STRETCHES),
        }
        return Graph(generator, examples, "sound")
    _require_fixed(model, generator)
    side = generator.size
    if model.direction == "sound-to-picture":
        return Graph(_FromSound(generator), {"sound": _example(1, side, side)}, "picture")
    taken = {"picture": _example(generator.in_channels, side, side)}
    return Graph(_ToSound(generator), taken, "sound")


def _require_fixed(model: Model, generator: UNet) -> None:
    """Raises: ModelError if its output depends on more than its weights and that row of input."""
    if generator.depends_on_noise:
        why = "it draws noise when it generates (dropout_at_generation)"
    elif not can_fold(generator):
        why = f"it normalises by each picture (norm = '{generator.norm}')"
    else:
        return
    raise ModelError(
        f"{model.folder}: cannot be an ONNX file: {why}: train with another preset to export"
    )


def _example(*shape: int) -> Tensor:
    """Two different rows of values in [-1, 1]."""
    return torch.linspace(-1, 1, _EXAMPLES * math.prod(shape)).sin().reshape(_EXAMPLES, *shape)


class _FromSound(nn.Module):
    """A U-Net from one channel of sound, however many it takes the same of."""

    def __init__(self, generator: UNet) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, x_B1SS: Tensor) -> Tensor:
        return self.generator(x_B1SS.expand(-1, self.generator.in_channels, -1, -1))


class _ToSound(nn.Module):
    """A U-Net to one channel of sound, the mean of those that it makes."""

    def __init__(self, generator: UNet) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, y_BCSS: Tensor) -> Tensor:
        return self.generator(y_BCSS).mean(1, keepdim=True)


def _metadata(model: Model) -> dict[str, str]:
    told = {
        "soundreel_version": __version__,
        "soundreel_direction": model.direction,
        "soundreel_recipe": json.dumps(without_paths(model.recipe.model_dump(mode="json"))),
        "soundreel_weights_sha256": str(model.config.get("weights_sha256")),
        "soundreel_rights": rights_note(model.config),
    }
    if isinstance(model.generator, Reel | Score):
        learnt = model.generator
        numbers_NL = (learnt.look_NL if isinstance(learnt, Reel) else learnt.voice_NV).tolist()
        names = [*model.looks, "average"] if model.looks else map(str, range(len(numbers_NL)))
        told["soundreel_looks"] = json.dumps(dict(zip(names, numbers_NL, strict=True)))
    return told


def _traced(onnx: ModuleType, graph: Graph, metadata: Mapping[str, str]) -> Any:
    """The network as an ONNX model, checked."""
    batch = torch.export.Dim("batch")
    talkative = logging.getLogger("torch.onnx")
    level = talkative.level
    talkative.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch's own parts, about each other
            program = torch.onnx.export(
                graph.network.eval(),
                tuple(graph.examples.values()),
                dynamo=True,
                opset_version=OPSET,
                input_names=list(graph.examples),
                output_names=[graph.output],
                dynamic_shapes=tuple({0: batch} for _ in graph.examples),
                external_data=False,
                verbose=False,
            )
    finally:
        talkative.setLevel(level)
    assert program is not None
    model = program.model_proto
    model.producer_name, model.producer_version = "soundreel", __version__
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, dict(metadata))
    # The trace's own notes on each step name files of the machine that it was made on.
    for noted in (model.graph, *model.graph.node, *model.graph.value_info):
        del noted.metadata_props[:]
    for node in model.graph.node:
        node.doc_string = ""
    onnx.checker.check_model(model)
    return model


@torch.inference_mode()
def _error(path: Path, graph: Graph) -> float | None:
    """How far ONNX Runtime's output lies from torch's, at most; for one, and for several."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime
    except ImportError:
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    errors = []
    for rows in (slice(0, 1), slice(0, _EXAMPLES)):
        given = {name: example[rows] for name, example in graph.examples.items()}
        made = session.run([graph.output], {name: x.numpy() for name, x in given.items()})[0]
        expected = graph.network(*given.values()).numpy()
        errors.append(float(np.abs(np.asarray(made) - expected).max()))
    return float(np.max(errors))


def _shapes(values: Any) -> dict[str, tuple[int | str, ...]]:
    return {
        value.name: tuple(
            dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim
        )
        for value in values
    }
