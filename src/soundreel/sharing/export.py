"""`export`: a dataset or a model in a form that other programs read."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from soundreel.dataset.exchange.export import Exported as ExportedPairs
from soundreel.dataset.exchange.export import export as export_dataset
from soundreel.errors import SettingsError
from soundreel.progress import Listener, silent
from soundreel.sharing.onnx_export import Exported as ExportedModel
from soundreel.sharing.onnx_export import export_onnx
from soundreel.sharing.pull import local_model

Form = Literal["pairs", "shards", "onnx"]


def export(
    place: Path | str, to: Form, out: Path, *, progress: Listener = silent
) -> ExportedPairs | ExportedModel:
    """Write a dataset or a model in another form.

    place: a dataset folder; for "onnx" a model folder, a run folder or `hf://owner/name`.
    to: of a dataset "pairs" or "shards" (see `dataset.exchange.export`), of a model "onnx" (see
      `onnx_export`).
    out: a folder that must not exist or be empty; for "onnx" a file, .onnx.

    Raises: SettingsError for another form; DatasetError, ModelError, SharingError, StorageError.
    """
    if to not in get_args(Form):
        raise SettingsError(f"--to {to}: choose one of {', '.join(get_args(Form))}")
    if to == "onnx":
        return export_onnx(local_model(place, progress), out, progress)
    return export_dataset(Path(place), to, out, progress=progress)
