"""The training loop: steps, and at intervals a measurement, a sheet, a checkpoint."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from soundreel.errors import TrainingError
from soundreel.networks.bundle import save_model
from soundreel.networks.model_folder import Direction
from soundreel.progress import Listener, Step
from soundreel.threads import FreeCores
from soundreel.training.checkpoint import (
    checkpoints,
    load_checkpoint,
    save_checkpoint,
    step_of,
)
from soundreel.training.folder import RunFolder, append_row, cut_rows, rows_until
from soundreel.training.held_out import HeldOut
from soundreel.training.interrupt import Interrupt, Interrupted, interrupt_between_steps
from soundreel.training.learner import AnyBatches, Learner
from soundreel.training.presets import Training
from soundreel.training.show import Show
from soundreel.training.signs import explodes, warnings_of
from soundreel.training.step import rate_share
from soundreel.training.stopping import best_row, ran_out_of_patience

#: How often the losses are looked at, and other processes asked, in steps: each look waits for
#: a GPU, and each question for all processes.
_LOOK_EVERY = 20
_PREPARING_THREADS = 3


class Loop:
    """A run under way: its networks, its batches, its folder, and where it has come to.

    Of several processes each has its loop; the first one measures and writes.
    """

    def __init__(
        self,
        run: RunFolder,
        settings: Training,
        preset: str,
        direction: Direction,
        networks: Learner,
        batches: AnyBatches,
        held_out: HeldOut | None,
        pairs: int,
        total: int,
        learnt: Mapping[str, Any] | None = None,
    ) -> None:
        """Set up a run.

        held_out: what the first process measures on; None in the others.
        pairs: how many an epoch has; total: how many steps the run is to have.
        learnt: what the model keeps beside its weights (see `save_model`).
        """
        self.run = run
        self.settings = settings
        self.preset = preset
        self.direction: Direction = direction
        self.networks = networks
        self.ranks = networks.ranks
        self.batches = batches
        self.held_out = held_out
        self.pairs = pairs
        self.total = total
        self._learnt = learnt
        self.done = 0
        self.rows: list[dict[str, Any]] = []
        self._show = (
            None if held_out is None else Show(run, settings, preset, direction, held_out, total)
        )
        self._snapshot_steps = {
            settings.steps_of(epoch, pairs): epoch for epoch in settings.keep_epochs
        }
        self._sums = torch.zeros(len(networks.loss_names), device=networks.device)
        self._summed = 0
        self._looked_at = self._sums.clone().cpu()
        self._looked_at_step = 0
        self._seconds_before = 0.0
        self._began_at = time.monotonic()
        self._began_with = 0

    @property
    def row(self) -> dict[str, Any] | None:
        """The last measurement."""
        return self.rows[-1] if self.rows else None

    @property
    def seconds(self) -> float:
        """Seconds of training so far, those before a resume included."""
        return self._seconds_before + time.monotonic() - self._began_at

    def resume(self) -> None:
        """Go back to the last checkpoint, if there is one, and drop what came after it."""
        kept = checkpoints(self.run.checkpoints)
        if kept:
            sums, numbers = load_checkpoint(kept[-1], self.networks)
            self.done = step_of(kept[-1])
            self._sums.copy_(sums)
            self._summed = int(numbers["summed"])
            self._seconds_before = float(numbers["seconds"])
        self._began_at = time.monotonic()
        self._began_with = self.done
        read = cut_rows if self.held_out is not None else rows_until
        self.rows = read(self.run.metrics, self.done)
        self._looked_at, self._looked_at_step = self._sums.cpu(), self.done

    def go(self, progress: Listener) -> None:
        """Train until `total` steps are done, or nothing has got better for long enough.

        Raises: Interrupted (a KeyboardInterrupt), after a checkpoint, if somebody asked to stop;
        TrainingError if the losses explode or are no numbers any more; StorageError.
        """
        if self.done >= self.total and self.row is None:
            self._measure()  # somebody removed metrics.jsonl
        threads = torch.get_num_threads()
        try:
            with interrupt_between_steps() as interrupt:
                stopped_early = self._steps(progress, interrupt)
        except KeyboardInterrupt:
            self._page("interrupted")
            raise
        except TrainingError:
            self._page("stopped by an error")
            raise
        finally:
            torch.set_num_threads(threads)
        self._page("stopped early" if stopped_early else "finished")

    def note(self) -> str:
        """How good it is so far, in words."""
        if self.row is None or self.row["l1"] is None:
            return ""
        said = f"{self.row['measured_on']} L1 {self.row['l1']:.3f}, mean {self.row['mean_l1']:.3f}"
        # A line of the terminal has no room for the sentences: those are on the page.
        return f"{said}, WARNING: see index.html" if self.row["warnings"] else said

    def _steps(self, progress: Listener, interrupt: Interrupt) -> bool:
        """Returns whether the run is to end before its last step."""
        settings = self.settings
        workers = _PREPARING_THREADS if self.networks.device.type == "cuda" else 0
        self._page("training")
        cores = FreeCores() if settings.threads == "free" else None
        for batch in self.batches.ahead(self.done, self.total, workers):
            self._sums += self.networks.step(self.done, self.total, batch)
            self._summed += 1
            self.done += 1
            if cores is not None and (threads := cores.threads()) is not None:
                torch.set_num_threads(threads)
            last = self.done == self.total
            if self.done % _LOOK_EVERY == 0:
                self._check_losses()
            enough = False
            if last or self.done % settings.measure_every == 0:
                self._measure()
                enough = bool(self.ranks.largest(ran_out_of_patience(self.rows, settings)))
            last = last or enough
            snapshot = self._snapshot_steps.get(self.done)
            if last or snapshot is not None or self.done % settings.sheet_every == 0:
                self._draw_sheet()
            if snapshot is not None:
                self._save(self.run.snapshot(snapshot))
            kept = last or self.done % settings.checkpoint_every == 0
            if kept:
                self._keep()
            try:
                progress(Step("train", self.done, self.total, "steps", self.note()))
            except KeyboardInterrupt:  # a listener's way to stop, e.g. the studio's button
                interrupt.ask()
            # Several processes must stop after the same step, so they ask each other now and then.
            asked_by = interrupt.signal if interrupt.asked else 0
            if self.ranks.count > 1:
                asked_by = self.ranks.largest(asked_by) if self.done % _LOOK_EVERY == 0 else 0
            if asked_by and not last:
                if not kept:
                    self._keep()
                raise Interrupted(
                    f"{self.run.folder}: stopped after step {self.done:,} of {self.total:,}, all "
                    "of it kept: the same command goes on",
                    asked_by,
                    self.ranks.rank,
                )
            if enough:
                return True
        return False

    def _check_losses(self) -> Tensor:
        """The sums of losses, of all processes.

        Raises: TrainingError if they are no numbers any more, or have exploded.
        """
        sums = self._sums.clone()
        self.ranks.average([sums])
        sums = sums.cpu()
        kept = checkpoints(self.run.checkpoints)
        safe = f"the last good checkpoint is {kept[-1]}" if kept else "no checkpoint yet"
        advice = f"({safe}): train into another --out with a lower learning_rate or precision fp32"
        if not torch.isfinite(sums).all():
            raise TrainingError(
                f"{self.run.folder}: the losses are no numbers any more after step {self.done} "
                f"{advice}"
            )
        steps = self.done - self._looked_at_step
        if steps >= _LOOK_EVERY:
            recent = float(sums[-1] - self._looked_at[-1]) / steps
            seen = [row["l1_loss"] for row in self.rows if row["l1_loss"] is not None]
            if self.ranks.largest(explodes([recent], seen)):
                raise TrainingError(
                    f"{self.run.folder}: the losses have exploded before step {self.done}, L1 is "
                    f"{recent:.2f} {advice}"
                )
            self._looked_at, self._looked_at_step = sums, self.done
        return sums

    def _measure(self) -> None:
        sums = self._check_losses()
        means = [None] * len(sums) if self._summed == 0 else (sums / self._summed).tolist()
        if self.held_out is not None:
            trained_seconds = self.seconds - self._seconds_before
            measured = self.held_out.measure(self.networks)
            row: dict[str, Any] = {
                "step": self.done,
                "epoch": round(self.done * self.settings.batch / self.pairs, 4),
                **{
                    f"{name}_loss": mean
                    for name, mean in zip(self.networks.loss_names, means, strict=True)
                },
                "measured_on": self.held_out.measured_on,
                **measured.row,
                "learning_rate": self.settings.learning_rate
                * rate_share(self.settings.schedule, self.done - 1, self.total),
                "seconds": round(self.seconds, 3),
                "samples_per_second": round(
                    (self.done - self._began_with) * self.settings.batch / trained_seconds, 2
                ),
            }
            row["warnings"] = warnings_of([*self.rows, row])
            append_row(self.run.metrics, row)
            self.rows.append(row)
            if self._show is not None:
                self._show.row(row)
            if self.settings.stop_on and best_row(self.rows, self.settings.stop_on) is row:
                self._save(self.run.best)
        self._sums.zero_()
        self._summed = 0
        self._looked_at = torch.zeros(len(self.networks.loss_names))
        self._looked_at_step = self.done
        self._page("training")

    def _keep(self) -> None:
        """Write the model, then the checkpoint: whoever finds this checkpoint finds its model."""
        sums = self._check_losses()
        if self.held_out is None:
            return
        self._save(self.run.model)
        save_checkpoint(
            self.run.checkpoints,
            self.networks,
            self.done,
            sums,
            {"step": self.done, "summed": self._summed, "seconds": self.seconds},
        )

    def _save(self, folder: Path) -> None:
        if self.held_out is None:
            return
        row = self.row or {}
        self.networks.remember()
        save_model(
            folder,
            self.networks.best_generator,
            self.networks.arguments,
            self.held_out.pairs.recipe,
            self.direction,
            {
                "preset": self.preset,
                "steps": self.done,
                "epochs": round(self.done * self.settings.batch / self.pairs, 4),
                "training_pairs": self.pairs,
                "measured_on": row.get("measured_on"),
                "l1": row.get("l1"),
                "mean_l1": row.get("mean_l1"),
                "precision": self.networks.precision,
                "seconds": round(self.seconds, 3),
            },
            learnt=self._learnt,
        )

    def _draw_sheet(self) -> None:
        if self._show is not None:
            self._show.sheet(self.networks, self.done, self.note())

    def _page(self, state: str) -> None:
        if self._show is not None:
            self._show.page(self.rows, state)
