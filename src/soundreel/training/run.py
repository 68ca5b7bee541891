"""Train a model on a dataset: `soundreel train`."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from soundreel.dataset.loading import Pairs, load_pairs
from soundreel.dataset.store import open_dataset
from soundreel.dataset.streaming import is_shard_place, load_shards, open_stream
from soundreel.errors import DatasetError, SettingsError
from soundreel.networks.model_folder import Direction
from soundreel.networks.precision import resolve_precision
from soundreel.places import is_remote
from soundreel.progress import Listener, silent
from soundreel.training.batch_size import with_fastest_batch
from soundreel.training.batches import pairs_of_each
from soundreel.training.checkpoint import checkpoints, step_of
from soundreel.training.folder import RunFolder, begun_run, open_run, rows_until
from soundreel.training.held_out import MEAN_PAIRS, HeldOut
from soundreel.training.learner import as_heard, learner_for, learnt_from
from soundreel.training.loop import Loop
from soundreel.training.presets import Training, training_preset, usual_preset
from soundreel.training.ranks import Alone, Ranks, join_ranks, leave_ranks
from soundreel.training.source import InMemory, Source, Streamed, pairs_identity
from soundreel.training.stopping import best_row, ran_out_of_patience


@dataclass(frozen=True)
class TrainingResult:
    """What a training has come to.

    run, model: the run folder and the model folder in it.
    steps, epochs: how long it trained, in all.
    l1: mean absolute difference from the truth, in [0, 2], on what `measured_on` says:
      "held-out" or "training" clips. mean_l1: the same of the mean training frame.
    seconds: of training, in all.
    stopped_early: nothing had got better for long enough (`stop_on`).
    best_step: the step that l1 and model are of: the last, or with `stop_on` the best.
    already_done: there was nothing left to do.
    rank: which of the processes that trained together this one is; the first, 0, tells people.
    warnings: what the run warns of at its end, a sentence each.
    """

    run: Path
    model: Path
    steps: int
    epochs: float
    measured_on: str
    l1: float
    mean_l1: float
    seconds: float
    stopped_early: bool
    best_step: int
    already_done: bool
    rank: int
    warnings: tuple[str, ...]

    @property
    def summary(self) -> str:
        """A line for people, and one for each warning."""
        begin = "was trained already, " if self.already_done else "trained "
        early = f", stopped early (best at step {self.best_step:,})" if self.stopped_early else ""
        line = (
            f"{begin}{self.steps:,} steps ({self.epochs:.4g} epochs){early}, {self.measured_on} "
            f"L1 {self.l1:.3f} (the mean picture's: {self.mean_l1:.3f})"
        )
        return "\n".join([line, *(f"warning: {warning}" for warning in self.warnings)])


def train(
    dataset: Path | str,
    out: Path,
    preset: str | None = None,
    *,
    epochs: float | None = None,
    direction: Direction = "sound-to-picture",
    devices: int | None = None,
    changes: dict[str, Any] | None = None,
    progress: Listener = silent,
) -> TrainingResult:
    """Train a model on a dataset folder into a run folder. The same call again resumes.

    dataset: a dataset folder, or shards: a folder of them or an address (s3://bucket/dataset),
    which are read as they are needed and may be larger than the memory.
    preset: "reel" or "reel-quick", "score" or "score-quick" for the other direction; "default",
    "quick" or "paper" (pix2pix); None: `reel` or `score`, as the direction is. `changes` changes
    single settings (see `Training`).
    epochs: how many times to go through all pairs; a larger number continues a finished run.
    direction: what the model makes of what.
    devices: so many processes on this machine share every batch, a GPU each where there are
    GPUs; under `torchrun` or `srun` leave it out. The others are begun as this very command.

    An interrupted or killed run goes on from its last checkpoint and ends, on the same machine's
    CPU, with the same weights to the bit as one that was never interrupted.

    Raises: SettingsError, DatasetError, TrainingError (the folder holds another run; the losses
    explode or are no numbers any more), StorageError; Interrupted (a KeyboardInterrupt), after a
    checkpoint, on Ctrl-C or SIGTERM.
    """
    preset = usual_preset(direction) if preset is None else preset
    settings = training_preset(
        preset, **(changes or {}), **({} if epochs is None else {"epochs": epochs})
    )
    streamed = is_shard_place(dataset)
    if is_remote(dataset) and not streamed:
        raise DatasetError(
            f"{dataset}: no shards lie there: make them with `soundreel prepare`, this as its --out"
        )
    # Before the other processes are begun, each of which would say it again.
    pairs_of_each(settings, devices or 1)
    ranks = join_ranks(devices)
    try:
        if streamed:
            return _train_on_shards(dataset, out, settings, preset, direction, ranks, progress)
        opened = open_dataset(Path(dataset))
        training_pairs = load_pairs(opened, "train", progress)
        return train_on_source(
            InMemory(training_pairs, settings.seed, settings.balance_clips),
            load_pairs(opened, "val", progress),
            out,
            settings,
            preset,
            direction,
            ranks=ranks,
            progress=progress,
        )
    finally:
        leave_ranks(ranks)


def _train_on_shards(
    where: Path | str,
    out: Path,
    settings: Training,
    preset: str,
    direction: Direction,
    ranks: Ranks,
    progress: Listener,
) -> TrainingResult:
    if settings.balance_clips:
        raise SettingsError(
            f"{where}: balance_clips needs all pairs in reach, these are shards: set it to false, "
            "or make a dataset folder of them with `soundreel prepare`"
        )
    held_out = load_shards(where, "val", settings.measured_pairs)
    with closing(open_stream(where, "train", settings.seed)) as stream:
        return train_on_source(
            Streamed(stream),
            held_out,
            out,
            settings,
            preset,
            direction,
            ranks=ranks,
            progress=progress,
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
    source = InMemory(training_pairs, settings.seed, settings.balance_clips)
    return train_on_source(
        source, held_out_pairs, out, settings, preset, direction, device=device, progress=progress
    )


def train_on_source(
    source: Source,
    held_out_pairs: Pairs,
    out: Path,
    settings: Training,
    preset: str = "custom",
    direction: Direction = "sound-to-picture",
    *,
    device: str = "auto",
    ranks: Ranks | None = None,
    progress: Listener = silent,
) -> TrainingResult:
    """As `train_on_pairs`, from wherever the pairs come, as one of several processes or alone."""
    if not len(source):
        raise DatasetError(
            f"{out}: the dataset has no pair to train on: see its clips.jsonl for why"
        )
    source, held_out_pairs = as_heard(source, held_out_pairs, settings)
    ranks = ranks or Alone()
    chosen = ranks.device or torch.device(
        ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    )
    if chosen.type == "cuda":
        # The fastest of cuDNN's backward passes add up in any order: no resuming to the bit.
        torch.backends.cudnn.deterministic = True
    if settings.threads == "free" and ranks.count > 1:
        raise SettingsError(
            "threads = 'free' is for one process: several would give way to each other"
        )
    run = RunFolder(out)
    precision = resolve_precision(settings.precision, chosen.type)
    if settings.automatic_batch and begun_run(run) is None:
        settings = with_fastest_batch(
            source, settings, direction, precision, chosen, ranks, progress
        )
    settings, precision = open_run(
        run,
        settings,
        precision,
        preset,
        direction,
        source.recipe,
        {"training": source.identity(), "held_out": pairs_identity(held_out_pairs)},
        ranks,
    )
    total = settings.total_steps(len(source))
    kept = checkpoints(run.checkpoints)
    if kept:
        rows = rows_until(run.metrics, step_of(kept[-1]))
        if rows and (step_of(kept[-1]) >= total or ran_out_of_patience(rows, settings)):
            return _result(run, settings, rows, ranks, already_done=True)
    first = ranks.rank == 0
    loop = Loop(
        run,
        settings,
        preset,
        direction,
        *learner_for(
            source,
            settings,
            direction,
            precision,
            chosen,
            ranks,
            progress if first else silent,
        ),
        HeldOut(source.sample(MEAN_PAIRS), held_out_pairs, settings, direction) if first else None,
        len(source),
        total,
        learnt_from(source, settings, progress) if first else None,
    )
    loop.resume()
    loop.go(progress if first else silent)
    # The other processes measure nothing; they tell what the first one wrote.
    rows = loop.rows or rows_until(run.metrics, loop.done)
    return _result(run, settings, rows, ranks, already_done=False)


def _result(
    run: RunFolder,
    settings: Training,
    rows: list[dict[str, Any]],
    ranks: Ranks,
    already_done: bool,
) -> TrainingResult:
    last = rows[-1]
    best = best_row(rows, settings.stop_on) if settings.stop_on else None
    told = last if best is None else best
    return TrainingResult(
        run=run.folder,
        model=run.model if best is None else run.best,
        steps=last["step"],
        epochs=last["epoch"],
        measured_on=told["measured_on"],
        l1=told["l1"],
        mean_l1=told["mean_l1"],
        seconds=last["seconds"],
        stopped_early=ran_out_of_patience(rows, settings),
        best_step=told["step"],
        already_done=already_done,
        rank=ranks.rank,
        warnings=tuple(last["warnings"]),
    )
