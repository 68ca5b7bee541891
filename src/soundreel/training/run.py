"""Train a model on a dataset: `soundreel train`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from soundreel.dataset.loading import Pairs, load_pairs
from soundreel.dataset.store import open_dataset
from soundreel.errors import DatasetError
from soundreel.networks.bundle import Direction
from soundreel.networks.precision import resolve_precision
from soundreel.progress import Listener, silent
from soundreel.training.batches import Batches
from soundreel.training.checkpoint import checkpoints, step_of
from soundreel.training.folder import RunFolder, open_run, rows_until
from soundreel.training.held_out import HeldOut
from soundreel.training.loop import Loop
from soundreel.training.presets import Training, training_preset
from soundreel.training.step import Networks


@dataclass(frozen=True)
class TrainingResult:
    """What a training has come to.

    run, model: the run folder and the model folder in it.
    steps, epochs: how long it trained, in all.
    l1: mean absolute difference from the truth, in [0, 2], on what `measured_on` says:
      "held-out" or "training" clips. mean_l1: the same of the mean training frame.
    seconds: of training, in all.
    already_done: there was nothing left to do.
    """

    run: Path
    model: Path
    steps: int
    epochs: float
    measured_on: str
    l1: float
    mean_l1: float
    seconds: float
    already_done: bool

    @property
    def summary(self) -> str:
        """In one line, for people."""
        begin = "was trained already, " if self.already_done else "trained "
        return (
            f"{begin}{self.steps:,} steps ({self.epochs:.4g} epochs), {self.measured_on} L1 "
            f"{self.l1:.3f} (the mean picture's: {self.mean_l1:.3f})"
        )


def train(
    dataset: Path,
    out: Path,
    preset: str = "default",
    *,
    epochs: float | None = None,
    direction: Direction = "sound-to-picture",
    changes: dict[str, Any] | None = None,
    progress: Listener = silent,
) -> TrainingResult:
    """Train a model on a dataset folder into a run folder. The same call again resumes.

    preset: "default", "quick" or "paper"; `changes` changes single settings (see `Training`).
    epochs: how many times to go through all pairs; a larger number continues a finished run.
    direction: what the model makes of what.

    An interrupted or killed run goes on from its last checkpoint and ends, on the same machine's
    CPU, with the same weights to the bit as one that was never interrupted.

    Raises: SettingsError, DatasetError, TrainingError (the folder holds another run; the losses
    are no numbers any more), StorageError; KeyboardInterrupt, after a checkpoint, on Ctrl-C or
    SIGTERM.
    """
    settings = training_preset(
        preset, **(changes or {}), **({} if epochs is None else {"epochs": epochs})
    )
    opened = open_dataset(dataset)
    training_pairs = load_pairs(opened, "train", progress)
    if not len(training_pairs):
        raise DatasetError(f"{dataset}: has no pair to train on: see its clips.jsonl for why")
    held_out_pairs = load_pairs(opened, "val", progress)
    return train_on_pairs(
        training_pairs, held_out_pairs, out, settings, preset, direction, progress=progress
    )


def train_on_pairs(
    training_pairs: Pairs,
    held_out_pairs: Pairs,
    out: Path,
    settings: Training,
    preset: str = "custom",
    direction: Direction = "sound-to-picture",
    *,
    device: str = "auto",
    progress: Listener = silent,
) -> TrainingResult:
    """As `train`, on pairs that are loaded already.

    held_out_pairs: of clips that are never trained on; where there are none, the training pairs
    stand in for measurements and sheets, which say so.
    preset: the name to keep with the run. device: a torch device, or "auto".
    """
    chosen = torch.device(
        ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    )
    run = RunFolder(out)
    batches = Batches(training_pairs, settings, direction)
    precision = open_run(
        run,
        settings,
        resolve_precision(settings.precision, chosen.type),
        preset,
        direction,
        training_pairs,
        held_out_pairs,
    )
    total = settings.total_steps(len(training_pairs))
    kept = checkpoints(run.checkpoints)
    if kept and step_of(kept[-1]) >= total:
        rows = rows_until(run.metrics, step_of(kept[-1]))
        if rows:
            return _result(run, rows[-1], already_done=True)
    loop = Loop(
        run,
        settings,
        preset,
        direction,
        Networks(settings, direction, precision, chosen),
        batches,
        HeldOut(training_pairs, held_out_pairs, settings, direction),
        len(training_pairs),
        total,
    )
    loop.resume()
    loop.go(progress)
    assert loop.row is not None
    return _result(run, loop.row, already_done=False)


def _result(run: RunFolder, row: dict[str, Any], already_done: bool) -> TrainingResult:
    return TrainingResult(
        run=run.folder,
        model=run.model,
        steps=row["step"],
        epochs=row["epoch"],
        measured_on=row["measured_on"],
        l1=row["l1"],
        mean_l1=row["mean_l1"],
        seconds=row["seconds"],
        already_done=already_done,
    )
