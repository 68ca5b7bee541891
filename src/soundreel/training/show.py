"""What a run shows of itself: sample sheets, a curve, a page, and TensorBoard's events."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from soundreel.networks.model_folder import Direction
from soundreel.training.board import board_for
from soundreel.training.curve import draw_curve
from soundreel.training.folder import RunFolder
from soundreel.training.held_out import HeldOut
from soundreel.training.learner import Learner
from soundreel.training.page import write_page
from soundreel.training.presets import Training
from soundreel.training.sheet import as_picture, as_sound_picture, draw_sheet

#: While training, the curve and the page are drawn at most this often.
_PAGE_EVERY_SECONDS = 15.0


class Show:
    """Draws into the run folder."""

    def __init__(
        self,
        run: RunFolder,
        settings: Training,
        preset: str,
        direction: Direction,
        held_out: HeldOut,
        total: int,
    ) -> None:
        self._run = run
        self._settings = settings
        self._preset = preset
        self._direction: Direction = direction
        self._held_out = held_out
        self._total = total
        self._board = board_for(run.folder)
        self._page_at = -float("inf")

    def row(self, row: dict[str, Any]) -> None:
        """A new measurement, for the board."""
        if self._board is not None:
            self._board.row(row)

    def page(self, rows: Sequence[dict[str, Any]], state: str) -> None:
        """The curve and the page, which reloads itself while the state is "training"."""
        now = time.monotonic()
        if state == "training" and now - self._page_at < _PAGE_EVERY_SECONDS:
            return
        self._page_at = now
        if rows:
            draw_curve(self._run.curve, rows)
        write_page(
            self._run.folder,
            rows,
            self._settings,
            self._preset,
            state,
            self._total,
            rows[-1]["warnings"] if rows else [],
        )
        if state != "training" and self._board is not None:
            self._board.close()

    def sheet(self, networks: Learner, step: int, note: str) -> None:
        """A sheet of examples beside the truth and the mean training target.

        Held-out ones, and two that are trained on: what is known by heart shows.
        """
        held_out = self._held_out
        shown = held_out.examples(networks, self._settings.sheet_rows)
        low_first = held_out.pairs.recipe.representation == "psd"

        def as_sound(image: Tensor) -> np.ndarray:
            return as_sound_picture(image, low_first)

        to_picture = self._direction == "sound-to-picture"
        see, make = (as_sound, as_picture) if to_picture else (as_picture, as_sound)
        seen, target = ("sound", "frame") if to_picture else ("frame", "sound")
        whose = {
            "held-out": "clips it never saw",
            "training": "no clip is held out: TRAINING clips",
        }[held_out.measured_on]
        mean = make(held_out.mean_CHW)
        path = self._run.samples / f"step-{step:08}.png"
        draw_sheet(
            path,
            f"step {step:,}  ({whose})",
            note,
            [
                # Of a window of frames the newest stands for all.
                (seen, [see(image if image.dim() == 3 else image[-1]) for image in shown.x_BCHW]),
                ("generated", [make(image) for image in shown.y_BCHW]),
                ("truth", [make(image) for image in shown.truth_BCHW]),
                (f"mean {target}", [mean] * len(shown.labels)),
            ],
            shown.labels,
            tile=min(self._settings.size, 256),
        )
        if self._board is not None:
            with Image.open(path) as drawn:
                self._board.sheet(step, np.asarray(drawn.convert("RGB")))
