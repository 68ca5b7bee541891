"""The run folder: which settings and pairs it belongs to, and its rows of metrics."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from soundreel.atomic import write_json, write_text
from soundreel.errors import TrainingError, storage_errors
from soundreel.networks.model_folder import Direction
from soundreel.networks.precision import Precision
from soundreel.recipe import Recipe
from soundreel.settings import explain
from soundreel.training.presets import Training
from soundreel.training.ranks import Ranks

_FORMAT, _FORMAT_VERSION = "soundreel-run", 1
#: What does not change what is learnt: a run may be made longer, be given more patience, be told
#: what to keep and when to look. All else makes it another run; also `stop_on`, by which the
#: model in best/ was chosen.
_CHANGEABLE = (
    "epochs",
    "steps",
    "patience",
    "measure_every",
    "checkpoint_every",
    "sheet_every",
    "sheet_rows",
    "keep_epochs",
    "threads",
)
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

    @property
    def best(self) -> Path:
        """The best model so far, where the run stops early."""
        return self.folder / "best"

    @property
    def snapshots(self) -> Path:
        return self.folder / "snapshots"

    @property
    def curve(self) -> Path:
        return self.folder / "curve.png"

    def snapshot(self, epoch: float) -> Path:
        """The model of an epoch that was chosen to be kept."""
        return self.snapshots / f"epoch-{epoch:g}"


def open_run(
    run: RunFolder,
    settings: Training,
    precision: Precision,
    preset: str,
    direction: Direction,
    recipe: Recipe,
    dataset: dict[str, Any],
    ranks: Ranks,
) -> tuple[Training, Precision]:
    """Begin a run folder, or make sure that an existing one is of this very run.

    dataset: what identifies the pairs, {"training": ..., "held_out": ...} (`Source.identity`).
    ranks: the processes of this run; the first one keeps the folder.

    Returns: the settings and the precision to go on with: where a run was begun with an
    automatic batch, the batch that was found then.

    Raises: TrainingError if the folder holds another run or something else; StorageError.
    """
    begun = begun_run(run)
    taken = run.folder.exists() and (not run.folder.is_dir() or any(run.folder.iterdir()))
    ranks.largest(0)  # nobody writes before all have looked
    if begun is None:
        if taken:
            raise TrainingError(
                f"{run.folder}: is there already and not a training run: choose another --out"
            )
    else:
        then = _settings_of(run.config, begun)
        if settings.automatic_batch and then.automatic_batch:
            settings = settings.model_copy(update={"batch": then.batch})
        _refuse_another(run, begun, then, settings, direction, recipe, dataset)
        precision = begun["precision"]
    if ranks.rank == 0:
        config: dict[str, Any] = {
            "format": _FORMAT,
            "format_version": _FORMAT_VERSION,
            "preset": preset,
            "direction": direction,
            "precision": precision,
            "settings": settings.model_dump(mode="json"),
            "recipe": recipe.model_dump(mode="json"),
            "dataset": dataset,
            "versions": {"soundreel": soundreel_version(), "torch": torch.__version__},
        }
        write_json(run.config, config)
    return settings, precision


def begun_run(run: RunFolder) -> dict[str, Any] | None:
    """The config.json of a run that was begun; None where there is none.

    Raises: TrainingError if it is something else's.
    """
    return _read(run.config) if run.config.exists() else None


def _refuse_another(
    run: RunFolder,
    begun: dict[str, Any],
    then: Training,
    settings: Training,
    direction: Direction,
    recipe: Recipe,
    dataset: dict[str, Any],
) -> None:
    now = settings.model_dump(mode="json")
    differing = [
        f"{key} ({value!r} then, {now[key]!r} now)"
        for key, value in then.model_dump(mode="json").items()
        if key not in _CHANGEABLE and value != now[key]
    ]
    if begun["direction"] != direction:
        differing.append(f"direction ({begun['direction']} then, {direction} now)")
    if differing:
        raise TrainingError(
            f"{run.folder}: this run was begun with other settings: {', '.join(differing)}: "
            "give those again, or choose another --out"
        )
    if begun["recipe"] != recipe.model_dump(mode="json") or begun["dataset"] != dataset:
        pairs = begun["dataset"]["training"]["pairs"]
        raise TrainingError(
            f"{run.folder}: this run was begun with other pairs ({pairs} for training then, "
            f"{dataset['training']['pairs']} now): restore the dataset, or choose another --out"
        )


def _settings_of(path: Path, begun: dict[str, Any]) -> Training:
    """A run's settings; what an earlier version did not know yet has its plain value."""
    try:
        return Training.model_validate(begun["settings"])
    except ValidationError as error:
        raise TrainingError(
            f"{path}: {explain(error, Training)}: begun by another version, choose another --out"
        ) from error


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
