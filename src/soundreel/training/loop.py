"""The training loop: steps, and at intervals a measurement, a sheet, a checkpoint."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor

from soundreel.errors import TrainingError
from soundreel.networks.bundle import Direction, save_model
from soundreel.progress import Listener, Step
from soundreel.training.batches import Batches
from soundreel.training.checkpoint import (
    checkpoints,
    load_checkpoint,
    save_checkpoint,
    step_of,
)
from soundreel.training.folder import RunFolder, append_row, cut_rows
from soundreel.training.held_out import HeldOut
from soundreel.training.interrupt import interrupt_between_steps
from soundreel.training.presets import Training
from soundreel.training.sheet import as_picture, as_sound_picture, draw_sheet
from soundreel.training.step import LOSS_NAMES, Networks, rate_share

#: How often the losses are looked at for NaN, in steps: on a GPU each look waits for it.
_LOOK_EVERY = 20
_PREPARING_THREADS = 3


class Loop:
    """A run under way: its networks, its batches, its folder, and where it has come to."""

    def __init__(
        self,
        run: RunFolder,
        settings: Training,
        preset: str,
        direction: Direction,
        networks: Networks,
        batches: Batches,
        held_out: HeldOut,
        pairs: int,
        total: int,
    ) -> None:
        self.run = run
        self.settings = settings
        self.preset = preset
        self.direction: Direction = direction
        self.networks = networks
        self.batches = batches
        self.held_out = held_out
        self.pairs = pairs
        self.total = total
        self.done = 0
        self.row: dict[str, Any] | None = None
        self._sums = torch.zeros(len(LOSS_NAMES), device=networks.device)
        self._summed = 0
        self._seconds_before = 0.0
        self._began_at = time.monotonic()

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
        rows = cut_rows(self.run.metrics, self.done)
        self.row = rows[-1] if rows else None

    def go(self, progress: Listener) -> None:
        """Train until `total` steps are done.

        Raises: KeyboardInterrupt, after a checkpoint, if somebody asked to stop; TrainingError
        if the losses are no numbers any more; StorageError.
        """
        settings = self.settings
        workers = _PREPARING_THREADS if self.networks.device.type == "cuda" else 0
        if self.done >= self.total and self.row is None:
            self._measure()  # somebody removed metrics.jsonl
        with interrupt_between_steps() as interrupt:
            for x_BCHW, truth_BCHW in self.batches.ahead(self.done, self.total, workers):
                self._sums += self.networks.step(self.done, self.total, x_BCHW, truth_BCHW)
                self._summed += 1
                self.done += 1
                last = self.done == self.total
                if self.done % _LOOK_EVERY == 0:
                    self._check_losses()
                if last or self.done % settings.measure_every == 0:
                    self._measure()
                if last or self.done % settings.sheet_every == 0:
                    self._draw_sheet()
                kept = last or self.done % settings.checkpoint_every == 0
                if kept:
                    self._keep()
                try:
                    progress(Step("train", self.done, self.total, "steps", self.note()))
                except KeyboardInterrupt:  # a listener's way to stop, e.g. the studio's button
                    interrupt.asked = True
                if interrupt.asked:
                    if not kept:
                        self._keep()
                    raise KeyboardInterrupt

    def note(self) -> str:
        """How good it is so far, in words."""
        if self.row is None or self.row["l1"] is None:
            return ""
        return f"{self.row['measured_on']} L1 {self.row['l1']:.3f}, mean {self.row['mean_l1']:.3f}"

    def _check_losses(self) -> Tensor:
        sums = self._sums.cpu()
        if not torch.isfinite(sums).all():
            kept = checkpoints(self.run.checkpoints)
            safe = f"the last good checkpoint is {kept[-1]}" if kept else "no checkpoint yet"
            raise TrainingError(
                f"{self.run.folder}: the losses are no numbers any more after step {self.done} "
                f"({safe}): train into another --out with a lower learning_rate or precision fp32"
            )
        return sums

    def _measure(self) -> None:
        sums = self._check_losses()
        means = [None] * len(sums) if self._summed == 0 else (sums / self._summed).tolist()
        measured = self.held_out.measure(self.networks)
        self.row = {
            "step": self.done,
            "epoch": round(self.done * self.settings.batch / self.pairs, 4),
            **{f"{name}_loss": mean for name, mean in zip(LOSS_NAMES, means, strict=True)},
            "measured_on": self.held_out.measured_on,
            "l1": measured.l1,
            "mean_l1": measured.mean_l1,
            "learning_rate": self.settings.learning_rate
            * rate_share(self.settings.schedule, self.done - 1, self.total),
            "seconds": round(self.seconds, 3),
        }
        append_row(self.run.metrics, self.row)
        self._sums.zero_()
        self._summed = 0

    def _keep(self) -> None:
        """Write the model, then the checkpoint: whoever finds this checkpoint finds its model."""
        self._check_losses()
        row = self.row or {}
        save_model(
            self.run.model,
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
        )
        save_checkpoint(
            self.run.checkpoints,
            self.networks,
            self.done,
            self._sums,
            {"step": self.done, "summed": self._summed, "seconds": self.seconds},
        )

    def _draw_sheet(self) -> None:
        held_out = self.held_out
        places, x_BCHW, y_BCHW, truth_BCHW = held_out.examples(
            self.networks, self.settings.sheet_rows
        )
        low_first = held_out.pairs.recipe.representation == "psd"

        def as_sound(image: Tensor) -> Any:
            return as_sound_picture(image, low_first)

        to_picture = self.direction == "sound-to-picture"
        see, make = (as_sound, as_picture) if to_picture else (as_picture, as_sound)
        seen, target = ("sound", "frame") if to_picture else ("frame", "sound")
        pairs = held_out.pairs
        labels = [
            f"{pairs.clip_ids[clip]}  {seconds:.2f} s"
            for clip, seconds in zip(
                pairs.clip_N[places], pairs.time_seconds_N[places], strict=True
            )
        ]
        whose = {
            "held-out": "clips it never saw",
            "training": "no clip is held out: TRAINING clips",
        }[held_out.measured_on]
        mean = make(held_out.mean_CHW)
        draw_sheet(
            self.run.samples / f"step-{self.done:08}.png",
            f"step {self.done:,}  ({whose})",
            self.note(),
            [
                (seen, [see(image) for image in x_BCHW]),
                ("generated", [make(image) for image in y_BCHW]),
                ("truth", [make(image) for image in truth_BCHW]),
                (f"mean {target}", [mean] * len(labels)),
            ],
            labels,
            tile=min(self.settings.size, 256),
        )
