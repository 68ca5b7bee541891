"""The run folder: which settings and pairs it belongs to, and its rows of metrics."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from soundreel.atomic import write_json, write_text
from soundreel.dataset.loading import Pairs
from soundreel.errors import TrainingError, storage_errors
from soundreel.networks.bundle import Direction
from soundreel.networks.precision import Precision
from soundreel.training.presets import Training

_FORMAT, _FORMAT_VERSION = "soundreel-run", 1
#: A run may be made longer; all else makes it another run.
_LENGTHS = ("epochs", "steps")
_KEYS = {"settings", "direction", "precision", "recipe", "dataset"}


@dataclass(frozen=True)
class RunFolder:
    """Places in a run folder."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "config.json"

    @property
    def metrics(self) -> Path:
        return self.folder / "metrics.jsonl"

    @property
    def samples(self) -> Path:
        return self.folder / "samples"

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def model(self) -> Path:
        return self.folder / "model"


def open_run(
    run: RunFolder,
    settings: Training,
    precision: Precision,
    preset: str,
    direction: Direction,
    training_pairs: Pairs,
    held_out_pairs: Pairs,
) -> Precision:
    """Begin a run folder, or make sure that an existing one is of this very run.

    Returns: the precision that the run was begun with.

    Raises: TrainingError if the folder holds another run or something else; StorageError.
    """
    about = {
        "training": _about(training_pairs),
        "held_out": _about(held_out_pairs),
    }
    config: dict[str, Any] = {
        "format": _FORMAT,
        "format_version": _FORMAT_VERSION,
        "preset": preset,
        "direction": direction,
        "precision": precision,
        "settings": settings.model_dump(mode="json"),
        "recipe": training_pairs.recipe.model_dump(mode="json"),
        "dataset": about,
        "versions": {"soundreel": soundreel_version(), "torch": torch.__version__},
    }
    if not run.config.exists():
        if run.folder.exists() and (not run.folder.is_dir() or any(run.folder.iterdir())):
            raise TrainingError(
                f"{run.folder}: is there already and not a training run: choose another --out"
            )
        write_json(run.config, config)
        return precision
    begun = _read(run.config)
    begun_precision = begun["precision"]
    differing = [
        f"{key} ({begun['settings'].get(key)!r} then, {value!r} now)"
        for key, value in config["settings"].items()
        if key not in _LENGTHS and begun["settings"].get(key) != value
    ]
    if begun["direction"] != direction:
        differing.append(f"direction ({begun['direction']} then, {direction} now)")
    if differing:
        raise TrainingError(
            f"{run.folder}: this run was begun with other settings: {', '.join(differing)}: "
            "give those again, or choose another --out"
        )
    if begun["recipe"] != config["recipe"] or begun["dataset"] != about:
        then = begun["dataset"]["training"]["pairs"]
        raise TrainingError(
            f"{run.folder}: this run was begun with other pairs ({then} for training then, "
            f"{len(training_pairs)} now): restore the dataset, or choose another --out"
        )
    write_json(run.config, {**config, "precision": begun_precision})
    return begun_precision


def soundreel_version() -> str:
    """The version of this program, "unknown" where it runs uninstalled."""
    try:
        return version("soundreel")
    except PackageNotFoundError:
        return "unknown"


def append_row(path: Path, row: dict[str, Any]) -> None:
    """Add a row to metrics.jsonl. Raises: StorageError."""
    with storage_errors(path), path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def rows_until(path: Path, step: int) -> list[dict[str, Any]]:
    """The rows of metrics.jsonl up to a step, none if the file is missing.

    A line that a killed process left half written comes after its last checkpoint, and so do all
    after it: reading ends there.
    """
    rows: list[dict[str, Any]] = []
    if not path.exists():
        return rows
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            break
        if row["step"] <= step:
            rows.append(row)
    return rows


def cut_rows(path: Path, step: int) -> list[dict[str, Any]]:
    """Drop the rows after a step, which are going to be written again; returns those kept."""
    rows = rows_until(path, step)
    write_text(path, "".join(json.dumps(row) + "\n" for row in rows))
    return rows


def _about(pairs: Pairs) -> dict[str, Any]:
    digest = hashlib.blake2b(digest_size=16)
    digest.update("\x1f".join(pairs.clip_ids).encode())
    for numbers in (pairs.clip_N, pairs.end_sample_N):
        digest.update(numbers.astype("<i8").tobytes())
    return {"clips": len(pairs.clip_ids), "pairs": len(pairs), "places": digest.hexdigest()}


def _read(path: Path) -> dict[str, Any]:
    refused = TrainingError(f"{path}: not a run of this version: choose another --out")
    try:
        config = json.loads(path.read_bytes())
        known = config["format"] == _FORMAT and config["format_version"] <= _FORMAT_VERSION
        if known and config.keys() >= _KEYS and "pairs" in config["dataset"]["training"]:
            return config
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise refused from error
    raise refused
